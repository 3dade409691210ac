"""The compiled walk as Python calls it: a task in, a part out. Called by walk.py.

Importing this fails with ImportError where the compiled walk was not built.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from ..quota.summary import Sums
from ..quota.usage import Usage
from . import _walk
from .part import NO_KIND, Details, Large, Link, Part, Path, Place, Row
from .rules import Rules
from .task import Task

# Sizes are numbers of 64 bits there.
_LARGEST = 2**63 - 1


class Start(NamedTuple):
    """Where a walk begins: at the home, or at a path below it for a part of it.

    `kind` and `junk_root` as in part.Row.
    """

    path: Path = ()
    part: bool = False
    kind: int = NO_KIND
    junk_root: bool = False


def walk_compiled(
    task: Task,
    handle: int,
    deadline_secs: float,
    most_open: int,
    *,
    start: Start = Start(),  # noqa: B008  (a plain tuple)
    progress: Callable[[int, int, int], object] | None = None,
) -> Part:
    """Walk the directory of a handle, which stays the caller's.

    `progress` is told files, bytes and folders about ten times a second; what it raises
    ends the walk. Raises OSError if the directory cannot be looked at.
    """
    ceiling = task.ceiling
    found = _walk.walk(
        handle,
        most_open,
        task.walk_threads,
        deadline_secs,
        task.cross_mounts,
        tuple(os.fsencode(pattern) for pattern in task.skip),
        ceiling.allocated if ceiling else task.allocated,
        ceiling is not None,
        (min(ceiling.bytes, _LARGEST), min(ceiling.files, _LARGEST)) if ceiling else (0, 0),
        None if task.rules is None else _given(task.rules),
        (start.part, _joined(start.path), len(start.path), start.kind, start.junk_root),
        progress,
    )
    return Part(
        counts=_counts(found, task),
        links={
            (device, inode): Link(*values, where=_path(where))
            for device, inode, values, where in found["links"]
        },
        details=_details(found["details"]),
    )


def show(name: bytes, number: int) -> str:
    """A name that could not be read and why, for a log line; odd bytes are escaped."""
    shown = name.decode(errors="backslashreplace").encode("unicode_escape").decode()
    return f"{shown}: {os.strerror(number)}"


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
        rows={_path(path): Row(*row) for path, row in found["rows"]},
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


def _large(item: _walk.Item) -> Large:
    row = Row(*item[2])
    return Large(row.bytes, row.allocated, row.newest, item[3] if item[3][1] else None)


def _place(item: _walk.Item) -> Place:
    row = Row(*item[2])
    return Place(row.kind, Sums(row.bytes, row.allocated, row.files))


def _joined(path: Path) -> bytes:
    return b"".join(name + b"\0" for name in path)


def _path(names: bytes) -> Path:
    return tuple(names.split(b"\0")[:-1])
