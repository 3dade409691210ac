"""When a usage that grows reaches its limit. Pure: called by whoever shows a curve.

The growth is the median of the slopes between all pairs of days (Theil and Sen): a few
days that are out of the way, a large file that came and went, do not bend it. Where the
past says too little, nothing is foretold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from itertools import combinations
from statistics import median

# Less than this says nothing: days with a measurement, and from the first of them to the last.
LEAST_DAYS, LEAST_SPAN = 5, timedelta(days=6)
# What was measured last is the truth of today, unless it is older than this.
STALE = timedelta(days=14)
# What lies beyond is foretold by nobody, and no further ahead than four times what is known.
HORIZON, TIMES_THE_PAST = timedelta(days=365), 4
# Of all slopes so many have to point upward: else it is going up and down, not growing.
_SURE = 0.75


class Outlook(str, Enum):
    """What is to be expected."""

    UNKNOWN = "unknown"
    OVER = "over"
    FULL = "full"
    NOT_GROWING = "not growing"
    FAR = "far"


class Amount(str, Enum):
    """What grows, and is limited."""

    BYTES = "bytes"
    FILES = "files"


@dataclass(frozen=True)
class Forecast:
    """What is to be expected of a usage, and how fast it grows.

    `when`: the time at which it is full, for FULL alone. `a_day` is the growth in a day,
    None where it is not known. `until`: for FAR, the time before which it is not full.
    `amount`: what it is about.
    """

    outlook: Outlook
    when: datetime | None = None
    a_day: float | None = None
    until: datetime | None = None
    amount: Amount = Amount.BYTES


def forecast(points: Iterable[tuple[datetime, int]], limit: int, now: datetime) -> Forecast:
    """When what was measured at some times reaches the limit, from the last one on.

    The order of the points does not matter; of each day (UTC) the last one counts.
    """
    days = _daily([point for point in points if point[0] <= now])
    if not days:
        return Forecast(Outlook.UNKNOWN)
    time, amount = days[-1]
    span = time - days[0][0]
    if amount > limit:
        return Forecast(Outlook.OVER)
    if len(days) < LEAST_DAYS or span < LEAST_SPAN or now - time > STALE:
        return Forecast(Outlook.UNKNOWN)
    slopes = _slopes(days)
    a_day = median(slopes)
    if a_day <= 0 or sum(slope > 0 for slope in slopes) < _SURE * len(slopes):
        return Forecast(Outlook.NOT_GROWING, a_day=a_day)
    ahead = min(HORIZON, TIMES_THE_PAST * span)
    left = (limit - amount) / a_day
    if left * 86400 > ahead.total_seconds():
        return Forecast(Outlook.FAR, a_day=a_day, until=now + ahead)
    # What was to have happened since the last measurement has not been seen yet: not before now.
    return Forecast(Outlook.FULL, when=max(now, time + timedelta(days=left)), a_day=a_day)


def _daily(points: list[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    last: dict[date, tuple[datetime, int]] = {}
    for time, amount in sorted(points):
        last[time.astimezone(timezone.utc).date()] = (time, amount)
    return [last[day] for day in sorted(last)]


def _slopes(days: list[tuple[datetime, int]]) -> list[float]:
    """The growth in a day between each two of them."""
    # In days from the first one: nine hundred pairs are a lot of arithmetic with times.
    first = days[0][0]
    points = [((time - first).total_seconds() / 86400, amount) for time, amount in days]
    return [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(points, 2)
    ]
