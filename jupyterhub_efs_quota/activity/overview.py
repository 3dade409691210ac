"""All jobs as they stand: their last runs, when the next is due, what the checks say.

Asked by the page, the API, the metrics and `activity list`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from ..history.events import Outcome, Run
from ..history.recorder import Recorder
from ..settings import EFSQuota
from .activity import asked
from .checks import Check, Place, Recent
from .names import RESCUE
from .own import checks_in_force, periods
from .switches import Switches, switches_of

# What the page draws of each job.
LAST_RUNS = 30
# So many jobs are shown: names are the site's to choose, and a mistake may make a new one
# every night.
MOST_JOBS = 200
# A loop that is later than that does not run.
_SOON = timedelta(minutes=5)
# From so many starts one can say when a job is due.
_LEAST_STARTS = 4


@dataclass(frozen=True)
class Verdict:
    """What a check says: the sentence of what is wrong, or None.

    `off`: its job is switched off, so it is not asked.
    """

    name: str
    place: Place
    text: str | None = None
    off: bool = False


@dataclass(frozen=True)
class Job:
    """A job: `runs` are its last ones, the newest first; `success` the newest that was one.

    `note` is what the file of switches says of it, None while it is on. `due` is when it
    should begin next, None where nobody can tell.
    """

    name: str
    runs: Sequence[Run] = ()
    success: Run | None = None
    due: datetime | None = None
    note: str | None = None
    verdicts: Sequence[Verdict] = ()

    @property
    def off(self) -> bool:
        """Whether it is switched off."""
        return self.note is not None


class Overview:
    """Asks the history of `recorder`; `checks` by name, `periods` of the loops by job.

    `jobs` are those of the last look.
    """

    def __init__(
        self,
        recorder: Recorder,
        switches: Switches,
        checks: Mapping[str, Sequence[Check]],
        periods: Mapping[str, float],
        clock: Callable[[], datetime],
    ) -> None:
        self._history = recorder
        self._switches = switches
        self._checks = checks
        self._periods = periods
        self._clock = clock
        self.jobs: Sequence[Job] = ()

    def look(self) -> Sequence[Job]:
        """All jobs now, by name. Blocking. Raises HistoryError."""
        off = self._switches.off()
        verdicts = self.verdicts(off)
        names = {verdict.place.job for verdict in verdicts} | off.keys()
        names |= set(asked(self._history).job_names(MOST_JOBS))
        self.jobs = tuple(
            self._job(name, off.get(name), [each for each in verdicts if each.place.job == name])
            for name in sorted(names)
        )
        return self.jobs

    def verdicts(self, off: Mapping[str, str] | None = None) -> list[Verdict]:
        """What all checks say, in order. Blocking. Raises HistoryError."""
        off = self._switches.off() if off is None else off
        return [
            self.verdict(name, check, off) for name, some in self._checks.items() for check in some
        ]

    def verdict(self, name: str, check: Check, off: Mapping[str, str]) -> Verdict:
        """What one check says. Blocking. Raises HistoryError."""
        place = check.place
        if place.job in off:
            return Verdict(name, place, off=True)
        now = self._clock()
        wanted = check.wanted(now)
        runs = asked(self._history).job_runs(place.job, host=place.host, **wanted)
        if self._too_early(check, runs, now):
            return Verdict(name, place)
        return Verdict(name, place, check.failure(runs, now))

    def _too_early(self, check: Check, runs: Sequence[Run], now: datetime) -> bool:
        if not isinstance(check, Recent) or not check.patient or runs:
            return False
        return check.too_early(now, asked(self._history).began())

    def _job(self, name: str, note: str | None, verdicts: Sequence[Verdict]) -> Job:
        history = asked(self._history)
        runs = history.job_runs(name, limit=LAST_RUNS)
        well = Outcome.SUCCESS.value
        success = next((run for run in runs if run.outcome == well), None)
        if runs and success is None:
            success = next(iter(history.job_runs(name, outcomes=(well,), limit=1)), None)
        due = None if note is not None else self._due(name, runs)
        return Job(name, tuple(runs), success, due, note, tuple(verdicts))

    def _due(self, name: str, runs: Sequence[Run]) -> datetime | None:
        due = next_due(runs, self._periods.get(name))
        if name == RESCUE and due is not None and due + _SOON < self._clock():
            return None  # it rests: nobody is in a rescue
        return due


def overview_of(
    settings: EFSQuota,
    history: Recorder,
    clock: Callable[[], datetime],
    checks: Mapping[str, Sequence[Check]] | None = None,
) -> Overview:
    """The jobs that the settings speak of, and all others; `checks` in place of the settings'."""
    return Overview(
        history,
        switches_of(settings),
        checks_in_force(settings) if checks is None else checks,
        periods(settings),
        clock,
    )


def next_due(runs: Sequence[Run], period_secs: float | None = None) -> datetime | None:
    """When a job should begin next: by its period, or by the usual time between its starts.

    `runs` are its last ones, the newest first.
    """
    if not runs:
        return None
    if period_secs is None:
        starts = [run.started for run in runs]
        if len(starts) < _LEAST_STARTS:
            return None
        period_secs = median(
            (later - earlier).total_seconds() for later, earlier in pairwise(starts)
        )
    return runs[0].started + timedelta(seconds=period_secs)
