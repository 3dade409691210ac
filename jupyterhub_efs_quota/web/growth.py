"""By how much everybody's usage grew, for the table of users. Asks the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import HistoryError
from ..history.history import History
from .ask import ask_in_time
from .parts import Parts


@dataclass(frozen=True)
class Growth:
    """The growth in 30 days by name; `missing` says why it is not known, None if it is."""

    by_name: Mapping[str, int | None] = field(default_factory=dict)
    missing: str | None = None


async def growth_of_all(parts: Parts) -> Growth:
    """Ask for it; what cannot be had is said, and is no error."""
    try:
        found = await ask_in_time(
            parts,
            History.growth,
            without="No history is kept here, so nothing is known of growth.",
            silent="The history does not answer now, so nothing is said of growth.",
        )
    except HistoryError as error:
        return Growth(missing=str(error))
    return Growth(found)
