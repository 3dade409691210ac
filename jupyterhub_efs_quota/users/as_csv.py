"""The table of users as CSV, for spreadsheets and programs. Pure.

Sizes are in bytes, times in ISO and UTC. Spreadsheets take a text that begins like a formula
for one, and names come from anybody: such a text gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime

from ..board import Row
from ..quota.record import Record, format_time
from ..quota.standing import share, standing

HEADER = (
    "name",
    "admin",
    "groups",
    "state",
    "enforced",
    "used_bytes",
    "quota_bytes",
    "share",
    "share_of",
    "files",
    "quota_files",
    "quota_source",
    "quota_until",
    "growth_30_days_bytes",
    "servers",
    "last_activity",
    "measured",
    "unreadable",
)
# As a formula begins, in any width; and what a program may cut off before it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Cell = str | int | float | None


def csv_text(rows: Iterable[Iterable[Cell]]) -> str:
    """Lines of CSV: text in quotes, numbers without."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def csv_row(
    row: Row, growth: Mapping[str, int | None], groups: Iterable[str] | None = None
) -> list[Cell]:
    """A user's line: HEADER says what is where. `groups`: those that are to be shown."""
    shown = row.user.groups if groups is None else groups
    return [
        row.user.name,
        _flag(row.user.admin),
        "; ".join(shown or ()),
        *_of_record(row.record),
        growth.get(row.user.name),
        len(row.user.servers),
        _time(row.user.last_activity),
        _time(row.record.stopped) if row.record is not None and row.record.measured else None,
        row.record.unreadable if row.record is not None else None,
    ]


def _of_record(record: Record | None) -> list[Cell]:
    if record is None:
        return [None] * 10
    used = share(record)
    return [
        standing(record),
        _flag(record.quota_enabled),
        record.actual_bytes if record.measured else None,
        record.quota_bytes,
        round(used.fraction, 6) if used is not None else None,
        used.of.value if used is not None else None,
        record.usage_files,
        record.quota_files or None,
        record.quota_source,
        _time(record.quota_until),
    ]


def _safe(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return "" if cell is None else cell


def _flag(value: bool) -> str:
    return "yes" if value else "no"


def _time(time: datetime | None) -> str | None:
    return None if time is None else f"{format_time(time)}Z"
