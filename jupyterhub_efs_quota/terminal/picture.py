"""What was found in a folder, drawn for a terminal or for a file. Called by `measure.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from ..quota.sizes import format_size
from ..quota.summary import Summary, Sums
from ..quota.usage import Usage
from ..words.figures import ago, bands, counted, number, took
from ..words.names import plain
from ..words.tree import Row, rows
from .cells import shortened

# Beyond this a line is hard to follow with the eye.
_WIDEST = 120
_INDENT = 2
_GAP = "  "
_SIZE, _FILES, _CHANGED, _PERCENT = 10, 10, 9, 4
_LEAST_ROOM = 8
# Places of each kind of junk that are shown.
_PLACES = 3


@dataclass(frozen=True)
class Style:
    """How much is shown, and with which signs."""

    depth: int = 3
    top: int = 10
    allocated: bool = False
    ascii: bool = False

    @property
    def dots(self) -> str:
        """What stands for what was left out of a name."""
        return "..." if self.ascii else "…"

    def size(self, sums: Sums) -> int:
        """The size that counts."""
        return sums.allocated if self.allocated else sums.bytes


def draw(console: Console, path: str, usage: Usage, secs: float | None, style: Style) -> None:
    """Print what was found in one folder; `secs`: how long that took."""
    width = min(console.width, _WIDEST)
    console.print(Text(plain(path), style="bold"), soft_wrap=True)
    for line in _totals(usage, secs, style):
        console.print(Text(" " * _INDENT) + line, soft_wrap=True)
    if usage.summary is None or not (usage.files or (usage.dirs or 0) > 1):
        return
    for title, lines in _Tables(usage.summary, style, width).all():
        console.print()
        console.print(Text(title, style="bold"))
        for line in lines:
            line.rstrip()
            console.print(line, soft_wrap=True)


def _totals(usage: Usage, secs: float | None, style: Style) -> Iterator[Text]:
    said = []
    sizes = [("apparent", usage.bytes), ("on disk", usage.allocated)]
    for name, size in sizes[::-1] if style.allocated else sizes:
        if size is not None:
            said.append(f"{format_size(size)} {name}")
    if usage.files is not None:
        said.append(counted(usage.files, "file"))
    if usage.dirs is not None:
        said.append(counted(usage.dirs, "folder"))
    line = Text(", ".join(said))
    if secs is not None:
        line.append(f"  in {took(secs)}", style="dim")
    yield line
    if not usage.complete:
        yield Text("Only a part of it: the rest was not looked at.", style="yellow")
    if usage.hidden:
        yield Text(
            f"{counted(usage.hidden, 'entry', 'entries')} could not be read:", style="yellow"
        )
        for name in usage.unreadable_names:
            yield Text(f"  {plain(name)}", style="yellow")
        more = usage.hidden - len(usage.unreadable_names)
        if more > 0:
            yield Text(f"  and {counted(more, 'other')}", style="yellow")


class _Tables:
    """The tables of one folder. They all have the same columns, so that eyes can stay there."""

    def __init__(self, summary: Summary, style: Style, width: int) -> None:
        self._summary = summary
        self._style = style
        self._bar = 6 if width < 90 else 10 if width < 110 else 16
        before = (_INDENT, _SIZE, _FILES, _CHANGED, _PERCENT + 1 + self._bar)
        self._room = max(width - sum(before) - 4 * len(_GAP), _LEAST_ROOM)
        self._total = style.size(summary.folders[0].sums)

    def all(self) -> Iterator[tuple[str, list[Text]]]:
        """The lines of each table that has something to say, with its title."""
        yield "Folders", self._folders()
        if self._summary.folders[0].sums.files:
            yield "Types", self._types()
            yield "Ages", self._ages()
        if self._summary.largest:
            yield "Largest files", self._largest()
        if any(sums.files for sums in self._summary.junk.values()):
            yield "Can be done without", self._junk()

    def _folders(self) -> list[Text]:
        style = self._style
        tree = rows(
            self._summary.folders, depth=style.depth, most=style.top, allocated=style.allocated
        )
        lines = [self._titles("Size", "Files", "Changed", "Folder")]
        for row in tree:
            changed = row.folder.newest if row.folder else None
            line = self._line(row.sums, self._branch(row), changed=changed)
            if row.folder is None:
                line.stylize("dim")
            lines.append(line)
        return lines

    def _branch(self, row: Row) -> Text:
        line, fork, end = self._guides()
        guides = "".join("    " if last else line for last in row.last[:-1])
        if row.last:
            guides += end if row.last[-1] else fork
        name = "(all else here)" if row.folder is None else plain(row.name) or "."
        return self._name(name, guides)

    def _guides(self) -> tuple[str, str, str]:
        return ("|   ", "|-- ", "`-- ") if self._style.ascii else ("│   ", "├── ", "└── ")

    def _name(self, name: str, guides: str = "") -> Text:
        """A name with the lines of a tree before it."""
        room = max(self._room - len(guides), _LEAST_ROOM)
        return Text.assemble((guides, "dim"), shortened(name, room, self._style.dots))

    def _types(self) -> list[Text]:
        types = [item for item in self._summary.types.items() if item[1].files]
        types.sort(key=lambda item: -self._style.size(item[1]))
        lines = [self._titles("Size", "Files", "", "Type")]
        top = self._style.top
        lines += [self._line(sums, self._name(plain(name))) for name, sums in types[:top]]
        if len(types) > top:
            rest = Sums(*map(sum, zip(*(sums for _, sums in types[top:]), strict=True)))
            lines.append(self._line(rest, Text("(all others)")))
            lines[-1].stylize("dim")
        return lines

    def _ages(self) -> list[Text]:
        summary, size = self._summary, self._style.size
        lines = [self._titles("Modified", "Accessed", "", "Age")]
        for name, modified, accessed in zip(
            bands(summary.ages_days), summary.modified, summary.accessed, strict=True
        ):
            if modified.files or accessed.files:
                columns = (format_size(size(modified)), format_size(size(accessed)), "")
                lines.append(self._columns(*columns, self._share(size(modified)), Text(name)))
        return lines

    def _largest(self) -> list[Text]:
        lines = [self._titles("Size", "", "Changed", "File")]
        for file in self._summary.largest[: self._style.top]:
            size = file.allocated if self._style.allocated else file.bytes
            changed = ago(file.modified, self._summary.now)
            name = self._name(plain(file.path))
            lines.append(self._columns(format_size(size), "", changed, self._share(size), name))
        return lines

    def _junk(self) -> list[Text]:
        _, fork, end = self._guides()
        kinds = [item for item in self._summary.junk.items() if item[1].files]
        kinds.sort(key=lambda item: -self._style.size(item[1]))
        lines = [self._titles("Size", "Files", "", "Kind")]
        for kind, sums in kinds[: self._style.top]:
            lines.append(self._line(sums, self._name(plain(kind))))
            places = [place for place in self._summary.junk_places if place.kind == kind]
            for place in places[:_PLACES]:
                guides = end if place is places[:_PLACES][-1] else fork
                line = self._line(place.sums, self._name(plain(place.path), guides), share=False)
                line.stylize("dim")
                lines.append(line)
        return lines

    def _titles(self, first: str, second: str, third: str, last: str) -> Text:
        share = Text("Share")
        line = self._columns(first, second, third, share, Text(last))
        line.stylize("dim")
        return line

    def _line(
        self, sums: Sums, name: Text, *, changed: int | None = None, share: bool = True
    ) -> Text:
        size = self._style.size(sums)
        when = "" if changed is None else ago(changed, self._summary.now)
        bar = self._share(size) if share else Text()
        return self._columns(format_size(size), number(sums.files), when, bar, name)

    def _columns(self, first: str, second: str, third: str, share: Text, name: Text) -> Text:
        share.pad_right(max(_PERCENT + 1 + self._bar - len(share), 0))
        return Text.assemble(
            " " * _INDENT,
            f"{first:>{_SIZE}}{_GAP}{second:>{_FILES}}{_GAP}{third:<{_CHANGED}}{_GAP}",
            *(share, _GAP, name),
        )

    def _share(self, size: int) -> Text:
        share = size / self._total if self._total else 0.0
        percent = f"{round(100 * share):>{_PERCENT - 1}}% "
        return Text.assemble(percent, (bar(share, self._bar, blocks=not self._style.ascii), "cyan"))


def bar(share: float, cells: int, *, blocks: bool = True) -> str:
    """A bar of up to so many cells: of blocks, or of what every terminal has."""
    share = min(max(share, 0.0), 1.0)
    if not blocks:
        return "#" * round(share * cells)
    eighths = round(share * cells * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
