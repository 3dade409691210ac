"""A process that walks what it is told, and says what that took; timing.py starts it.

Reads a line of JSON for each walk from standard input, and answers with one. It is up, with
all that it imports, before the first one is timed, as the service's workers are.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import ENGINES

from .timing import NICENESS

_DEADLINE_SECS = 1700.0


def main() -> None:
    """Walk until standard input ends."""
    os.nice(NICENESS)
    with tempfile.TemporaryDirectory() as empty:
        for engine in ENGINES:
            _walk({"engine": engine, "home": empty, "threads": 2, "summary": False})
    for line in sys.stdin.buffer:
        try:
            answer = _walk(json.loads(line))
        except MeasureError as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _walk(asked: dict[str, Any]) -> dict[str, Any]:
    rules = Rules(now=int(time.time())) if asked["summary"] else None
    task = Task(asked["home"], _DEADLINE_SECS, walk_threads=asked["threads"], rules=rules)
    idle = _memory_kib("VmRSS")
    # From here on the peak is counted anew.
    Path("/proc/self/clear_refs").write_text("5")
    before, start = _cpu_secs(), time.perf_counter()
    found = ENGINES[asked["engine"]](task)
    wall, cpu = time.perf_counter() - start, _cpu_secs() - before
    if found.timed_out:
        raise MeasureError(f"The walk of {task.home} was not over after {_DEADLINE_SECS:.0f} s.")
    return {
        "wall": wall,
        "cpu": cpu,
        "grown_kib": _memory_kib("VmHWM") - idle,
        "files": found.files,
        "dirs": found.dirs,
        "allocated": found.allocated,
    }


def _cpu_secs() -> float:
    # The walk in Python may start a second process.
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def _memory_kib(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    main()
