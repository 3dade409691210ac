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

from ...errors import MeasureError
from ...quota.usage import Usage
from ..summary.part import Part, finish
from ..task import Progress, Task
from .handles import most_open
from .pace import Pace
from .twin import open_home, part_in_python, walk_in_python

try:
    from . import compiled
except ImportError:
    compiled = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

COMPILED, PYTHON = "compiled", "python"
_HANDLES_WAIT_SECS = 0.05


class _NoTime(Exception):
    """The deadline has passed before the home was open."""


def walk(task: Task, progress: Progress | None = None, pace: Pace | None = None) -> Usage:
    """Measure one home at a pace. Raises MeasureError if it cannot be opened at all."""
    return ENGINES[engine()](task, progress, pace)


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


def walk_compiled(task: Task, progress: Progress | None = None, pace: Pace | None = None) -> Part:
    """Measure one home, or a part of it, with the compiled walk. Raises as `walk` does."""
    if task.leave:
        # It looks at a few folders only, so that there is nothing to be gained.
        return part_in_python(task, progress, pace)
    deadline = time.monotonic() + task.deadline_secs

    def wait() -> None:
        if time.monotonic() > deadline:
            raise _NoTime
        time.sleep(_HANDLES_WAIT_SECS)

    try:
        home = open_home(task.home, wait)
    except _NoTime:
        return Part(Usage(timed_out=True))
    try:
        return compiled.walk_compiled(
            task, home, deadline, most_open(), wait, progress=progress, pace=pace
        )
    except _NoTime:
        return Part(Usage(timed_out=True))
    except OSError as error:
        raise MeasureError(
            f"The home {task.home!r} cannot be measured: {error.strerror}."
        ) from None
    finally:
        os.close(home)


class MeasurePart(Protocol):
    """Measures a part of a home."""

    def __call__(
        self, task: Task, progress: Progress | None = None, pace: Pace | None = None
    ) -> Part:
        """Raises MeasureError if it cannot be opened at all."""


class Measure(Protocol):
    """Measures a whole home."""

    def __call__(
        self, task: Task, progress: Progress | None = None, pace: Pace | None = None
    ) -> Usage:
        """Raises MeasureError if it cannot be opened at all."""


def _whole(measure: MeasurePart) -> Measure:
    def measure_whole(
        task: Task, progress: Progress | None = None, pace: Pace | None = None
    ) -> Usage:
        return finish([measure(task, progress, pace)], task.rules, allocated=task.allocated)

    return measure_whole


def measure_in_python(
    task: Task, progress: Progress | None = None, pace: Pace | None = None
) -> Usage:
    """Measure a whole home with the walk in Python, which may come home in parts."""
    return finish(walk_in_python(task, progress, pace), task.rules, allocated=task.allocated)


# What measures a part of a home, and what a whole one.
PARTS: dict[str, MeasurePart] = {PYTHON: part_in_python}
ENGINES: dict[str, Measure] = {PYTHON: measure_in_python}
if compiled is not None:
    PARTS[COMPILED] = walk_compiled
    ENGINES[COMPILED] = _whole(walk_compiled)
