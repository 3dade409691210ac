"""The reaper: judges every record, says how each user stands, stops servers in a lockout."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from ..errors import HubUnreachable, LockHeld, StoreError
from ..hub.client import HubUser
from ..logs import event
from ..quota.judge import active_at_reap, judge
from ..quota.limits import Limits
from ..quota.messages import reaped
from ..quota.record import Record, State
from .cycle import Rooms, as_listed, failed, over_all_users

log = logging.getLogger(__name__)

NAME = "Reaper"


@dataclass(frozen=True)
class Verdict:
    """What the reaper says of one user, and the servers (by name) that it is to stop."""

    user: HubUser
    record: Record
    level: int
    message: str
    stop: tuple[str, ...] = ()

    def __str__(self) -> str:
        servers = ", ".join(repr(name) if name else "the default server" for name in self.stop)
        return f"stop {servers} of {self.user.name}"


class Reaper:
    """Runs cycles over all users."""

    def __init__(self, rooms: Rooms, *, dry_run: bool = False) -> None:
        self._rooms = rooms
        self._settings = rooms.settings
        self._homes = rooms.homes
        self._limits: Limits = rooms.settings.limits()
        self._dry_run = dry_run

    def decide(self, user: HubUser, record: Record) -> Verdict:
        """The verdict on a user whose quota is enabled. Pure but for the clock."""
        now = self._rooms.clock()
        record = as_listed(record, user, self._limits, grandfather=self._settings.grandfather)
        record = judge(replace(record, reaper_time=now), now, self._settings.grace_secs)
        active = active_at_reap(record, self._settings.reaper_period_secs)
        record = replace(record, active_at_reap=active)
        level, message = reaped(record, self._settings.du_timeout_secs)
        exempt = user.admin and self._settings.admins_exempt
        locked = record.quota_state is State.LOCKOUT and not exempt
        return Verdict(user, record, level, message, user.servers if locked else ())

    async def run_once(self) -> list[Verdict]:
        """One cycle; the verdicts that stop servers. Raises HubError or StoreError.

        What fails for one user is logged and does not stop the others.
        """
        stopping: list[Verdict] = []
        async for verdicts in over_all_users(self._rooms, self._look_at):
            for verdict in verdicts:
                stopping.append(verdict)
                if not self._dry_run:
                    await self._stop(verdict)
        return stopping

    async def _stop(self, verdict: Verdict) -> None:
        name = verdict.user.name
        for server in verdict.stop:
            message = f"Deleting notebook server for {name}"
            event(log, logging.CRITICAL, message, subsystem=NAME)
            try:
                await self._rooms.hub.stop_server(name, server)
            except HubUnreachable:
                raise
            except Exception as error:
                failed(self._rooms, verdict.user, error, NAME)

    def _look_at(self, user: HubUser) -> Verdict | None:
        try:
            return self._look(user)
        except Exception as error:
            failed(self._rooms, user, error, NAME)
            return None

    def _look(self, user: HubUser) -> Verdict | None:
        name = user.name
        record = self._rooms.store.read(name)
        home = self._homes.of(name, record.home if record else None)
        unseen = logging.INFO if user.last_activity is None else logging.WARNING
        if not home.exists():
            self._say(unseen, f"User {name} home dir {home} does not exist. Skipping.")
            self._rooms.board.saw(user, record, f"The home {home} does not exist.")
            return None
        if record is None:
            path = self._rooms.store.path(name)
            self._say(unseen, f"Quota file {path} for user {name} does not exist. Skipping.")
            self._rooms.board.saw(user, None)
            return None
        if not record.quota_enabled:
            self._say(logging.INFO, f"Quota monitoring for user {name} is disabled.  Skipping.")
            self._rooms.board.saw(user, record)
            return None
        verdict = self._judge(user, record)
        self._rooms.board.saw(user, verdict.record)
        event(log, verdict.level, verdict.message, subsystem=NAME, record=verdict.record)
        return verdict if verdict.stop else None

    def _judge(self, user: HubUser, record: Record) -> Verdict:
        if self._dry_run:
            return self.decide(user, record)
        try:
            with self._rooms.store.held(user.name) as held:
                verdict = self.decide(user, held.read() or record)
                held.write(verdict.record)
                return verdict
        except LockHeld:
            raise
        except StoreError as error:
            # A full or read-only control disk must not end enforcement.
            failed(self._rooms, user, error, NAME)
            return self.decide(user, record)

    def _say(self, level: int, message: str) -> None:
        event(log, level, message, subsystem=NAME)
