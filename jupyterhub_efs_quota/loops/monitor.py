"""The monitor: measures homes and records what they hold."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from ..board import MEASURING
from ..errors import HOME_MISSING, HomeError, LockHeld
from ..hub.client import HubUser
from ..logs import event
from ..measure.workers.order import Priority, Wish, expect_large
from ..overview.survey import Survey
from ..quota.judge import judge, why_measure
from ..quota.limits import Limits
from ..quota.record import Record, State
from ..remeasure import Remeasure
from .counts import Counts
from .cycle import Rooms, as_listed, failed, over_all_users, publish, saved
from .scans import Scans

log = logging.getLogger(__name__)

NAME = "Monitor"


@dataclass(frozen=True)
class Plan:
    """What the monitor is to do about one user: keep `record`, and measure if there is a `why`."""

    user: HubUser
    record: Record
    why: str | None

    @property
    def wish(self) -> Wish:
        """How much it matters, and how long it is going to take."""
        return Wish(self.priority, expect_large(self.record))

    @property
    def priority(self) -> Priority:
        """Sorts first those to whom it matters: at work, locked, or never measured."""
        matters = (
            bool(self.user.servers)
            or self.record.quota_state is State.LOCKOUT
            or not self.record.measured
        )
        return Priority.LOCKED if matters else Priority.ROUTINE

    def __str__(self) -> str:
        return f"measure {self.user.name}: {self.why}"


class Monitor:
    """Runs cycles over all users. `remeasure` does the single home.

    A cycle waits for its measurements, but no longer than `patience_secs` (None: for ever):
    what is not measured by then goes on beside the next one, which plans for all others.
    """

    def __init__(
        self,
        rooms: Rooms,
        remeasure: Remeasure,
        *,
        dry_run: bool = False,
        patience_secs: float | None = None,
    ) -> None:
        self._rooms = rooms
        self._settings = rooms.settings
        self._homes = rooms.homes
        self._limits: Limits = rooms.settings.limits()
        self._remeasure = remeasure
        self._dry_run = dry_run
        self.counts = Counts()
        self._scans = Scans(rooms, remeasure) if rooms.settings.scan_file else None
        self._survey = Survey(rooms)
        self._patience_secs = patience_secs
        # Planned and not yet measured: small homes, and large ones beside them.
        self._pending: dict[bool, deque[Plan]] = {False: deque(), True: deque()}
        self._names: set[str] = set()
        self._going_on: dict[bool, set[asyncio.Task[None]]] = {False: set(), True: set()}

    def decide(self, user: HubUser, record: Record | None) -> Plan:
        """What to do about a user whose home is there. Pure but for the clock."""
        now = self._rooms.clock()
        record = as_listed(
            record or Record(user.name),
            user,
            self._limits,
            now,
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
        self.counts = Counts()
        plans: list[Plan] = []
        async for some in over_all_users(self._rooms, self._look_at):
            plans += some
        if self._scans is not None:
            plans = await self._scans.serve(plans, dry_run=self._dry_run)
        plans = [plan for plan in plans if plan.user.name not in self._names]
        plans.sort(key=lambda plan: plan.priority)
        if not self._dry_run:
            self._begin(plans)
            await self._survey.look()
            going_on = self._going_on[False] | self._going_on[True]
            if going_on:
                await asyncio.wait(going_on, timeout=self._patience_secs)
            await publish(self._rooms)
        return plans

    def _begin(self, plans: list[Plan]) -> None:
        """Have homes measured, beside those that still are."""
        self._names.update(plan.user.name for plan in plans)
        for large, pending in self._pending.items():
            both = [*pending, *(plan for plan in plans if plan.wish.large is large)]
            pending.clear()
            pending.extend(sorted(both, key=lambda plan: plan.priority))
            going_on = self._going_on[large]
            # No more than can have a place: the others wait here, where it costs little.
            most = min(self._settings.measure_concurrency, len(going_on) + len(pending))
            for _ in range(most - len(going_on)):
                task = asyncio.create_task(self._measure(pending))
                going_on.add(task)
                task.add_done_callback(going_on.discard)

    async def _measure(self, pending: deque[Plan]) -> None:
        while pending:
            plan = pending.popleft()
            name = plan.user.name
            try:
                record = await self._remeasure.measure(name, planned=plan.record, wish=plan.wish)
                if record is not None:
                    self._rooms.board.measured(record)
                self._count(record)
            except Exception as error:
                self.counts.add("skipped" if isinstance(error, LockHeld) else "failed")
                failed(self._rooms, plan.user, error, NAME, by=MEASURING)
            finally:
                self._names.discard(name)

    def _count(self, record: Record | None) -> None:
        if record is None:
            self.counts.add("skipped")  # by another monitor, meanwhile
            return
        self.counts.add("measured")
        self.counts.add("bytes", max(0, record.actual_bytes))
        self.counts.add("files", record.usage_files or 0)

    def _look_at(self, user: HubUser) -> Plan | None:
        self.counts.add("users")
        try:
            plan = self._look(user)
        except Exception as error:
            self.counts.add("skipped" if isinstance(error, LockHeld) else "failed")
            failed(self._rooms, user, error, NAME)
            return None
        if plan is None:
            self.counts.add("skipped")
        return plan

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
        self._rooms.history.judged(plan.record, by=NAME)
        if not plan.record.quota_enabled:
            self._say(logging.INFO, f"Quota monitoring for user {name} is disabled.  Skipping.")
            return None
        if plan.why is None:
            self._say(logging.INFO, f"User {name} quota sufficiently recent.  Skipping.")
        # A scan may know better than a record that is recent.
        return plan if plan.why is not None or self._scans is not None else None

    def _save(self, user: HubUser) -> Plan:
        with self._rooms.store.held(user.name, create=True) as held:
            record = held.read()
            # The spawn hook may have made the file first, to say where the home is.
            unseen = record is None or not (record.measured or record.quota_source)
            if unseen and (record is None or record.quota_enabled):
                self._say(logging.INFO, f"Initializing quota for user {user.name}")
            plan = self.decide(user, record)
            held.write(plan.record)
            saved(self._rooms, record, plan.record, by=NAME)
        return plan

    def _say(self, level: int, message: str) -> None:
        event(log, level, message, subsystem=NAME)
