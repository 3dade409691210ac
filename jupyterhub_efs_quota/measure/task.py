"""What is asked of a meter: one home and the rules it is measured by.

Plain data that travels to a worker process as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from ..quota.summary import load_summary
from ..quota.usage import Usage
from .summary.rules import Rules, load_rules

# Told files, bytes and folders about ten times a second, and the path below the home that is
# being read ("" where that is not known). If it answers true, the walk ends as at its deadline.
Progress = Callable[[int, int, int, str], object]


@dataclass(frozen=True)
class Ceiling:
    """A limit at which a walk may stop, the home being proven over it. 0 files: none."""

    bytes: int
    files: int = 0
    allocated: bool = False

    def passed(self, size: int, allocated: int, files: int) -> bool:
        """Whether these counts are over the limit."""
        over_files = bool(self.files) and files > self.files
        return (allocated if self.allocated else size) > self.bytes or over_files


@dataclass(frozen=True)
class Task:
    """One home to measure.

    `home` is a resolved directory; odd bytes in it are surrogate escapes. Directories
    whose name matches a pattern in `skip` are not entered, nor are other file systems
    unless `cross_mounts`. The meter stops after `deadline_secs`, and as soon as the
    home is proven over `ceiling`. `allocated`: which size the quota is judged by.
    `limit`: the home's own; what a counter finds over it, `meter = "auto"` walks too.
    `walk_threads`: how many may wait for a slow store at a time. `rules`: how the home is
    to be summed up, None for the totals alone. `files`: how many the last walk found.

    A home may be measured in parts. `in_parts`: this is one of several, that are put
    together. `below`: the names on the way from the home to the folder where the part
    begins. `leave`: read the upper levels only, until so many folders are left to others.
    """

    home: str
    deadline_secs: float
    meter: str = "walk"
    cross_mounts: bool = False
    skip: tuple[str, ...] = (".snapshot", ".zfs")
    ceiling: Ceiling | None = None
    allocated: bool = False
    walk_threads: int = 64
    rules: Rules | None = None
    in_parts: bool = False
    below: tuple[str, ...] = ()
    leave: int = 0
    limit: Ceiling | None = None
    files: int | None = None


def dump_task(task: Task) -> bytes:
    """A task as one line."""
    return json.dumps(asdict(task)).encode() + b"\n"


def load_task(line: bytes) -> Task:
    """The task in a line of `dump_task`."""
    values = json.loads(line)
    values["skip"] = tuple(values["skip"])
    values["below"] = tuple(values["below"])
    if values["rules"] is not None:
        values["rules"] = load_rules(values["rules"])
    for name in ("ceiling", "limit"):
        if values[name] is not None:
            values[name] = Ceiling(**values[name])
    return Task(**values)


def dump_answer(answer: Usage | str) -> bytes:
    """A usage, or what went wrong, as one line."""
    body = {"error": answer} if isinstance(answer, str) else {"usage": asdict(answer)}
    return json.dumps(body).encode() + b"\n"


def load_answer(line: bytes) -> Usage | str:
    """The answer in a line of `dump_answer`. Raises ValueError if it is none."""
    body = json.loads(line)
    if "error" in body:
        return str(body["error"])
    values = body["usage"]
    values["unreadable_names"] = tuple(values["unreadable_names"])
    if values["summary"] is not None:
        values["summary"] = load_summary(values["summary"])
    return Usage(**values)
