"""Tells of runs wherever they are to be told: the history, StatsD, the metrics.

Used by the loops, the API and the commands.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ..errors import BadRun, HistoryError
from ..history.events import Outcome, Run
from ..history.recorder import Recorder
from ..metrics.counted import Counted
from .names import checked_host, checked_name
from .timings import Timings

if TYPE_CHECKING:
    from ..history.history import History

_MOST_ERROR = 1000
MOST_COUNTS, _MOST_COUNT = 50, 2**63 - 1


@dataclass(frozen=True)
class Activity:
    """Every run goes through `ran`. Nothing here waits for anything but `last_activity`."""

    history: Recorder = field(default_factory=Recorder)
    counted: Counted | None = None
    timings: Timings = field(default_factory=Timings)

    def record_success(
        self,
        name: str,
        date_started: datetime,
        date_completed: datetime,
        hostname: str | None = None,
        *,
        counts: Mapping[str, int] | None = None,
    ) -> Run:
        """A job ended well; the run as it is stored. Raises BadRun for what cannot be."""
        host = hostname or socket.gethostname()
        return self.ran(
            Run(name, host, date_started, date_completed, Outcome.SUCCESS.value, None, counts or {})
        )

    def record_failure(
        self,
        name: str,
        date_started: datetime,
        date_completed: datetime,
        error: str,
        hostname: str | None = None,
        *,
        counts: Mapping[str, int] | None = None,
    ) -> Run:
        """A job failed, and why; the run as it is stored. Raises BadRun."""
        host, outcome = hostname or socket.gethostname(), Outcome.FAILURE.value
        return self.ran(Run(name, host, date_started, date_completed, outcome, error, counts or {}))

    def record_skipped(self, name: str, date: datetime, hostname: str | None = None) -> Run:
        """A job did nothing, since it is switched off; the run as it is stored."""
        host = hostname or socket.gethostname()
        return self.ran(Run(name, host, date, date, Outcome.SKIPPED.value))

    def ran(self, run: Run) -> Run:
        """Any run; as it is stored. Raises BadRun for one that cannot be."""
        run = checked(run)
        self.history.ran(run)
        if self.counted is not None:
            self.counted.ran(run)
        if run.outcome == Outcome.SUCCESS.value:
            self.timings.send(run.name, (run.completed - run.started).total_seconds())
        elif run.outcome == Outcome.SKIPPED.value:
            # Alerts on jobs that are silent stay quiet, and nobody takes it for a real run.
            self.timings.send(run.name, 0.0)
        return run

    def last_activity(self, name: str) -> Run | None:
        """The success that began last, on any host. Blocking. Raises HistoryError."""
        found = asked(self.history).job_runs(name, outcomes=(Outcome.SUCCESS.value,), limit=1)
        return found[0] if found else None


def asked(history: Recorder) -> History:
    """A history that can be asked. Raises HistoryError where the settings want none."""
    from ..history.history import History

    if not isinstance(history, History):
        raise HistoryError("No history is kept, so no run is known. Set history_url.")
    return history


def checked(run: Run) -> Run:
    """A run as it is stored: times in UTC, the error in a line. Raises BadRun."""
    if run.outcome not in {outcome.value for outcome in Outcome}:
        words = ", ".join(outcome.value for outcome in Outcome)
        raise BadRun(f"A run's outcome is one of {words}, not {run.outcome!r}.")
    started, completed = _utc(run.started, "started"), _utc(run.completed, "completed")
    if completed < started:
        raise BadRun(
            f"A run of {run.name!r} cannot have completed ({completed}) before it started"
            f" ({started})."
        )
    _check_counts(run.counts)
    return replace(
        run,
        name=checked_name(run.name),
        host=checked_host(run.host),
        started=started,
        completed=completed,
        error=None if run.error is None else " ".join(run.error.split())[:_MOST_ERROR],
    )


def _utc(time: datetime, what: str) -> datetime:
    if time.tzinfo is None:
        raise BadRun(f"The time at which a run {what} needs its zone: {time}.")
    return time.astimezone(timezone.utc)


def _check_counts(counts: Mapping[str, int]) -> None:
    if len(counts) > MOST_COUNTS:
        raise BadRun(f"A run has at most {MOST_COUNTS} counts.")
    for name, number in counts.items():
        checked_name(name)
        if type(number) is not int or not 0 <= number <= _MOST_COUNT:
            raise BadRun(f"The count {name!r} must be a whole number from 0 to {_MOST_COUNT}.")
