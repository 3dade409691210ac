"""Where the space of a home goes, from a summary to what the page shows. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..quota.summary import LargeFile, Summary, Sums
from ..words.figures import bands
from ..words.tree import Row, rows
from .words import name as shown_name

# What is shown of each at most.
DEPTH, FOLDERS, LARGEST, PLACES = 6, 60, 20, 5


@dataclass(frozen=True)
class Part:
    """A part of a home: its name, what it takes, and its share of the whole from 0 to 1.

    `changed`: the latest modification in it, Unix time. `parts`: what is in it.
    """

    name: str
    bytes: int
    files: int
    share: float
    changed: int | None = None
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Age:
    """A band of age: what was modified, and what was read, so long ago."""

    name: str
    modified: Part
    accessed: Part


@dataclass(frozen=True)
class Where:
    """Where the space goes. `home` is the tree; all else is the heaviest first."""

    home: Part
    types: Sequence[Part]
    ages: Sequence[Age]
    largest: Sequence[Part]
    junk: Sequence[Part]


def where(summary: Summary, *, allocated: bool = False) -> Where:
    """What the page shows of a summary; sizes are those on disk if these are what counts."""
    return _Reader(summary, allocated).all()


class _Reader:
    def __init__(self, summary: Summary, allocated: bool) -> None:
        self._summary = summary
        self._allocated = allocated
        self._whole = self._size(summary.folders[0].sums)

    def all(self) -> Where:
        summary = self._summary
        return Where(
            self._tree(),
            self._heaviest(summary.types.items()),
            self._ages(),
            [
                self._part(file.path, self._of_file(file), changed=file.modified)
                for file in summary.largest[:LARGEST]
            ],
            [self._kind(part) for part in self._heaviest(summary.junk.items())],
        )

    def _size(self, sums: Sums | LargeFile) -> int:
        return sums.allocated if self._allocated else sums.bytes

    def _of_file(self, file: LargeFile) -> Sums:
        return Sums(file.bytes, file.allocated, 1)

    def _part(self, name: str, sums: Sums, changed: int | None = None) -> Part:
        size = self._size(sums)
        share = min(1.0, max(0.0, size / self._whole)) if self._whole else 0.0
        return Part(shown_name(name), size, sums.files, share, changed)

    def _tree(self) -> Part:
        home, *below = rows(
            self._summary.folders, depth=DEPTH, most=FOLDERS, allocated=self._allocated
        )
        whole = self._of_row(home)
        # The folders that are open, from the home down to the last row.
        open_ = [whole]
        for row in below:
            part = self._of_row(row)
            del open_[len(row.last) :]
            open_[-1].parts.append(part)
            open_.append(part)
        return whole

    def _of_row(self, row: Row) -> Part:
        name = row.name if row.folder else "(all else here)"
        return self._part(name, row.sums, row.folder.newest if row.folder else None)

    def _heaviest(self, named: Iterable[tuple[str, Sums]]) -> list[Part]:
        parts = [self._part(name, sums) for name, sums in named if sums.files]
        return sorted(parts, key=lambda part: (-part.bytes, part.name))

    def _ages(self) -> list[Age]:
        summary = self._summary
        ages = zip(bands(summary.ages_days), summary.modified, summary.accessed, strict=True)
        return [
            Age(name, self._part(name, modified), self._part(name, accessed))
            for name, modified, accessed in ages
            if modified.files or accessed.files
        ]

    def _kind(self, part: Part) -> Part:
        places = [p for p in self._summary.junk_places if shown_name(p.kind) == part.name]
        part.parts.extend(self._part(place.path, place.sums) for place in places[:PLACES])
        return part


def treemap(home: Part) -> dict[str, list[Any]] | None:
    """The tree as columns for the picture; None where there are no folders to draw.

    The names are text: what plotly would take for markup is escaped.
    """
    if not home.parts:
        return None
    columns: dict[str, list[Any]] = {"id": [], "parent": [], "label": [], "bytes": [], "files": []}

    def add(part: Part, number: str, parent: str) -> None:
        label = html.escape(part.name, quote=False) or "home"
        entry = (number, parent, label, part.bytes, part.files)
        for column, value in zip(columns.values(), entry, strict=True):
            column.append(value)
        for place, child in enumerate(part.parts):
            add(child, f"{number}.{place}", number)

    add(home, "0", "")
    return columns
