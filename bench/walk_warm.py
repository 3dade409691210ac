"""The walk on a warm local disk, next to GNU du: run after run in turn, and their ratios.

    python -m bench.walk_warm [--entries N] [--pairs N] [--tree DIRECTORY]

A walk runs in a process that is already up, as the service's workers are; du is timed as
the process that it is. Both run at nice 19, so that a busy machine treats them alike.
"""

# ruff: noqa: S607, T201  (a program for people, who have du)

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk import ENGINES

from .tree import make_tree

_DEADLINE_SECS = 600.0


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    wall: float
    cpu: float


def main() -> None:
    """Make a tree unless one is given, measure, print the table, remove the tree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=300_000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--tree", type=Path, help="measure this instead of making a tree")
    options = parser.parse_args()
    os.nice(19)
    if options.tree is not None:
        measure(options.tree, options.pairs)
        return
    place = Path(tempfile.mkdtemp(prefix="walk_warm-"))
    try:
        make_tree(place / "tree", options.entries)
        measure(place / "tree", options.pairs)
    finally:
        shutil.rmtree(place)


def measure(tree: Path, pairs: int) -> None:
    """Print a line for each engine."""
    compare_answers(tree)
    print(f"{os.cpu_count()} processors, {pairs} pairs; ratios to `du -s`: median (least, most)\n")
    print("| engine | wall | CPU | du, wall s | du, CPU s |")
    print("| --- | --- | --- | --- | --- |")
    for name, engine in ENGINES.items():
        task = Task(str(tree), _DEADLINE_SECS)
        runs = [(cost_of_du(tree), cost_of(lambda: engine(task))) for _ in range(pairs)]  # noqa: B023
        wall = [ours.wall / du.wall for du, ours in runs]
        cpu = [ours.cpu / du.cpu for du, ours in runs]
        base = [statistics.median(getattr(du, what) for du, _ in runs) for what in ("wall", "cpu")]
        print(f"| {name} | {shown(wall)} | {shown(cpu)} | {base[0]:.2f} | {base[1]:.2f} |")


def shown(ratios: list[float]) -> str:
    """`0.47 (0.45, 0.50)`."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"


def compare_answers(tree: Path) -> None:
    """Warm the disk, and see that everybody counts the same."""
    said = subprocess.run(
        ["du", "-s", "--block-size=1", str(tree)], capture_output=True, check=True
    )
    allocated = int(said.stdout.split(b"\t")[0])
    for name, engine in ENGINES.items():
        found = engine(Task(str(tree), _DEADLINE_SECS))
        assert found.allocated == allocated, (name, found, allocated)
    assert found.files is not None
    assert found.dirs is not None
    print(f"{found.files + found.dirs} entries (files with several names once), ", end="")


def cost_of(call: Callable[[], object]) -> Cost:
    """What a call took, in all threads of this process."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    call()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def cost_of_du(tree: Path) -> Cost:
    """What `du -s` takes, as a process."""
    start = time.perf_counter()
    du = subprocess.Popen(["du", "-s", str(tree)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(du.pid, 0)
    wall = time.perf_counter() - start
    du.returncode = os.waitstatus_to_exitcode(status)
    return Cost(wall, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main()
