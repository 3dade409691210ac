"""Rescues as the spawn hook starts them: asked for, put on record, told.

A hub that may not write the control files asks the service to, which decides alike.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..control import rescue as files
from ..control.store import ControlStore
from ..errors import EFSQuotaError
from ..offload import Offload
from ..quota.record import Record, parse_time
from ..quota.rescue import Server, Spawning, Terms, is_rescue
from ..quota.rescue_words import refused, started
from ..settings import EFSQuota
from .lend import lend, rescue_variables, take_back

# Ask or tell the service something about a spawner's user: what, the body, seconds. None: there
# is no service.
Ask = Callable[[Any, str, bytes, float], Awaitable[bytes | None]]
TELL_SECS = 5.0
NOT_RECORDED = "No rescue can be put on record now, so none is started. Try again in a minute."


@dataclass(frozen=True)
class Answer:
    """Whether a server may start as a rescue, and until when; else why not.

    `unlocked`: the user is not locked out any more, and needs none.
    """

    until: datetime | None = None
    why_not: str = ""
    unlocked: bool = False


class RescueDoor:
    """Lets servers of locked users start as rescues. Part of the spawn gate."""

    def __init__(
        self,
        settings: EFSQuota,
        terms: Terms,
        store: ControlStore,
        offload: Offload,
        ask: Ask,
    ) -> None:
        self._settings = settings
        self._terms = terms
        self._store = store
        self._offload = offload
        self._ask = ask
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, spawner: Any, record: Record) -> Answer:
        """Let this server of a locked user start as a rescue, if it may."""
        spawning = _spawning(spawner)
        try:
            answer = await self._here(record.user, spawning)
        except (EFSQuotaError, OSError) as error:
            spawner.log.debug("The rescue of %s is not written here: %s", record.user, error)
            answer = await self._by_service(spawner, spawning)
        else:
            if answer.until is not None:
                self._tell(spawner, spawning.server)
        if answer.until is not None:
            self._lend(spawner, answer.until)
        return answer

    async def _here(self, user: str, spawning: Spawning) -> Answer:
        secs = self._settings.hook_timeout
        admission = await self._offload.run_within(
            secs, files.admit, self._store, user, spawning, _now(), self._terms
        )
        if admission is None:
            return Answer(unlocked=True)
        if admission.granted:
            return Answer(admission.record.rescue_until)
        return Answer(why_not=refused(admission))

    async def _by_service(self, spawner: Any, spawning: Spawning) -> Answer:
        body = json.dumps(
            {
                "server": _plain(spawning.server),
                "running": [_plain(each) for each in spawning.running],
            }
        )
        try:
            told = await self._ask(spawner, "rescue", body.encode(), self._settings.hook_timeout)
            answer = json.loads(told or b"null")
            if answer is None:
                raise ValueError("there is no service to ask")
            return Answer(
                parse_time(answer["until"]), str(answer["why_not"]), answer["unlocked"] is True
            )
        except Exception as error:
            spawner.log.error("The rescue of %s is not written: %s", spawner.user.name, error)
            return Answer(why_not=NOT_RECORDED)

    def _lend(self, spawner: Any, until: datetime) -> None:
        variables = rescue_variables(self._settings.rescue_directory, until)
        for amiss in lend(spawner, variables, self._settings.rescue_overrides):
            spawner.log.error("c.EFSQuota.rescue_overrides: %s. It is left out.", amiss)

    def _tell(self, spawner: Any, server: Server) -> None:
        """Have the service put it on record and look after it. The spawn does not wait."""

        async def tell() -> None:
            try:
                body = json.dumps({"server": _plain(server)}).encode()
                await self._ask(spawner, "rescued", body, TELL_SECS)
            except Exception as error:
                spawner.log.warning(
                    "The rescue of %s is not told to the service: %s", spawner.user.name, error
                )

        task = asyncio.create_task(tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def forget(
    spawner: Any, record: Record, store: ControlStore, offload: Offload, secs: float
) -> None:
    """Forget the rescue of a user who is not locked out any more, if its server is gone.

    Otherwise a page would go on to speak of it. The reaper does the same, in its time.
    """
    try:
        if not any(is_rescue(record, server) for server in _spawning(spawner).running):
            await offload.run_within(secs, files.forget, store, record.user)
    except Exception as error:
        spawner.log.debug("A rescue of %s is not forgotten yet: %s", record.user, error)


def words(until: datetime) -> str:
    """What the user reads while a rescue starts."""
    return started(until, _now())


def give_back(spawner: Any) -> None:
    """Take back what an earlier rescue lent this spawner. Fails no spawn."""
    try:
        take_back(spawner)
    except Exception as error:
        spawner.log.error("Something of a rescue stays with this spawner: %s", error)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _spawning(spawner: Any) -> Spawning:
    """The server that is to start, and all of its user's that run or start."""
    every = spawner.user.spawners.items()
    running = [_server(name, each) for name, each in every if each.active]
    return Spawning(_server(spawner.name, spawner), running)


def _server(name: str, spawner: Any) -> Server:
    # The hub's own column: UTC, without saying so.
    return Server(name, parse_time(getattr(spawner.orm_spawner, "started", None)))


def _plain(server: Server) -> dict[str, str | None]:
    return {
        "name": server.name,
        "started": None if server.started is None else server.started.isoformat(),
    }
