"""The walk: measures a home from its directory entries, right before fast.

Called in a worker process. Two engines count the same: the compiled one (_walk.c), and
its twin in Python, which serves where the other could not be built.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import cache

from ..errors import MeasureError
from ..quota.usage import Usage
from .part import finish
from .task import Task
from .twin import most_open, open_home, walk_in_python

try:
    from . import compiled
except ImportError:
    compiled = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

COMPILED, PYTHON = "compiled", "python"
_HANDLES_WAIT_SECS = 0.05


class _NoTime(Exception):
    """The deadline has passed before the home was open."""


def walk(task: Task) -> Usage:
    """Measure one home. Raises MeasureError if it cannot be opened at all."""
    return ENGINES[engine()](task)


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


def walk_compiled(task: Task) -> Usage:
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
    try:
        part = compiled.walk_compiled(task, handle, deadline - time.monotonic(), most_open())
    except OSError as error:
        raise MeasureError(
            f"The home {task.home!r} cannot be measured: {error.strerror}."
        ) from None
    finally:
        os.close(handle)
    return finish([part], task.rules, allocated=task.allocated)


ENGINES: dict[str, Callable[[Task], Usage]] = {PYTHON: walk_in_python}
if compiled is not None:
    ENGINES[COMPILED] = walk_compiled
