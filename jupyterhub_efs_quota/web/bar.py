"""The visitor's own figure for the hub's home and spawn pages.

Their script (static/hub.js) puts this page into a frame that nobody sees. So the visitor
is logged in here by the hub, unseen, even where services have a host of their own, which
no script could do. The page then tells its figure to the hub's page, and to no other.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from tornado import web

from ..quota.ahead import full_in_files
from .current import current_record
from .handlers import Handler
from .rescue import rescue_of
from .show import usage_view


class Bar(Handler):
    """The figure, for the hub's pages alone."""

    @property
    def framed_by(self) -> str:  # type: ignore[override]
        """The hub's pages, which have our own origin or one that is known."""
        return self._hub or "'self'"

    @property
    def _hub(self) -> str:
        host = urlsplit(self.hub_auth.hub_host)
        return f"{host.scheme}://{host.netloc}" if host.netloc else ""

    @web.authenticated
    async def get(self) -> None:
        """Answer with a page that tells it, or that has nothing to tell."""
        record, _ = await current_record(self.parts, self.own_name)
        now, foresight = self.parts.clock(), self.parts.foresight
        # The page counts on nothing of an administrator's, who keeps servers in a lockout.
        exempt = self.keeps_servers
        self.page(
            "bar.html",
            view=usage_view(record, now) if record else None,
            lock=foresight.lock(record, now) if record and not exempt else None,
            full=foresight.full_soon(record, now) if record else None,
            full_in="files" if record and full_in_files(record) else "",
            rescue=None if exempt else rescue_of(self.parts, record, now),
            hub_origin=self._hub,
        )
