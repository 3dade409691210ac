"""Who is worth a look: the largest, the fastest growing, the dormant, the homeless. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from operator import itemgetter
from typing import Any

from ..board import Row
from ..errors import HOME_MISSING
from ..quota.standing import standing

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
    return _listed([(size, row) for row in rows if (size := _holds(row))], top)


def fastest(rows: Iterable[Row], growth: Mapping[str, int | None], top: int) -> Listed:
    """Those who grew the most in the 30 days before their last measurement, of all who grew."""
    known = [(growth.get(row.user.name) or 0, row) for row in rows]
    found = [(grown, row) for grown, row in known if grown > 0]
    listed = _listed(found, top, growth)
    return replace(listed, growth=sum(grown for grown, _ in found))


def dormant(rows: Iterable[Row], now: datetime, months: int, top: int) -> Listed:
    """Those who hold something and were not active for so many months; the largest first.

    A month is 30 days. Of who was never active nobody can tell: see `never_active`.
    """
    since = now - months * MONTH
    return _listed([(_holds(row), row) for row in rows if is_dormant(row, since)], top)


def is_dormant(row: Row, since: datetime) -> bool:
    """Whether a user holds something and was active, but not since a time."""
    active = last_active(row)
    return active is not None and active < since and _holds(row) > 0


def never_active(rows: Iterable[Row], top: int) -> Listed:
    """Those who hold something and whom the hub has never seen active; the largest first.

    Their homes may be older than the hub is.
    """
    unseen = (row for row in rows if last_active(row) is None)
    return _listed([(size, row) for row in unseen if (size := _holds(row))], top)


def homeless(rows: Iterable[Row], top: int) -> Listed:
    """Those whose home the monitor did not find: who was active last comes first."""
    never = datetime.min.replace(tzinfo=timezone.utc)
    found = [row for row in rows if row.problems and _lacks_home(row)]
    return _listed([(last_active(row) or never, row) for row in found], top)


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
    found: Sequence[tuple[Any, Row]], top: int, growth: Mapping[str, int | None] | None = None
) -> Listed:
    """The first of users with what they are sorted by, the most of it first.

    Of equals the one comes first that is given first: rows stand in the order of names.
    """
    growth = growth or {}
    first = heapq.nlargest(top, found, key=itemgetter(0))
    return Listed(
        [_entry(row, growth.get(row.user.name)) for _, row in first],
        len(found),
        sum(_holds(row) for _, row in found),
    )


def _entry(row: Row, growth: int | None) -> Entry:
    record = row.record
    return Entry(
        row.user.name,
        None if record is None else standing(record),
        record.actual_bytes if record is not None and record.measured else None,
        record.quota_bytes if record is not None and record.quota_enabled else None,
        growth,
        last_active(row),
    )
