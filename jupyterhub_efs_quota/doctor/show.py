"""Prints what the doctor found: for a terminal, for a pipe, or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from ..words.names import plain
from .finding import Finding, Status, exit_status

_SIGNS = {
    Status.OK: ("✓", "+", "green"),
    Status.NOT_LOOKED_AT: ("·", "-", "dim"),
    Status.WARNING: ("!", "!", "yellow"),
    Status.WRONG: ("✗", "x", "bold red"),
}
# The column of what was looked at.
_WIDTH = 20


def show(findings: Iterable[Finding], console: Console) -> list[Finding]:
    """Print each finding as it comes, and the sum at the end; the findings."""
    draw = _draw if console.is_terminal else _print
    shown = []
    for finding in findings:
        draw(finding, console)
        shown.append(finding)
    console.print()
    console.print(Text(_sum(shown)), soft_wrap=True)
    return shown


def as_json(findings: Sequence[Finding]) -> str:
    """All findings, as one JSON object."""
    counted = Counter(finding.status for finding in findings)
    values = {
        "exit_status": exit_status(findings),
        "counts": {status.value: counted[status] for status in Status},
        "findings": [{**asdict(finding), "status": finding.status.value} for finding in findings],
    }
    return json.dumps(values)


def _draw(finding: Finding, console: Console) -> None:
    sign, simple, style = _SIGNS[finding.status]
    shown = sign if console.encoding.lower().startswith("utf") else simple
    said = Text.assemble((f"{shown} {finding.what:<{_WIDTH}}", style), plain(finding.said))
    console.print(_indented(said, console))
    if finding.mend:
        mend = Text.assemble(
            ("→ " if shown == sign else "> ", style), (plain(finding.mend), "bold")
        )
        # Never broken: it is to be copied.
        console.print(Text(" " * (_WIDTH + 2)) + mend, soft_wrap=True)


def _indented(said: Text, console: Console) -> Text:
    """A text whose further lines begin below its own, not below the sign."""
    room = max(console.width - _WIDTH - 2, 20)
    first, *rest = said.wrap(console, room + _WIDTH + 2)
    lines = [first]
    if rest:
        lines += Text(" ").join(rest).wrap(console, room)
    return Text("\n" + " " * (_WIDTH + 2)).join(lines)


def _print(finding: Finding, console: Console) -> None:
    line = f"{finding.status.value}: {finding.what}: {plain(finding.said)}"
    if finding.mend:
        line += f" To mend: {plain(finding.mend)}"
    console.print(Text(line), soft_wrap=True)


def _sum(findings: Sequence[Finding]) -> str:
    counted = Counter(finding.status for finding in findings)
    sums = [f"{counted[status]} {status.value}" for status in Status if counted[status]]
    return ", ".join(sums)
