"""Each cycle of a loop is a run on record: how long it took, how it ended, what it counted.

Before each, the central switch is asked: a job that is off does nothing but say so.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..activity.switches import Switches, switches_of
from ..errors import StoreError
from ..history.events import Outcome, Run
from ..logs import event
from .counts import Counts
from .cycle import Rooms

log = logging.getLogger(__name__)

# A store that does not answer by then switches nothing off; the cycle finds out by itself.
SWITCH_SECS = 5.0


class Work(Protocol):
    """What a loop does in one cycle; `counts` are those of the cycle that goes on, or went."""

    counts: Counts

    async def run_once(self) -> Any:
        """One cycle."""


def recorded(
    rooms: Rooms, name: str, work: Work, idle: Callable[[], bool] | None = None
) -> Callable[[], Awaitable[Any]]:
    """A cycle of `work` that puts itself on record as a run of `name`, whatever becomes of it.

    It returns `Outcome.SKIPPED` if the job is switched off. `idle`: whether there is nothing
    to do, which is no run.
    """
    job, switches = name.lower(), switches_of(rooms.settings)

    async def cycle() -> Any:
        if idle is not None and idle():
            return None
        if await _is_off(rooms, switches, job):
            event(log, logging.INFO, f"{name} is switched off: nothing is done.", subsystem=name)
            rooms.activity.record_skipped(job, rooms.clock())
            return Outcome.SKIPPED
        started, error = rooms.clock(), None
        try:
            return await work.run_once()
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
            raise
        except BaseException:
            error = "It was ended in the middle."
            raise
        finally:
            rooms.activity.ran(
                Run(
                    job,
                    socket.gethostname(),
                    started,
                    # A clock may be set back meanwhile.
                    max(started, rooms.clock()),
                    (Outcome.FAILURE if error else Outcome.SUCCESS).value,
                    error,
                    work.counts.all(),
                )
            )

    return cycle


async def _is_off(rooms: Rooms, switches: Switches, job: str) -> bool:
    try:
        return job in await rooms.offload.run_within(SWITCH_SECS, switches.off)
    except StoreError:
        return False
