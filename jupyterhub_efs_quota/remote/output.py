"""Prints what the API answered: tables for a terminal, the same without colours in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..quota.sizes import format_size
from ..words import figures
from ..words.names import plain

# Lines in a pipe are never broken: whatever reads them wants one line each.
_ENDLESS = 1_000_000
_GAP = 2
_STATES = {
    "ok": "green",
    "nearing-limit": "yellow",
    "violation": "red",
    "lockout": "bold red",
    "timed-out": "magenta",
    "no-quota": "dim",
}
Cell = str | Text


class Output:
    """Where a command prints. All text from elsewhere goes through `plain` here."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self._console = Console(
            markup=False, emoji=False, highlight=False, width=None if terminal else _ENDLESS
        )

    def line(self, text: Cell = "", style: str = "") -> None:
        """One line; the terminal breaks it where it must."""
        shown = text if isinstance(text, Text) else Text(plain(text), style=style)
        self._console.print(shown, soft_wrap=not self._console.is_terminal)

    def fields(self, fields: Iterable[tuple[str, Cell]]) -> None:
        """Names with their values, below one another."""
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in fields:
            grid.add_row(f"  {name}", _text(value))
        self._print(grid)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """A table. Columns whose title begins with `>` are numbers, to the right."""
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
        for title in columns:
            number = title.startswith(">")
            table.add_column(
                title.removeprefix(">"),
                justify="right" if number else "left",
                no_wrap=number,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*map(_text, row))
        self._print(table)

    def _print(self, table: Table) -> None:
        if self._console.is_terminal:
            self._console.print(table)
            return
        with self._console.capture() as captured:
            self._console.print(table)
        for line in captured.get().splitlines():
            self._console.print(Text(line.rstrip()), soft_wrap=True)


def state(name: str) -> Text:
    """A state in its colour."""
    return Text(plain(name), style=_STATES.get(name, ""))


def size(count: int | None, *, unknown: str = "") -> str:
    """A size, or what stands for one that is not known (-1 is how a record says so)."""
    return unknown if count is None or count < 0 else format_size(count)


def growth(count: int | None) -> str:
    """A change of size, with its sign."""
    if count is None:
        return ""
    return f"{'-' if count < 0 else '+'}{format_size(abs(count))}" if count else "0"


def number(count: int | None) -> str:
    """`12,345`, or nothing where it is not known."""
    return "" if count is None else f"{count:,}"


def percent(fraction: float | None) -> str:
    """`93 %`, as pages have it."""
    return "" if fraction is None else figures.percent(fraction)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(plain(cell))
