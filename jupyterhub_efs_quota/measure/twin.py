"""The walk in plain Python: the compiled walk's twin, to the last count.

Called by `walk.py` where the compiled one could not be built. No link is ever followed:
each directory is opened relative to its parent's handle. Depth costs no recursion and few
open files; width no memory. What it finds is added up in a book (book.py).
"""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import resource
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from ..errors import MeasureError
from .book import Book
from .part import Part
from .tally import Opened
from .task import Progress, Task

Answer = TypeVar("Answer")

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NO_HANDLES = (errno.EMFILE, errno.ENFILE)
# The bits of a mode that say what it is. Plain numbers: a call of the stat module for
# each entry would show.
_KIND = 0o170000
_DIRECTORY = stat.S_IFDIR
# Directories open at a time: far below the usual limit of 1024 files in a process.
_MOST_OPEN = 256
_LEAST_OPEN = 8
# A directory in which so many others wait to be entered is read on when they are done.
_MOST_PENDING = 4096
# The clock is looked at in time for a deadline, yet not at every entry.
_LOOK_SECS = 0.05
_LOOK_ENTRIES = 1024
_TELL_SECS = 0.1
# A process out of file handles waits for others to close theirs.
_HANDLES_WAIT_SECS = 0.05


@dataclass(eq=False)
class _Directory:
    """A directory on the way down.

    `handle` is None while it is closed; `pending` is what is to be entered, and `entries`
    what is still to be read. The book counts it under `folder`.
    """

    name: str
    identity: tuple[int, int]
    handle: int | None
    folder: Opened | None = None
    entries: Iterator[os.DirEntry[str]] | None = None
    pending: list[str] = field(default_factory=list)
    lost: OSError | None = None


class _Stop(Exception):
    """The deadline has passed, or the home is proven over its ceiling."""


def walk_in_python(task: Task, progress: Progress | None = None) -> Part:
    """Measure one home, or a part of it. Raises MeasureError if it cannot be opened at all."""
    return _Walk(task, progress).run()


def open_home(home: str, wait: Callable[[], None]) -> int:
    """A handle of the home. Raises MeasureError if it cannot be opened.

    `wait` is called while the process has no handles left.
    """
    try:
        return open_directory(home, None, wait)
    except OSError as error:
        raise MeasureError(f"The home {home!r} cannot be opened: {error.strerror}.") from None


def open_directory(name: str, start: int | None, wait: Callable[[], None]) -> int:
    """A handle of a directory in the one of `start`; no link is followed. Raises OSError.

    `wait` is called while the process has no handles left.
    """
    return _when_handles_are_left(lambda: os.open(name, _OPEN, dir_fd=start), wait)


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
    def __init__(self, task: Task, progress: Progress | None) -> None:
        self._task = task
        self._progress = progress
        self._told = time.monotonic()
        self._book = Book(task)
        self._deadline = time.monotonic() + task.deadline_secs
        self._skip = re.compile(
            b"|".join(os.fsencode(fnmatch.translate(p)) for p in task.skip) or rb"(?!)"
        )
        self._most_open = most_open()
        self._path: list[_Directory] = []
        self._open = 0
        # Above this level all handles are closed that may be, but for the first one's.
        self._closed_above = 1
        self._looked = time.monotonic()
        self._until_look = 1

    def run(self) -> Part:
        timed_out = proven = False
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
            proven = self._book.over_ceiling()
            timed_out = not proven
        finally:
            for directory in reversed(self._path):
                directory.entries = None
                self._close(directory)
                self._book.leave(directory.folder)
        return self._book.part(timed_out=timed_out, proven_over=proven, shared=self._task.in_parts)

    def _begin(self, home: int) -> None:
        """Go to where this part begins, and count it."""
        found = os.fstat(home)
        self._book.device = found.st_dev
        self._book.changed = found.st_mtime
        below = self._task.below
        if not below:
            self._count_directory(self._task.home, found, home, self._book.begin((), found))
            return
        try:
            handle = self._open_below(home, below)
        except OSError as error:
            self._book.skipped(below[-1], error, directory=True)
            return
        finally:
            os.close(home)
        if handle is not None:
            found = os.fstat(handle)
            path = tuple(map(os.fsencode, below))
            self._count_directory(below[-1], found, handle, self._book.begin(path, found))

    def _open_below(self, home: int, names: Sequence[str]) -> int | None:
        """A handle of a folder of the home, or None if it is on another file system.

        Goes down name by name, so that no link is followed.
        """
        handle = home
        for name in names:
            try:
                deeper = self._handle(name, handle)
            finally:
                if handle != home:
                    os.close(handle)
            handle = deeper
            if self._is_elsewhere(os.fstat(handle)):
                os.close(handle)
                return None
        return handle

    def _is_elsewhere(self, found: os.stat_result) -> bool:
        return found.st_dev != self._book.device and not self._task.cross_mounts

    def _enter(self, name: str, parent: _Directory) -> None:
        """Open a directory below its parent, count it and its entries."""
        try:
            handle = self._handle(name, self._reach(parent))
        except OSError as error:
            self._book.skipped(name, error, directory=True)
            return
        found = os.fstat(handle)
        if self._is_elsewhere(found):
            os.close(handle)
            return
        folder = self._book.enter(parent.folder, name, found)
        self._count_directory(name, found, handle, folder)

    def _count_directory(
        self, name: str, found: os.stat_result, handle: int, folder: Opened | None
    ) -> None:
        here = _Directory(name, (found.st_dev, found.st_ino), handle, folder)
        self._path.append(here)
        self._open += 1
        try:
            # It takes a second handle, until it is read.
            here.entries = _when_handles_are_left(
                lambda: os.scandir(handle), self._wait_for_handles
            )
        except OSError as error:
            self._book.skipped(name, error)
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
        self._book.leave(done.folder)

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
        return open_directory(name, start, self._wait_for_handles)

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
                most = self._until_look
                if self._count(here, islice(here.entries, most)) < most:
                    break
                self._look()
                if len(here.pending) >= _MOST_PENDING and not crowded:
                    return
        except OSError as error:
            self._book.skipped(here.name, error)
        here.entries = None
        self._look()

    def _count(self, here: _Directory, entries: Iterator[os.DirEntry[str]]) -> int:
        """Count some entries; how many there were. A loop that has to be quick."""
        seen = 0
        found_here: list[tuple[str, os.stat_result]] = []
        try:
            for entry in entries:
                seen += 1
                try:
                    if entry.is_dir(follow_symlinks=False):
                        self._note(here, entry.name)
                        continue
                    found = entry.stat(follow_symlinks=False)
                except OSError as error:
                    self._book.skipped(entry.name, error)
                    continue
                if found.st_mode & _KIND == _DIRECTORY:
                    self._note(here, entry.name)
                else:
                    found_here.append((entry.name, found))
        finally:
            self._book.count(here.folder, found_here)
        return seen

    def _note(self, here: _Directory, name: str) -> None:
        if not self._skip.fullmatch(os.fsencode(name)):
            here.pending.append(name)

    def _look(self) -> None:
        """Stop at the deadline, or when the home is proven over its ceiling."""
        now = time.monotonic()
        if now > self._deadline or self._book.over_ceiling():
            raise _Stop
        if self._progress is not None and now - self._told > _TELL_SECS:
            self._told = now
            if self._progress(*self._book.counted()):
                raise _Stop
        late = now - self._looked > _LOOK_SECS
        self._until_look = (
            max(1, self._until_look // 4) if late else min(_LOOK_ENTRIES, 2 * self._until_look)
        )
        self._looked = now
