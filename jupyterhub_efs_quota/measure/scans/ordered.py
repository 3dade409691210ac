"""A walk that gives every file and folder in the order of wrstat's files. Called by `export.py`.

Slower than the walk that counts, for it looks at one thing after the other. No link is ever
followed: each folder is opened relative to its parent's handle. A folder with millions of
names is sorted on disk, and depth costs no recursion and few open files.
"""

from __future__ import annotations

import errno
import fnmatch
import heapq
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, NamedTuple

from ...errors import MeasureError
from ..task import Task
from ..walk.book import GONE, show
from ..walk.handles import OPEN_DIRECTORY

# Names of one folder that are sorted in memory; more are sorted on disk, so many at a time.
_MOST_NAMES = 100_000
_MOST_OPEN = 64
_NAMES_SHOWN = 5


class Found(NamedTuple):
    """A file or folder below (or at) the place where the walk began."""

    path: bytes
    stat: os.stat_result


@dataclass
class Missed:
    """What could not be looked at, as in `Usage`."""

    unreadable: int = 0
    vanished: int = 0
    names: list[str] = field(default_factory=list)

    def note(self, name: bytes, number: int | None) -> None:
        """Count an entry that an error kept us from."""
        self.unreadable += 1
        if number in GONE:
            self.vanished += 1
        elif len(self.names) < _NAMES_SHOWN:
            self.names.append(show(name, number or 0))


@dataclass
class _Level:
    """A folder on the way down. `handle` is None while it is closed."""

    name: bytes
    identity: tuple[int, int]
    handle: int | None
    names: Iterator[bytes]


def ordered(task: Task, missed: Missed) -> Iterator[Found]:
    """Every file and folder of a home: the home first, names in order of their bytes.

    Folders are ordered as if their names ended in `/`, each before what is in it. What
    could not be looked at is added to `missed`. Raises MeasureError if the home itself
    cannot be opened.
    """
    return _Ordered(task, missed).run()


class _Ordered:
    def __init__(self, task: Task, missed: Missed) -> None:
        self._task = task
        self._missed = missed
        self._skip = re.compile(
            b"|".join(os.fsencode(fnmatch.translate(p)) for p in task.skip) or rb"(?!)"
        )
        self._levels: list[_Level] = []
        self._device = 0

    def run(self) -> Iterator[Found]:
        home = os.fsencode(self._task.home)
        try:
            handle = os.open(home, OPEN_DIRECTORY)
        except OSError as error:
            raise MeasureError(
                f"The home {self._task.home!r} cannot be opened: {error.strerror}."
            ) from None
        try:
            found = os.fstat(handle)
            self._device = found.st_dev
            yield Found(home, found)
            self._push(home, handle, found)
            yield from self._below(home)
        finally:
            for level in self._levels:
                if level.handle is not None:
                    os.close(level.handle)

    def _below(self, home: bytes) -> Iterator[Found]:
        path = home.rstrip(b"/")
        while self._levels:
            here = self._levels[-1]
            name = next(here.names, None)
            if name is None:
                path = path[: -len(here.name) - 1]
                self._pop()
                continue
            whole = path + b"/" + name.rstrip(b"/")
            found = self._look(here, name.rstrip(b"/"))
            if found is not None:
                yield Found(whole, found)
                if self._levels[-1] is not here:
                    path = whole

    def _look(self, here: _Level, name: bytes) -> os.stat_result | None:
        """What is there; a folder is entered, or left out."""
        try:
            handle = self._reach(here)
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                return found
            if self._skip.fullmatch(name):
                return None
            if found.st_dev != self._device and not self._task.cross_mounts:
                return None
            return self._enter(name, handle, found)
        except OSError as error:
            self._missed.note(name, error.errno)
            return None

    def _enter(self, name: bytes, parent: int, found: os.stat_result) -> os.stat_result | None:
        try:
            handle = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
        except OSError as error:
            self._missed.note(name, error.errno)
            # A folder that may not be read is there all the same.
            return None if error.errno in GONE else found
        found = os.fstat(handle)
        if found.st_dev != self._device and not self._task.cross_mounts:
            os.close(handle)
            return None
        self._push(name, handle, found)
        return found

    def _push(self, name: bytes, handle: int, found: os.stat_result) -> None:
        level = _Level(name, (found.st_dev, found.st_ino), handle, iter(()))
        self._levels.append(level)
        try:
            level.names = sorted_names(handle)
        except OSError as error:
            self._missed.note(name, error.errno)
        # The topmost ones are needed last. The home is the one way back to all others.
        spare = len(self._levels) - _MOST_OPEN
        if spare > 0 and (closed := self._levels[spare]).handle is not None:
            os.close(closed.handle)
            closed.handle = None

    def _pop(self) -> None:
        done = self._levels.pop()
        if done.handle is None:
            return
        if self._levels and self._levels[-1].handle is None:
            self._climb(self._levels[-1], done.handle)
        os.close(done.handle)

    @staticmethod
    def _climb(above: _Level, below: int) -> None:
        """Open a closed folder again through `..`, unless that leads elsewhere by now."""
        try:
            handle = os.open("..", OPEN_DIRECTORY, dir_fd=below)
        except OSError:
            return
        found = os.fstat(handle)
        if (found.st_dev, found.st_ino) == above.identity:
            above.handle = handle
        else:
            os.close(handle)

    def _reach(self, here: _Level) -> int:
        """The handle of the lowest folder, by names from the home if need be."""
        if here.handle is None:
            here.handle = self._descend()
        return here.handle

    def _descend(self) -> int:
        first = self._levels[0].handle
        assert first is not None
        handle = os.dup(first)
        for level in self._levels[1:]:
            try:
                deeper = os.open(level.name, OPEN_DIRECTORY, dir_fd=handle)
            finally:
                os.close(handle)
            handle = deeper
            found = os.fstat(handle)
            if (found.st_dev, found.st_ino) != level.identity:
                os.close(handle)
                raise FileNotFoundError(errno.ENOENT, "moved while we looked")
        return handle


def sorted_names(handle: int) -> Iterator[bytes]:
    """The names in a folder in order of their bytes, those of folders with a `/` after them."""
    spilled: list[Iterator[bytes]] = []
    with os.scandir(handle) as entries:
        names = (
            os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b"")
            for entry in entries
        )
        while True:
            some = sorted(islice(names, _MOST_NAMES))
            if len(some) < _MOST_NAMES:
                break
            spilled.append(_spill(some))
    return heapq.merge(*spilled, some) if spilled else iter(some)


def _spill(names: list[bytes]) -> Iterator[bytes]:
    """The names again, from a file without a name that is gone when nobody needs it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    # No name has a NUL in it.
    file.writelines(name + b"\0" for name in names)
    file.seek(0)
    return _read_names(file)


def _read_names(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    with file:
        while block := file.read(64 * 1024):
            *whole, rest = (rest + block).split(b"\0")
            yield from whole
