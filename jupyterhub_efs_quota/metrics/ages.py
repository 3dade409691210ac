"""How old the files of each home are, as the last summary of each had it.

Told by `Counted`, asked by `Dirsize`. It is memory: gone with a restart, until the next walk.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Ages(NamedTuple):
    """When the oldest and the newest file of a home were modified (Unix time)."""

    oldest: int
    newest: int


class KnownAges:
    """The ages of all users' homes that are known, by the user's name."""

    def __init__(self) -> None:
        self._ages: dict[str, Ages] = {}

    def put(self, user: str, oldest: int | None, newest: int | None) -> None:
        """Keep what a summary says; a home without files has no ages."""
        if oldest is None or newest is None:
            self._ages.pop(user, None)
        else:
            self._ages[user] = Ages(oldest, newest)

    def get(self, user: str) -> Ages | None:
        """A user's, if they are known."""
        return self._ages.get(user)

    def keep_only(self, users: Collection[str]) -> None:
        """Forget all others."""
        # A copy: measurements may end meanwhile.
        for user in list(self._ages):
            if user not in users:
                self._ages.pop(user, None)
