"""What changed between two summaries of a home. Pure: called by the pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .summary import Summary, Sums

# A folder is left out if one folder in it accounts for so much of its change.
_EXPLAINED = 0.8


@dataclass(frozen=True)
class Change:
    """How much a folder grew; less than 0: how much it shrank.

    `exact` is False for a folder that one of the two summaries does not list, having had
    heavier ones to list: it changed by at least that much.
    """

    path: str
    bytes: int
    exact: bool = True


@dataclass(frozen=True)
class Changes:
    """How much the whole home grew, and the folders that account for most of it."""

    bytes: int
    files: int
    folders: tuple[Change, ...]


def changes(before: Summary, after: Summary, *, most: int = 10, allocated: bool = False) -> Changes:
    """What changed from one summary of a home to a later one, the largest change first.

    Where nearly all of a folder's change lies in one folder below it, only that is listed.
    """
    old, new = _Listed.of(before, allocated), _Listed.of(after, allocated)
    found = {path: _change(path, old, new) for path in old.sizes.keys() | new.sizes.keys() if path}
    below: dict[str, list[Change]] = defaultdict(list)
    for change in found.values():
        below[change.path.rpartition("/")[0]].append(change)
    reported = [
        change
        for change in found.values()
        if change.bytes and not _explained(change, below[change.path])
    ]
    reported.sort(key=lambda change: (-abs(change.bytes), change.path))
    return Changes(
        new.sizes[""] - old.sizes[""],
        after.folders[0].sums.files - before.folders[0].sums.files,
        tuple(reported[:most]),
    )


@dataclass(frozen=True)
class _Listed:
    """The sizes of those folders that a summary lists.

    `unlisted`: what any other holds at most; 0 where all are listed.
    """

    sizes: Mapping[str, int]
    unlisted: int

    @classmethod
    def of(cls, summary: Summary, allocated: bool) -> _Listed:
        sizes = {folder.path: _size(folder.sums, allocated) for folder in summary.folders}
        complete = len(sizes) >= summary.folders[0].dirs
        return cls(sizes, 0 if complete else min(sizes.values()))


def _size(sums: Sums, allocated: bool) -> int:
    return sums.allocated if allocated else sums.bytes


def _change(path: str, old: _Listed, new: _Listed) -> Change:
    was, is_ = old.sizes.get(path), new.sizes.get(path)
    if was is not None and is_ is not None:
        return Change(path, is_ - was)
    if was is None:
        return Change(path, max(0, (is_ or 0) - old.unlisted), exact=not old.unlisted)
    return Change(path, -max(0, was - new.unlisted), exact=not new.unlisted)


def _explained(change: Change, below: Sequence[Change]) -> bool:
    """Whether one of the folders right below accounts for most of a folder's change."""
    return any(
        (other.bytes > 0) == (change.bytes > 0)
        and abs(other.bytes) >= _EXPLAINED * abs(change.bytes)
        for other in below
        if other.bytes
    )
