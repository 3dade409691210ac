"""Whether a job runs as it should, by its runs. Pure: the time is an argument.

Each check is of one job, on one host or on any. `failure` gives the sentence that says what
is wrong, or None; `wanted` says which runs it looks at. A job that was switched off did
what it should: a skipped run stands for a success where it is asked whether one was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from ..history.events import Outcome, Run

_SUCCESS = (Outcome.SUCCESS.value,)
_RAN = (Outcome.SUCCESS.value, Outcome.SKIPPED.value)
# The newest by their start: among so many is the one that completed last.
_LAST = 200
# Of fewer runs nobody can say what is usual.
_LEAST_RUNS = 4
# Runs that take almost always the same are not to be called odd for a trifle.
_LEAST_SPREAD_SECS, _LEAST_SPREAD = 1.0, 0.05


@dataclass(frozen=True)
class Place:
    """A job on a host; None is any host."""

    job: str
    host: str | None = None

    def __str__(self) -> str:
        return f"{self.host or '*'}:{self.job}"

    @property
    def words(self) -> str:
        """Where it was to run, as the sentences have it."""
        return "any host" if self.host is None else f"'{self.host}'"

    def of(self, runs: Sequence[Run], outcomes: Sequence[str]) -> list[Run]:
        """Its runs that ended so."""
        return [
            run
            for run in runs
            if run.name == self.job and self.host in (None, run.host) and run.outcome in outcomes
        ]


@dataclass(frozen=True)
class Recent:
    """A success completed within the last `minutes`.

    `patient`: a job that never ran is not missed before there was so much time for it.
    """

    place: Place
    minutes: float
    patient: bool = False

    def wanted(self, now: datetime) -> dict[str, Any]:
        """See `history/runs.py`."""
        return {"outcomes": _RAN, "limit": _LAST}

    def too_early(self, now: datetime, began: datetime | None) -> bool:
        """Whether there was no time yet to run, if all that is on record is since `began`."""
        return began is None or began > now - timedelta(minutes=self.minutes)

    def failure(self, runs: Sequence[Run], now: datetime) -> str | None:
        """What is wrong, or None."""
        since = now - timedelta(minutes=self.minutes)
        completed = [run.completed for run in self.place.of(runs, _RAN)]
        if any(since <= time <= now for time in completed):
            return None
        seen = f" (last seen {shown(max(completed))})" if completed else ""
        return (
            f"The script '{self.place.job}' didn't run on {self.place.words}"
            f" between {shown(since)} and {shown(now)}{seen}"
        )


@dataclass(frozen=True)
class Often:
    """At least `least` successes within the last `minutes`, no gap longer than `gap_minutes`."""

    place: Place
    minutes: float
    least: int
    gap_minutes: float | None = None

    def wanted(self, now: datetime) -> dict[str, Any]:
        """See `history/runs.py`."""
        since = now - timedelta(minutes=self.minutes)
        return {"outcomes": _RAN, "completed_since": since, "limit": None}

    def failure(self, runs: Sequence[Run], now: datetime) -> str | None:
        """What is wrong, or None."""
        since = now - timedelta(minutes=self.minutes)
        ran = [run for run in self.place.of(runs, _RAN) if since <= run.completed <= now]
        off = any(run.outcome == Outcome.SKIPPED.value for run in ran)
        where = f"on {self.place.words}"
        if len(ran) < self.least and not off:
            times = f"{len(ran)} {'time' if len(ran) == 1 else 'times'}"
            return (
                f"The script '{self.place.job}' ran only {times} {where} between"
                f" {shown(since)} and {shown(now)}, and should {self.least}"
            )
        if self.gap_minutes is None:
            return None
        times_of = [since, *sorted(run.completed for run in ran), now]
        start, end = max(pairwise(times_of), key=lambda gap: gap[1] - gap[0])
        if end - start <= timedelta(minutes=self.gap_minutes):
            return None
        return (
            f"The script '{self.place.job}' didn't run {where} between {shown(start)} and"
            f" {shown(end)}, and should at least every {self.gap_minutes:g} minutes"
        )


@dataclass(frozen=True)
class RunTime:
    """The last `runs` successes took `least_secs` to `most_secs` on average.

    And the newest is no further from the median of them than `spreads` times the spread:
    the median distance from the median, which is taken for no less than a second and a
    twentieth of the median. Where there are fewer than four, that is not asked.
    """

    place: Place
    runs: int
    least_secs: float | None = None
    most_secs: float | None = None
    spreads: float | None = None

    def wanted(self, now: datetime) -> dict[str, Any]:
        """See `history/runs.py`."""
        return {"outcomes": _SUCCESS, "limit": self.runs}

    def failure(self, runs: Sequence[Run], now: datetime) -> str | None:
        """What is wrong, or None; that it never ran is for other checks to say."""
        last = sorted(self.place.of(runs, _SUCCESS), key=lambda run: run.started)[-self.runs :]
        took = [(run.completed - run.started).total_seconds() for run in last]
        if not took:
            return None
        return self._of_mean(took) or self._of_newest(took)

    def _of_mean(self, took: Sequence[float]) -> str | None:
        mean = fmean(took)
        least, most = self.least_secs, self.most_secs
        if (least is None or mean >= least) and (most is None or mean <= most):
            return None
        bound = f"at least {least:g}" if least is not None and mean < least else f"at most {most:g}"
        return (
            f"The last {len(took)} runs of the script '{self.place.job}' on {self.place.words}"
            f" took {mean:.1f} seconds on average, and should {bound}"
        )

    def _of_newest(self, took: Sequence[float]) -> str | None:
        if self.spreads is None or len(took) < _LEAST_RUNS:
            return None
        middle = median(took)
        spread = median(abs(secs - middle) for secs in took)
        spread = max(spread, _LEAST_SPREAD_SECS, _LEAST_SPREAD * middle)
        if abs(took[-1] - middle) <= self.spreads * spread:
            return None
        return (
            f"The last run of the script '{self.place.job}' on {self.place.words} took"
            f" {took[-1]:.1f} seconds, and {middle:.1f} is usual (by {spread:.1f} more or less)"
        )


Check = Recent | Often | RunTime


def shown(time: datetime) -> str:
    """A time in UTC, as the sentences have it."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
