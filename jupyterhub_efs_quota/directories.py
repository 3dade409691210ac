"""Where the homes of many users are, by names alone, for lists that others read.

Nothing is looked up on the store. Used by the metrics and by Open OnDemand's file.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .board import Row
from .errors import HomeError
from .homes import Homes

# Names that are kept; more than there are users means that users come and go.
_MOST_KEPT = 200_000


class Directory(NamedTuple):
    """A home: its path, the last part of it, and the part below the home root. As text."""

    path: str
    name: str
    below_root: str


class Directories:
    """The directory of each user's home, worked out once."""

    def __init__(self, homes: Homes) -> None:
        self._homes = homes
        self._depth = len(homes.home_root.parts)
        self._kept: dict[tuple[str, str | None], Directory | None] = {}

    def of(self, row: Row) -> Directory | None:
        """The home; None where the mapping gives none that is below the home root."""
        known = row.record.home if row.record else None
        key = (row.user.name, known)
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = self._find(*key)
        return self._kept[key]

    def _find(self, user: str, known: str | None) -> Directory | None:
        home = None
        if known:
            with suppress(HomeError):
                home = self._homes.below_root(user, Path(known))
        try:
            home = home or self._homes.named(user)
        except HomeError:
            return None
        # By the parts, which naming it has worked out already.
        below = "/".join(home.parts[self._depth :])
        return Directory(str(home), home.name, below)
