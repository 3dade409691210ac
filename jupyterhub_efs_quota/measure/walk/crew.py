"""Who walks a home: one thread at first, more where that helps. Made by `twin.py`.

Threads of Python take turns, so they help only while they wait: a store that makes calls
wait is asked by as many as keep the interpreter busy. On a quick one a second process
helps instead, once a home has proven to be large (assistant.py). Who has more than one
folder to go to gives the one nearest to the home to who has none.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..summary.part import Path
from ..summary.tally import Opened

Found = os.stat_result | OSError | None
# From a handle of a directory and names in it to what is known of them.
LookTogether = Callable[[int, Sequence[str]], list[Found]]

# More threads of Python only stand in each other's way.
_MOST_THREADS = 64
# So many voluntary switches a call tell that calls wait for the store.
_BLOCKED = 0.2
_LEAST_CALLS = 64
_REVIEW_SECS = 0.1
# How many processors are busy where threads only disturb each other, and where more help.
_BUSY, _FREE = 1.15, 0.9
_MOST_GROWTH = 3.0
# How many names one thread looks at before another one may.
_MOST_NAMES, _LEAST_NAMES = 16, 2
_WAIT_SECS = 0.1
_LAST_WAIT_SECS = 0.5


class Start(NamedTuple):
    """A folder to begin at.

    `folder` is what the one above is counted under, and `above` a handle of that, where
    the one who gives it away is in this process.
    """

    path: Path
    folder: Opened | None = None
    above: int | None = None


class _Batch:
    """Names in one directory, to be looked at by whoever has time."""

    def __init__(self, handle: int, names: Sequence[str]) -> None:
        self.handle = handle
        self.names = names
        self.found: list[Found] = []
        self.taken = False
        self.done = threading.Event()

    def run(self, deadline: float) -> None:
        try:
            self.found = [_look_at(self.handle, name, deadline) for name in self.names]
        finally:
            self.done.set()


def _look_at(handle: int, name: str, deadline: float) -> Found:
    if time.monotonic() > deadline:
        return None
    try:
        return os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError as error:
        return error


class Crew:
    """Those who walk one home.

    `most` threads may be at it; `walk` is what each further one does. A walker has work,
    or waits in `next`; of those with work, `_allowed` do it at a time, others pause.
    """

    def __init__(self, most: int, deadline: float, walk: Callable[[], None]) -> None:
        self._most = min(most, _MOST_THREADS)
        self._deadline = deadline
        self._walk = walk
        self._change = threading.Condition()
        self._starts: deque[Start] = deque()
        self._batches: deque[_Batch] = deque()
        self._threads: list[threading.Thread] = []
        self._with_work = 1
        self._waiting = self._pausing = self._helping = 0
        # How many there are in other processes, and how many of these have work: they are
        # no burden here.
        self._assistants = self._away = 0
        self._allowed = self._walkers = 1
        self._calls = 0
        self._last = _Review.now(0)
        self._error: BaseException | None = None
        self.stopped = False

    @property
    def hungry(self) -> bool:
        """Whether somebody would take a folder to begin at."""
        idle = min(self._waiting, self._allowed - self._running)
        return len(self._starts) < idle + self._assistants

    @property
    def look_together(self) -> LookTogether | None:
        """What looks at names where threads could help; None where none could."""
        return self._look_together if self._waiting > 0 and self._allowed > 1 else None

    @property
    def threads(self) -> int:
        """How many threads walk here; one where the store is quick."""
        return self._walkers

    @property
    def _running(self) -> int:
        return self._with_work - self._pausing - self._away + self._helping

    def put(self, start: Start) -> None:
        """Give a folder to whoever has time."""
        with self._change:
            self._starts.append(start)
            self._change.notify()

    def next(self, *, away: bool = False) -> Start | None:
        """Wait for a folder to begin at; None when all is done or the walk has stopped.

        `away`: for a walker in another process.
        """
        with self._change:
            self._with_work -= 1
            self._away -= away
            self._waiting += not away
            self._change.notify_all()
            try:
                while not self._over():
                    may = away or self._running < self._allowed
                    if may and self._batches and not away:
                        self._help()
                    elif may and self._starts:
                        self._with_work += 1
                        self._away += away
                        return self._starts.popleft()
                    else:
                        self._change.wait(_WAIT_SECS)
                return None
            finally:
                self._waiting -= not away

    def _look_together(self, handle: int, names: Sequence[str]) -> list[Found]:
        """What is known of names in a directory; whoever waits helps to look."""
        share = len(names) // (self._waiting + 1)
        step = max(_LEAST_NAMES, min(_MOST_NAMES, share))
        batches = [
            _Batch(handle, names[first : first + step]) for first in range(0, len(names), step)
        ]
        with self._change:
            self._batches.extend(batches[1:])
            self._change.notify(len(batches) - 1)
            for batch in batches:
                self._run(batch)
        for batch in batches:
            batch.done.wait()
        return [found for batch in batches for found in batch.found]

    def review(self, calls: int) -> None:
        """Called by a walker with the calls that it has made since: see who should help."""
        with self._change:
            self._calls += calls
            if self._calls - self._last.calls >= _LEAST_CALLS:
                self._review(_Review.now(self._calls))
            while self._running > self._allowed and not self._over():
                self._pausing += 1
                self._change.wait(_WAIT_SECS)
                self._pausing -= 1

    def join(self, work: Callable[[], None], *, away: bool = False) -> bool:
        """Let another thread do some work, which begins with `next`; False if none is to be had.

        `away`: it only waits for another process.
        """
        with self._change:
            return self._start_thread(work, away)

    def stop(self) -> None:
        """Let everybody stop as soon as they look."""
        with self._change:
            self.stopped = True
            self._change.notify_all()

    def end(self) -> None:
        """Wait for the end of all, but not for one that hangs. Raises what any has raised."""
        for thread in self._threads:
            while thread.is_alive() and not self._over_time():
                thread.join(_WAIT_SECS)
        until = time.monotonic() + _LAST_WAIT_SECS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        while self._starts:
            start = self._starts.pop()
            if start.above is not None:
                os.close(start.above)
        if self._error is not None:
            raise self._error

    def _over(self) -> bool:
        return self._over_time() or not (self._with_work or self._starts)

    def _over_time(self) -> bool:
        if time.monotonic() > self._deadline:
            self.stopped = True
        return self.stopped

    def _help(self) -> None:
        batch = self._batches.popleft()
        self._helping += 1
        try:
            self._run(batch)
        finally:
            self._helping -= 1

    def _run(self, batch: _Batch) -> None:
        """Run a batch if nobody has yet, without the lock that the caller holds."""
        if batch.taken:
            return
        batch.taken = True
        self._change.release()
        try:
            batch.run(self._deadline)
        finally:
            self._change.acquire()

    def _review(self, now: _Review) -> None:
        last = self._last
        if self._allowed == 1:
            self._last = now
            if now.thread == last.thread:
                self._allow(now.waits_since(last))
        elif now.wall - last.wall > _REVIEW_SECS:
            self._last = now
            busy = now.busy_since(last)
            if busy > _BUSY:
                self._allow(self._allowed * 3 // 4)
            elif busy < _FREE:
                self._allow(int(self._allowed * min(_MOST_GROWTH, 1 / busy)))

    def _allow(self, threads: int) -> None:
        self._allowed = max(1, min(threads, self._most))
        while self._walkers < self._allowed:
            if not self._start_thread(self._walk, away=False):
                self._most = self._allowed = self._walkers
            else:
                self._walkers += 1

    def _start_thread(self, work: Callable[[], None], away: bool) -> bool:
        thread = threading.Thread(target=self._work, args=(work,), daemon=True)
        self._with_work += 1
        self._away += away
        try:
            thread.start()
        except RuntimeError:
            self._with_work -= 1
            self._away -= away
            return False
        self._assistants += away
        self._threads.append(thread)
        return True

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # raised again by the first thread
            self._error = error
            self.stop()


class _Review(NamedTuple):
    """How much was done when, and what it took."""

    calls: int
    wall: float
    cpu: float
    own_cpu: float
    switches: int
    thread: int

    @classmethod
    def now(cls, calls: int) -> _Review:
        return cls(
            calls,
            time.monotonic(),
            time.process_time(),
            time.thread_time(),
            resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw,
            threading.get_ident(),
        )

    def busy_since(self, last: _Review) -> float:
        """The share of a processor that this process has used."""
        return max(1e-6, self.cpu - last.cpu) / (self.wall - last.wall)

    def waits_since(self, last: _Review) -> int:
        """How many such threads one processor could keep at work; 1 if none has waited."""
        if self.switches - last.switches < _BLOCKED * (self.calls - last.calls):
            return 1
        return int((self.wall - last.wall) / max(self.own_cpu - last.own_cpu, 1e-6))
