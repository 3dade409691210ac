"""The command `python -m bench`, which ./scripts/bench calls: measures, prints the tables."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyterhub_efs_quota.measure.walk.engine import COMPILED, engine

from . import memory, nfs, pages, slow, warm
from .line import Line, left_out
from .machine import this_machine
from .plan import Plan, prepare, remove
from .report import Part, section, write
from .timing import ROOT, BenchError


@dataclass(frozen=True)
class _Measured:
    """A part of the table."""

    title: str
    lines: Callable[[Plan], Iterator[Line]]


# In the order of the table. The trees of the last two are the largest.
_PARTS = {
    "warm": _Measured("A warm local disk: a million entries, two hundred homes", warm.warm),
    "peers": _Measured("Programs like du, on that disk", warm.peers),
    "slow": _Measured("A millisecond a call", slow.slow),
    "nfs": _Measured("NFSv4.1, 10 ms to the server and back", nfs.nfs),
    "pages": _Measured("Pages of the service while it measures", pages.pages),
    "shapes": _Measured("Very wide and very deep", memory.shapes),
    "memory": _Measured("Memory", memory.memory),
    "growth": _Measured("Time by number of files", memory.growth),
}
# Programs of their own, about other things than the walk: they print what they find.
_ALONE = ("cycles", "hook", "metrics", "history", "overview")
# Of these, those that fill a database: where, and how large, is what the options say.
_FILLING = ("history", "overview")
_USERS, _ROWS = 10_000, 10_000_000


def main() -> None:
    """Measure what is asked for."""
    options = _options()
    # Ended by another, we still unmount and remove what we made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # What the package logs would stand between the lines.
    logging.disable()
    table = [name for name in options.parts if name in _PARTS] or (
        [] if options.parts else list(_PARTS)
    )
    wanted = [name for name in _PARTS if name in table]
    try:
        if wanted:
            _measure_parts(wanted, options)
        for name in _ALONE:
            if name in options.parts:
                subprocess.run(_command(name, options), cwd=ROOT, check=True)
    except (BenchError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _command(name: str, options: argparse.Namespace) -> list[str]:
    """What runs a program of its own."""
    if name not in _FILLING:
        return [sys.executable, f"bench/{name}.py"]
    users, rows = (str(max(1, int(options.scale * most))) for most in (_USERS, _ROWS))
    size = [f"--users={users}", f"--rows={rows}", *(["--keep"] if options.keep else [])]
    return [sys.executable, "-m", f"bench.{name}", str(options.dir.resolve()), *size]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./scripts/bench",
        description="Measure, and print a table. Without a part named: all of the table.",
        epilog=f"{', '.join(_ALONE)} are programs of their own, run only when named. The last two"
        " make a database in --dir.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*_PARTS, *_ALONE]))
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="a directory on the file system to measure; the trees are made below it"
        " (default: %(default)s)",
    )
    parser.add_argument("--pairs", type=int, default=7, help="runs of each (default: %(default)s)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiply the sizes of all trees, to try it out"
    )
    parser.add_argument("--keep", action="store_true", help="leave the trees for the next run")
    parser.add_argument("--write", action="store_true", help="write it into docs and README")
    options = parser.parse_args()
    unknown = sorted({*options.parts} - {*_PARTS, *_ALONE})
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: there are {', '.join([*_PARTS, *_ALONE])}")
    if options.pairs < 2 or not 0 < options.scale <= 1:
        parser.error("--pairs must be at least 2, and --scale above 0 and at most 1")
    if options.write and (options.scale != 1 or options.pairs < 5):
        parser.error("--write is for the sizes of the targets: no --scale, at least 5 --pairs")
    return options


def _measure_parts(names: list[str], options: argparse.Namespace) -> None:
    if engine() != COMPILED:
        raise BenchError("the compiled walk is not built here: install a C compiler, run it again")
    place = options.dir.resolve() / f"efs-quota-bench-{os.getuid()}"
    prepare(place)
    plan = Plan(place, options.pairs, options.scale)
    found = []
    try:
        for name in names:
            found.append(_measure(name, plan))
            print(section(found[-1]), flush=True)
    finally:
        if not options.keep:
            remove(place)
    if options.scale != 1:
        print(f"All trees were {options.scale:g} times as large as those of the targets.")
    if options.write:
        write(found, list(_PARTS))


def _measure(name: str, plan: Plan) -> Part:
    part, machine, lines = _PARTS[name], this_machine(plan.place), []
    _say(f"{name}: {part.title}")
    try:
        for line in part.lines(plan):
            lines.append(line)
            _say(f"  {line.what}: {line.measured}")
    except (BenchError, OSError, subprocess.CalledProcessError) as error:
        # The other parts go on.
        lines.append(left_out(part.title, str(error)))
        _say(f"  {error}")
    return Part(name, part.title, machine, tuple(lines))


def _say(text: str) -> None:
    """Progress, apart from the tables."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
