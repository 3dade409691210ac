"""What a cycle counts: the figures that its run has on record."""

from __future__ import annotations

import threading
from collections import Counter


class Counts:
    """Counters by name, added to from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counter: Counter[str] = Counter()

    def add(self, name: str, number: int = 1) -> None:
        """Count so many more."""
        with self._lock:
            self._counter[name] += number

    def all(self) -> dict[str, int]:
        """The counts so far."""
        with self._lock:
            return dict(self._counter)
