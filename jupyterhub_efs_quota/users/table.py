"""The table of users: filter, sort, and cut out a page. Pure; rows are those of the board."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..board import Row
from ..quota.standing import STANDINGS, share, standing

GROWTH = "growth"


@dataclass(frozen=True)
class Wanted:
    """What is asked of the table. `sort` is a key of SORTS; "" and None filter nothing.

    `state` is one of STANDINGS.
    """

    q: str = ""
    state: str | None = None
    group: str | None = None
    sort: str = "name"
    descending: bool = False
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True)
class Page:
    """Some rows, and how many there are in all."""

    rows: Sequence[Row]
    total: int


# Worse is more, as who sorts by it wants to see who is in trouble.
_WORSE = {each: number for number, each in enumerate(reversed(STANDINGS))}


def _measured(value: Callable[[Any], Any]) -> Callable[[Row], Any]:
    def of(row: Row) -> Any:
        return value(row.record) if row.record is not None and row.record.measured else None

    return of


def _share(row: Row) -> float | None:
    found = share(row.record) if row.record is not None else None
    return None if found is None else found.fraction


# What a table can be sorted by; None is no value, which comes last. Growth is known to the
# history alone: `table` is given it.
SORTS: Mapping[str, Callable[[Row], Any]] = {
    "name": lambda row: row.user.name,
    "size": _measured(lambda record: record.actual_bytes),
    "files": _measured(lambda record: record.usage_files),
    "fraction": _share,
    "state": lambda row: None if row.record is None else _WORSE[standing(row.record)],
    GROWTH: lambda _: None,
    "measured": _measured(lambda record: record.stopped or record.started),
    "activity": lambda row: row.user.last_activity,
}


def table(
    rows: Iterable[Row], wanted: Wanted, growth: Mapping[str, int | None] | None = None
) -> Page:
    """The part of the table that is wanted. `growth`: by name, to sort by it.

    Equals stand in the order of their names. Raises KeyError for an unknown `sort`.
    """
    value = SORTS[wanted.sort]
    if wanted.sort == GROWTH:
        known = growth or {}
        value = lambda row: known.get(row.user.name)  # noqa: E731 - one of the functions above
    # Sorting is stable, upside down too: equals stay in the order of their names.
    by_name = sorted((row for row in rows if _matches(row, wanted)), key=lambda row: row.user.name)
    valued = [(found, row) for row in by_name if (found := value(row)) is not None]
    valued.sort(key=lambda pair: pair[0], reverse=wanted.descending)
    ordered = [row for _, row in valued]
    if len(ordered) < len(by_name):
        ordered += [row for row in by_name if value(row) is None]
    return Page(ordered[wanted.offset : wanted.offset + wanted.limit], len(ordered))


def _matches(row: Row, wanted: Wanted) -> bool:
    if wanted.q and wanted.q.casefold() not in row.user.name.casefold():
        return False
    if wanted.group is not None and wanted.group not in (row.user.groups or ()):
        return False
    if wanted.state is None:
        return True
    return row.record is not None and standing(row.record) == wanted.state
