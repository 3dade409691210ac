"""How far long work is, and whether somebody wants it to stop."""

from __future__ import annotations

import threading
import time

from ..errors import FreeingError


class Stopped(FreeingError):
    """Somebody stopped it, or its time was over."""


class Progress:
    """Shared by the thread that works and those who look on. `entries` are done so far."""

    def __init__(self, secs: float | None = None) -> None:
        self.entries = 0
        self._end = None if secs is None else time.monotonic() + secs
        self._stop = threading.Event()

    def stop(self) -> None:
        """Have the work stop at the next entry."""
        self._stop.set()

    def step(self) -> None:
        """One entry more. Raises Stopped."""
        self.entries += 1
        if self._stop.is_set() or (self._end is not None and time.monotonic() > self._end):
            raise Stopped("This was stopped. What was done until then stays done.")
