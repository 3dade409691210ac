"""One user: measure the home now and record what follows.

Called by the monitor, by the pages' button, and by the spawn hook before it refuses.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import ParamSpec

from .control.store import ControlStore
from .errors import ControlError, HistoryError, MeasureError, StoreError
from .history.recorder import Recorder
from .hub.client import HubUser
from .logs import event
from .measure.cluster.cluster import Cluster
from .measure.meters import WALK
from .measure.task import Ceiling, Task
from .measure.workers.governor import Governor
from .measure.workers.order import ROUTINE, Priority, Wish
from .measure.workers.spread import Spread
from .measure.workers.workers import Tell, Workers
from .metrics.counted import Counted
from .offload import Offload
from .quota import messages
from .quota.ahead import Measured, foretold
from .quota.judge import distrusted, judge, record_usage
from .quota.limits import settle
from .quota.record import UNDEFINED_BYTES, Record
from .quota.scanned import Advice, Scan, weigh
from .quota.usage import Usage
from .settings import EFSQuota
from .under_way import UnderWay

log = logging.getLogger(__name__)

P = ParamSpec("P")
# What is asked for a user's measurements of the last weeks, as of a time.
Past = Callable[[str, datetime], Awaitable[Sequence[Measured]]]
LEAVE_SECS = 1.0
# A measurement may have taken an hour: it is worth waiting for the lock to record it.
FINISH_WAIT_SECS = 10.0


def utcnow() -> datetime:
    """The time now: the one clock, so that tests can travel."""
    return datetime.now(timezone.utc)


def make_workers(settings: EFSQuota) -> tuple[Workers | Cluster, Spread]:
    """What measures many homes under the settings, and whose turn it is.

    Processes of this machine, or a Dask cluster if the settings name one.
    """
    spread = Spread(settings.measure_concurrency)
    governor = Governor(settings.max_calls_per_second, settings.brake_at)
    here = Workers(spread.places, governor)
    if not settings.dask_scheduler:
        return here, spread
    scheduler, root = settings.dask_scheduler, settings.home_root
    return Cluster(scheduler, root, settings.split_files, here), spread


def _moments(record: Record) -> tuple[datetime | None, datetime | None]:
    """What any measurement changes at its start, and again at its end."""
    return record.started, record.stopped


@dataclass(frozen=True)
class _Begun:
    record: Record
    home: str
    started: datetime
    lock: ExitStack


class Remeasure:
    """Measures single homes under the settings, and keeps the control files.

    `spread` says whose turn it is; without one, it is that of who came first. `past` is
    asked for what a forecast is made of; without one there is none.
    """

    def __init__(
        self,
        settings: EFSQuota,
        store: ControlStore,
        workers: Workers | Cluster,
        offload: Offload,
        clock: Callable[[], datetime] = utcnow,
        *,
        spread: Spread | None = None,
        counted: Counted | None = None,
        history: Recorder | None = None,
        past: Past | None = None,
    ) -> None:
        self.under_way = UnderWay()
        self._settings = settings
        self._homes = settings.homes()
        self._store = store
        self._workers = workers
        self._offload = offload
        self._clock = clock
        self._spread = Spread(workers.most) if spread is None else spread
        self._counted = counted
        self._told: set[str] = set()
        self._history = history or Recorder()
        self._past = past
        # Only where there is somebody to keep it.
        self._summed_up = self._history.keeps_summaries or settings.user_metrics != "off"

    async def measure(
        self,
        user: str,
        *,
        planned: Record | None = None,
        wish: Wish = ROUTINE,
        new: HubUser | None = None,
    ) -> Record | None:
        """Measure a user's home when its turn comes, judge and save; the new record.

        `new`: who it is by the hub. Then a record is made for who has none and has a home.
        None if there is nothing to do: another monitor has measured it since `planned`
        was read. Raises LockHeld while somebody else measures it, HomeError,
        FileNotFoundError, MeasureError or ControlError; the record then stays as it was.
        """
        # A place first: nobody else is kept from this home while we only stand in line.
        async with self._spread.place(wish):
            return await self._measure(user, planned, new)

    async def _measure(
        self, user: str, planned: Record | None, new: HubUser | None
    ) -> Record | None:
        begun = await self._offload.run(self._begin, user, planned, new)
        if begun is None:
            return None
        try:
            record = begun.record
            task = self._task(begun.home, self._settings.du_timeout_secs, self._limit(record))
            if record.meter == WALK:
                task = replace(task, files=record.usage_files)
            if self._summed_up:
                rules = self._settings.rules(begun.started.timestamp())
                task = replace(task, rules=rules)
            with self.under_way.measuring(user) as tell:
                usage = await self._look(user, task, tell)
            before = await self._before(begun, usage)
            record = await self._offload.run(self._finish, begun, usage, before)
        except BaseException:
            await self._leave(self._undo, begun)
            raise
        finally:
            await self._leave(begun.lock.close)
        self._say(begun.record, record, usage)
        return record

    async def _before(self, begun: _Begun, usage: Usage) -> Sequence[Measured] | None:
        """The measurements before this one; None where they would tell nothing, or cannot."""
        record = begun.record
        size = usage.allocated if self._allocated else usage.bytes
        news = size != record.actual_bytes or usage.files != record.usage_files
        # Most homes are as they were, and nothing is foretold of them.
        if self._past is None or not usage.complete or not (news or record.full_at):
            return None
        try:
            return await self._past(record.user, begun.started)
        except HistoryError as error:
            log.debug("Nothing is foretold of %s: %s", record.user, error)
            return None

    def take(self, user: str, planned: Record, scan: Scan) -> Record | None:
        """Record what a scan says of a home; the new record (blocking).

        None if the home is to be measured instead: the scan shows it over its quota, or
        the record has changed since `planned` was read. Raises LockHeld while somebody
        measures it, or ControlError.
        """
        with self._store.measuring(user), self._store.held(user) as held:
            record = held.read()
            if record is None or _moments(record) != _moments(planned):
                return None
            advice, taken = weigh(
                record,
                scan,
                self._clock(),
                allocated=self._allocated,
                grace_secs=self._settings.grace_secs,
            )
            if advice is not Advice.TAKE:
                return None
            held.write(taken)
        self._say(record, taken, scan.usage)
        return taken

    async def verify(self, record: Record, budget_secs: float) -> Record:
        """Look whether a locked user still is over, for at most `budget_secs`.

        Stops as soon as that is proven. Saves and gives the new record if it is a better
        one; else the record given. Raises as `measure` does.
        """
        home = await self._offload.run(self._resolve, record)
        started = self._clock()
        limit = self._limit(record)
        async with self._spread.place(Wish(Priority.SPAWN)):
            task = self._task(home, budget_secs, limit, limit)
            usage = await self._look(record.user, task)
        if not usage.complete:
            return record
        return await self._offload.run(self._release, record, usage, started)

    async def _look(self, user: str, task: Task, tell: Tell | None = None) -> Usage:
        """Have a worker measure, and count what that took."""
        began = time.monotonic()
        try:
            usage = await self._workers.measure(task, tell)
        except MeasureError:
            if self._counted is not None:
                self._counted.not_measured()
            raise
        if self._counted is not None:
            self._counted.measured(user, usage, time.monotonic() - began)
        return usage

    @property
    def _allocated(self) -> bool:
        return self._settings.size_basis == "allocated"

    def _limit(self, record: Record) -> Ceiling:
        return Ceiling(record.quota_bytes, record.quota_files or 0, self._allocated)

    def _task(
        self, home: str, deadline_secs: float, limit: Ceiling, ceiling: Ceiling | None = None
    ) -> Task:
        return Task(
            home,
            deadline_secs,
            meter=self._settings.meter,
            cross_mounts=self._settings.cross_mounts,
            skip=tuple(self._settings.skip_directories),
            ceiling=ceiling,
            allocated=self._allocated,
            walk_threads=self._settings.walk_threads,
            limit=limit,
        )

    def _resolve(self, record: Record) -> str:
        home = self._homes.of(record.user, record.home)
        return str(self._homes.resolve(record.user, home))

    def _begin(self, user: str, planned: Record | None, new: HubUser | None) -> _Begun | None:
        known = self._store.read(user)
        if known is None and new is not None:
            known = self._make(new)
        if known is None:
            self._store.check()
            raise StoreError(f"There is no {self._store.path(user)} yet: the monitor makes it.")
        # Before the locks, for the homes may hang.
        home = self._resolve(known)
        with ExitStack() as stack:
            stack.enter_context(self._store.measuring(user))
            with self._store.held(user) as held:
                record = held.read()
                if record is None:
                    raise StoreError(f"{self._store.path(user)} is gone.")
                if planned is not None and _moments(record) != _moments(planned):
                    return None
                started = self._clock()
                # Others see by this that somebody is at it; the old numbers still hold.
                held.write(replace(record, started=started))
            return _Begun(record, home, started, stack.pop_all())

    def _make(self, user: HubUser) -> Record:
        """Make the first record of a user who has a home, as the monitor does in its cycle."""
        self._homes.resolve(user.name, self._homes.of(user.name))
        with self._store.held(user.name, create=True) as held:
            record = held.read()
            if record is not None:
                return record
            now, first = self._clock(), Record(user.name, last_activity=user.last_activity)
            limits, grandfather = self._settings.limits(), self._settings.grandfather
            record = settle(first, user.groups, limits, now, grandfather=grandfather)
            held.write(judge(record, now, self._settings.grace_secs))
        message = f"Initializing quota for user {user.name}"
        event(log, logging.INFO, message, subsystem="Monitor")
        return record

    def _finish(
        self, begun: _Begun, usage: Usage, before: Sequence[Measured] | None = None
    ) -> Record:
        with self._store.held(begun.record.user, wait_secs=FINISH_WAIT_SECS) as held:
            # Read again: it may have been edited by hand while we measured.
            record = held.read()
            if record is None:
                raise StoreError(f"{self._store.path(begun.record.user)} was removed meanwhile.")
            if record.started is not None and record.started > begun.started:
                # A verification began later: it does not count what was deleted meanwhile.
                return record
            record = self._judged(record, usage, begun.started)
            record = foretold(record, before, begun.started)
            held.write(record)
        self._history.measured(record, usage, begun.started, self._clock(), by="Monitor")
        return record

    def _release(self, record: Record, usage: Usage, started: datetime) -> Record:
        with self._store.held(record.user) as held:
            current = held.read()
            if current is None:
                return record
            if _moments(current) != _moments(record):
                return current  # measured meanwhile by somebody else
            judged = self._judged(current, usage, started)
            held.write(judged)
        self._history.measured(judged, usage, started, self._clock(), by="the spawn hook")
        return judged

    def _judged(self, record: Record, usage: Usage, started: datetime) -> Record:
        stopped = self._clock()
        record = record_usage(
            record,
            usage,
            started=started,
            stopped=stopped,
            allocated=self._allocated,
            grandfather=self._settings.grandfather,
        )
        return judge(record, stopped, self._settings.grace_secs)

    async def _leave(self, step: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """A last step, not waited for any longer than a service that ends has time."""
        try:
            await self._offload.run_within(LEAVE_SECS, step, *args, **kwargs)
        except StoreError as error:
            log.warning("A measurement is left as it is: %s", error)

    def _undo(self, begun: _Begun) -> None:
        """Give back the old start, so that a failed measurement is tried again."""
        try:
            with self._store.held(begun.record.user) as held:
                record = held.read()
                if record is not None and record.started == begun.started:
                    held.write(replace(record, started=begun.record.started))
        except ControlError as error:
            log.warning("A failed measurement stays on record as begun: %s", error)

    def _say(self, before: Record, record: Record, usage: Usage) -> None:
        event(log, logging.INFO, messages.updated(record), subsystem="Monitor", record=record)
        size = usage.allocated if self._allocated else usage.bytes
        doubt = distrusted(before, usage, UNDEFINED_BYTES if size is None else size)
        if doubt is not None and not usage.timed_out:
            event(
                log,
                logging.WARNING,
                f"Quota for {record.user} keeps its old number: {doubt}.",
                subsystem="Monitor",
            )
        if usage.why_walked and usage.why_walked not in self._told:
            # Once, not for each of ten thousand homes that are all alike in this.
            self._told.add(usage.why_walked)
            event(
                log,
                logging.INFO,
                f"The home of {record.user} is walked, as all are of which this is true:"
                f" {usage.why_walked}",
                subsystem="Monitor",
            )
        if usage.unreadable_names:
            event(
                log,
                logging.WARNING,
                f"{usage.hidden} entries in the home of {record.user} could not be read:"
                f" {', '.join(usage.unreadable_names)}",
                subsystem="Monitor",
            )
