"""The walk on a warm local disk, next to GNU du and to others of its kind.

A walk runs in a process that is already up, as the service's workers are; du and its peers
are timed as the processes that they are, and so is the command of ours. All run at nice 19.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from jupyterhub_efs_quota.measure.walk.engine import COMPILED, ENGINES, PYTHON

from .line import ENGINE_NAMES, Line, Target, at_most, left_out, share_line
from .plan import Plan
from .timing import BenchError, Cost, Walker, allocated_by_du, du, in_turn, program, shares, typical
from .tree import make_tree

_ENTRIES, _HOMES = 1_000_000, 200
_WALL: dict[str, Target] = {COMPILED: at_most(0.48), PYTHON: at_most(1.3)}
_CPU = at_most(0.95)
_SUMMARY = at_most(1.25)
# How each is told to print one total, and nothing while it works.
_PEERS = {
    "gdu": ("--non-interactive", "--no-progress", "--summarize"),
    "ncdu": ("-0", "-o", "/dev/null"),
    "diskus": (),
    "dust": ("-d", "0"),
    "dua": ("aggregate",),
}


def warm(plan: Plan) -> Iterator[Line]:
    """A million entries in two hundred homes, all in the kernel's caches."""
    tree = _tree(plan)
    with Walker() as walker:
        _compare_answers(walker, tree)
        for engine in (COMPILED, PYTHON):
            if engine not in ENGINES:
                yield left_out(ENGINE_NAMES[engine], "it is not built here", _WALL[engine])
                continue
            yield from _engine_lines(plan, walker, engine, tree)
        yield from _summary_lines(plan, walker, tree)
    command = (sys.executable, "-m", "jupyterhub_efs_quota", "measure", str(tree))
    runs = in_turn(lambda: du(tree), lambda: program(*command), plan.pairs)
    what = "`jupyterhub-efs-quota measure`, with its start and all that it tells"
    yield share_line(what, shares(runs), note=f"du and this: {typical(runs)}")


def peers(plan: Plan) -> Iterator[Line]:
    """Programs like du, on the same tree."""
    tree = _tree(plan)
    du(tree)
    for name, flags in _PEERS.items():
        if not shutil.which(name):
            yield left_out(f"`{name}`", "it is not installed")
            continue

        def run(name: str = name, flags: tuple[str, ...] = flags) -> Cost:
            return program(name, *flags, str(tree))

        try:
            runs = in_turn(lambda: du(tree), run, plan.pairs)
        except BenchError as error:
            yield left_out(f"`{name}`", str(error))
            continue
        cpu = f"CPU: {statistics.median(shares(runs, 'cpu')):.2f} of du's"
        yield share_line(f"`{name}`", shares(runs), note=cpu)


def _tree(plan: Plan) -> Path:
    entries = plan.sized(_ENTRIES)
    return plan.tree("warm", entries, lambda here: make_tree(here, entries, _HOMES))


def _engine_lines(plan: Plan, walker: Walker, engine: str, tree: Path) -> Iterator[Line]:
    runs = in_turn(lambda: du(tree), lambda: walker.walk(engine, tree).cost, plan.pairs)
    name, note = ENGINE_NAMES[engine], f"du and this: {typical(runs)}"
    main = engine == COMPILED
    yield share_line(f"{name}, time", shares(runs), _WALL[engine], note, short=True)
    note = f"du and this: {typical(runs, 'cpu')}"
    yield share_line(f"{name}, CPU", shares(runs, "cpu"), _CPU if main else None, note, short=main)


def _summary_lines(plan: Plan, walker: Walker, tree: Path) -> Iterator[Line]:
    for engine in sorted(ENGINES):
        what = f"{ENGINE_NAMES[engine]} with the summary, time"

        def run(summary: bool, engine: str = engine) -> Cost:
            return walker.walk(engine, tree, summary=summary).cost

        runs = in_turn(lambda: run(False), lambda: run(True), plan.pairs)
        cpu = statistics.median(shares(runs, "cpu"))
        note = f"without and with: {typical(runs)}; CPU: {cpu:.2f} of that without"
        target = _SUMMARY if engine == COMPILED else None
        yield share_line(what, shares(runs), target, note, "that without", short=True)


def _compare_answers(walker: Walker, tree: Path) -> None:
    """Warm the caches, and see that everybody counts the same."""
    right = allocated_by_du(tree)
    for engine in sorted(ENGINES):
        found = walker.walk(engine, tree).allocated
        if found != right:
            raise BenchError(f"{ENGINE_NAMES[engine]} finds {found} bytes, du {right}")
