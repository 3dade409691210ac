"""Each cycle of a loop is a run on record: how long it took, how it ended, what it counted."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..history.events import Outcome, Run
from .counts import Counts
from .cycle import Rooms


class Work(Protocol):
    """What a loop does in one cycle; `counts` are those of the cycle that goes on, or went."""

    counts: Counts

    async def run_once(self) -> Any:
        """One cycle."""


def recorded(rooms: Rooms, name: str, work: Work) -> Callable[[], Awaitable[Any]]:
    """A cycle of `work` that puts itself on record as a run of `name`, whatever becomes of it."""

    async def cycle() -> Any:
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
            rooms.history.ran(
                Run(
                    name.lower(),
                    socket.gethostname(),
                    started,
                    rooms.clock(),
                    (Outcome.FAILURE if error else Outcome.SUCCESS).value,
                    error,
                    work.counts.all(),
                )
            )

    return cycle
