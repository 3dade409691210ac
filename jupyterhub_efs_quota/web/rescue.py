"""Rescues: what the spawn hook tells or asks of the service, and what a user's page says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from tornado import web

from ..control import rescue as files
from ..errors import EFSQuotaError
from ..history.events import Action, ActionKind
from ..quota.record import Record, parse_time
from ..quota.rescue import Phase, Server, Spawning, Standing, standing
from ..quota.rescue_words import refused
from .from_hub import FromHub
from .parts import Parts
from .show import UsageView

_WRITE_SECS = 5.0


class BeginRescue(FromHub):
    """The hub may not write control files: may this server of a locked user start as a rescue?

    Answers `{"until": TIME or null, "why_not": TEXT, "unlocked": BOOL}`.
    """

    async def post(self, user: str) -> None:
        """Decide, write and say it: `{"server": {...}, "running": [{...}]}`."""
        spawning = self._asked()
        terms = self._parts.rescues.terms if self._parts.rescues is not None else None
        if terms is None:
            raise web.HTTPError(409, "No rescues are offered here.")
        try:
            admission = await self._parts.offload.run_within(
                _WRITE_SECS,
                files.admit,
                self._parts.store,
                user,
                spawning,
                self._parts.clock(),
                terms,
            )
        except (EFSQuotaError, OSError) as error:
            self._parts.failed(error)
            raise web.HTTPError(503, "%s", error) from None
        answer: dict[str, Any] = {"until": None, "why_not": "", "unlocked": admission is None}
        if admission is not None and admission.granted:
            until = admission.record.rescue_until
            answer["until"] = until.isoformat() if until is not None else None
            began(self._parts, admission.record, spawning.server)
        elif admission is not None:
            answer["why_not"] = refused(admission)
        self.write(answer)

    def _asked(self) -> Spawning:
        try:
            told = json.loads(self.request.body)
            return Spawning(_server(told["server"]), [_server(each) for each in told["running"]])
        except (ValueError, TypeError, KeyError):
            raise web.HTTPError(400) from None


class RescueBegan(FromHub):
    """The spawn hook says that a server starts as a rescue, so that it is on record."""

    async def post(self, user: str) -> None:
        """Put it on record, and look after it: `{"server": {...}}`."""
        try:
            server = _server(json.loads(self.request.body)["server"])
        except (ValueError, TypeError, KeyError):
            raise web.HTTPError(400) from None
        try:
            record = await self._parts.offload.run_within(_WRITE_SECS, self._parts.store.read, user)
        except (EFSQuotaError, OSError) as error:
            self._parts.failed(error)
            raise web.HTTPError(503, "%s", error) from None
        if record is None or record.rescue_until is None:
            raise web.HTTPError(404)
        began(self._parts, record, server)
        self.set_status(204)


def began(parts: Parts, record: Record, server: Server) -> None:
    """A rescue server starts: show it, and put it on record."""
    if parts.rescues is not None:
        parts.rescues.began(record)
    parts.history.acted(
        Action(
            ActionKind.RESCUED.value,
            record.user,
            parts.clock(),
            "the spawn hook",
            server.name,
            reason="The user is in lockout, and may delete in it.",
            until=record.rescue_until,
        )
    )


_MEANINGS = {
    Phase.OFFERED: "You are over your quota, so you get no usual server. You may start a rescue"
    " server, to delete files with.",
    Phase.ON: "You are over your quota, so you get no usual server. Your rescue server is there"
    " to delete files with.",
    Phase.PAUSE: "You are over your quota, so your servers are stopped and cannot be started"
    " until there is space again.",
}


def with_rescue(view: UsageView | None, rescue: Standing | None) -> UsageView | None:
    """What a page shows, with a state that means something else during rescues."""
    if view is None or rescue is None or not view.locked_out:
        return view
    return replace(view, meaning=_MEANINGS.get(rescue.phase, view.meaning))


def rescue_of(parts: Parts, record: Record | None, now: datetime) -> Standing | None:
    """How a user stands with a rescue, for their page; None: there is nothing to say."""
    if record is None or parts.rescues is None:
        return None
    return standing(record, now, parts.rescues.terms)


def _server(told: Any) -> Server:
    """A server as the hub tells it. Raises ValueError, TypeError or KeyError."""
    name = told["name"]
    if not isinstance(name, str):
        raise TypeError(name)
    return Server(name, parse_time(told["started"]))
