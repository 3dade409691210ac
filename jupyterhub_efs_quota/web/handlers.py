"""The pages, and the one call that the spawn hook makes.

Each handler says who may use it. Names come from users and files: the templates escape
them, and no script runs on any page.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated, check_scopes
from tornado import web

from ..board import Row
from ..errors import EFSQuotaError, LockHeld
from ..quota.record import State
from .current import current_record
from .parts import Parts
from .show import usage_view

log = logging.getLogger(__name__)

# A button waits this long for its measurement, then the page says that it goes on.
BUTTON_WAIT_SECS = 4.0
PAGE_ROWS = 200
_STATES = [state.value for state in State]


class Handler(HubOAuthenticated, web.RequestHandler):  # type: ignore[misc]
    """What all pages have in common: the user, the headers, the look."""

    parts: Parts

    def initialize(self, parts: Parts) -> None:
        self.parts = parts

    async def prepare(self) -> None:
        # Asks the hub without blocking; `current_user` then finds the answer in a cache.
        await self.hub_auth.get_user(self, sync=False)

    def set_default_headers(self) -> None:
        # With subdomains the hub's style sheets and logo have another origin.
        host = urlsplit(self.hub_auth.hub_host)
        hub = f" {host.scheme}://{host.netloc}" if host.netloc else ""
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'self'{hub}; img-src 'self'{hub} data:;"
            f" script-src 'self'{hub}; font-src 'self'{hub};"
            " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    @property
    def administers(self) -> bool:
        """Whether the visitor sees all users."""
        model = self.current_user or {}
        return model.get("admin") is True or bool(
            check_scopes({"custom:efs-quota:admin"}, set(model.get("scopes", [])))
        )

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

    def page(self, name: str, **values: Any) -> None:
        """Answer with a template, for the visitor."""
        self._render(
            name,
            visitor=self.current_user,
            administers=self.administers,
            trouble=self.parts.trouble(),
            **values,
        )

    def _render(self, name: str, **values: Any) -> None:
        self.finish(
            self.parts.templates.get_template(name).render(
                hub_prefix=self.hub_auth.hub_host + self.hub_auth.hub_prefix,
                base_url=self.hub_auth.base_url,
                menu_text=self.parts.menu_text,
                **values,
            )
        )

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
            trouble=[],
            status=status_code,
            reason=reason,
        )


class MyStorage(Handler):
    """The visitor's own storage."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        name = self.own_name
        record, problem = await current_record(self.parts, name)
        self.page(
            "mine.html",
            view=usage_view(record, self.parts.clock(), keeps_servers=self._exempt)
            if record
            else None,
            problem=problem,
            measuring=self.parts.measuring(name),
            said=self.get_query_argument("said", ""),
            xsrf_token=self.xsrf_token.decode(),
        )

    @property
    def _exempt(self) -> bool:
        return self.parts.admins_exempt and self.current_user.get("admin") is True


class MeasureAgain(Handler):
    """The button on the visitor's own page."""

    @web.authenticated
    async def post(self) -> None:
        """Measure the visitor's home; go back to the page when it is done, or goes on."""
        name = self.own_name
        said = "measured"
        measuring = self.parts.measure(name)
        try:
            await asyncio.wait_for(asyncio.shield(measuring), BUTTON_WAIT_SECS)
        except (asyncio.TimeoutError, TimeoutError):
            said = "measuring"
        except LockHeld:
            said = "measuring"
        except (EFSQuotaError, OSError) as error:
            log.warning("The home of %s is not measured: %s", name, error)
            said = "failed"
        self.redirect(f"{self.hub_auth.base_url}?said={said}", status=303)


class AllUsers(Handler):
    """The table of all users, for administrators."""

    @web.authenticated
    async def get(self) -> None:
        """Show a part of the table: `q` in the name, `state`, `page` from 1."""
        self.demand_administrator()
        wanted = self.get_query_argument("q", "").strip()
        state = self.get_query_argument("state", "")
        rows = [row for row in self.parts.board.rows() if _matches(row, wanted, state)]
        pages = max(1, -(-len(rows) // PAGE_ROWS))
        page = min(max(_whole(self.get_query_argument("page", "1")), 1), pages)
        now = self.parts.clock()
        self.page(
            "users.html",
            rows=[
                (row, usage_view(row.record, now) if row.record else None)
                for row in rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
            ],
            found=len(rows),
            number=page,
            pages=pages,
            wanted=wanted,
            state=state,
            states=_STATES,
        )


class FromHub(web.RequestHandler):
    """What the spawn hook calls: only the hub has the service's own token."""

    def initialize(self, parts: Parts, api_token: str, budget_secs: float) -> None:
        """Keep what the application hands over."""
        self._parts = parts
        self._api_token = api_token
        self._budget_secs = budget_secs

    def prepare(self) -> None:
        """Refuse whoever is not the hub."""
        given = self.request.headers.get("Authorization", "").partition(" ")[2]
        if not self._api_token or not hmac.compare_digest(
            given.encode(errors="replace"), self._api_token.encode()
        ):
            raise web.HTTPError(403)

    def check_xsrf_cookie(self) -> None:
        """Not by cookie: the token is the proof."""


class Refused(FromHub):
    """The spawn hook says that it refused a server, so that it is on record."""

    def post(self, user: str) -> None:
        """Put it on record: `{"server": NAME, "reason": TEXT}`."""
        try:
            told = json.loads(self.request.body)
            server, reason = str(told["server"]), str(told["reason"])
        except (ValueError, TypeError, KeyError):
            raise web.HTTPError(400) from None
        self._parts.history.refused(user, server, reason, by="the spawn hook")
        self.set_status(204)


class Verify(FromHub):
    """The spawn hook's question: is this user, in lockout on record, over now?

    Answers `{"state": STATE}`.
    """

    async def post(self, user: str) -> None:
        """Measure within the budget, and say the state."""
        record, _ = await current_record(self._parts, user)
        if record is None:
            raise web.HTTPError(404)
        if not record.quota_enabled:
            record = replace(record, quota_state=State.OK)
        if record.quota_state is State.LOCKOUT:
            try:
                record = await self._parts.verify(record, self._budget_secs)
            except (EFSQuotaError, OSError) as error:
                self._parts.failed(error)
                log.warning("The lockout of %s stands unverified: %s", user, error)
        self._parts.answered(record)
        self.write({"state": record.quota_state.value})


class Health(web.RequestHandler):
    """Whether the service works: 200, or 503 with what is wrong. Tells nothing else."""

    def initialize(self, parts: Parts) -> None:
        """Keep what the application hands over."""
        self._parts = parts

    def get(self) -> None:
        """Say so."""
        trouble = self._parts.trouble()
        self.set_status(503 if trouble else 200)
        self.write({"status": "degraded" if trouble else "ok"})


class NotFound(Handler):
    """Whatever is not a page."""

    def prepare(self) -> None:  # type: ignore[override]
        """No need to know who asks."""
        raise web.HTTPError(404, "There is no such page.")


def _matches(row: Row, wanted: str, state: str) -> bool:
    if wanted.casefold() not in row.user.name.casefold():
        return False
    return not state or (row.record is not None and row.record.quota_state.value == state)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 1


__all__ = [
    "AllUsers",
    "Health",
    "HubOAuthCallbackHandler",
    "MeasureAgain",
    "MyStorage",
    "NotFound",
    "Refused",
    "Verify",
]
