"""What a walk costs in memory, how its time grows, and trees of extreme shapes.

Each walk that is looked at for memory runs in a new process.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from jupyterhub_efs_quota.measure.walk.engine import COMPILED, ENGINES

from .line import ENGINE_NAMES, Line, Target, at_most, figure_line, left_out
from .plan import Plan, remove
from .timing import BenchError, Cost, Walked, Walker, allocated_by_du, du, in_turn, shares, typical
from .tree import make_deep, make_even, make_flat, make_linked

_KIB_A_MIB = 1024
_SIZES = (1_000_000, 10_000_000)
_GROWTH = (10_000, 100_000, 1_000_000, 10_000_000)
# Just above three quarters of a power of two: the table of files with several names, which
# doubles there, is at its largest for what is in it.
_LINKED_FILES = 800_000
_FLAT, _LEVELS = 5_000_000, 11_000
_MEMORY = at_most(64, " MiB")
_A_LINKED_FILE = at_most(48, " bytes")
# Ten times the files may take ten times as long, and half as much again. Where the kernel's
# caches hold no such tree any more, all that read it pay for that: then du is the measure.
_STRAIGHT = Target("a straight line: at most 1.5, or what du's grows by", 1.5)


def memory(plan: Plan) -> Iterator[Line]:
    """Peak memory of a walk over the idle process."""
    for engine in sorted(ENGINES):
        for size in _SIZES:
            what = f"{ENGINE_NAMES[engine]}: a home of {plan.sized(size):,} entries"
            target = _MEMORY if engine == COMPILED else None
            try:
                found = _walk_once(engine, _even(plan, size))
            except BenchError as error:
                yield left_out(what, str(error), target)
                continue
            yield figure_line(
                what,
                found.grown_kib / _KIB_A_MIB,
                "MiB over idle",
                target,
                _counted(found),
                short=size == _SIZES[-1] and engine == COMPILED,
            )
    yield from _with_summary(plan)
    yield from _linked(plan)


def growth(plan: Plan) -> Iterator[Line]:
    """Time an entry, from ten thousand entries to ten million."""
    before: list[float] = []
    for size in _GROWTH:
        what = f"a home of {plan.sized(size):,} entries"
        try:
            tree = _even(plan, size)
        except BenchError as error:
            yield left_out(what, str(error), _STRAIGHT)
            continue
        du(tree)
        with Walker() as walker:
            found = walker.walk(COMPILED, tree)
            runs = in_turn(
                lambda: du(tree),  # noqa: B023
                lambda: walker.walk(COMPILED, tree).cost,  # noqa: B023
                plan.pairs,
            )
        now = [_usecs(costs, found) for costs in zip(*runs, strict=True)]
        cpu = _usecs([ours for _, ours in runs], found, "cpu")
        note = (
            f"{statistics.median(shares(runs)):.2f} of du's time; du and this: {typical(runs)};"
            f" CPU of this: {cpu:.2f} µs an entry"
        )
        yield _growth_line(what, before, now, note, short=size == _GROWTH[-1])
        before = now


def _usecs(costs: Sequence[Cost], found: Walked, of: str = "wall") -> float:
    """Microseconds an entry."""
    secs: float = statistics.median(getattr(cost, of) for cost in costs)
    return secs / (found.files + found.dirs) * 1e6


def _growth_line(
    what: str, before: list[float], now: list[float], note: str, *, short: bool
) -> Line:
    """What du and what we take for an entry, with that of the size before."""
    if not before:
        return Line(what, f"{now[1]:.2f} µs an entry", note=note)
    du_grown, grown = (round(one / other, 2) for one, other in zip(now, before, strict=True))
    measured = f"{now[1]:.2f} µs an entry, {grown:.2f} of that before (du's: {du_grown:.2f})"
    met = _STRAIGHT.met_by(grown) or grown <= du_grown
    return Line(what, measured, _STRAIGHT.text, met, note, short)


def shapes(plan: Plan) -> Iterator[Line]:
    """Trees that bring walks to their knees, each once; the answer is compared with du's."""
    wide, levels = plan.sized(_FLAT), plan.sized(_LEVELS)
    shapes = (
        (f"{wide:,} entries in one directory", wide, make_flat),
        (f"{levels:,} levels deep", levels, make_deep),
    )
    for what, size, make in shapes:
        try:
            tree = plan.tree(make.__name__, size, lambda here: make(here, size))  # noqa: B023
            yield from _shape_lines(what, tree)
        except (BenchError, subprocess.CalledProcessError) as error:
            yield left_out(what, str(error))
        if make is make_flat:
            # The largest tree comes after this one; a disk may not have inodes for both.
            remove(plan.place / f"{make.__name__}-{size}")


def _shape_lines(what: str, tree: Path) -> Iterator[Line]:
    right = allocated_by_du(tree)
    base = du(tree)
    for engine in sorted(ENGINES):
        found = _walk_once(engine, tree)
        if found.allocated != right:
            raise BenchError(f"the {engine} walk finds {found.allocated} bytes, du {right}")
        yield Line(
            f"{ENGINE_NAMES[engine]}: {what}",
            f"{found.cost.wall:.1f} s, {found.cost.wall / base.wall:.2f} of du,"
            f" {found.grown_kib / _KIB_A_MIB:.1f} MiB over idle",
            note="counts what du counts",
        )


def _with_summary(plan: Plan) -> Iterator[Line]:
    size = plan.sized(_SIZES[-1])
    what = f"{ENGINE_NAMES[COMPILED]} with the summary: a home of {size:,} entries"
    try:
        found = _walk_once(COMPILED, _even(plan, _SIZES[-1]), summary=True)
    except BenchError as error:
        yield left_out(what, str(error), _MEMORY)
        return
    yield figure_line(what, found.grown_kib / _KIB_A_MIB, "MiB over idle", _MEMORY, _counted(found))


def _linked(plan: Plan) -> Iterator[Line]:
    """Bytes for each file with several names: with them, less the same walk's without."""
    files = plan.sized(_LINKED_FILES)
    for engine in sorted(ENGINES):
        what = f"{ENGINE_NAMES[engine]}: a file with several names ({files:,} of them)"
        target = _A_LINKED_FILE if engine == COMPILED else None
        try:
            tree = plan.tree("linked", 2 * files, lambda here: make_linked(here, files))
            grown = _walk_once(engine, tree).grown_kib
        except BenchError as error:
            yield left_out(what, str(error), target)
            continue
        yield figure_line(what, grown * 1024 / files, "bytes", target, "all memory over idle")


def _even(plan: Plan, size: int) -> Path:
    entries = plan.sized(size)
    return plan.tree("even", entries, lambda here: make_even(here, entries))


def _walk_once(engine: str, tree: Path, *, summary: bool = False) -> Walked:
    with Walker() as walker:
        return walker.walk(engine, tree, summary=summary)


def _counted(found: Walked) -> str:
    return f"{found.files:,} files in {found.dirs:,} directories"
