"""What the spawn hook calls, with the service's own token, which only the hub has."""

from __future__ import annotations

import hmac
import json
import logging
from dataclasses import replace

from tornado import web

from ..errors import EFSQuotaError
from ..quota.record import State
from .current import current_record
from .parts import Parts

log = logging.getLogger(__name__)


class FromHub(web.RequestHandler):
    """Answers nobody but the hub."""

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
