"""The measurements of the last weeks, from which a forecast is made: for pages and the monitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from .asking import Asking
from .history import History
from .reading import Day, Point
from .recorder import Recorder

# So far back, with so many points at most.
BACK, POINTS = timedelta(weeks=6), 250
# Of every home that is measured it is asked, so it may not take long.
_MOST_AT_ONCE, _WITHIN_SECS = 4, 2.0

Past = Callable[[str, datetime], Awaitable[Sequence[Day]]]


def recent(history: History, user: str, now: datetime) -> list[Point]:
    """A user's measurements of the last weeks, in order."""
    # A measurement may have begun this very moment.
    return history.series(user, now - BACK, now + timedelta(minutes=1), POINTS)


def past_of(history: Recorder) -> Past | None:
    """Who is asked for them by what measures; None where no history is kept."""
    if not isinstance(history, History):
        return None
    asking = Asking(history, _MOST_AT_ONCE, _WITHIN_SECS)

    async def past(user: str, now: datetime) -> Sequence[Day]:
        """Raises HistoryError."""
        return await asking.ask(lambda known: known.daily(user, now - BACK, now))

    return past
