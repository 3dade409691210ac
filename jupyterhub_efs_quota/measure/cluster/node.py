"""What runs on the workers of a Dask cluster. Called by `cluster.py`, by name.

Tasks travel as the lines that our own workers read, so that a difference of versions is
noticed here and not by what it breaks.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ... import __version__
from ...quota.usage import Usage
from ..summary.part import Part, Path, finish
from ..task import load_task
from .apart import measure_apart

# Counts the changes of what travels between a service and its cluster.
PROTOCOL = 1


class Footing(NamedTuple):
    """What has to be the same in the service and on a worker.

    `homes`: the inode of the directory of homes, which tells whether both have mounted the
    same; None if there is no such directory.
    """

    python: tuple[int, int]
    version: str
    protocol: int
    homes: int | None


async def footing(home_root: str) -> Footing:
    """What this process has. The store may hang, so it is looked at in a thread."""
    return Footing(
        sys.version_info[:2],
        __version__,
        PROTOCOL,
        await asyncio.to_thread(_inode, home_root),
    )


def _inode(directory: str) -> int | None:
    try:
        return os.stat(directory).st_ino  # noqa: PTH116  (odd bytes)
    except OSError:
        return None


async def measure_there(lines: Sequence[bytes]) -> list[Usage | Part]:
    """Measure homes or parts of one. A coroutine: no thread of the worker can hang in it."""
    return await measure_apart([load_task(line) for line in lines])


def left_by(parts: Sequence[Part]) -> list[Path]:
    """The folders that parts have left to others."""
    return [path for part in parts for path in part.left]


def put_together(shares: Sequence[Sequence[Part]], line: bytes, *, late: bool) -> Usage:
    """What all parts of a home found; `late`: some are missing."""
    task = load_task(line)
    parts = [part for share in shares for part in share]
    if late:
        parts = [*parts, Part(Usage(timed_out=True))]
    return finish(parts, task.rules, allocated=task.allocated)
