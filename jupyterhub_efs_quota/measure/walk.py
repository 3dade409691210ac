"""The walk: counts a home from its directory entries, right before fast.

Called in a worker process. No link is ever followed: each directory is opened relative
to its parent's handle. Depth costs no recursion and few open files; width no memory.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
import time
from dataclasses import dataclass

from ..errors import MeasureError
from ..quota.usage import Usage
from .task import Task

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_BLOCK = 512
# Directories open at a time: far below the usual limit of 1024 files in a process.
_MOST_OPEN = 256
_NAMES_KEPT = 5
# Looking at the clock and the ceiling costs as much as an entry; entries are many.
_LOOK_EVERY = 256
# A process out of file handles waits for others to close theirs.
_HANDLES_WAIT_SECS = 0.05


@dataclass(eq=False)
class _Directory:
    """A directory on the way down: its handle (None while closed) and what is to be entered."""

    name: bytes
    identity: tuple[int, int]
    handle: int | None
    pending: list[bytes]


class _Stop(Exception):
    """The deadline has passed, or the home is proven over its ceiling."""


def walk(task: Task) -> Usage:
    """Measure one home. Raises MeasureError if it cannot be opened at all."""
    return _Walk(task).run()


class _Walk:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._deadline = time.monotonic() + task.deadline_secs
        self._skip = re.compile(
            b"|".join(os.fsencode(fnmatch.translate(p)) for p in task.skip) or rb"(?!)"
        )
        self._device = 0
        self._changed = 0.0
        self._path: list[_Directory] = []
        self._open = 0
        self._linked: set[tuple[int, int]] = set()
        self._until_look = _LOOK_EVERY
        self._bytes = self._allocated = self._files = self._dirs = 0
        self._unreadable = self._vanished = self._lost_dirs = 0
        self._names: list[str] = []
        self._proven = False

    def run(self) -> Usage:
        timed_out = False
        try:
            self._enter(os.fsencode(self._task.home), None)
            if not self._path:
                raise MeasureError(f"The home {self._task.home!r} cannot be opened.")
            while self._path:
                here = self._path[-1]
                if here.pending:
                    self._enter(here.pending.pop(), here)
                else:
                    self._leave()
        except _Stop:
            timed_out = not self._proven
        finally:
            for directory in self._path:
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

    def _enter(self, name: bytes, parent: _Directory | None) -> None:
        """Open a directory below its parent, count it and its entries."""
        try:
            handle = self._handle(name, self._reach(parent) if parent else None)
        except OSError as error:
            self._skipped(name, error)
            self._lost_dirs += error.errno in _GONE
            return
        found = os.fstat(handle)
        if parent is None:
            self._device = found.st_dev
            self._changed = found.st_mtime
        elif found.st_dev != self._device and not self._task.cross_mounts:
            os.close(handle)
            return
        self._dirs += 1
        self._allocated += found.st_blocks * _BLOCK
        here = _Directory(name, (found.st_dev, found.st_ino), handle, [])
        self._path.append(here)
        self._open += 1
        self._count_entries(here, handle)
        if self._open > _MOST_OPEN:
            # The topmost ones are needed last; their way back is `..`, checked.
            self._close(next(d for d in self._path if d.handle is not None))

    def _leave(self) -> None:
        done = self._path.pop()
        above = self._path[-1] if self._path else None
        if above is not None and above.handle is None:
            self._reopen(above, done)
        self._close(done)

    def _reopen(self, above: _Directory, below: _Directory) -> None:
        """Open a closed directory again through `..`, unless that leads elsewhere by now."""
        if below.handle is None:
            return
        try:
            handle = self._handle(b"..", below.handle)
        except OSError:
            return
        if self._is(above, handle):
            above.handle = handle
            self._open += 1
        else:
            os.close(handle)

    def _reach(self, directory: _Directory) -> int:
        """A handle on a directory of the path, by its names if need be.

        Raises OSError if it was moved away.
        """
        if directory.handle is None:
            handle = self._handle(self._path[0].name, None)
            for below in self._path[1 : self._path.index(directory) + 1]:
                try:
                    deeper = self._handle(below.name, handle)
                finally:
                    os.close(handle)
                handle = deeper
            if not self._is(directory, handle):
                os.close(handle)
                raise FileNotFoundError(errno.ENOENT, "moved while we looked")
            directory.handle = handle
            self._open += 1
        return directory.handle

    def _handle(self, name: bytes, start: int | None) -> int:
        while True:
            try:
                return os.open(name, _OPEN, dir_fd=start)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE):
                    raise
                self._look()
                time.sleep(_HANDLES_WAIT_SECS)

    @staticmethod
    def _is(directory: _Directory, handle: int) -> bool:
        found = os.fstat(handle)
        return (found.st_dev, found.st_ino) == directory.identity

    def _close(self, directory: _Directory) -> None:
        if directory.handle is not None:
            os.close(directory.handle)
            directory.handle = None
            self._open -= 1

    def _count_entries(self, here: _Directory, handle: int) -> None:
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    self._until_look -= 1
                    if self._until_look <= 0:
                        self._look()
                    self._count(here, entry, handle)
        except OSError as error:
            self._skipped(here.name, error)
        self._look()

    def _count(self, here: _Directory, entry: os.DirEntry[str], handle: int) -> None:
        # A scan of a handle gives text; the bytes of an odd name come back exactly.
        name = os.fsencode(entry.name)
        try:
            # What the scan tells of directories saves a call for each of them.
            found = (
                None
                if entry.is_dir(follow_symlinks=False)
                else os.stat(name, dir_fd=handle, follow_symlinks=False)
            )
        except OSError as error:
            self._skipped(name, error)
            return
        if found is None or stat.S_ISDIR(found.st_mode):
            if not self._skip.fullmatch(name):
                here.pending.append(name)
            return
        if found.st_nlink > 1:
            identity = (found.st_dev, found.st_ino)
            if identity in self._linked:
                return
            self._linked.add(identity)
        self._files += 1
        if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            self._bytes += found.st_size
            self._allocated += found.st_blocks * _BLOCK

    def _skipped(self, name: bytes, error: OSError) -> None:
        self._unreadable += 1
        if error.errno in _GONE:
            self._vanished += 1
        elif len(self._names) < _NAMES_KEPT:
            shown = name.decode(errors="backslashreplace").encode("unicode_escape").decode()
            self._names.append(f"{shown}: {error.strerror}")

    def _look(self) -> None:
        """Stop at the deadline, or when the home is proven over its ceiling."""
        self._until_look = _LOOK_EVERY
        ceiling = self._task.ceiling
        if ceiling is not None and ceiling.passed(self._bytes, self._allocated, self._files):
            self._proven = True
            raise _Stop
        if time.monotonic() > self._deadline:
            raise _Stop
