"""How long things take: programs, and walks in a process that is already up.

Used by all parts. Each run of ours stands next to a run of `du -s` at the same time, so
that what else the machine does falls on both.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# One run of anything: beyond that, something hangs.
LONGEST_RUN_SECS = 1800.0
NICENESS = 19


class BenchError(Exception):
    """Something could not be measured; the message says what and why."""


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    wall: float
    cpu: float = 0.0


@dataclass(frozen=True)
class Walked:
    """What one walk took and found. `grown_kib`: its peak over the idle process."""

    cost: Cost
    grown_kib: int
    files: int
    dirs: int
    allocated: int


def program(*command: str, env: Mapping[str, str] | None = None) -> Cost:
    """Run a program to its end, at the niceness of our own walks, and forget its output.

    Raises BenchError if it fails, or takes too long.
    """
    start = time.perf_counter()
    running = subprocess.Popen(
        ["nice", f"-n{NICENESS}", *command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
    )
    status, used = _end_of(running, start + LONGEST_RUN_SECS)
    wall = time.perf_counter() - start
    said = running.stderr.read().decode(errors="replace") if running.stderr else ""
    if status != 0:
        raise BenchError(f"{command[0]} failed: {said.strip()[:200] or status}")
    return Cost(wall, used.ru_utime + used.ru_stime)


def _end_of(running: subprocess.Popen[bytes], until: float) -> tuple[int, Any]:
    """The status of a process and what it used. Kills it if it is not over by then."""
    handle = os.pidfd_open(running.pid)
    try:
        in_time = bool(select.select([handle], [], [], until - time.perf_counter())[0])
    finally:
        os.close(handle)
    if not in_time:
        running.kill()
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if not in_time:
        raise BenchError(f"{running.args!r} was not over after {LONGEST_RUN_SECS:.0f} seconds")
    return running.returncode, used


def du(tree: Path) -> Cost:
    """What GNU `du -s` takes."""
    return program("du", "-s", str(tree))


def allocated_by_du(tree: Path) -> int:
    """What GNU du says that a tree takes, in bytes."""
    said = subprocess.run(
        ["du", "-s", "--block-size=1", str(tree)], capture_output=True, check=True
    )
    return int(said.stdout.split(b"\t")[0])


class Walker:
    """A process that walks what it is told, as the service's workers do (walker.py)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.walker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Walker:  # noqa: PYI034
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def walk(self, engine: str, tree: Path, threads: int = 64, *, summary: bool = False) -> Walked:
        """Walk a tree with an engine. Raises BenchError if that fails or never ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"engine": engine, "home": str(tree), "threads": threads, "summary": summary}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], LONGEST_RUN_SECS)[0]:
            raise BenchError(f"the walk of {tree} was not over after {LONGEST_RUN_SECS:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the process that walked {tree} died")
        said = json.loads(line)
        if "error" in said:
            raise BenchError(said["error"])
        cost = Cost(said.pop("wall"), said.pop("cpu"))
        return Walked(cost, **said)


def in_turn(
    base: Callable[[], Cost], other: Callable[[], Cost], pairs: int
) -> list[tuple[Cost, Cost]]:
    """Run one, then the other, so many times."""
    return [(base(), other()) for _ in range(pairs)]


def shares(runs: Sequence[tuple[Cost, Cost]], of: str = "wall") -> list[float]:
    """The other's time as a share of the base's, pair by pair."""
    return [getattr(other, of) / max(getattr(base, of), 1e-6) for base, other in runs]


def speeds(runs: Sequence[tuple[Cost, Cost]]) -> list[float]:
    """How many times as fast the other is as the base, pair by pair."""
    return [base.wall / other.wall for base, other in runs]


def typical(runs: Sequence[tuple[Cost, Cost]], of: str = "wall") -> str:
    """`2.21 s and 1.04 s`: the medians of both."""
    both = [statistics.median(getattr(run[i], of) for run in runs) for i in (0, 1)]
    return " and ".join(f"{secs:.2f} s" for secs in both)
