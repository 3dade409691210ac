"""The volume on which the homes lie: how full it is, and when it will be.

Read off the event loop, since a mount may hang; what follows from it is pure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..errors import StoreError
from ..history.events import Fill
from ..offload import Offload
from ..quota.forecast import Forecast, forecast
from ..quota.sizes import PIB

# The forecast looks back so far.
BACK = timedelta(days=90)
# Who says to have more than this has no end: Amazon EFS says 8 EiB, whatever it holds.
_ENDLESS = 1024 * PIB
_MOST_INTEGER = 2**63 - 1
# A page waits so long for the file system, of which so many threads are left behind at most.
_ANSWER_SECS, _THREADS = 1.0, 2


@dataclass(frozen=True)
class Volume:
    """How full it was at a time, and what is to be expected.

    `total` and `fraction` are None for one without a fixed size. `problem`: why it could not
    be asked now, so that the figures are older.
    """

    time: datetime
    used: int
    total: int | None
    fraction: float | None
    files_fraction: float | None
    forecast: Forecast
    problem: str | None = None


def read_fill(place: Path, now: datetime) -> Fill:
    """How full the file system is on which a folder lies. Blocking. Raises StoreError."""
    try:
        found = os.statvfs(place)
    except OSError as error:
        raise StoreError(f"The volume of {place} cannot be asked: {error.strerror}.") from None
    # As df has it: what is kept for root is neither used nor to be had.
    unit = found.f_frsize or found.f_bsize
    used, free = (found.f_blocks - found.f_bfree) * unit, found.f_bavail * unit
    if not found.f_files:
        return Fill(now, _whole(used), _whole(free))
    files_used = found.f_files - found.f_ffree
    return Fill(now, _whole(used), _whole(free), _whole(files_used), _whole(found.f_favail))


class Gauge:
    """Asks for the fill on behalf of pages: one that hangs keeps nobody waiting for long."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._offload = Offload(_THREADS)

    async def read(self, place: Path) -> Fill:
        """How full the file system of a folder is now. Raises StoreError."""
        return await self._offload.run_within(_ANSWER_SECS, read_fill, place, self._clock())


def volume(fill: Fill, past: Sequence[Fill], now: datetime, problem: str | None = None) -> Volume:
    """How full it is, and by what it was before when it will be full."""
    total = fill.used + fill.free
    endless = total >= _ENDLESS
    points = [(each.time, each.used) for each in (*past, fill)]
    return Volume(
        fill.time,
        fill.used,
        None if endless else total,
        None if endless else _fraction(fill.used, fill.free),
        _fraction(fill.files_used, fill.files_free),
        forecast(points, total, now),
        problem,
    )


def _fraction(used: int | None, free: int | None) -> float | None:
    if used is None or free is None:
        return None
    return used / (used + free) if used + free else 0.0


def _whole(number: int) -> int:
    return min(max(number, 0), _MOST_INTEGER)
