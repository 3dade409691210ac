"""What all users together hold and may hold, and how many are in which state. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..board import Row
from ..quota.record import State


@dataclass(frozen=True)
class Totals:
    """Sums over all users.

    `quota_bytes` is what all quotas together promise, those of `limited` users: the others
    have none. `states` counts as the table of users filters, the worst first; `unseen` have
    no record yet.
    """

    users: int
    measured: int
    bytes: int
    files: int
    limited: int
    quota_bytes: int
    unseen: int
    states: Mapping[str, int]


_WORST_FIRST = (
    State.LOCKOUT,
    State.VIOLATION,
    State.TIMED_OUT,
    State.NEARING_LIMIT,
    State.OK,
)


def totals(rows: Iterable[Row]) -> Totals:
    """The sums over these users."""
    rows = list(rows)
    records = [row.record for row in rows if row.record is not None]
    measured = [record for record in records if record.measured]
    limited = [record for record in records if record.quota_enabled]
    states = Counter(record.quota_state for record in records)
    return Totals(
        users=len(rows),
        measured=len(measured),
        bytes=sum(record.actual_bytes for record in measured),
        files=sum(record.usage_files or 0 for record in measured),
        limited=len(limited),
        quota_bytes=sum(record.quota_bytes for record in limited),
        unseen=len(rows) - len(records),
        states={state.value: states[state] for state in _WORST_FIRST},
    )
