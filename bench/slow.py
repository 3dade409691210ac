"""The walk on a file system whose every answer takes a millisecond (slowfs.c).

Each run has a mount of its own, so that nothing is in the kernel's caches.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyterhub_efs_quota.measure.walk.engine import COMPILED, ENGINES, PYTHON

from .line import Line, Target, at_least, left_out, speed_line
from .plan import Plan
from .timing import ROOT, BenchError, Cost, Walker, du, speeds, typical
from .tree import make_tree

_ENTRIES, _HOMES = 21_400, 20
_LATENCY_USECS = 1000
_SOURCE = Path(__file__).with_name("slowfs.c")
_PROGRAM = ROOT / ".test" / "bench" / "slowfs"
_CHECKED = ("-O2", "-Wall", "-Wextra", "-Werror")
_END_SECS = 10.0


@dataclass(frozen=True)
class _Way:
    """One way to walk, with its targets in both modes."""

    name: str
    engine: str
    threads: int
    targets: dict[str, Target]


_WAYS = (
    _Way("the compiled walk, up to 64 threads", COMPILED, 64, {"plus": at_least(18, " times")}),
    _Way("the compiled walk, up to 256 threads", COMPILED, 256, {"plain": at_least(60, " times")}),
    _Way("the walk in Python", PYTHON, 64, {"plain": at_least(30, " times")}),
)
_MODES = {"plain": "one call a file", "plus": "attributes with the directory"}


def slow(plan: Plan) -> Iterator[Line]:
    """A millisecond a call: one call a file, and attributes that come with directories."""
    wrong = _build()
    if wrong:
        for mode, said in _MODES.items():
            for way in _WAYS:
                yield left_out(f"{said}: {way.name}", wrong, way.targets.get(mode))
        return
    entries = plan.sized(_ENTRIES)
    tree = plan.tree("slow", entries, lambda here: make_tree(here, entries, _HOMES))
    ways = [way for way in _WAYS if way.engine in ENGINES]
    with Walker() as walker:
        for mode, said in _MODES.items():
            runs: dict[str, list[tuple[Cost, Cost]]] = {way.name: [] for way in ways}
            calls: dict[str, str] = {}
            for _ in range(plan.pairs):
                base, _ = _cost(plan, tree, mode, du)
                for way in ways:

                    def walk(mounted: Path, way: _Way = way) -> Cost:
                        return walker.walk(way.engine, mounted, way.threads).cost

                    cost, calls[way.name] = _cost(plan, tree, mode, walk)
                    runs[way.name].append((base, cost))
            for way in ways:
                yield speed_line(
                    f"{said}: {way.name}",
                    speeds(runs[way.name]),
                    way.targets.get(mode),
                    f"du and this: {typical(runs[way.name])}; {calls[way.name]}",
                    short=mode in way.targets,
                )


def _cost(plan: Plan, tree: Path, mode: str, run: Callable[[Path], Cost]) -> tuple[Cost, str]:
    """What a run takes on a fresh mount, and what it asked for."""
    said: list[str] = []
    with mounted(plan, tree, mode, said) as mount:
        cost = run(mount)
    counted = json.loads(said[0])
    return cost, f"at most {counted['most_waiting']} calls at a time"


@contextmanager
def mounted(plan: Plan, tree: Path, mode: str, said: list[str]) -> Iterator[Path]:
    """The tree through slowfs; what that counted is put into `said` at the end."""
    mount = plan.place / "mounted"
    mount.mkdir(exist_ok=True)
    server = subprocess.Popen(
        [str(_PROGRAM), str(tree), str(mount), str(_LATENCY_USECS), mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise BenchError(f"slowfs cannot mount: {server.communicate()[1].strip()[:200]}")
        yield mount
    finally:
        server.terminate()
        try:
            said.append(server.communicate(timeout=_END_SECS)[0])
        except subprocess.TimeoutExpired:
            subprocess.run(["fusermount3", "-uz", str(mount)], check=False)
            server.kill()
            said.append(server.communicate()[0])
        _wait_until_unmounted(mount)


def _wait_until_unmounted(mount: Path) -> None:
    until = time.monotonic() + _END_SECS
    while os.path.ismount(mount) and time.monotonic() < until:
        time.sleep(0.01)


def _build() -> str:
    """Compile slowfs.c unless that is done. What is missing, or nothing."""
    for name, package in (("gcc", "gcc"), ("pkg-config", "pkg-config"), ("fusermount3", "fuse3")):
        if not shutil.which(name):
            return f"{name} is not installed (Debian: {package})"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is not there, or not for us"
    if _PROGRAM.exists() and _PROGRAM.stat().st_mtime > _SOURCE.stat().st_mtime:
        return ""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True, check=False
    )
    if flags.returncode != 0:
        return "fuse3 cannot be compiled with (Debian: libfuse3-dev)"
    _PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["gcc", *_CHECKED, str(_SOURCE), "-o", str(_PROGRAM), *flags.stdout.split(), "-pthread"],
        check=True,
    )
    return ""
