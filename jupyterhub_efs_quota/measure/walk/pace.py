"""The page of memory that a worker shares with the service: what it asks of the store.

The service makes a page and allows calls; the worker counts its calls, tells how long the
store took to answer, and waits while it is allowed no more. The compiled walk does so by
itself (_walk_pace.c), the one in Python through `Pace`.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable

# No limit; also the largest number that fits.
ANY_NUMBER = 2**64 - 1
# Where each number of 64 bits stands: the same as in _walk_pace.h.
_CALLS, _ANSWERS, _ANSWERS_NSECS, _ALLOWED = range(4)
_BYTES = 4 * 8
_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS = 0.002, 0.032
# What is answered sooner was not asked of a store.
_SHORTEST_NSECS = 100_000
# Calls that are counted at a time, where there is no limit; and of which one is timed.
_PAID_AHEAD, _TIMED_ONE_IN = 1024, 16


class _Lock:
    """Of the threads of a process, and of all processes that have a file open."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        self._threads.acquire()
        fcntl.lockf(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._handle, fcntl.LOCK_UN)
        self._threads.release()


class Page:
    """One worker's page. `handle` may be given to another process."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self._memory = mmap.mmap(handle, _BYTES)
        self._numbers = memoryview(self._memory).cast("Q")
        # Of the walk's threads and its second process.
        self.lock = _Lock(handle)

    @classmethod
    def make(cls) -> Page:
        """A new page, with no limit."""
        handle = os.memfd_create("efs-quota-pace")
        os.ftruncate(handle, _BYTES)
        page = cls(handle)
        page.allow(ANY_NUMBER)
        return page

    @property
    def calls(self) -> int:
        """The calls made since the page was made."""
        return self._numbers[_CALLS]

    @property
    def answers(self) -> int:
        """How many answers of the store were timed: one in so many, and none from memory."""
        return self._numbers[_ANSWERS]

    @property
    def answers_secs(self) -> float:
        """How long the store took for these together."""
        return self._numbers[_ANSWERS_NSECS] / 1e9

    @property
    def allowed(self) -> int:
        """The walk goes on while `calls` is less than this."""
        return self._numbers[_ALLOWED]

    def allow(self, calls: int) -> None:
        """Let the walk go on until it has made that many calls since the page was made."""
        self._numbers[_ALLOWED] = min(calls, ANY_NUMBER)

    def made(self, calls: int) -> None:
        """Count calls. For the walk."""
        self._numbers[_CALLS] += calls

    def answered(self, nsecs: int) -> None:
        """Tell of one answer. For the walk."""
        self._numbers[_ANSWERS] += 1
        self._numbers[_ANSWERS_NSECS] += nsecs

    def close(self) -> None:
        """Let go of the memory and of the handle."""
        self._numbers.release()
        self._memory.close()
        os.close(self.handle)


class Pace:
    """What one thread of the walk in Python asks before its calls; `another` for a further one."""

    def __init__(self, page: Page) -> None:
        self.handle = page.handle
        self._page = page
        self._prepaid = 0
        self._until_timed = 0

    def another(self) -> Pace:
        """The same pace for another thread."""
        return Pace(self._page)

    @property
    def limited(self) -> bool:
        """Whether calls are counted out at the moment."""
        return self._page.allowed != ANY_NUMBER

    def take(self, most: int, look: Callable[[], None]) -> int:
        """Up to `most` calls that may be made now, counted as made; at least one.

        Waits for the first one, and calls `look` meanwhile, which may raise to end that.
        """
        if not self._prepaid:
            self._pay(most, look)
        taken = min(most, self._prepaid)
        self._prepaid -= taken
        return taken

    def give_back(self, calls: int) -> None:
        """Some of the calls that were taken are not needed now."""
        self._prepaid += calls

    def begin(self) -> int:
        """Right before a call that was taken: what `end` wants to know after it."""
        if self._until_timed:
            self._until_timed -= 1
            return 0
        self._until_timed = _TIMED_ONE_IN - 1
        return time.monotonic_ns()

    def end(self, began: int) -> None:
        """Tell how long the call took, if it is one of those that are timed."""
        if began and (took := time.monotonic_ns() - began) >= _SHORTEST_NSECS:
            with self._page.lock:
                self._page.answered(took)

    def _pay(self, most: int, look: Callable[[], None]) -> None:
        wait = _FIRST_WAIT_SECS
        while not self._paid(most):
            look()
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECS)

    def _paid(self, most: int) -> bool:
        page = self._page
        with page.lock:
            allowed = page.allowed
            paid = _PAID_AHEAD if allowed == ANY_NUMBER else min(most, allowed - page.calls)
            if paid <= 0:
                return False
            page.made(paid)
        self._prepaid = paid
        return True
