"""What all pages have in common: who asks, the headers, the look.

Each page is a module of its own, and says who may use it. Names come from users and files:
the templates escape them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthenticated
from tornado import web

from ..hub.client import HubUser
from .api.visitor import ADMIN, READ, Visitor, visitor_of
from .parts import Parts
from .static_files import StaticFiles


class Handler(HubOAuthenticated, web.RequestHandler):  # type: ignore[misc]
    """What all pages have in common: the user, the headers, the look."""

    parts: Parts
    # What else of a page's own the policy allows as styles, and who may put it into a frame.
    styles = ""
    framed_by = "'none'"

    def initialize(self, parts: Parts) -> None:
        """Keep what the application hands over."""
        self.parts = parts

    async def prepare(self) -> None:
        """Ask the hub who it is, without blocking: `current_user` then finds it in a cache."""
        await self.hub_auth.get_user(self, sync=False)

    def set_default_headers(self) -> None:
        """Say what a browser may load and do, and that nothing is to be kept."""
        # With subdomains the hub's style sheets and logo have another origin.
        host = urlsplit(self.hub_auth.hub_host)
        hub = f" {host.scheme}://{host.netloc}" if host.netloc else ""
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'self'{hub}{self.styles}; img-src 'self'{hub} data:;"
            f" script-src 'self'{hub}; font-src 'self'{hub}; connect-src 'self';"
            f" form-action 'self'; base-uri 'none'; frame-ancestors {self.framed_by}",
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    @property
    def visitor(self) -> Visitor:
        """Who asks, and whom they may see and manage: as for the API."""
        return visitor_of(self.current_user, set(self.hub_auth.access_scopes))

    @property
    def administers(self) -> bool:
        """Whether the visitor sees all there is."""
        return bool(self.current_user) and self.visitor.may_all(ADMIN)

    @property
    def table_name(self) -> str:
        """What the table of users is called, of those whom the visitor sees; "" for nobody."""
        if not self.current_user:
            return ""
        visitor = self.visitor
        return "All users" if visitor.may_all(READ) else "My group" if visitor.leads else ""

    @property
    def keeps_servers(self) -> bool:
        """Whether the visitor keeps their servers in a lockout, as an administrator may."""
        return self.parts.admins_exempt and self.current_user.get("admin") is True

    def demand_administrator(self) -> None:
        """Raise a 403 for everybody else."""
        if not self.administers:
            raise web.HTTPError(403, "This page is for administrators.")

    @property
    def own_name(self) -> str:
        """The visitor's name as the owner of a home. Raises a 404 for a service."""
        if self.current_user.get("kind") != "user":
            raise web.HTTPError(404, "Only users have a storage of their own.")
        return str(self.current_user["name"])

    @property
    def own_user(self) -> HubUser:
        """The visitor as the hub knows them: by their login, or by its list of all users."""
        own, row = self.visitor.own, self.parts.board.get(self.own_name)
        if own is None or own.groups is None:
            return row.user if row is not None else own or HubUser(self.own_name, groups=None)
        return own

    def page(self, name: str, **values: Any) -> None:
        """Answer with a template, for the visitor."""
        self._render(
            name,
            visitor=self.current_user,
            administers=self.administers,
            table_name=self.table_name,
            trouble=self.parts.trouble(),
            figures_old=self.parts.figures_old(),
            **values,
        )

    def _render(self, name: str, **values: Any) -> None:
        self.finish(
            self.parts.templates.get_template(name).render(
                hub_prefix=self.hub_auth.hub_host + self.hub_auth.hub_prefix,
                base_url=self.hub_auth.base_url,
                menu_text=self.parts.menu_text,
                static=self._static,
                **values,
            )
        )

    def _static(self, name: str) -> str:
        """The path of a static file, with a hash of its content."""
        return StaticFiles.make_static_url(self.settings["static_files"], name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """An error as a short page in the same look, for whoever it is."""
        reason = self._reason
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, web.HTTPError) and error.log_message and status_code < 500:
            reason = str(error.log_message)
        self._render(
            "error.html",
            visitor=None,
            administers=False,
            table_name="",
            trouble=[],
            figures_old=False,
            status=status_code,
            reason=reason,
        )


class NotFound(Handler):
    """Whatever is not a page."""

    def prepare(self) -> None:  # type: ignore[override]
        """No need to know who asks."""
        raise web.HTTPError(404, "There is no such page.")
