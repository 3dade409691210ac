"""What of a user's troubles is told to who is no administrator: that, and no paths. Pure.

For pages, API and commands alike.
"""

from __future__ import annotations

from dataclasses import replace

from ..board import Row
from ..errors import BrokenFile, HomeError, LockHeld, MeasureError, StoreError
from ..quota.record import replace as with_fields

UNTOLD = "Something went wrong with this user. The administrator can see what."
_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (LockHeld, "Somebody else is at this user's record just now. Try again."),
    (BrokenFile, "The quota file is damaged: the administrator can mend it."),
    (StoreError, "The store does not answer."),
    (HomeError, "The home cannot be used: the administrator can see why."),
    (MeasureError, "The home cannot be measured: the administrator can see why."),
    (OSError, "The home cannot be used: the administrator can see why."),
)


def without_paths(row: Row) -> Row:
    """A user's row without the texts that may name paths, and without the path of the home."""
    problems = {
        by: each if each.for_all else replace(each, text=UNTOLD)
        for by, each in row.problems.items()
    }
    record = None if row.record is None else with_fields(row.record, home=None)
    return replace(row, record=record, problems=problems)


def why(error: BaseException) -> str:
    """Why something cannot be done, without a path."""
    return next((text for kind, text in _WHY if isinstance(error, kind)), str(error))
