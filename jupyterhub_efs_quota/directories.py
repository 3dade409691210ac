"""Where the homes of many users are, by names alone, for lists that others read.

Nothing is looked up on the store. Used by the metrics and by Open OnDemand's file.
"""

from __future__ import annotations

from pathlib import Path

from .board import Row
from .errors import HomeError
from .homes import Homes

# Names that are kept; more than there are users means that users come and go.
_MOST_KEPT = 200_000


class Directories:
    """The directory of each user's home, worked out once."""

    def __init__(self, homes: Homes) -> None:
        self._homes = homes
        self._kept: dict[tuple[str, str | None], Path | None] = {}

    def of(self, row: Row) -> Path | None:
        """The home; None where the mapping gives none that is below the home root."""
        known = row.record.home if row.record else None
        key = (row.user.name, known)
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = self._find(*key)
        return self._kept[key]

    def below_root(self, home: Path) -> str:
        """A home's path from the home root on."""
        return str(home.relative_to(self._homes.home_root))

    def _find(self, user: str, known: str | None) -> Path | None:
        try:
            if known:
                return self._homes.below_root(user, Path(known))
        except HomeError:
            pass
        try:
            return self._homes.named(user)
        except HomeError:
            return None
