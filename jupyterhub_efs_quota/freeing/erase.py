"""Delete a file or folder for good: a million files in little memory, to be watched and stopped.

What is in a folder of somebody else is left, with the folders above it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import FreeingError
from ..quota.summary import Sums
from .descent import Descent
from .handles import OPEN_DIRECTORY, OPEN_PLACE, mount_of, plain_error
from .progress import Progress, Stopped

# A listing may leave out what was there, where others are at work in it.
_MOST_PASSES = 3


@dataclass(frozen=True)
class Erased:
    """What was freed, and how many entries are left, with one of the reasons."""

    sums: Sums
    left: int = 0
    why: str = ""
    stopped: bool = False


def erase(handle: int, name: bytes, whose: int | None, progress: Progress | None = None) -> Erased:
    """Delete an entry of an open directory with all that is in it.

    `whose` is the user id whose folders are emptied; None: everybody's. What is gone
    already is no error. `progress` may stop it.
    """
    eraser = _Eraser(handle, whose, progress or Progress())
    for _ in range(_MOST_PASSES):
        before = eraser.removed
        try:
            eraser.one_pass(handle, name)
        except Stopped as stopped:
            return eraser.erased(str(stopped), stopped=True)
        except FreeingError as moved:
            return eraser.erased(str(moved))
        if not eraser.left or eraser.removed == before:
            break
    return eraser.erased()


class _Eraser:
    """The visitor that deletes. `left` counts anew in each pass."""

    def __init__(self, top: int, whose: int | None, progress: Progress) -> None:
        self._device = os.fstat(top).st_dev
        self._mount = mount_of(top)
        self._whose = whose
        self._progress = progress
        self._bytes = self._allocated = self._files = 0
        self._why = ""
        self.removed = self.left = 0

    def one_pass(self, handle: int, name: bytes) -> None:
        """Delete what there is now."""
        self.left = 0
        inner = self.enters(handle, name)
        if inner is None:
            return
        try:
            Descent(inner, self).run()
        finally:
            os.close(inner)
        self.leaves(handle, name)

    def erased(self, why: str = "", *, stopped: bool = False) -> Erased:
        sums = Sums(self._bytes, self._allocated, self._files)
        return Erased(sums, max(self.left, bool(why)), why or self._why, stopped)

    def file(self, handle: int, name: bytes) -> None:
        """Delete something that is no directory."""
        self._progress.step()
        with self._noted():
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
            os.unlink(name, dir_fd=handle)
            self._count(found)

    def enters(self, handle: int, name: bytes) -> int | None:
        """A directory to be emptied; all else is deleted or left here."""
        with self._noted():
            place = os.open(name, OPEN_PLACE, dir_fd=handle)
            try:
                found = os.fstat(place)
                if not stat.S_ISDIR(found.st_mode):
                    self.file(handle, name)
                elif self._may_empty(place, found):
                    self._progress.step()
                    return _opened(place, found)
                else:
                    os.rmdir(name, dir_fd=handle)
                    self.removed += 1
            finally:
                os.close(place)
        return None

    def leaves(self, handle: int, name: bytes) -> None:
        """Delete a directory that was emptied."""
        with self._noted():
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
            os.rmdir(name, dir_fd=handle)
            self.removed += 1
            self._allocated += found.st_blocks * 512

    def missed(self, error: OSError | None) -> None:
        self.left += 1
        if error is not None:
            # The first reason says most: the folders above are left because of it.
            self._why = self._why or str(plain_error(error))

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """What fails is left; what is gone is as it should be."""
        try:
            yield
        except FileNotFoundError:
            pass
        except OSError as error:
            self.missed(error)

    def _may_empty(self, place: int, found: os.stat_result) -> bool:
        if found.st_dev != self._device or mount_of(place) != self._mount:
            self._why = self._why or "Another file system is mounted in it."
            return False
        if self._whose is not None and found.st_uid != self._whose:
            self._why = self._why or "A folder in it belongs to somebody else."
            return False
        return True

    def _count(self, found: os.stat_result) -> None:
        self.removed += 1
        self._files += 1
        # Another name of it keeps its space.
        if found.st_nlink == 1:
            self._allocated += found.st_blocks * 512
            if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                self._bytes += found.st_size


def _opened(place: int, found: os.stat_result) -> int:
    """A directory to empty, made writable where its owner had it otherwise."""
    if found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        with contextlib.suppress(OSError):
            os.chmod(f"/proc/self/fd/{place}", stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
    return os.open(".", OPEN_DIRECTORY, dir_fd=place)
