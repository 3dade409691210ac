"""The loop over users in a rescue: their homes are measured, and their servers ended in time.

The reaper leaves these servers to it. Where only the reaper runs, that looks after them too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..board import MEASURING
from ..control import rescue as files
from ..errors import HubUnreachable, LockHeld, StoreError
from ..hub.client import HubUser
from ..logs import event
from ..measure.workers.order import Priority, Wish, expect_large
from ..quota import rescue
from ..quota.record import Record
from ..quota.rescue import End, Server, Terms
from ..quota.rescue_words import BECAUSE, in_log, why_ended
from ..remeasure import Remeasure
from ..settings import EFSQuota
from .counts import Counts
from .cycle import Rooms, failed

log = logging.getLogger(__name__)

NAME = "Rescue"
# How late a rescue may end, at the most.
PERIOD_SECS = 60.0


@dataclass(frozen=True)
class Watched:
    """A rescue server that runs, of a user, and why it is to be ended now; None: it is not."""

    user: HubUser
    record: Record
    server: Server
    end: End | None

    def __str__(self) -> str:
        name = f"server {self.server.name!r}" if self.server.name else "the default server"
        if self.end is not None:
            return f"stop {name} of {self.user.name}, a rescue: {BECAUSE[self.end]}"
        return f"leave {name} of {self.user.name} alone: it is a rescue{_until(self.record)}"


def watched(user: HubUser, record: Record, now: datetime, terms: Terms | None) -> Watched | None:
    """The rescue server of a user that runs, if one does. Pure; `rescue.follow` goes before."""
    if terms is None or not rescue.begun(record, now):
        return None
    for server in user.running:
        if rescue.is_rescue(record, server):
            return Watched(user, record, server, rescue.decide(record, now, terms))
    return None


def period_secs(settings: EFSQuota) -> float:
    """From one cycle to the next."""
    return min(PERIOD_SECS, settings.rescue_measure_secs)


class Rescues:
    """Looks after users in a rescue. `terms` is None where none is offered."""

    def __init__(self, rooms: Rooms, remeasure: Remeasure) -> None:
        self.terms = rooms.settings.rescue_terms()
        self.counts = Counts()
        self._rooms = rooms
        self._remeasure = remeasure
        self._ending: set[str] = set()
        self._measuring: dict[str, asyncio.Task[None]] = {}
        self._tried: dict[str, datetime] = {}
        # Whose server the hub did not stop.
        self._unstopped: set[str] = set()

    @property
    def period_secs(self) -> float:
        """How often to look after them."""
        return period_secs(self._rooms.settings)

    def began(self, record: Record) -> None:
        """A rescue begins: what the home holds is what it may not outgrow."""
        self._rooms.board.changed(record)
        self._measure_if_due(HubUser(record.user), record)

    def idle(self) -> bool:
        """Whether nobody is in a rescue, as far as is known here."""
        return not self._names()

    async def run_once(self) -> None:
        """Look after everybody who is. What fails for one user keeps the others from nothing.

        Raises HubUnreachable.
        """
        self.counts = Counts()
        names = self._names()
        self._tried = {name: time for name, time in self._tried.items() if name in names}
        for name in names:
            self.counts.add("users")
            await self.look_after(name)

    async def look_after(self, name: str) -> None:
        """Look after one user, as the hub and their file say that they stand now."""
        try:
            user = await self._rooms.hub.user(name)
            if user is not None:
                await self.attend(user)
        except HubUnreachable:
            raise
        except Exception as error:
            self.counts.add("skipped" if isinstance(error, LockHeld) else "failed")
            row = self._rooms.board.get(name)
            failed(self._rooms, row.user if row else HubUser(name), error, NAME)

    async def attend(self, user: HubUser) -> None:
        """End the rescue of a user if it is to be, or have their home measured if that is due."""
        if user.name in self._ending:
            return
        self._ending.add(user.name)
        try:
            seen = await self._rooms.offload.run(self._look, user)
            if seen is not None and seen.end is not None:
                await self._end(seen, seen.end)
        finally:
            self._ending.discard(user.name)
        if seen is not None and seen.end is None:
            self._measure_if_due(seen.user, seen.record)

    async def wait(self, secs: float) -> None:
        """Wait for the measurements that go on, for so long."""
        if self._measuring:
            await asyncio.wait(self._measuring.values(), timeout=secs)

    def _names(self) -> list[str]:
        """Who is in a rescue, or has a server that should have been stopped."""
        return [
            row.user.name
            for row in self._rooms.board.rows()
            if row.record is not None
            and row.record.rescue_until is not None
            and (row.record.rescue_ended is None or row.user.name in self._unstopped)
        ]

    def _look(self, user: HubUser) -> Watched | None:
        """Read the record, keep up what it says of the rescue, and decide."""
        record = self._rooms.store.read(user.name)
        if record is None:
            return None
        now = self._rooms.clock()
        exempt = user.admin and self._rooms.settings.admins_exempt

        def kept_up(record: Record) -> Record:
            return rescue.follow(record, user.running, now, self.terms, exempt=exempt)

        after = kept_up(record)
        seen = watched(user, after, now, self.terms)
        end = seen.end if seen is not None else None
        if end is not None:
            after = rescue.ended(after, end, now)
        if after != record:
            self._write(user, lambda r: kept_up(r) if end is None else _ended(kept_up(r), end, now))
        self._rooms.board.changed(after)
        return seen

    def _write(self, user: HubUser, to: Callable[[Record], Record]) -> None:
        try:
            files.change(self._rooms.store, user.name, to)
        except StoreError as error:
            # A full control disk must not keep a server running.
            failed(self._rooms, user, error, NAME)

    async def _end(self, seen: Watched, end: End) -> None:
        name, server = seen.user.name, seen.server.name
        level = logging.INFO if end is End.BACK else logging.WARNING
        event(log, level, in_log(name, end), subsystem=NAME, record=seen.record)
        self._unstopped.add(name)
        await self._rooms.hub.stop_server(name, server)
        self._unstopped.discard(name)
        self.counts.add("ended")
        reason = why_ended(end, seen.record, self.terms or Terms())
        self._rooms.history.stopped(name, server, reason, by=NAME)
        self._rooms.counted.ended_rescue(end)

    def _measure_if_due(self, user: HubUser, record: Record) -> None:
        name, now = user.name, self._rooms.clock()
        tried = self._tried.get(name)
        if tried is not None and 0 <= (now - tried).total_seconds() < self.period_secs:
            return
        every = self._rooms.settings.rescue_measure_secs
        if name in self._measuring or not rescue.measuring_due(record, now, every):
            return
        self._tried[name] = now
        task = self._measuring[name] = asyncio.create_task(self._measure(user, record))
        task.add_done_callback(lambda _: self._measuring.pop(name, None))

    async def _measure(self, user: HubUser, record: Record) -> None:
        """Measure a home, and look at once at what follows."""
        name = user.name
        try:
            wish = Wish(Priority.LOCKED, expect_large(record))
            measured = await self._remeasure.measure(name, wish=wish)
            if measured is not None:
                self._rooms.board.measured(measured)
                self.counts.add("measured")
        except LockHeld:
            return  # somebody else is at it
        except Exception as error:
            self.counts.add("failed")
            failed(self._rooms, user, error, NAME, by=MEASURING)
            return
        try:
            await self.look_after(name)
        except HubUnreachable as error:
            log.warning("The rescue of %s is looked at later: %s", name, error)


def _ended(record: Record, end: End, now: datetime) -> Record:
    return rescue.ended(record, end, now) if rescue.begun(record, now) else record


def _until(record: Record) -> str:
    return "" if record.rescue_until is None else f" until {record.rescue_until:%Y-%m-%d %H:%M} UTC"
