"""What the history remembers of one user, for the page of their storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import HistoryError
from ..history.history import History
from ..history.reading import Point
from ..history.recent import recent
from ..quota.summary import Summary
from .ask import ask_in_time
from .parts import Parts

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class SummedUp:
    """A summary, and when its measurement began."""

    time: datetime
    summary: Summary


@dataclass(frozen=True)
class Memory:
    """The measurements of the last weeks in order, the last summary, and one about a week older.

    `missing` says why there is none of it; None if there is.
    """

    points: Sequence[Point] = ()
    now: SummedUp | None = None
    before: SummedUp | None = None
    missing: str | None = None


async def remember(parts: Parts, user: str, now: datetime) -> Memory:
    """Ask for it; what cannot be had is said, and is no error."""
    try:
        return await ask_in_time(
            parts,
            lambda history: _read(history, user, now),
            without="No history is kept here, so nothing is known of other days"
            " or of where the space goes.",
            silent="The history does not answer now, so the curve and the account of where"
            " the space goes are missing. Load this page again in a while.",
        )
    except HistoryError as error:
        return Memory(missing=str(error))


def _read(history: History, user: str, now: datetime) -> Memory:
    points = recent(history, user, now)
    last = history.summary(user)
    if last is None:
        return Memory(points)
    time, summary = last
    before = history.summary_near(user, time - WEEK, time - timedelta(days=1))
    return Memory(points, SummedUp(time, summary), None if before is None else SummedUp(*before))
