"""Measured lines -> tables: on standard output, and with --write in the documentation.

What was measured last is kept in measured.json, part by part, so that one part can be
measured again alone. The page and the README's excerpt are made from that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .line import Line
from .machine import Machine
from .timing import ROOT, BenchError

_KEPT = Path(__file__).with_name("measured.json")
_PAGE = ROOT / "docs" / "explanation" / "measured.md"
_README = ROOT / "README.md"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
_HEAD = """\
<!-- Written by `./scripts/bench --write`. Do not edit by hand. -->

# Measured

What `./scripts/bench` found, and what we want of it. Times are set against those of GNU
`du -s` on the same tree: a run of du, then one of ours, and so on; the ratio is the median
of those pairs, with the least and the most behind it. The walk is timed in a process that
is already up, as the service's workers are, and du as the program that it is. Both run at
nice 19. The load is that of everything on the machine: where it was near the number of CPUs
or above, a walk in several threads had no CPU to spread to, and its ratios are worse than
they need be.
"""


@dataclass(frozen=True)
class Part:
    """What a part found, and where and when."""

    name: str
    title: str
    machine: Machine
    lines: tuple[Line, ...]


def table(lines: Sequence[Line]) -> str:
    """Lines as a table in Markdown."""
    head = ["what", "measured", "target", "", "besides"]
    return _table(head, [[*_cells(line), line.note] for line in lines])


def _cells(line: Line) -> list[str]:
    return [line.what, line.measured, line.target, _verdict(line)]


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
        for row in [head, ["---"] * len(head), *rows]
    )


def section(part: Part) -> str:
    """A part with its heading."""
    return f"## {part.title}\n\n{part.machine}.\n\n{table(part.lines)}\n"


def write(parts: Iterable[Part], order: Sequence[str]) -> None:
    """Keep what was measured, and write the page and the README's excerpt.

    `order`: the names of all parts, as they are to stand. Raises BenchError if the README
    has no place for the excerpt.
    """
    found = {part.name: part for part in (*_read(), *parts)}
    kept = [found[name] for name in order if name in found]
    _KEPT.write_text(json.dumps([asdict(part) for part in kept], indent=1) + "\n")
    sections = "\n".join(section(part) for part in kept)
    _PAGE.write_text(f"{_HEAD}\n{sections}")
    readme = _README.read_text()
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise BenchError(f"README.md has no {_BEGIN} and {_END}")
    _README.write_text(f"{before}{begin}\n{_excerpt(kept)}\n{end}{after}")


def _excerpt(parts: Sequence[Part]) -> str:
    rows = [
        [part.title.partition(":")[0], *_cells(line)]
        for part in parts
        for line in part.lines
        if line.short
    ]
    dates = sorted({part.machine.date for part in parts})
    machine = parts[0].machine
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return (
        f"Measured {when} on {machine.cpus} CPUs with {machine.memory_gib} GiB of memory:\n\n"
        f"{_table(['where', 'what', 'measured', 'target', ''], rows)}"
    )


def _read() -> list[Part]:
    if not _KEPT.exists():
        return []
    return [
        Part(
            kept["name"],
            kept["title"],
            Machine(**kept["machine"]),
            tuple(Line(**line) for line in kept["lines"]),
        )
        for kept in json.loads(_KEPT.read_text())
    ]


def _verdict(line: Line) -> str:
    if line.met is None:
        return ""
    return "met" if line.met else "**missed**"
