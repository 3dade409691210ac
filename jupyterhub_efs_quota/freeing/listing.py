"""One directory of a home as it is now, a page at a time, in memory that does not grow with it."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..errors import FreeingError
from ..quota.summary import Sums
from .handles import Home, plain_error
from .paths import Names
from .progress import Progress

PAGE = 200


class By(str, Enum):
    """By what a directory can be listed."""

    NAME = "name"
    SIZE = "size"
    FILES = "files"
    CHANGED = "changed"
    TYPE = "type"


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
class Order:
    """By what to list, and whether from the largest (or the latest) down.

    `known` is what the folders in it hold, by name, as last measured: a folder that is not
    in it comes before all others. `allocated`: sizes are those on disk.
    """

    by: By = By.NAME
    descending: bool = False
    known: Mapping[bytes, Sums] | None = None
    allocated: bool = False

    def key(self, entry: Entry) -> int | bytes:
        """What an entry is sorted by."""
        folder = entry.kind == "folder"
        held = (self.known or {}).get(entry.name)
        if self.by is By.CHANGED:
            return int(entry.modified)
        if self.by is By.TYPE:
            return b"" if folder else extension(entry.name).lower() or entry.kind.encode()
        if self.by is By.FILES:
            return 1 if not folder else held.files if held else -1
        if folder:
            return held[self.allocated] if held else -1
        return entry.allocated if self.allocated else entry.bytes

    def token(self, key: int | bytes, name: bytes) -> bytes:
        """What to go on after, as a page and the API hand it out."""
        if self.by is By.NAME:
            return name
        # Neither a name nor an extension has a slash.
        return (key if isinstance(key, bytes) else b"%d" % key) + b"/" + name

    def place(self, token: bytes) -> tuple[Any, bytes]:
        """The place that a token names. Raises FreeingError."""
        if self.by is By.NAME:
            return b"", token
        key, _, name = token.rpartition(b"/")
        if self.by is By.TYPE:
            return key, name
        digits = key.removeprefix(b"-")
        if not digits.isdigit() or len(digits) > 25:
            raise FreeingError("There is no such place in this list. Begin at its beginning.")
        return int(key), name


BY_NAME = Order()


def extension(name: bytes) -> bytes:
    """The extension of a file's name, without its dot; empty if it has none."""
    stem, _, last = name.rpartition(b".")
    return last if stem.strip(b".") else b""


@dataclass(frozen=True)
class Listing:
    """A page of a directory. `following`: what to go on after, if there is more."""

    entries: tuple[Entry, ...]
    total: int
    following: bytes | None


def list_directory(
    home: Home,
    names: Names,
    after: bytes = b"",
    most: int = PAGE,
    progress: Progress | None = None,
    *,
    order: Order = BY_NAME,
) -> Listing:
    """The entries after a place, of a directory of the home. Raises FreeingError.

    By anything but the name each entry is looked at, so that takes long where there are many.
    """
    place = order.place(after) if after else None
    pick = heapq.nlargest if order.descending else heapq.nsmallest
    with home.directory(names) as handle:
        counted = _Counted(handle, progress or Progress())
        # From a place on: entries that come and go meanwhile shift no page.
        # One more than is shown tells whether there is a page after this one.
        first = pick(
            most + 1,
            (
                each
                for each in _keyed(home, handle, counted.names(), order)
                if place is None or (each < place if order.descending else each > place)
            ),
        )
        entries = [entry for _, name in first[:most] if (entry := _entry(home, handle, name))]
        if not home.still_at(names, handle):
            raise FreeingError("This folder was moved while it was listed. Look again.")
    following = order.token(*first[most - 1]) if len(first) > most else None
    return Listing(tuple(entries), counted.total, following)


def _keyed(
    home: Home, handle: int, names: Iterator[bytes], order: Order
) -> Iterator[tuple[Any, bytes]]:
    """Each name with what it is sorted by before that."""
    for name in names:
        if order.by is By.NAME:
            yield b"", name
        elif entry := _entry(home, handle, name):
            yield order.key(entry), name


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
