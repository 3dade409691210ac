"""What is known of each home besides its size: how many folders, and how old its files are.

Told by `Counted` of each measurement, and by `recall.py` of those before the start; asked by
`Dirsize`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..quota.usage import Usage

if TYPE_CHECKING:
    # The hub, whose hook counts too, loads no database.
    from ..history.trees import Tree


class Ages(NamedTuple):
    """When the oldest and the newest file of a home were modified (Unix time)."""

    oldest: int
    newest: int


class KnownTrees:
    """What is known of all users' homes, by the user's name."""

    def __init__(self) -> None:
        self._dirs: dict[str, int] = {}
        # None: it was summed up, and has no files.
        self._ages: dict[str, Ages | None] = {}

    def measured(self, user: str, usage: Usage) -> None:
        """Keep what a measurement tells, if it saw the whole home."""
        if not usage.complete:
            return
        if usage.dirs is not None:
            self._dirs[user] = usage.dirs
        if usage.summary is not None:
            self._ages[user] = _ages(usage.summary.oldest, usage.summary.newest)

    def remember(self, trees: Iterable[Tree]) -> None:
        """Take what was known at an earlier time, of homes that were not measured since."""
        for tree in trees:
            if tree.dirs is not None:
                self._dirs.setdefault(tree.user, tree.dirs)
            if tree.summed_up:
                self._ages.setdefault(tree.user, _ages(tree.oldest, tree.newest))

    def dirs(self, user: str) -> int | None:
        """How many folders a user's home has, itself among them, if they were counted."""
        return self._dirs.get(user)

    def ages(self, user: str) -> Ages | None:
        """How old a user's files are, if that is known and there are any."""
        return self._ages.get(user)

    def keep_only(self, users: Collection[str]) -> None:
        """Forget all others."""
        for known in (self._dirs, self._ages):
            # A copy: measurements may end meanwhile.
            for user in list(known):
                if user not in users:
                    known.pop(user, None)


def _ages(oldest: int | None, newest: int | None) -> Ages | None:
    return None if oldest is None or newest is None else Ages(oldest, newest)
