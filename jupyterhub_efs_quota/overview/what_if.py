"""What another default quota would do: who would be over, and how much would have to go. Pure.

It is about those alone who have the default, and about bytes alone: limits on files, and
quotas of groups and users, stay as they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from ..quota.record import Record
from ..quota.sizes import KIB, MOST, PIB

DEFAULT = "default"
# The numbers of each unit at which the slider stops: each about a quarter more than the last.
_STOPS = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80),
    *(100, 120, 150, 200, 250, 300, 400, 500, 600, 800),
)  # fmt: skip
# The slider goes from so small a part of the default to so many times what matters.
_LEAST_PART, _TIMES = 64, 4


@dataclass(frozen=True)
class WhatIf:
    """If the default were `quota_bytes`: of `users` who have it, how many would be over it.

    `newly` are over only then, `freed` are over only now. `excess_bytes` is what would have
    to go until nobody is over; `promised_bytes` what all of them together could hold.
    """

    quota_bytes: int
    users: int
    over: int
    newly: int
    freed: int
    excess_bytes: int
    promised_bytes: int


class Defaults:
    """All who have the default quota, by what they hold: answers for any other default."""

    def __init__(self, records: Iterable[Record]) -> None:
        having = [record for record in records if _has_default(record)]
        measured = [record for record in having if record.measured]
        self.users = len(having)
        self.most = max((record.actual_bytes for record in measured), default=0)
        self._within = _Sizes(r.actual_bytes for r in measured if r.actual_bytes <= r.quota_bytes)
        self._over = _Sizes(r.actual_bytes for r in measured if r.actual_bytes > r.quota_bytes)

    def what_if(self, quota: int) -> WhatIf:
        """What this default would do."""
        newly, more = self._within.above(quota)
        still, excess = self._over.above(quota)
        return WhatIf(
            quota_bytes=quota,
            users=self.users,
            over=newly + still,
            newly=newly,
            freed=len(self._over) - still,
            excess_bytes=more + excess,
            promised_bytes=self.users * quota,
        )

    def steps(self, default: int) -> list[WhatIf]:
        """What the defaults would do at which the slider stops, with the one that holds."""
        return [self.what_if(quota) for quota in stops(default, self.most)]


def stops(default: int, most: int) -> list[int]:
    """Round sizes around a default quota and the largest home, in order."""
    least = max(1, default // _LEAST_PART)
    last = min(MOST, max(default, most, KIB) * _TIMES)
    found = {default}
    unit = 1
    while unit <= PIB:
        found.update(stop * unit for stop in _STOPS if least <= stop * unit <= last)
        unit *= 1024
    return sorted(found)


def _has_default(record: Record) -> bool:
    return record.quota_enabled and record.quota_source == DEFAULT


class _Sizes:
    """Sizes in order, with what the last ones come to together."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self._sizes = sorted(sizes)
        self._sums = [0, *accumulate(reversed(self._sizes))]

    def __len__(self) -> int:
        return len(self._sizes)

    def above(self, quota: int) -> tuple[int, int]:
        """How many are above a quota, and by how much all of them together."""
        count = len(self._sizes) - bisect_right(self._sizes, quota)
        return count, self._sums[count] - count * quota
