"""How a site stands as a whole, put together from what the loops saw and the history knows.

Pure. The page, the API and the command `overview` show the same of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..activity.overview import Job
from ..board import Row
from ..errors import HOME_MISSING
from ..history.events import Action, Fill, Outcome
from .lists import Listed, dormant, fastest, homeless, largest, never_active
from .survey import Surroundings, Unclaimed
from .totals import Totals, totals
from .volume import Volume, volume
from .wanted import Wanted
from .what_if import Defaults, WhatIf

# What is recent.
RECENT = timedelta(days=7)


@dataclass(frozen=True)
class Happened:
    """What was done in the last week: the newest first, and how much there was in all."""

    last: Sequence[Action] = ()
    total: int = 0


@dataclass(frozen=True)
class Past:
    """What the history knows; `missing` is why it knows nothing, None if it does."""

    growth: Mapping[str, int | None] = field(default_factory=dict)
    fills: Sequence[Fill] = ()
    refused: Happened = field(default_factory=Happened)
    stopped: Happened = field(default_factory=Happened)
    missing: str | None = None


@dataclass(frozen=True)
class Error:
    """What is wrong with a user's home or control file, in sentences."""

    user: str
    text: str


@dataclass(frozen=True)
class Errors:
    """The first of all that is wrong, by the users' names, and with how many users something is."""

    users: Sequence[Error]
    total: int


@dataclass(frozen=True)
class JobLine:
    """A job: how its last run ended and when, None before; and what is wrong with it now."""

    name: str
    on: bool
    outcome: str | None
    completed: datetime | None
    wrong: Sequence[str]


@dataclass(frozen=True)
class Strays:
    """Folders among the homes that are nobody's: the first, how many, and what they held.

    `time` is when they were looked for; `whole` whether all folders were looked through.
    """

    folders: Sequence[Unclaimed]
    total: int
    bytes: int
    whole: bool
    time: datetime


@dataclass(frozen=True)
class Overview:
    """How the site stands. `complete`: whether all users were seen since the service began.

    None stands for what nobody has looked at yet, or what cannot be looked at.
    """

    time: datetime
    complete: bool
    trouble: Sequence[str]
    missing: str | None
    totals: Totals
    volume: Volume | None
    largest: Listed
    fastest: Listed
    months: int
    dormant: Listed
    never_active: Listed
    homeless: Listed
    unclaimed: Strays | None
    default_quota: int
    what_if: WhatIf
    refused: Happened
    stopped: Happened
    errors: Errors
    jobs: Sequence[JobLine] | None


@dataclass(frozen=True)
class Seen:
    """What the service has seen: users, their surroundings, the volume now, and all jobs."""

    rows: Sequence[Row]
    complete: bool
    surroundings: Surroundings | None
    fill: Fill | None
    fill_problem: str | None
    jobs: Sequence[Job] | None
    trouble: Sequence[str]


def overview(seen: Seen, past: Past, default_quota: int, wanted: Wanted, now: datetime) -> Overview:
    """How the site stands."""
    rows, top = seen.rows, wanted.top
    defaults = Defaults(row.record for row in rows if row.record is not None)
    return Overview(
        time=now,
        complete=seen.complete,
        trouble=list(seen.trouble),
        missing=past.missing,
        totals=totals(rows),
        volume=_volume(seen, past, now),
        largest=largest(rows, top),
        fastest=fastest(rows, past.growth, top),
        months=wanted.months,
        dormant=dormant(rows, now, wanted.months, top),
        never_active=never_active(rows, top),
        homeless=homeless(rows, top),
        unclaimed=_strays(seen.surroundings, top),
        default_quota=default_quota,
        what_if=defaults.what_if(default_quota if wanted.quota is None else wanted.quota),
        refused=past.refused,
        stopped=past.stopped,
        errors=_errors(rows, top),
        jobs=None if seen.jobs is None else [job_line(job) for job in seen.jobs],
    )


def job_line(job: Job) -> JobLine:
    """A job in a line."""
    last = job.runs[0] if job.runs else None
    wrong = [verdict.text for verdict in job.verdicts if verdict.text is not None]
    if last is not None and last.outcome == Outcome.FAILURE.value:
        wrong.insert(0, last.error or "The last run failed.")
    return JobLine(
        job.name,
        not job.off,
        None if last is None else last.outcome,
        None if last is None else last.completed,
        [] if job.off else wrong,
    )


def _volume(seen: Seen, past: Past, now: datetime) -> Volume | None:
    last = seen.surroundings.fill if seen.surroundings is not None else None
    fill = seen.fill or last
    return None if fill is None else volume(fill, past.fills, now, seen.fill_problem)


def _strays(surroundings: Surroundings | None, top: int) -> Strays | None:
    if surroundings is None or surroundings.unclaimed is None:
        return None
    found = surroundings.unclaimed
    # Those whose size is known first, the largest of them before the others.
    ordered = sorted(found, key=lambda each: (-(each.bytes or 0), each.folder))
    held = sum(each.bytes or 0 for each in found)
    return Strays(ordered[:top], len(found), held, surroundings.whole, surroundings.time)


def _errors(rows: Sequence[Row], top: int) -> Errors:
    # A home that is missing is in the list of those who have none.
    troubled = (row for row in rows if row.problems)
    wrong = [(row, text) for row in troubled if (text := _error(row)) is not None]
    return Errors([Error(row.user.name, text) for row, text in wrong[:top]], len(wrong))


def _error(row: Row) -> str | None:
    texts = [each.text for each in row.problems.values() if each.kind != HOME_MISSING]
    return " ".join(dict.fromkeys(texts)) or None
