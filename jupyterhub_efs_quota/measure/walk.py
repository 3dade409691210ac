"""The walk: measures a home from its directory entries, right before fast.

Called in a worker process. Two engines count the same: the compiled one (_walk.c), and
its twin in Python, which serves where the other could not be built.
"""

from __future__ import annotations

import logging
import os
import time
from functools import cache
from typing import Protocol

from ..errors import MeasureError
from ..quota.usage import Usage
from .pace import Pace
from .task import Task
from .twin import most_open, open_home, show, walk_in_python

try:
    from . import _walk
except ImportError:
    _walk = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

COMPILED, PYTHON = "compiled", "python"
# Sizes are numbers of 64 bits there.
_LARGEST = 2**63 - 1
_HANDLES_WAIT_SECS = 0.05


class Engine(Protocol):
    """What measures a home: `walk`, in one way or another."""

    def __call__(self, task: Task, pace: Pace | None = None) -> Usage:
        """Measure one home."""


class _NoTime(Exception):
    """The deadline has passed before the home was open."""


def walk(task: Task, pace: Pace | None = None) -> Usage:
    """Measure one home at a pace. Raises MeasureError if it cannot be opened at all."""
    return ENGINES[engine()](task, pace)


def engine() -> str:
    """Which engine walks here: `compiled` or `python`."""
    return COMPILED if COMPILED in ENGINES else PYTHON


@cache
def log_engine() -> None:
    """Say once in this process which engine walks."""
    if engine() == COMPILED:
        log.info("Homes are measured by the compiled walk.")
    else:
        log.warning(
            "Homes are measured by the walk in Python, which takes three times as long:"
            " the compiled one was not built. Install a C compiler and install again."
        )


def walk_compiled(task: Task, pace: Pace | None = None) -> Usage:
    """Measure one home with the compiled walk. Raises as `walk` does."""
    deadline = time.monotonic() + task.deadline_secs

    def wait() -> None:
        if time.monotonic() > deadline:
            raise _NoTime
        time.sleep(_HANDLES_WAIT_SECS)

    try:
        handle = open_home(task.home, wait)
    except _NoTime:
        return Usage(timed_out=True)
    ceiling = task.ceiling
    try:
        found = _walk.walk(
            handle,
            most_open(),
            task.walk_threads,
            deadline - time.monotonic(),
            task.cross_mounts,
            tuple(os.fsencode(pattern) for pattern in task.skip),
            ceiling is not None,
            (
                min(ceiling.bytes, _LARGEST) if ceiling else 0,
                min(ceiling.files, _LARGEST) if ceiling else 0,
                ceiling.allocated if ceiling else False,
            ),
            -1 if pace is None else pace.handle,
        )
    except OSError as error:
        raise MeasureError(
            f"The home {task.home!r} cannot be measured: {error.strerror}."
        ) from None
    finally:
        os.close(handle)
    return Usage(
        bytes=found["bytes"],
        allocated=found["allocated"],
        files=found["files"],
        dirs=found["dirs"],
        unreadable=found["unreadable"],
        vanished=found["vanished"],
        lost_dirs=found["lost_dirs"],
        changed=found["changed"],
        # The home itself has no name there.
        unreadable_names=tuple(
            show(name or os.fsencode(task.home), number) for name, number in found["names"]
        ),
        timed_out=found["timed_out"],
        proven_over=found["proven_over"],
        meter="walk",
    )


ENGINES: dict[str, Engine] = {PYTHON: walk_in_python}
if _walk is not None:
    ENGINES[COMPILED] = walk_compiled
