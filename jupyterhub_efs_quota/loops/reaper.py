"""The reaper: judges every record, says how each user stands, stops servers in a lockout."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..control.store import Held
from ..errors import HOME_MISSING, BrokenFile, HubUnreachable, LockHeld, StoreError
from ..hub.client import HubUser
from ..logs import event
from ..quota.judge import active_at_reap, judge
from ..quota.limits import Limits
from ..quota.messages import reaped
from ..quota.record import Record, State, replace
from ..quota.rescue import follow
from .counts import Counts
from .cycle import Rooms, as_listed, failed, over_all_users, publish, saved
from .rescue import Rescues, Watched, watched

log = logging.getLogger(__name__)

NAME = "Reaper"


@dataclass(frozen=True)
class Verdict:
    """What the reaper says of one user, and the servers (by name) that it is to stop.

    `rescue`: the one that it leaves alone, since it is a rescue, or has ended as one.
    """

    user: HubUser
    record: Record
    level: int
    message: str
    stop: tuple[str, ...] = ()
    rescue: Watched | None = None

    def __str__(self) -> str:
        servers = ", ".join(repr(name) if name else "the default server" for name in self.stop)
        stops = f"stop {servers} of {self.user.name}" if servers else ""
        return "; ".join(filter(None, (stops, str(self.rescue or ""))))


class Reaper:
    """Runs cycles over all users. `rescues` looks after those in a rescue: without it, none is.

    `waits`: nobody else does, so a cycle waits for the measurements that this takes.
    """

    def __init__(
        self,
        rooms: Rooms,
        *,
        dry_run: bool = False,
        rescues: Rescues | None = None,
        waits: bool = False,
    ) -> None:
        self._rooms = rooms
        self._settings = rooms.settings
        self._homes = rooms.homes
        self._limits: Limits = rooms.settings.limits()
        self._dry_run = dry_run
        self._terms = rooms.settings.rescue_terms()
        self._rescues = rescues
        self._waits = waits
        self.counts = Counts()

    def decide(self, user: HubUser, record: Record) -> Verdict:
        """The verdict on a user whose quota is enabled. Pure but for the clock."""
        now = self._rooms.clock()
        record = as_listed(record, user, self._limits, now, grandfather=self._settings.grandfather)
        record = replace(record, reaper_time=now)
        active = active_at_reap(record, self._settings.reaper_period_secs)
        record = replace(record, active_at_reap=active)
        record = judge(record, now, self._settings.grace_secs)
        level, message = reaped(record, self._settings.du_timeout_secs)
        exempt = user.admin and self._settings.admins_exempt
        record = follow(record, user.running, now, self._terms, exempt=exempt)
        rescue = watched(user, record, now, self._terms) if self._rescues else None
        spared = None if rescue is None else rescue.server.name
        locked = record.quota_state is State.LOCKOUT and not exempt
        stop = tuple(name for name in user.servers if locked and name != spared)
        return Verdict(user, record, level, message, stop, rescue)

    async def run_once(self) -> list[Verdict]:
        """One cycle; the verdicts that stop servers, or spare one. Raises HubError or StoreError.

        What fails for one user is logged and does not stop the others.
        """
        self.counts = Counts()
        stopping: list[Verdict] = []
        async for verdicts in over_all_users(self._rooms, self._look_at):
            for verdict in verdicts:
                stopping.append(verdict)
                if not self._dry_run:
                    await self._stop(verdict)
        if not self._dry_run:
            if self._rescues is not None and self._waits:
                await self._rescues.wait(self._settings.reaper_period_secs)
            await publish(self._rooms)
        return stopping

    async def _stop(self, verdict: Verdict) -> None:
        name = verdict.user.name
        for server in verdict.stop:
            message = f"Deleting notebook server for {name}"
            event(log, logging.CRITICAL, message, subsystem=NAME)
            try:
                await self._rooms.hub.stop_server(name, server)
                self.counts.add("stopped")
                self._rooms.history.stopped(name, server, verdict.message, by=NAME)
                self._rooms.counted.stopped_server()
            except HubUnreachable:
                raise
            except Exception as error:
                self.counts.add("failed")
                failed(self._rooms, verdict.user, error, NAME)
        if verdict.rescue is not None and self._rescues is not None:
            await self._rescues.look_after(name)

    def _look_at(self, user: HubUser) -> Verdict | None:
        self.counts.add("users")
        try:
            return self._look(user)
        except Exception as error:
            self.counts.add("skipped" if isinstance(error, LockHeld) else "failed")
            failed(self._rooms, user, error, NAME)
            return None

    def _look(self, user: HubUser) -> Verdict | None:
        try:
            # Before the lock is taken, for the homes may hang.
            home = self._home(user)
            at_home = home.exists()
            with ExitStack() as stack:
                held = self._hold(user, stack)
                record = held.read() if held else self._rooms.store.read(user.name)
                verdict = self._verdict(user, record, home, at_home=at_home)
                if verdict is not None:
                    if record is not None and held is not None:
                        self._save(held, record, verdict)
                    self._rooms.history.judged(verdict.record, by=NAME)
        except BrokenFile as error:
            # It unlocks nobody: until it is mended, the last good record stands in for it.
            self.counts.add("failed")
            failed(self._rooms, user, error, NAME)
            row = self._rooms.board.get(user.name)
            if row is None or row.record is None or not row.record.quota_enabled:
                return None
            verdict = self.decide(user, row.record)
        if verdict is None:
            return None
        self.counts.add("judged")
        event(log, verdict.level, verdict.message, subsystem=NAME, record=verdict.record)
        return verdict if verdict.stop or verdict.rescue else None

    def _home(self, user: HubUser) -> Path:
        row = self._rooms.board.get(user.name)
        record = row.record if row else self._rooms.store.read(user.name)
        return self._homes.of(user.name, record.home if record else None)

    def _hold(self, user: HubUser, stack: ExitStack) -> Held | None:
        """The user's file under its lock; None where there is none, or nothing is written."""
        if self._dry_run or not self._rooms.store.path(user.name).is_file():
            return None
        try:
            return stack.enter_context(self._rooms.store.held(user.name))
        except StoreError as error:
            # A full or read-only control disk must not end enforcement.
            failed(self._rooms, user, error, NAME)
            return None

    def _verdict(
        self, user: HubUser, record: Record | None, home: Path, *, at_home: bool
    ) -> Verdict | None:
        """The verdict on a user's record, or None, and said why, where there is none."""
        name, board = user.name, self._rooms.board
        unseen = logging.INFO if user.last_activity is None else logging.WARNING
        if not at_home:
            self._say(unseen, f"User {name} home dir {home} does not exist. Skipping.")
            board.saw(user, record, by=NAME)
            board.failed(user, f"The home {home} does not exist.", by=NAME, kind=HOME_MISSING)
        elif record is None:
            path = self._rooms.store.path(name)
            self._say(unseen, f"Quota file {path} for user {name} does not exist. Skipping.")
            board.saw(user, None, by=NAME)
        elif not record.quota_enabled:
            self._say(logging.INFO, f"Quota monitoring for user {name} is disabled.  Skipping.")
            board.saw(user, record, by=NAME)
            self._rooms.history.judged(record, by=NAME)
        else:
            verdict = self.decide(user, record)
            board.saw(user, verdict.record, by=NAME)
            return verdict
        return None

    def _save(self, held: Held, before: Record, verdict: Verdict) -> None:
        try:
            held.write(verdict.record)
            saved(self._rooms, before, verdict.record, by=NAME)
        except StoreError as error:
            failed(self._rooms, verdict.user, error, NAME)

    def _say(self, level: int, message: str) -> None:
        event(log, level, message, subsystem=NAME)
