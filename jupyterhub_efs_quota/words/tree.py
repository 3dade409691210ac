"""The rows of a tree of folders, from the heaviest folders of a home."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..quota.summary import Folder, Sums

# What is not worth a row of its own: a smaller share of the home than this.
_LEAST = 0.01


@dataclass(frozen=True)
class Row:
    """A folder in the tree, or the rest of one (`folder` is then None).

    `last` says of each level from the top down whether the row, or the folder above it on
    that level, is the last one there.
    """

    name: str
    sums: Sums
    last: tuple[bool, ...]
    folder: Folder | None


def rows(folders: Sequence[Folder], *, depth: int, most: int, allocated: bool) -> list[Row]:
    """The home and at most `most` folders below it, down to `depth`, the heaviest first.

    Under each folder that has some of its own shown comes what it holds besides.
    """
    home, *below = folders
    below = [folder for folder in below if folder.path.count("/") < depth][:most]
    children: dict[str, list[Folder]] = defaultdict(list)
    for folder in below:
        children[folder.path.rpartition("/")[0]].append(folder)
    least = _LEAST * _size(home.sums, allocated)
    made = [Row("", home.sums, (), home)]
    # Folders that are still to be added, the next one last.
    waiting = _below(home, children[""], (), allocated, least)
    while waiting:
        row = waiting.pop()
        made.append(row)
        if row.folder is not None:
            waiting += _below(row.folder, children[row.folder.path], row.last, allocated, least)
    return made


def _below(
    parent: Folder,
    children: Sequence[Folder],
    last: tuple[bool, ...],
    allocated: bool,
    least: float,
) -> list[Row]:
    """The rows right below a folder, the last one first."""
    if not children:
        return []
    heaviest = sorted(children, key=lambda child: (-_size(child.sums, allocated), child.path))
    found = [(child.path.rpartition("/")[2], child.sums, child) for child in heaviest]
    rest = _minus(parent.sums, children)
    with_rest = rest.files > 0 and _size(rest, allocated) >= least
    entries: list[tuple[str, Sums, Folder | None]] = [*found]
    if with_rest:
        entries.append(("", rest, None))
    return [
        Row(name, sums, (*last, number == len(entries) - 1), folder)
        for number, (name, sums, folder) in enumerate(entries)
    ][::-1]


def _minus(whole: Sums, parts: Sequence[Folder]) -> Sums:
    return Sums(*(total - sum(part.sums[n] for part in parts) for n, total in enumerate(whole)))


def _size(sums: Sums, allocated: bool) -> int:
    return sums.allocated if allocated else sums.bytes
