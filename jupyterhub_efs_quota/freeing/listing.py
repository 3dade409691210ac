"""One directory of a home as it is now, a page at a time, in memory that does not grow with it."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import FreeingError
from .handles import Home, plain_error
from .paths import Names
from .progress import Progress

PAGE = 200


@dataclass(frozen=True)
class Entry:
    """An entry of a directory. `bytes` are those of the file itself, 0 for a folder.

    `kind` is "folder", "file", "link" or "other"; `own`: whether it is the user's, and so
    may be deleted. `inode` tells it from another that takes its name later.
    """

    name: bytes
    kind: str
    bytes: int
    allocated: int
    modified: float
    own: bool
    inode: int


@dataclass(frozen=True)
class Listing:
    """A page of a directory by name. `following`: the name to go on after, if there is more."""

    entries: tuple[Entry, ...]
    total: int
    following: bytes | None


def list_directory(
    home: Home, names: Names, after: bytes = b"", most: int = PAGE, progress: Progress | None = None
) -> Listing:
    """The entries after a name, of a directory of the home. Raises FreeingError."""
    with home.directory(names) as handle:
        counted = _Counted(handle, progress or Progress())
        # By name and from a name on: entries that come and go meanwhile shift no page.
        # One more than is shown tells whether there is a page after this one.
        first = heapq.nsmallest(most + 1, (name for name in counted.names() if name > after))
        entries = [entry for name in first[:most] if (entry := _entry(home, handle, name))]
        if not home.still_at(names, handle):
            raise FreeingError("This folder was moved while it was listed. Look again.")
    more = len(first) > most
    return Listing(tuple(entries), counted.total, first[most - 1] if more else None)


class _Counted:
    """The names in a directory, counted as they go by."""

    def __init__(self, handle: int, progress: Progress) -> None:
        self._handle = handle
        self._progress = progress
        self.total = 0

    def names(self) -> Iterator[bytes]:
        try:
            with os.scandir(self._handle) as entries:
                for entry in entries:
                    self._progress.step()
                    self.total += 1
                    yield os.fsencode(entry.name)
        except OSError as error:
            raise plain_error(error) from None


def _entry(home: Home, handle: int, name: bytes) -> Entry | None:
    try:
        found = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError:
        return None  # gone meanwhile
    kind = _kind(found.st_mode)
    return Entry(
        name=name,
        kind=kind,
        bytes=found.st_size if kind in ("file", "link") else 0,
        allocated=found.st_blocks * 512,
        modified=found.st_mtime,
        own=found.st_uid == home.owner and found.st_dev == home.identity.device,
        inode=found.st_ino,
    )


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    return "link" if stat.S_ISLNK(mode) else "other"
