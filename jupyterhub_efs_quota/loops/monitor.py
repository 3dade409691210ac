"""The monitor: measures homes and records what they hold."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from ..board import MEASURING
from ..errors import HOME_MISSING, HomeError
from ..hub.client import HubUser
from ..logs import event
from ..quota.judge import judge, why_measure
from ..quota.limits import Limits
from ..quota.record import Record, State
from ..remeasure import Remeasure
from .cycle import Rooms, as_listed, failed, over_all_users, publish

log = logging.getLogger(__name__)

NAME = "Monitor"


@dataclass(frozen=True)
class Plan:
    """What the monitor is to do about one user: keep `record`, and measure if there is a `why`."""

    user: HubUser
    record: Record
    why: str | None

    @property
    def rank(self) -> bool:
        """Sorts first those who wait for it: at work, locked, or never measured."""
        waiting = (
            bool(self.user.servers)
            or self.record.quota_state is State.LOCKOUT
            or not self.record.measured
        )
        return not waiting

    def __str__(self) -> str:
        return f"measure {self.user.name}: {self.why}"


class Monitor:
    """Runs cycles over all users. `remeasure` does the single home."""

    def __init__(self, rooms: Rooms, remeasure: Remeasure, *, dry_run: bool = False) -> None:
        self._rooms = rooms
        self._settings = rooms.settings
        self._homes = rooms.homes
        self._limits: Limits = rooms.settings.limits()
        self._remeasure = remeasure
        self._dry_run = dry_run

    def decide(self, user: HubUser, record: Record | None) -> Plan:
        """What to do about a user whose home is there. Pure but for the clock."""
        now = self._rooms.clock()
        record = as_listed(
            record or Record(user.name),
            user,
            self._limits,
            grandfather=self._settings.grandfather,
        )
        if not record.quota_enabled:
            return Plan(user, record, None)
        record = judge(record, now, self._settings.grace_secs)
        return Plan(user, record, why_measure(record, now, self._settings.stale_quota_secs))

    async def run_once(self) -> list[Plan]:
        """One cycle; the measurements that were due. Raises HubError or StoreError.

        What fails for one user is logged and does not stop the others.
        """
        plans: list[Plan] = []
        async for some in over_all_users(self._rooms, self._look_at):
            plans += some
        plans.sort(key=lambda plan: plan.rank)
        if not self._dry_run:
            pending = deque(plans)
            most = min(self._settings.measure_concurrency, len(plans))
            await asyncio.gather(*(self._measure(pending) for _ in range(most)))
            await publish(self._rooms)
        return plans

    async def _measure(self, pending: deque[Plan]) -> None:
        while pending:
            plan = pending.popleft()
            try:
                record = await self._remeasure.measure(plan.user.name, planned=plan.record)
                if record is not None:
                    self._rooms.board.measured(record)
            except Exception as error:
                failed(self._rooms, plan.user, error, NAME, by=MEASURING)

    def _look_at(self, user: HubUser) -> Plan | None:
        try:
            return self._look(user)
        except Exception as error:
            failed(self._rooms, user, error, NAME)
            return None

    def _look(self, user: HubUser) -> Plan | None:
        name = user.name
        record = self._rooms.store.read(name)
        home = self._homes.of(name, record.home if record else None)
        if not home.exists():
            level = logging.INFO if user.last_activity is None else logging.WARNING
            self._say(level, f"User {name} home dir {home} does not exist.  Skipping.")
            self._rooms.board.saw(user, record, by=NAME)
            self._rooms.board.failed(
                user, f"The home {home} does not exist.", by=NAME, kind=HOME_MISSING
            )
            return None
        if not home.is_dir():
            raise HomeError(f"The home {home} of user {name!r} is not a directory.")
        plan = self.decide(user, record)
        if plan.record != record and not self._dry_run:
            plan = self._save(user)
        self._rooms.board.saw(user, plan.record, by=NAME)
        if not plan.record.quota_enabled:
            self._say(logging.INFO, f"Quota monitoring for user {name} is disabled.  Skipping.")
        elif plan.why is None:
            self._say(logging.INFO, f"User {name} quota sufficiently recent.  Skipping.")
        return plan if plan.why is not None else None

    def _save(self, user: HubUser) -> Plan:
        with self._rooms.store.held(user.name, create=True) as held:
            record = held.read()
            # The spawn hook may have made the file first, to say where the home is.
            unseen = record is None or not (record.measured or record.quota_source)
            if unseen and (record is None or record.quota_enabled):
                self._say(logging.INFO, f"Initializing quota for user {user.name}")
            plan = self.decide(user, record)
            held.write(plan.record)
        return plan

    def _say(self, level: int, message: str) -> None:
        event(log, level, message, subsystem=NAME)
