"""Down a tree and up again, however deep and wide it is, with few handles and little memory.

`weigh.py` counts by it, `erase.py` deletes. It goes on where something fails: the visitor
is told.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import FreeingError
from .handles import OPEN_DIRECTORY, OPEN_PLACE, Identity, identity

# Directories of which the handle and the place in the listing are kept.
_MOST_OPEN = 64
# Names of directories that wait in memory, in bytes, when more are on the way down.
_MOST_WAITING = 8 << 20


class Visitor(Protocol):
    """What is done at each entry. Handles are those of the directory it is in."""

    def file(self, handle: int, name: bytes) -> None:
        """Something that is no directory."""

    def enters(self, handle: int, name: bytes) -> int | None:
        """A handle of a directory to go into; None to pass it by."""

    def leaves(self, handle: int, name: bytes) -> None:
        """All of a directory has been seen: back in the one above."""

    def missed(self, error: OSError | None) -> None:
        """Something could not be seen, for this reason or for want of memory."""


@dataclass
class _Level:
    name: bytes
    handle: int
    identity: Identity
    entries: Iterator[os.DirEntry[str]] | None = None
    waiting: list[bytes] = field(default_factory=list)


class Moved(FreeingError):
    """A directory was moved away while it was gone through: the way back is lost."""


class Descent:
    """Goes through what is in a directory, given by its handle, which stays open."""

    def __init__(self, handle: int, visitor: Visitor) -> None:
        self._visitor = visitor
        self._levels = [_level(b"", os.dup(handle))]
        self._waiting_bytes = 0

    def run(self) -> None:
        """Go through all of it. Raises Moved, or what the visitor raises."""
        try:
            while self._levels:
                name = self._next_directory(self._levels[-1])
                if name is None:
                    self._go_up()
                else:
                    self._go_down(name)
        finally:
            for level in self._levels:
                _close(level)

    def _next_directory(self, level: _Level) -> bytes | None:
        """The next directory in one, after what comes before it; None at the end."""
        if level.waiting:
            name = level.waiting.pop()
            self._waiting_bytes -= len(name)
            return name
        for name, is_directory in self._entries(level):
            if is_directory:
                return name
            self._visitor.file(level.handle, name)
        return None

    def _entries(self, level: _Level) -> Iterator[tuple[bytes, bool]]:
        """The rest of a directory's entries; a listing that breaks off ends."""
        try:
            if level.entries is None:
                level.entries = os.scandir(level.handle)
            for entry in level.entries:
                yield os.fsencode(entry.name), _is_directory(entry)
        except OSError as error:
            self._visitor.missed(error)

    def _go_down(self, name: bytes) -> None:
        above = self._levels[-1]
        handle = self._visitor.enters(above.handle, name)
        if handle is None:
            return
        self._levels.append(_level(name, handle))
        if len(self._levels) > _MOST_OPEN:
            self._park(self._levels[-_MOST_OPEN - 1])

    def _park(self, level: _Level) -> None:
        """See the files of a directory now and note its folders, so that it can be closed."""
        if level.handle < 0:
            return
        for name, is_directory in self._entries(level):
            if not is_directory:
                self._visitor.file(level.handle, name)
            elif self._waiting_bytes + len(name) > _MOST_WAITING:
                self._visitor.missed(None)
            else:
                level.waiting.append(name)
                self._waiting_bytes += len(name)
        _close(level)
        # It has been read to its end.
        level.entries = iter(())

    def _go_up(self) -> None:
        below = self._levels[-1]
        if len(self._levels) > 1:
            above = self._levels[-2]
            if above.handle < 0:
                above.handle = _parent(below.handle, above.identity)
        _close(self._levels.pop())
        if self._levels:
            self._visitor.leaves(self._levels[-1].handle, below.name)


def _level(name: bytes, handle: int) -> _Level:
    return _Level(name, handle, identity(os.fstat(handle)))


def _close(level: _Level) -> None:
    close = getattr(level.entries, "close", None)
    if close is not None:
        close()
    if level.handle >= 0:
        os.close(level.handle)
        level.handle = -1


def _parent(handle: int, wanted: Identity) -> int:
    """A handle of the directory above, if it is the one we came from. Raises Moved."""
    # Looked at before it is opened: it may be anybody's, if this one was moved.
    with contextlib.suppress(OSError):
        place = os.open("..", OPEN_PLACE, dir_fd=handle)
        try:
            if identity(os.fstat(place)) == wanted:
                return os.open(".", OPEN_DIRECTORY, dir_fd=place)
        finally:
            os.close(place)
    raise Moved("A folder was moved while it was gone through. Look at what is left.")


def _is_directory(entry: os.DirEntry[str]) -> bool:
    # Not there any more, or not to be looked at: whoever tries to use it will see.
    with contextlib.suppress(OSError):
        return entry.is_dir(follow_symlinks=False)
    return False
