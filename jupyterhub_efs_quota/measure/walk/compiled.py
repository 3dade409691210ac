"""The compiled walk as Python calls it: a task in, a part out. Called by engine.py.

Importing this fails with ImportError where the compiled walk was not built.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

from ...quota.summary import Sums
from ...quota.usage import Usage
from ..summary.part import (
    NO_KIND,
    Details,
    Large,
    Link,
    Part,
    Path,
    Place,
    Row,
    shown,
    together,
)
from ..summary.rules import Rules
from ..summary.tally import junk_at
from ..task import Progress, Task
from . import _walk
from .book import GONE, show
from .pace import Pace
from .twin import open_directory

# Sizes are numbers of 64 bits there.
_LARGEST = 2**63 - 1


def walk_compiled(
    task: Task,
    home: int,
    deadline: float,
    most_open: int,
    wait: Callable[[], None],
    *,
    progress: Progress | None = None,
    pace: Pace | None = None,
) -> Part:
    """Walk the home whose handle is given, which stays the caller's, or a part of it.

    `deadline` is of the monotonic clock; `wait` is called while the process has no handles
    left, and may raise. Raises OSError if the home cannot be looked at.
    """
    found = os.fstat(home)
    try:
        start = _open_below(home, task, wait)
    except OSError as error:
        return Part(_missed(task, error), device=_device(found))
    if start is None:
        return Part(Usage(bytes=0, allocated=0, files=0, dirs=0), device=_device(found))
    try:
        part = _walk_from(
            task, start, deadline - time.monotonic(), most_open, progress=progress, pace=pace
        )
    finally:
        if start != home:
            os.close(start)
    return replace(part, counts=replace(part.counts, changed=found.st_mtime), device=_device(found))


def _device(found: os.stat_result) -> int:
    """The number of a device as the links of the compiled walk have it."""
    return os.major(found.st_dev) << 32 | os.minor(found.st_dev)


def _open_below(home: int, task: Task, wait: Callable[[], None]) -> int | None:
    """A handle of where the part begins, or None if that is on another file system.

    Goes down name by name, so that no link is followed.
    """
    handle = home
    device = os.fstat(home).st_dev
    for name in task.below:
        try:
            deeper = open_directory(name, handle, wait)
        finally:
            if handle != home:
                os.close(handle)
        handle = deeper
        if os.fstat(handle).st_dev != device and not task.cross_mounts:
            os.close(handle)
            return None
    return handle


def _missed(task: Task, error: OSError) -> Usage:
    """What is known of a part whose beginning cannot be opened."""
    number = error.errno or 0
    gone = int(number in GONE)
    name = show(os.fsencode(task.below[-1]), number)
    return Usage(
        bytes=0,
        allocated=0,
        files=0,
        dirs=0,
        unreadable=1,
        vanished=gone,
        lost_dirs=gone,
        unreadable_names=() if gone else (name,),
    )


def _walk_from(
    task: Task,
    start: int,
    deadline_secs: float,
    most_open: int,
    *,
    progress: Progress | None,
    pace: Pace | None,
) -> Part:
    ceiling = task.ceiling
    below = tuple(os.fsencode(name) for name in task.below)
    found = _walk.walk(
        start,
        most_open,
        task.walk_threads,
        deadline_secs,
        task.cross_mounts,
        tuple(os.fsencode(pattern) for pattern in task.skip),
        ceiling.allocated if ceiling else task.allocated,
        ceiling is not None,
        (min(ceiling.bytes, _LARGEST), min(ceiling.files, _LARGEST)) if ceiling else (0, 0),
        None if task.rules is None else _given(task.rules),
        (task.in_parts, b"".join(name + b"\0" for name in below), len(below))
        + (junk_at(task.rules, below) if task.rules else (NO_KIND, False)),
        _told(progress),
        -1 if pace is None else pace.handle,
    )
    return Part(
        counts=_counts(found, task),
        links={
            (device, inode): Link(*values, where=_path(where))
            for device, inode, values, where in found["links"]
        },
        details=_details(found["details"]),
    )


def _given(rules: Rules) -> _walk.Rules:
    return (
        len(rules.types),
        tuple(rules.extensions.items()),
        len(rules.junk),
        tuple(
            (pattern.kind, pattern.folder, pattern.from_home, pattern.parts)
            for pattern in rules.patterns
        ),
        rules.band_ends,
        (rules.folders, rules.largest, rules.places),
    )


def _counts(found: _walk.Found, task: Task) -> Usage:
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


def _details(found: _walk.Details | None) -> Details | None:
    if found is None:
        return None
    some = found["oldest"] <= found["newest"]
    return Details(
        rows=_rows(found["rows"]),
        folders=[(item[0], _path(item[1]), Row(*item[2])) for item in found["folders"]],
        largest=[(item[0], _path(item[1]), _large(item)) for item in found["largest"]],
        places=[(item[0], _path(item[1]), _place(item)) for item in found["places"]],
        junk=[Sums(*sums) for sums in found["junk"]],
        types=[Sums(*sums) for sums in found["types"]],
        modified=[Sums(*sums) for sums in found["modified"]],
        accessed=[Sums(*sums) for sums in found["accessed"]],
        oldest=found["oldest"] if some else None,
        newest=found["newest"] if some else None,
    )


def _told(progress: Progress | None) -> Callable[[int, int, int, bytes], object] | None:
    if progress is None:
        return None
    return lambda files, size, dirs, where: progress(files, size, dirs, shown(_path(where)))


def _rows(found: tuple[tuple[bytes, _walk.Row], ...]) -> dict[Path, Row]:
    """Folders too deep to be shown stand under the path of the last one that is not."""
    rows: dict[Path, Row] = {}
    for path, values in found:
        row, met = Row(*values), rows.get(_path(path))
        rows[_path(path)] = row if met is None else together(met, row)
    return rows


def _large(item: _walk.Item) -> Large:
    row = Row(*item[2])
    return Large(row.bytes, row.allocated, row.newest, item[3] if item[3][1] else None)


def _place(item: _walk.Item) -> Place:
    row = Row(*item[2])
    return Place(row.kind, Sums(row.bytes, row.allocated, row.files))


def _path(names: bytes) -> Path:
    return tuple(names.split(b"\0")[:-1])
