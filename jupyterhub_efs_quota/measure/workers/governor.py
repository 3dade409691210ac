"""Hands out calls to the store among the walks that go on: a budget for all, and a brake.

Made by whoever measures many homes; `workers.py` tells it which walks there are. Works
only while there are some.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...logs import event
from ..walk.pace import ANY_NUMBER, Page
from .brake import Brake, Reading, after, lower, shares

log = logging.getLogger(__name__)

TICK_SECS = 0.1
# What was not used is kept for so long.
KEPT_SECS = 2 * TICK_SECS
READING_SECS = 1.0
# A brake that goes on and off is said no more often than this.
SAY_AGAIN_SECS = 600.0
_SUBSYSTEM = "Service"


@dataclass
class _Walk:
    """A walk that goes on: what its page said when last seen, and what it was given."""

    page: Page
    calls: int
    answers: int
    answers_secs: float
    given: int = 0
    made: int = 0


@dataclass
class _Sum:
    """What was seen since the last reading."""

    calls: int = 0
    answers: int = 0
    answers_secs: float = 0.0
    since: float = field(default=0.0)


class Governor:
    """Allows at most `calls_per_sec` (0: any number), and brakes at `brake_at` (0: never)."""

    def __init__(
        self,
        calls_per_sec: float,
        brake_at: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.brake = Brake()
        self.brakings = 0
        self._calls_per_sec = calls_per_sec
        self._brake_at = brake_at
        self._monotonic = monotonic
        self._walks: list[_Walk] = []
        self._sum = _Sum()
        self._left = 0.0
        self._ticked = monotonic()
        self._said = -math.inf
        self._aloud = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, page: Page) -> None:
        """A walk begins, with this page."""
        if not self._walks:
            self._sum = _Sum(since=self._monotonic())
            self._timer = asyncio.get_running_loop().call_later(TICK_SECS, self._tick)
        self._walks.append(_Walk(page, page.calls, page.answers, page.answers_secs))
        self.look()

    def end(self, page: Page) -> None:
        """The walk with this page is over."""
        self.look()
        self._walks = [walk for walk in self._walks if walk.page is not page]
        if self._walks or self._timer is None:
            return
        self._timer.cancel()
        self._timer = None

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_SECS, self._tick)
        self.look()

    def look(self) -> None:
        """See what the walks did, and allow them more."""
        now = self._monotonic()
        secs, self._ticked = now - self._ticked, now
        made = sum(self._saw(walk) for walk in self._walks)
        if self._brake_at and now - self._sum.since >= READING_SECS:
            self._read(now)
        rate = lower(self._calls_per_sec, self.brake.limit)
        if rate is None:
            for walk in self._walks:
                walk.page.allow(ANY_NUMBER)
            return
        # Enough for one call each, however low the rate.
        most = max(rate * KEPT_SECS, len(self._walks))
        self._left = min(self._left + rate * secs - made, most)
        self._allow(max(0.0, self._left))

    def _saw(self, walk: _Walk) -> int:
        """What a walk did since it was last seen; how many calls."""
        page = walk.page
        calls, answers, took = page.calls, page.answers, page.answers_secs
        walk.made = calls - walk.calls
        self._sum.calls += walk.made
        self._sum.answers += answers - walk.answers
        self._sum.answers_secs += took - walk.answers_secs
        walk.calls, walk.answers, walk.answers_secs = calls, answers, took
        return walk.made

    def _allow(self, calls: float) -> None:
        # Who used up all they had may want any number; others twice what they used.
        wanted = [
            math.inf if walk.made >= walk.given else 2.0 * walk.made + 1 for walk in self._walks
        ]
        for walk, given in zip(self._walks, shares(calls, wanted), strict=True):
            walk.given = given
            walk.page.allow(walk.calls + given)
        # Where there is less than one call for each, it is the last one's: they take turns.
        self._walks.sort(key=lambda walk: walk.given == 0)

    def _read(self, now: float) -> None:
        seen = self._sum
        reading = Reading(
            now - seen.since, len(self._walks), seen.calls, seen.answers, seen.answers_secs
        )
        before = self.brake
        self.brake = after(before, reading, self._brake_at)
        # Too few answers are no reading: they are kept until they are enough.
        if self.brake is not before or self.brake.limit is not None:
            self._sum = _Sum(since=now)
        if (before.limit is None) is not (self.brake.limit is None):
            self._say(now)

    def _say(self, now: float) -> None:
        brake = self.brake
        if brake.limit is None:
            level = logging.INFO if self._aloud else logging.DEBUG
            message = f"The store answers within {brake.now_secs * 1e3:.3g} ms: full speed again."
        else:
            self.brakings += 1
            self._aloud = now - self._said >= SAY_AGAIN_SECS
            self._said = now if self._aloud else self._said
            level = logging.WARNING if self._aloud else logging.DEBUG
            message = (
                f"The store takes {brake.now_secs * 1e3:.3g} ms for an answer and not"
                f" {brake.usual_secs * 1e3:.3g} ms as usual: homes are measured more slowly."
            )
        event(
            log,
            level,
            message,
            subsystem=_SUBSYSTEM,
            store_latency_secs=brake.now_secs,
            store_usual_secs=brake.usual_secs,
        )
