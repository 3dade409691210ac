"""Who is worth a look: the largest, the fastest growing, the dormant, the homeless. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ..board import Row
from ..errors import HOME_MISSING

# As for the growth in a month, which the history knows.
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Entry:
    """A user in such a list; None for what is not known.

    `quota_bytes` is None too for who has no quota, `active` for who was never active.
    """

    name: str
    state: str | None
    bytes: int | None
    quota_bytes: int | None
    growth: int | None
    active: datetime | None


@dataclass(frozen=True)
class Listed:
    """The first of some users; how many there are in all, and what these hold and grew by."""

    users: Sequence[Entry]
    total: int
    bytes: int
    growth: int = 0


def largest(rows: Iterable[Row], top: int) -> Listed:
    """Those who hold the most, of all who were measured."""
    return _listed([row for row in rows if _holds(row)], top, key=_holds)


def fastest(rows: Iterable[Row], growth: Mapping[str, int | None], top: int) -> Listed:
    """Those who grew the most in the 30 days before their last measurement, of all who grew."""

    def grew(row: Row) -> int:
        return growth.get(row.user.name) or 0

    return _listed([row for row in rows if grew(row) > 0], top, key=grew, growth=growth)


def dormant(rows: Iterable[Row], now: datetime, months: int, top: int) -> Listed:
    """Those who hold something and were not active for so many months; the largest first.

    A month is 30 days. Who was never active counts too.
    """
    since = now - months * MONTH
    return _listed([row for row in rows if is_dormant(row, since)], top, key=_holds)


def is_dormant(row: Row, since: datetime) -> bool:
    """Whether a user holds something and was not active since a time."""
    active = last_active(row)
    return _holds(row) > 0 and (active is None or active < since)


def homeless(rows: Iterable[Row], top: int) -> Listed:
    """Those whose home the monitor did not find: who was active last comes first."""
    found = [row for row in rows if _lacks_home(row)]
    never = datetime.min.replace(tzinfo=timezone.utc)
    return _listed(found, top, key=lambda row: last_active(row) or never)


def last_active(row: Row) -> datetime | None:
    """When a user was last active, by the hub; by the record until the hub was asked."""
    if row.user.last_activity is not None or row.record is None:
        return row.user.last_activity
    return row.record.last_activity


def _lacks_home(row: Row) -> bool:
    return any(problem.kind == HOME_MISSING for problem in row.problems.values())


def _holds(row: Row) -> int:
    record = row.record
    return record.actual_bytes if record is not None and record.measured else 0


def _listed(
    rows: Sequence[Row],
    top: int,
    *,
    key: Callable[[Row], Any],
    growth: Mapping[str, int | None] | None = None,
) -> Listed:
    growth = growth or {}
    # Of equals the one whose name comes first, as in the table.
    by_name = sorted(rows, key=lambda row: row.user.name)
    first = heapq.nlargest(top, by_name, key=key)
    return Listed(
        [_entry(row, growth.get(row.user.name)) for row in first],
        len(rows),
        sum(_holds(row) for row in rows),
        sum(growth.get(row.user.name) or 0 for row in rows),
    )


def _entry(row: Row, growth: int | None) -> Entry:
    record = row.record
    return Entry(
        row.user.name,
        None if record is None else record.quota_state.value,
        record.actual_bytes if record is not None and record.measured else None,
        record.quota_bytes if record is not None and record.quota_enabled else None,
        growth,
        last_active(row),
    )
