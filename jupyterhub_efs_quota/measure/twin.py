"""The walk in plain Python: the compiled walk's twin, to the last count.

Called by `walk.py` where the compiled one could not be built. No link is ever followed:
each directory is opened relative to its parent's handle. Depth costs no recursion and few
open files; width no memory.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import resource
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from ..errors import MeasureError
from ..quota.usage import Usage
from .pace import Pace
from .task import Task

Answer = TypeVar("Answer")

_NAMES_KEPT = 5
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_NO_HANDLES = (errno.EMFILE, errno.ENFILE)
_BLOCK = 512
# The bits of a mode that say what it is, and what they may say. Plain numbers: a call of
# the stat module for each entry would show.
_KIND = 0o170000
_DIRECTORY = stat.S_IFDIR
_SIZED = (stat.S_IFREG, stat.S_IFLNK)
# Directories open at a time: far below the usual limit of 1024 files in a process.
_MOST_OPEN = 256
_LEAST_OPEN = 8
# A directory in which so many others wait to be entered is read on when they are done.
_MOST_PENDING = 4096
# The clock is looked at in time for a deadline, yet not at every entry.
_LOOK_SECS = 0.05
_LOOK_ENTRIES = 1024
# A process out of file handles waits for others to close theirs.
_HANDLES_WAIT_SECS = 0.05


@dataclass(eq=False)
class _Directory:
    """A directory on the way down.

    `handle` is None while it is closed; `pending` is what is to be entered, and `entries`
    what is still to be read.
    """

    name: str
    identity: tuple[int, int]
    handle: int | None
    entries: Iterator[os.DirEntry[str]] | None = None
    pending: list[str] = field(default_factory=list)
    lost: OSError | None = None


class _Stop(Exception):
    """The deadline has passed, or the home is proven over its ceiling."""


def walk_in_python(task: Task, pace: Pace | None = None) -> Usage:
    """Measure one home at a pace. Raises MeasureError if it cannot be opened at all."""
    return _Walk(task, pace).run()


def open_home(home: str, wait: Callable[[], None]) -> int:
    """A handle of the home. Raises MeasureError if it cannot be opened.

    `wait` is called while the process has no handles left.
    """
    try:
        return _when_handles_are_left(lambda: os.open(home, _OPEN), wait)
    except OSError as error:
        raise MeasureError(f"The home {home!r} cannot be opened: {error.strerror}.") from None


def show(name: bytes, number: int) -> str:
    """A name that could not be read and why, for a log line; odd bytes are escaped."""
    shown = name.decode(errors="backslashreplace").encode("unicode_escape").decode()
    return f"{shown}: {os.strerror(number)}"


def most_open() -> int:
    """How many handles a walk keeps open, whatever the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_OPEN
    return max(_LEAST_OPEN, min(_MOST_OPEN, soft // 4))


def _when_handles_are_left(call: Callable[[], Answer], wait: Callable[[], None]) -> Answer:
    while True:
        try:
            return call()
        except OSError as error:
            if error.errno not in _NO_HANDLES:
                raise
        wait()


class _Walk:
    def __init__(self, task: Task, pace: Pace | None) -> None:
        self._task = task
        self._pace = pace
        self._deadline = time.monotonic() + task.deadline_secs
        self._skip = re.compile(
            b"|".join(os.fsencode(fnmatch.translate(p)) for p in task.skip) or rb"(?!)"
        )
        self._most_open = most_open()
        self._device = 0
        self._changed = 0.0
        self._path: list[_Directory] = []
        self._open = 0
        # Above this level all handles are closed that may be, but for the home's.
        self._closed_above = 1
        self._linked: set[tuple[int, int]] = set()
        self._looked = time.monotonic()
        self._until_look = 1
        self._bytes = self._allocated = self._files = self._dirs = 0
        self._unreadable = self._vanished = self._lost_dirs = 0
        self._names: list[str] = []
        self._proven = False

    def run(self) -> Usage:
        timed_out = False
        try:
            self._begin(open_home(self._task.home, self._wait_for_handles))
            while self._path:
                here = self._path[-1]
                if here.pending:
                    self._enter(here.pending.pop(), here)
                elif here.entries is not None:
                    self._read(here)
                else:
                    self._leave()
        except _Stop:
            timed_out = not self._proven
        finally:
            for directory in self._path:
                directory.entries = None
                self._close(directory)
        return Usage(
            bytes=self._bytes,
            allocated=self._allocated,
            files=self._files,
            dirs=self._dirs,
            unreadable=self._unreadable,
            vanished=self._vanished,
            lost_dirs=self._lost_dirs,
            changed=self._changed,
            unreadable_names=tuple(self._names),
            timed_out=timed_out,
            proven_over=self._proven,
            meter="walk",
        )

    def _begin(self, handle: int) -> None:
        found = os.fstat(handle)
        self._device = found.st_dev
        self._changed = found.st_mtime
        self._count_directory(self._task.home, found, handle)

    def _enter(self, name: str, parent: _Directory) -> None:
        """Open a directory below its parent, count it and its entries."""
        self._take(1)
        try:
            start = self._reach(parent)
            began = self._pace.begin() if self._pace else 0
            handle = self._handle(name, start)
        except OSError as error:
            self._skipped(name, error)
            self._lost_dirs += error.errno in _GONE
            return
        if self._pace:
            self._pace.end(began)
        found = os.fstat(handle)
        if found.st_dev != self._device and not self._task.cross_mounts:
            os.close(handle)
            return
        self._count_directory(name, found, handle)

    def _count_directory(self, name: str, found: os.stat_result, handle: int) -> None:
        self._dirs += 1
        self._allocated += found.st_blocks * _BLOCK
        here = _Directory(name, (found.st_dev, found.st_ino), handle)
        self._path.append(here)
        self._open += 1
        try:
            # It takes a second handle, until it is read.
            here.entries = _when_handles_are_left(
                lambda: os.scandir(handle), self._wait_for_handles
            )
        except OSError as error:
            self._skipped(name, error)
            return
        self._read(here)
        if self._open > self._most_open:
            self._close_one()

    def _leave(self) -> None:
        done = self._path.pop()
        self._closed_above = max(1, min(self._closed_above, len(self._path) - 1))
        above = self._path[-1] if self._path else None
        if above is not None and above.handle is None:
            self._reopen(above, done)
        self._close(done)

    def _reopen(self, above: _Directory, below: _Directory) -> None:
        """Open a closed directory again through `..`, unless that leads elsewhere by now."""
        if below.handle is None:
            return
        try:
            handle = self._handle("..", below.handle)
        except OSError:
            return
        if self._is(above, handle):
            above.handle = handle
            self._open += 1
        else:
            os.close(handle)

    def _reach(self, directory: _Directory) -> int:
        """A handle on the last directory of the path, by its names if need be.

        Raises OSError if it was moved away.
        """
        if directory.lost is not None:
            raise directory.lost
        if directory.handle is None:
            try:
                directory.handle = self._descend()
            except OSError as error:
                directory.lost = error
                raise
            self._open += 1
        return directory.handle

    def _descend(self) -> int:
        """Go down by names from the nearest directory that is open; the home always is."""
        last = len(self._path) - 1
        first = next(i for i in range(last, -1, -1) if self._path[i].handle is not None)
        start = handle = self._path[first].handle
        assert handle is not None
        for below in self._path[first + 1 :]:
            try:
                deeper = self._handle(below.name, handle)
            finally:
                if handle != start:
                    os.close(handle)
            handle = deeper
        if not self._is(self._path[last], handle):
            os.close(handle)
            raise FileNotFoundError(errno.ENOENT, "moved while we looked")
        return handle

    def _handle(self, name: str, start: int) -> int:
        return _when_handles_are_left(
            lambda: os.open(name, _OPEN, dir_fd=start), self._wait_for_handles
        )

    def _wait_for_handles(self) -> None:
        """Close a handle of our own, or else wait for others to close theirs."""
        if not self._close_one():
            self._look()
            time.sleep(_HANDLES_WAIT_SECS)

    def _close_one(self) -> bool:
        # The topmost ones are needed last; their way back is `..`, checked. The home is
        # the one way back to all others, and the last ones are at work.
        for level in range(self._closed_above, len(self._path) - 2):
            directory = self._path[level]
            self._closed_above = level
            if directory.handle is not None and directory.entries is None:
                self._close(directory)
                return True
        return False

    @staticmethod
    def _is(directory: _Directory, handle: int) -> bool:
        found = os.fstat(handle)
        return (found.st_dev, found.st_ino) == directory.identity

    def _close(self, directory: _Directory) -> None:
        if directory.handle is not None:
            os.close(directory.handle)
            directory.handle = None
            self._open -= 1

    def _read(self, here: _Directory) -> None:
        """Count a directory's entries: all, or until enough are pending."""
        assert here.entries is not None
        crowded = self._open > self._most_open // 2
        try:
            while True:
                most = self._take(self._until_look)
                if (seen := self._count(here, islice(here.entries, most))) < most:
                    self._give_back(most - seen)
                    break
                self._look()
                if len(here.pending) >= _MOST_PENDING and not crowded:
                    return
        except OSError as error:
            self._skipped(here.name, error)
        here.entries = None
        self._look()

    def _count(self, here: _Directory, entries: Iterator[os.DirEntry[str]]) -> int:
        """Count some entries; how many there were. The one loop that has to be quick."""
        seen = size = blocks = files = 0
        linked = self._linked
        try:
            for entry in entries:
                seen += 1
                try:
                    if entry.is_dir(follow_symlinks=False):
                        self._note(here, entry.name)
                        continue
                    found = entry.stat(follow_symlinks=False)
                except OSError as error:
                    self._skipped(entry.name, error)
                    continue
                kind = found.st_mode & _KIND
                if kind == _DIRECTORY:
                    self._note(here, entry.name)
                    continue
                if found.st_nlink > 1:
                    identity = (found.st_dev, found.st_ino)
                    if identity in linked:
                        continue
                    linked.add(identity)
                files += 1
                if kind in _SIZED:
                    size += found.st_size
                    blocks += found.st_blocks
        finally:
            self._files += files
            self._bytes += size
            self._allocated += blocks * _BLOCK
        return seen

    def _take(self, calls: int) -> int:
        """How many calls may be made now, of those that are wanted."""
        return calls if self._pace is None else self._pace.take(calls, self._look)

    def _give_back(self, calls: int) -> None:
        if self._pace is not None:
            self._pace.give_back(calls)

    def _note(self, here: _Directory, name: str) -> None:
        if not self._skip.fullmatch(os.fsencode(name)):
            here.pending.append(name)

    def _skipped(self, name: str, error: OSError) -> None:
        self._unreadable += 1
        if error.errno in _GONE:
            self._vanished += 1
        elif len(self._names) < _NAMES_KEPT:
            self._names.append(show(os.fsencode(name), error.errno or 0))

    def _look(self) -> None:
        """Stop at the deadline, or when the home is proven over its ceiling."""
        ceiling = self._task.ceiling
        if ceiling is not None and ceiling.passed(self._bytes, self._allocated, self._files):
            self._proven = True
            raise _Stop
        now = time.monotonic()
        if now > self._deadline:
            raise _Stop
        late = now - self._looked > _LOOK_SECS
        self._until_look = (
            max(1, self._until_look // 4) if late else min(_LOOK_ENTRIES, 2 * self._until_look)
        )
        self._looked = now
