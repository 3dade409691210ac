"""What happened since the start: measurements, cycles, errors, servers stopped.

The loops, `Remeasure` and the pages tell it; `Exposition` shows it. No label is the name of a
user, and every label has few values, which are known beforehand but for the names of jobs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)

from .. import __version__
from ..errors import LockHeld, kind_of
from ..history.events import Outcome, Run
from ..measure.meters import WALK
from ..quota.record import Record, State
from ..quota.rescue import End
from ..quota.usage import Usage
from .trees import KnownTrees

T = TypeVar("T")

PREFIX = "jupyterhub_efs_quota_"
# From a counter of the file system, which answers in a millisecond, to a walk of six hours.
_MEASUREMENT_SECS = (
    *(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120),
    *(300, 600, 1200, 1800, 3600, 7200, 21600),
)
_CYCLE_SECS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
# Jobs of the site's own have the names that it gives them: so many labels, and one for the rest.
MOST_JOBS, OTHER_JOBS = 200, "(others)"
OUTCOMES = ("complete", "timed-out", "proven-over", "failed")


class Counted:
    """The counters of one service. Every method can be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.trees = KnownTrees()
        ProcessCollector(registry=self.registry)
        self._gauge("build_info", "The version that runs", "version").labels(__version__).set(1)
        self._measurements = self._counter("measurements", "Measurements of homes", "outcome")
        self._durations = Histogram(
            f"{PREFIX}measurement_duration_seconds",
            "How long measurements took, by what measured",
            ["meter"],
            registry=self.registry,
            buckets=_MEASUREMENT_SECS,
        )
        self._walked_files = self._counter("walked_files", "Files that walks looked at")
        self._walked_bytes = self._counter("walked_bytes", "Sizes of files that walks looked at")
        self._errors = self._counter("errors", "Errors", "subsystem", "kind")
        self._stopped = self._counter("servers_stopped", "Servers stopped in a lockout")
        self._rescues_ended = self._counter(
            "rescues_ended", "Rescue servers that were stopped, by why", "reason"
        )
        self._verifications = self._counter(
            "verifications", "Answers to the spawn hook, whether a user is still over", "state"
        )
        self._cycles = self._counter("cycles", "Cycles of the loops", "loop", "outcome")
        self._cycle_durations = Histogram(
            f"{PREFIX}cycle_duration_seconds",
            "How long successful cycles took",
            ["loop"],
            registry=self.registry,
            buckets=_CYCLE_SECS,
        )
        self._last_success = self._gauge(
            "last_success_timestamp_seconds",
            "When a cycle last ended well, or was left out since the job is switched off",
            "loop",
        )
        self._runs = self._counter(
            "job_runs", "Runs of jobs told to this process", "name", "outcome"
        )
        self._run_durations = Histogram(
            f"{PREFIX}job_duration_seconds",
            "How long runs of jobs took that ended well",
            ["name"],
            registry=self.registry,
            buckets=_CYCLE_SECS,
        )
        self._jobs: set[str] = set()
        self._jobs_lock = threading.Lock()
        # Present from the start: a rate over a series that begins at 1 misses the first.
        for outcome in OUTCOMES:
            self._measurements.labels(outcome)
        for end in End:
            self._rescues_ended.labels(end.value)
        for state in State:
            self._verifications.labels(state.value)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}{name}", text, labels, registry=self.registry)

    def measured(self, user: str, usage: Usage, secs: float) -> None:
        """A home was measured, in so many seconds."""
        outcome = "complete"
        if not usage.complete:
            outcome = "timed-out" if usage.timed_out else "proven-over"
        self._measurements.labels(outcome).inc()
        self._durations.labels(usage.meter).observe(secs)
        if usage.meter == WALK:
            self._walked_files.inc(usage.files or 0)
            self._walked_bytes.inc(usage.bytes or 0)
        self.trees.measured(user, usage)

    def not_measured(self) -> None:
        """A measurement brought no answer."""
        self._measurements.labels("failed").inc()

    def error(self, subsystem: str, error: BaseException) -> None:
        """Something went wrong. That somebody else is at it already is nothing wrong."""
        if not isinstance(error, LockHeld):
            self._errors.labels(subsystem, kind_of(error)).inc()

    def stopped_server(self) -> None:
        """The reaper stopped a server."""
        self._stopped.inc()

    def ended_rescue(self, end: End) -> None:
        """A rescue server was stopped."""
        self._rescues_ended.labels(end.value).inc()

    def verified(self, record: Record) -> None:
        """The spawn hook asked how a user stands, and this is the answer."""
        self._verifications.labels(record.quota_state.value).inc()

    def ran(self, run: Run) -> None:
        """A job ran: one of ours, or of the site's, which may have any name."""
        name = self._job_label(run.name)
        # Present from the first run: a rate over a series that begins at 1 misses the first.
        for outcome in Outcome:
            self._runs.labels(name, outcome.value)
        self._runs.labels(name, run.outcome).inc()
        if run.outcome == Outcome.SUCCESS.value:
            secs = (run.completed - run.started).total_seconds()
            self._run_durations.labels(name).observe(secs)

    def _job_label(self, name: str) -> str:
        with self._jobs_lock:
            if len(self._jobs) >= MOST_JOBS and name not in self._jobs:
                return OTHER_JOBS
            self._jobs.add(name)
            return name

    def cycles_of(self, loop: str, cycle: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        """The cycle of a loop, counted and timed."""
        ended_well = self._cycles.labels(loop, Outcome.SUCCESS.value)
        failed = self._cycles.labels(loop, Outcome.FAILURE.value)
        skipped = self._cycles.labels(loop, Outcome.SKIPPED.value)

        async def counted() -> T:
            began = time.monotonic()
            try:
                result = await cycle()
            except Exception as error:
                failed.inc()
                self.error(loop, error)
                raise
            if result is Outcome.SKIPPED:
                skipped.inc()
            else:
                ended_well.inc()
                self._cycle_durations.labels(loop).observe(time.monotonic() - began)
            self._last_success.labels(loop).set_to_current_time()
            return result

        return counted
