"""What deleting a file or folder would free, counted now: for confirmations, and for limbo."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ..errors import FreeingError
from ..quota.summary import Sums
from .descent import Descent
from .handles import Home, Identity, identity
from .progress import Progress

# Files with several names of which the names are counted; the rest count as not freed.
_MOST_LINKED = 100_000


@dataclass(frozen=True)
class Weight:
    """What an entry holds. A file counts when all of its names are in there.

    `others` is how many of its entries belong to somebody else. Not `complete`: it holds
    at least this, and there was no time, or no right, to count the rest.
    """

    sums: Sums
    dirs: int = 0
    others: int = 0
    complete: bool = True


def weigh(home: Home, handle: int, name: bytes, progress: Progress | None = None) -> Weight:
    """What an entry of an open directory holds. Raises FreeingError where it is not there."""
    scales = _Scales(home, progress or Progress())
    scales.weigh(handle, name)
    return scales.weight()


class _Scales:
    """The visitor that counts."""

    def __init__(self, home: Home, progress: Progress) -> None:
        self._home = home
        self._progress = progress
        self._bytes = self._allocated = self._files = self._dirs = self._others = 0
        self._linked: dict[Identity, int] = {}
        self._complete = True

    def weigh(self, handle: int, name: bytes) -> None:
        found = self._home.look(handle, name)
        try:
            if not stat.S_ISDIR(found.st_mode):
                self.file(handle, name)
                return
            self._count_directory(found)
            inner = self._home.step(handle, name)
            try:
                Descent(inner, self).run()
            finally:
                os.close(inner)
        except FreeingError:  # stopped, moved, or not to be entered
            self._complete = False

    def weight(self) -> Weight:
        sums = Sums(self._bytes, self._allocated, self._files)
        return Weight(sums, self._dirs, self._others, self._complete)

    def file(self, handle: int, name: bytes) -> None:
        self._progress.step()
        try:
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            self.missed(error)
            return
        self._others += found.st_uid != self._home.owner
        if found.st_nlink > 1 and not self._is_last_name(found):
            return
        self._files += 1
        self._allocated += found.st_blocks * 512
        if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            self._bytes += found.st_size

    def enters(self, handle: int, name: bytes) -> int | None:
        self._progress.step()
        try:
            inner = self._home.step(handle, name)
        except FreeingError:
            self._complete = False
            return None
        self._count_directory(os.fstat(inner))
        return inner

    def leaves(self, handle: int, name: bytes) -> None:
        """Nothing more is to be counted."""

    def missed(self, error: OSError | None) -> None:
        self._complete = False

    def _count_directory(self, found: os.stat_result) -> None:
        self._dirs += 1
        self._allocated += found.st_blocks * 512
        self._others += found.st_uid != self._home.owner

    def _is_last_name(self, found: os.stat_result) -> bool:
        which = identity(found)
        if which not in self._linked and len(self._linked) >= _MOST_LINKED:
            return False
        self._linked[which] = self._linked.get(which, 0) + 1
        return self._linked[which] == found.st_nlink
