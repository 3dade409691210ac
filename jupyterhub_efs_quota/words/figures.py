"""Numbers, times and ages in words."""

from __future__ import annotations

import math
from itertools import pairwise

_DAY, _MONTH, _YEAR = 86400, 30.44 * 86400, 365.25 * 86400


def number(count: int) -> str:
    """`12,345`."""
    return f"{count:,}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `12,345 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ago(then: int, now: int) -> str:
    """How long ago a time was: `today`, `3 days`, `5 months`, `12 years`."""
    secs = now - then
    if secs < -_DAY:
        return "in future"
    if secs < _DAY:
        return "today"
    if secs < 2 * _MONTH:
        return counted(int(secs // _DAY), "day")
    if secs < 2 * _YEAR:
        return counted(int(secs // _MONTH), "month")
    return counted(int(secs // _YEAR), "year")


def took(secs: float) -> str:
    """`0.4 s`, `12 s`, `3:05 min`, `2:03:05 h`."""
    if secs < 10:
        return f"{secs:.1f} s"
    minutes, seconds = divmod(round(secs), 60)
    if not minutes:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} h" if hours else f"{minutes}:{seconds:02d} min"


def percent(share: float) -> str:
    """A share, 1 for the whole, in words: `12 %`, `under 1 %`, `just over 100 %`."""
    if share >= 10:
        return "over 1000 %"
    hundredths = share * 100
    # As in the pages' script: static/locale.js.
    whole = math.floor(hundredths + 0.5)
    if whole == 0 < hundredths:
        return "under 1 %"
    # 100 % stands for just that: neither side of it is rounded up or down to it.
    if whole == 100 and hundredths != 100:
        return "just over 100 %" if hundredths > 100 else "just under 100 %"
    return f"{whole} %"


def bands(ages_days: tuple[int, ...]) -> list[str]:
    """The names of the bands between ages, and of the rest."""
    if not ages_days:
        return ["any age"]
    ends = [_age(days) for days in ages_days]
    between = [f"{_start(one, other)} to {other}" for one, other in pairwise(ends)]
    return [f"up to {ends[0]}", *between, f"over {ends[-1]}"]


def _age(days: int) -> str:
    return counted(days // 365, "year") if days % 365 == 0 else counted(days, "day")


def _start(age: str, end: str) -> str:
    """`7` of `7 days to 30 days`, where the units are the same."""
    count, unit = age.split(" ")
    return count if unit.rstrip("s") == end.split(" ")[1].rstrip("s") else age
