"""The walk in plain Python: the compiled walk's twin, to the last count.

Called by `walk.py` where the compiled one could not be built. No link is ever followed:
each directory is opened relative to its parent's handle. Depth costs no recursion and few
open files; width no memory. What it finds is counted in a book (book.py); who else walks
is the crew's business (crew.py).
"""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from ...errors import MeasureError
from ..summary.part import Part, Path
from ..summary.tally import Opened
from ..task import Progress, Task
from .assistant import Assistant, Assisted
from .book import Book
from .crew import Crew, LookTogether, Start
from .handles import OPEN_DIRECTORY, most_open
from .pace import Pace

Answer = TypeVar("Answer")

_NO_HANDLES = (errno.EMFILE, errno.ENFILE)
# The bits of a mode that say what it is. Plain numbers: a call of the stat module for
# each entry would show.
_KIND = 0o170000
_DIRECTORY = stat.S_IFDIR
_LEAST_OPEN = 8
# A directory in which so many others wait to be entered is read on when they are done.
_MOST_PENDING = 4096
# The clock is looked at in time for a deadline, yet not at every entry.
_LOOK_SECS = 0.05
_LOOK_ENTRIES = 1024
_REVIEW_CALLS = 64
# A folder further down is left to the walker that is there: the way to it is long.
_MOST_GIVEN_LEVEL = 64
# Folders that are left to others, at most.
_MOST_LEFT = 1024
# A home of fewer directories is read before another process has started.
_LARGE_DIRS = 1000
_HANDLES_A_THREAD = 4
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


def walk_in_python(
    task: Task, progress: Progress | None = None, pace: Pace | None = None
) -> list[Part]:
    """Measure one home, or a part of it, at a pace.

    Several parts if several processes were at it; one where the task is itself `in_parts`.
    Raises MeasureError if it cannot be opened at all.
    """
    return _Walk(task, progress, pace).run()


def part_in_python(task: Task, progress: Progress | None = None, pace: Pace | None = None) -> Part:
    """Measure a part of a home. Raises MeasureError if the home cannot be opened at all."""
    return walk_in_python(replace(task, in_parts=True), progress, pace)[0]


def walk_as_assistant(task: Task, crew_of: Callable[[Book], Assisted], pace: Pace | None) -> Part:
    """Measure what the process gives that this one helps."""
    book = Book(task)
    walker = _Walker(_Place(task, book), crew_of(book), pace)
    walker.place.open(walker.wait_for_handles)
    walker.walk(None)
    return book.part(timed_out=False, proven_over=False, shared=True)


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
    return _when_handles_are_left(lambda: os.open(name, OPEN_DIRECTORY, dir_fd=start), wait)


def _when_handles_are_left(call: Callable[[], Answer], wait: Callable[[], None]) -> Answer:
    while True:
        try:
            return call()
        except OSError as error:
            if error.errno not in _NO_HANDLES:
                raise
        wait()


class _Place:
    """The home that is walked, and what is asked of it."""

    def __init__(self, task: Task, book: Book) -> None:
        self.task = task
        self.book = book
        self.deadline = time.monotonic() + task.deadline_secs
        self.skip = re.compile(
            b"|".join(os.fsencode(fnmatch.translate(p)) for p in task.skip) or rb"(?!)"
        )
        self.home = -1

    def open(self, wait: Callable[[], None]) -> None:
        """Open the home. Raises MeasureError."""
        self.home = open_home(self.task.home, wait)
        found = os.fstat(self.home)
        self.book.device = found.st_dev
        self.book.changed = found.st_mtime

    def is_elsewhere(self, found: os.stat_result) -> bool:
        """Whether something is on another file system, which is not to be entered."""
        return found.st_dev != self.book.device and not self.task.cross_mounts

    def close(self) -> None:
        """Close the home."""
        if self.home >= 0:
            os.close(self.home)
            self.home = -1


class _Walk:
    """A home, the first of those who walk it, and a second process if there is one."""

    def __init__(self, task: Task, progress: Progress | None, pace: Pace | None) -> None:
        self._task = task
        self._progress = progress
        self._pace = pace
        self._told = time.monotonic()
        self._book = Book(task)
        self._place = _Place(task, self._book)
        most = min(task.walk_threads, most_open() // _HANDLES_A_THREAD) or 1
        self._crew = Crew(most, self._place.deadline, self._walk_too)
        self._assistant: Assistant | None = None
        self._walker = _Walker(self._place, self._crew, pace, self._look)

    def run(self) -> list[Part]:
        path = tuple(map(os.fsencode, self._task.below))
        finished = False
        try:
            with suppress(_Stop):
                self._place.open(self._walker.wait_for_handles)
                if self._task.leave:
                    self._walker.walk_upper(Start(path), self._task.leave)
                else:
                    self._walker.walk(Start(path))
                finished = not self._crew.stopped
            self._crew.end()
        finally:
            self._crew.stop()
            self._place.close()
            if self._assistant is not None:
                self._assistant.end()
        return self._parts(finished)

    def _parts(self, finished: bool) -> list[Part]:
        proven = not finished and self._book.over_ceiling()
        others = []
        if self._assistant is not None:
            finished = finished and self._assistant.part is not None
            others = [part for part in (self._assistant.part,) if part is not None]
        own = self._book.part(
            timed_out=not finished and not proven,
            proven_over=proven,
            shared=self._task.in_parts or bool(others),
        )
        return [own, *others]

    def _walk_too(self) -> None:
        """What a further thread does."""
        pace = None if self._pace is None else self._pace.another()
        _Walker(self._place, self._crew, pace).walk(None)

    def _look(self) -> None:
        """Called by the first walker now and then."""
        if self._book.dirs >= _LARGE_DIRS and self._assistant is None:
            self._start_assistant()
        now = time.monotonic()
        if self._progress is not None and now - self._told > _TELL_SECS:
            self._told = now
            if self._progress(*self._counted(), self._walker.where()):
                raise _Stop

    def _counted(self) -> tuple[int, int, int]:
        """Files, bytes and folders so far."""
        files, size, dirs = self._book.counted()
        if self._assistant is not None:
            more = self._assistant.counted
            return files + more[0], size + more[1], dirs + more[2]
        return files, size, dirs

    def _start_assistant(self) -> None:
        """Start another process for a large home that one thread reads without waiting."""
        task = self._task
        if (
            self._crew.threads > 1
            or task.in_parts
            or task.ceiling is not None  # of which each process alone could prove nothing
            or len(os.sched_getaffinity(0)) < 2
        ):
            return
        left = self._place.deadline - time.monotonic()
        with suppress(OSError):
            assistant = Assistant(
                replace(task, in_parts=True, deadline_secs=left),
                None if self._pace is None else self._pace.handle,
            )
            if self._crew.join(lambda: assistant.walk(self._crew, self._book), away=True):
                self._assistant = assistant
            else:
                assistant.end()


class _Walker:
    """One of those who walk a home, on its way down; `also_look` is called now and then."""

    def __init__(
        self,
        place: _Place,
        crew: Crew | Assisted,
        pace: Pace | None,
        also_look: Callable[[], None] = lambda: None,
    ) -> None:
        self.place = place
        self._book = place.book
        self._crew = crew
        self._pace = pace
        self._also_look = also_look
        self._most_open = most_open()
        # Names from the home to the first directory of `_path`.
        self._start: Path = ()
        self._path: list[_Directory] = []
        self._open = 0
        # Above this level all handles are closed that may be, but for the first one's.
        self._closed_above = 1
        self._looked = time.monotonic()
        self._until_look = 1
        self._calls = 0

    def where(self) -> str:
        """The path below the home that it has come to."""
        names = [directory.name for directory in self._path[1:]]
        return "/".join([*map(os.fsdecode, self._start), *names])

    def walk(self, start: Start | None) -> None:
        """Walk from a folder on, or from one that the crew has, until the crew has none."""
        try:
            start = start or self._crew.next()
            while start is not None:
                self._begin(start)
                while self._path:
                    self._step()
                start = self._crew.next()
        except _Stop:
            self._crew.stop()
        finally:
            self._give_up()

    def walk_upper(self, start: Start, leave: int) -> None:
        """Read upper levels only, until so many folders can be left to others.

        In a directory of very many folders only some are left, for they are remembered.
        """
        waiting = deque([start])
        try:
            while waiting and len(waiting) < leave:
                self._begin(waiting.popleft())
                while self._path:
                    here = self._path[-1]
                    if len(self._path) == 1 and here.pending and len(waiting) < _MOST_LEFT:
                        waiting.append(self._given(here, here.pending.pop(), handle=False))
                    else:
                        self._step()
        except _Stop:
            self._crew.stop()
        finally:
            self._give_up()
        for left in waiting:
            self._book.leave_to_others(left.folder, left.path)

    def _step(self) -> None:
        here = self._path[-1]
        if here.pending:
            self._enter(here.pending.pop(), here)
        elif here.entries is not None:
            self._read(here)
        else:
            self._leave()

    def _give_up(self) -> None:
        for directory in reversed(self._path):
            directory.entries = None
            self._close(directory)
            self._book.leave(directory.folder)
        self._path.clear()

    def _give(self) -> bool:
        """Give away the folder nearest to the home, but not the only one there is."""
        for level, here in enumerate(self._path[:_MOST_GIVEN_LEVEL]):
            last = level == len(self._path) - 1
            if here.handle is not None and len(here.pending) > last:
                try:
                    given = self._given(here, here.pending[0], handle=True)
                except OSError:  # no handles are left for that
                    return False
                del here.pending[0]
                self._crew.put(given)
                return True
        return False

    def _given(self, here: _Directory, name: str, *, handle: bool) -> Start:
        level = self._path.index(here)
        names = (os.fsencode(each.name) for each in self._path[1 : level + 1])
        path = (*self._start, *names, os.fsencode(name))
        above = os.dup(here.handle) if handle and here.handle is not None else None
        self._book.hold(here.folder)
        return Start(path, here.folder, above)

    def _begin(self, start: Start) -> None:
        """Go to a folder and count it."""
        self._start = start.path
        name = os.fsdecode(start.path[-1]) if start.path else self.place.task.home
        try:
            handle = self._open_start(start)
            if handle is None:
                return
            found = os.fstat(handle)
            if start.folder is None:
                folder = self._book.begin(start.path, found)
            else:
                folder = self._book.enter(start.folder, name, found)
            self._count_directory(name, found, handle, folder)
        except OSError as error:
            self._book.skipped(name, error, directory=True)
        finally:
            self._book.leave(start.folder)

    def _open_start(self, start: Start) -> int | None:
        """A handle of a folder to begin at, or None if it is on another file system."""
        if not start.path:
            return _when_handles_are_left(lambda: os.dup(self.place.home), self.wait_for_handles)
        if start.above is None:
            return self._open_below(self.place.home, [os.fsdecode(name) for name in start.path])
        try:
            handle = self._handle(os.fsdecode(start.path[-1]), start.above)
        finally:
            os.close(start.above)
        if self.place.is_elsewhere(os.fstat(handle)):
            os.close(handle)
            return None
        return handle

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
            if self.place.is_elsewhere(os.fstat(handle)):
                os.close(handle)
                return None
        return handle

    def _enter(self, name: str, parent: _Directory) -> None:
        """Open a directory below its parent, count it and its entries."""
        self._take(1)
        try:
            start = self._reach(parent)
            began = self._pace.begin() if self._pace else 0
            handle = self._handle(name, start)
        except OSError as error:
            self._book.skipped(name, error, directory=True)
            return
        if self._pace:
            self._pace.end(began)
        found = os.fstat(handle)
        if self.place.is_elsewhere(found):
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
            here.entries = _when_handles_are_left(lambda: os.scandir(handle), self.wait_for_handles)
        except OSError as error:
            self._book.skipped(name, error)
            return
        self._read(here)
        if self._open > self._limit:
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
        return open_directory(name, start, self.wait_for_handles)

    def wait_for_handles(self) -> None:
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

    @property
    def _limit(self) -> int:
        """How many directories this walker keeps open."""
        return max(_LEAST_OPEN, self._most_open // self._crew.threads)

    def _read(self, here: _Directory) -> None:
        """Count a directory's entries: all, or until enough are pending."""
        assert here.entries is not None
        crowded = self._open > self._limit // 2
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
            self._book.skipped(here.name, error)
        here.entries = None
        self._look()

    def _count(self, here: _Directory, entries: Iterator[os.DirEntry[str]]) -> int:
        """Count some entries; how many there were. A loop that has to be quick."""
        if (look_together := self._crew.look_together) is not None:
            return self._count_together(here, entries, look_together)
        seen = 0
        names: list[str] = []
        found_here: list[os.stat_result] = []
        wants_names = self._book.wants_names
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
                    continue
                if wants_names:
                    names.append(entry.name)
                found_here.append(found)
        finally:
            self._book.count(here.folder, names, found_here)
            self._calls += seen
        return seen

    def _count_together(
        self,
        here: _Directory,
        entries: Iterator[os.DirEntry[str]],
        look_together: LookTogether,
    ) -> int:
        """The same with others that help to look at names, where each call takes its time."""
        seen = list(entries)
        several = [entry.name for entry in seen if not self._noted(here, entry)]
        assert here.handle is not None
        names: list[str] = []
        found_here: list[os.stat_result] = []
        for name, found in zip(several, look_together(here.handle, several), strict=True):
            if isinstance(found, OSError):
                self._book.skipped(name, found)
            elif found is None:
                continue  # the deadline has passed
            elif found.st_mode & _KIND == _DIRECTORY:
                self._note(here, name)
            else:
                names.append(name)
                found_here.append(found)
        self._book.count(here.folder, names, found_here)
        self._calls += len(seen)
        return len(seen)

    def _noted(self, here: _Directory, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is a directory, which is then to be entered."""
        try:
            if not entry.is_dir(follow_symlinks=False):
                return False
        except OSError:
            return False
        self._note(here, entry.name)
        return True

    def _take(self, calls: int) -> int:
        """How many calls may be made now, of those that are wanted."""
        return calls if self._pace is None else self._pace.take(calls, self._look)

    def _give_back(self, calls: int) -> None:
        if self._pace is not None:
            self._pace.give_back(calls)

    def _note(self, here: _Directory, name: str) -> None:
        if not self.place.skip.fullmatch(os.fsencode(name)):
            here.pending.append(name)

    def _look(self) -> None:
        """Stop at the deadline, or when the home is proven over its ceiling; let others help."""
        now = time.monotonic()
        if now > self.place.deadline or self._crew.stopped or self._book.over_ceiling():
            raise _Stop
        self._also_look()
        if self._calls >= _REVIEW_CALLS:
            # A walk that is held back waits for that, not for the store.
            if self._pace is None or not self._pace.limited:
                self._crew.review(self._calls)
            self._calls = 0
        while self._crew.hungry and self._give():
            pass
        late = now - self._looked > _LOOK_SECS
        self._until_look = (
            max(1, self._until_look // 4) if late else min(_LOOK_ENTRIES, 2 * self._until_look)
        )
        self._looked = now
