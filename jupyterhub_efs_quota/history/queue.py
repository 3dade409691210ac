"""The events that wait in memory for the thread that writes them. Never makes anybody wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from .events import Action, Event, Fill, Measurement, Run

MOST_EVENTS = 100_000
# Summaries are large, and can be done without.
MOST_SUMMARY_BYTES = 64 * 1024 * 1024
# The part of the places that measurements leave to actions and runs, which are rare.
_FOR_THE_RARE = 0.1


class Queue:
    """Numbers the events of this process, and keeps them in order."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._most = most
        self._events: deque[tuple[int, Event]] = deque()
        self._changed = threading.Condition()
        self._number = 0
        self._summary_bytes = 0
        self._awake = False
        self.lost = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, *events: Event) -> None:
        """Take events; those for which there is no room are lost, and counted."""
        with self._changed:
            for event in events:
                self._put(event)
            self._changed.notify_all()

    def wake(self) -> None:
        """Have whoever waits look up, though there may be nothing new."""
        with self._changed:
            self._awake = True
            self._changed.notify_all()

    def wait(self, secs: float) -> None:
        """Wait until there is something, or `wake` is called, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._awake, secs)
            self._awake = False

    def pause(self, secs: float) -> None:
        """Wait until `wake` is called, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._awake, secs)
            self._awake = False

    def first(self, most: int) -> list[tuple[int, Event]]:
        """The oldest events, with their numbers; they stay until they are `done`."""
        with self._changed:
            return list(islice(self._events, most))

    def done(self, events: Sequence[tuple[int, Event]]) -> None:
        """Forget the oldest events, which are these."""
        with self._changed:
            for _ in events:
                self._summary_bytes -= _size(self._events.popleft()[1])

    def _put(self, event: Event) -> None:
        rare = isinstance(event, (Action, Run, Fill))
        if len(self._events) >= (self._most if rare else self._most * (1 - _FOR_THE_RARE)):
            self.lost += 1
            return
        if self._summary_bytes + _size(event) > MOST_SUMMARY_BYTES:
            assert isinstance(event, Measurement)
            event = replace(event, summary=None)
        self._number += 1
        self._summary_bytes += _size(event)
        self._events.append((self._number, event))


def _size(event: Event) -> int:
    return len(event.summary or b"") if isinstance(event, Measurement) else 0
