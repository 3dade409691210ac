"""What all users together hold and may hold, and how many are in which state. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..board import Row
from ..quota.standing import STANDINGS, standing


@dataclass(frozen=True)
class Totals:
    """Sums over all users.

    `quota_bytes` is what all quotas together promise, those of `limited` users: the others
    have none. `states` counts as the table of users filters, the worst first, and then who has
    no quota; `unseen` have no record yet.
    """

    users: int
    measured: int
    bytes: int
    files: int
    limited: int
    quota_bytes: int
    unseen: int
    states: Mapping[str, int]


def totals(rows: Iterable[Row]) -> Totals:
    """The sums over these users."""
    rows = list(rows)
    records = [row.record for row in rows if row.record is not None]
    measured = [record for record in records if record.measured]
    limited = [record for record in records if record.quota_enabled]
    states = Counter(standing(record) for record in records)
    return Totals(
        users=len(rows),
        measured=len(measured),
        bytes=sum(record.actual_bytes for record in measured),
        files=sum(record.usage_files or 0 for record in measured),
        limited=len(limited),
        quota_bytes=sum(record.quota_bytes for record in limited),
        unseen=len(rows) - len(records),
        states={each: states[each] for each in STANDINGS},
    )
