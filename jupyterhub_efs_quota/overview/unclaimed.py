"""Homes without a user: the folders beside the homes that are nobody's.

Looked for in the monitor's cycle, by `survey.py`. Of the homes themselves nothing is read.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

# What is enough: whoever has more looks at the volume itself.
MOST_FOUND, MOST_ENTRIES, MOST_SECS = 1000, 1_000_000, 30.0
# A folder above the homes of this many users is one for homes, and no user's own.
_SHARED_BY = 2
# What file systems make for themselves.
_OF_THE_STORE = ("lost+found", ".efs-quota-limbo")


@dataclass(frozen=True)
class Found:
    """The folders that are nobody's, as paths below the home root, by name.

    `whole`: whether all was looked through.
    """

    folders: Sequence[str]
    whole: bool


def find_unclaimed(
    root: Path, homes: Iterable[str], apart: Iterable[str] = (), skip: Sequence[str] = ()
) -> Found:
    """The folders that no user has. Blocking. Raises OSError if the root cannot be read.

    `homes` are those of all users, `apart` other folders that are known; all below the root.
    Names that match one of `skip` are left out.
    """
    return _Search(root, set(homes), set(apart), (*_OF_THE_STORE, *skip)).all()


@dataclass
class _Search:
    root: Path
    homes: Collection[str]
    apart: Collection[str]
    skip: Sequence[str]
    found: list[str] = field(default_factory=list)
    seen: int = 0

    def __post_init__(self) -> None:
        self.until = time.monotonic() + MOST_SECS
        # How many homes lie below each folder.
        self.below = Counter(above for home in self.homes for above in _above(home))
        self.known = {*self.homes, *self.apart}
        self.known.update(above for each in self.apart for above in _above(each))

    def all(self) -> Found:
        """Look through the root, and the folders in which homes of several users lie."""
        whole = self._look("")
        for folder in self._shared():
            whole = whole and self._look_if_there(folder)
        return Found(sorted(self.found), whole)

    def _shared(self) -> list[str]:
        # What lies in somebody's home is theirs, if homes of others are among it.
        many = (name for name, count in self.below.items() if count >= _SHARED_BY)
        return sorted(name for name in many if name not in self.homes)

    def _look_if_there(self, folder: str) -> bool:
        try:
            return self._look(folder)
        except OSError:
            return True  # users who have no home yet, or none any more

    def _look(self, folder: str) -> bool:
        with os.scandir(self.root / folder) as entries:
            for entry in entries:
                self.seen += 1
                if self._enough():
                    return False
                path = f"{folder}/{entry.name}" if folder else entry.name
                if self._is_unclaimed(path, entry):
                    self.found.append(path)
        return True

    def _is_unclaimed(self, path: str, entry: os.DirEntry[str]) -> bool:
        if path in self.known or path in self.below:
            return False
        if any(fnmatchcase(entry.name, pattern) for pattern in self.skip):
            return False
        # A link leads elsewhere: it is nobody's home.
        return entry.is_dir(follow_symlinks=False)

    def _enough(self) -> bool:
        if len(self.found) >= MOST_FOUND or self.seen > MOST_ENTRIES:
            return True
        return time.monotonic() > self.until


def _above(path: str) -> Iterator[str]:
    """The folders above one, up to the root, which is not among them."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
