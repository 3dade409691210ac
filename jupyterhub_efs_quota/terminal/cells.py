"""Texts cut to the cells that a terminal has for them. Apart, since it needs rich."""

from __future__ import annotations

from rich.cells import cell_len


def shortened(text: str, cells: int, dots: str = "…") -> str:
    """A text in at most so many cells: its beginning and, above all, its end."""
    if cell_len(text) <= cells:
        return text
    room = max(cells - len(dots), 0)
    tail = _within(text[::-1], (room * 2 + 2) // 3)[::-1]
    head = _within(text, room - cell_len(tail))
    return f"{head}{dots}{tail}"


def _within(text: str, cells: int) -> str:
    """As much of the beginning of a text as has room."""
    used = 0
    for place, character in enumerate(text):
        used += cell_len(character)
        if used > cells:
            return text[:place]
    return text
