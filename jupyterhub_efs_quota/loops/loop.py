"""A loop that runs a cycle every so often, and outlives whatever goes wrong in one.

Driven by a tornado PeriodicCallback that ticks and looks whether a cycle is due.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from tornado.ioloop import PeriodicCallback

from ..errors import EFSQuotaError
from ..logs import event
from ..quota.messages import too_slow, waiting

log = logging.getLogger(__name__)

TICK_SECS = 1.0
# After a failed cycle: this long, then twice as long each time, up to the most.
FAILURE_WAIT_SECS = 60.0
MOST_FAILURE_WAIT_SECS = 900.0
# A cycle that takes longer than both is taken for one that hangs, and said so.
LONGEST_PERIODS, LONGEST_SECS = 4, 3600.0


class Loop:
    """Runs `cycle` every `period_secs`: the first time at once.

    `quiet`: it does not say after each that it waits for the next, being a frequent one.

    `failure` says what went wrong in the last cycle, None if it went well; `cycles`
    counts those that went well.
    """

    def __init__(
        self,
        name: str,
        cycle: Callable[[], Awaitable[object]],
        period_secs: float,
        *,
        quiet: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.period_secs = period_secs
        self.failure: str | None = None
        self.cycles = 0
        self._cycle = cycle
        self._monotonic = monotonic
        self._waiting_level = logging.DEBUG if quiet else logging.INFO
        self._due = monotonic()
        self._failures = 0
        self._began: float | None = None
        self._newest: float | None = None
        self._late_secs = 0.0
        self._longest_secs = max(LONGEST_PERIODS * period_secs, LONGEST_SECS)
        self._said: str | None = None
        # It never runs twice at a time: a tick during a cycle is left out.
        self._ticker = PeriodicCallback(self.tick, min(TICK_SECS, period_secs / 4) * 1000)

    def start(self) -> None:
        """Begin to run cycles, on the event loop that runs now."""
        self._ticker.start()

    def stop(self) -> None:
        """Run no further cycle."""
        self._ticker.stop()

    @property
    def trouble(self) -> str | None:
        """What is wrong with this loop now, in a sentence; None if nothing is."""
        if self._began is not None and self._monotonic() - self._began > self._longest_secs:
            return "A cycle has been going on for very long: the store or a meter may hang."
        return self.failure

    @property
    def late_secs(self) -> float:
        """How much later than after the period the newest cycle began, or the next will."""
        return self._overdue_secs or self._late_secs

    @property
    def _overdue_secs(self) -> float:
        if self._newest is None:
            return 0.0
        return max(0.0, self._monotonic() - (self._newest + self.period_secs))

    async def tick(self) -> None:
        """Run a cycle if one is due."""
        if self._monotonic() < self._due:
            return
        self._late_secs = self._overdue_secs
        started = self._began = self._newest = self._monotonic()
        try:
            await self._cycle()
        except Exception as error:
            self._failed(error)
        else:
            self._succeeded(self._monotonic() - started)
        finally:
            self._began = None

    def _succeeded(self, elapsed: float) -> None:
        if self._failures:
            event(
                log,
                logging.INFO,
                f"{self.name} works again after {self._failures} failed cycles.",
                subsystem=self.name,
            )
        self.cycles += 1
        self._failures, self.failure, self._said = 0, None, None
        # Whole seconds, as a period is given: "Waiting 10.0 seconds".
        left = self.period_secs - int(elapsed)
        if left > 0:
            message = waiting(float(left), self.name)
            event(log, self._waiting_level, message, subsystem=self.name)
        else:
            message = too_slow(float(abs(left)), self.period_secs, self.name)
            event(log, logging.WARNING, message, subsystem=self.name)
        self._due = self._monotonic() + max(0.0, self.period_secs - elapsed)

    def _failed(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        # The same failure again is said once, not at every try.
        level = logging.DEBUG if said == self._said else logging.ERROR
        event(
            log,
            level,
            "EXCEPTION: Quota checking top level failure.",
            subsystem=self.name,
            exc_info=True,
        )
        # The power is of a few failures only: of thousands it is no float any more.
        wait = min(FAILURE_WAIT_SECS * 2 ** min(self._failures, 8), MOST_FAILURE_WAIT_SECS)
        self._due = self._monotonic() + min(wait, max(self.period_secs, FAILURE_WAIT_SECS))
        self._failures += 1
        self.failure = str(error) if isinstance(error, EFSQuotaError) else said
        self._said = said
