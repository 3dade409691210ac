"""What changed between two summaries of a home. Pure: called by the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .summary import Summary, Sums

# A folder is left out if one folder in it accounts for so much of its change.
_EXPLAINED = 0.8


@dataclass(frozen=True)
class Change:
    """How much a folder grew; less than 0: how much it shrank.

    `exact` is False for a folder that only one of the two summaries lists, the other having
    had heavier ones: it changed by at least that much.
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


def changes(
    before: Summary, after: Summary, *, most: int = 10, allocated: bool = False
) -> Changes:
    """What changed from one summary of a home to a later one, the largest change first.

    Where nearly all of a folder's change lies in one folder below it, only that is listed.
    """
    old, new = _sizes(before, allocated), _sizes(after, allocated)
    found = {path: _change(path, old, new) for path in old.keys() | new.keys() if path}
    reported = [
        change for change in found.values() if change.bytes and not _explained(change, found)
    ]
    reported.sort(key=lambda change: (-abs(change.bytes), change.path))
    return Changes(
        new[""] - old[""],
        after.folders[0].sums.files - before.folders[0].sums.files,
        tuple(reported[:most]),
    )


def _sizes(summary: Summary, allocated: bool) -> dict[str, int]:
    return {folder.path: _size(folder.sums, allocated) for folder in summary.folders}


def _size(sums: Sums, allocated: bool) -> int:
    return sums.allocated if allocated else sums.bytes


def _change(path: str, old: Mapping[str, int], new: Mapping[str, int]) -> Change:
    if path in old and path in new:
        return Change(path, new[path] - old[path])
    # Whoever does not list it has listed nothing lighter than its own lightest.
    if path in new:
        return Change(path, max(0, new[path] - min(old.values())), exact=False)
    return Change(path, -max(0, old[path] - min(new.values())), exact=False)


def _explained(change: Change, found: Mapping[str, Change]) -> bool:
    """Whether one folder right below it accounts for most of a change."""
    return any(
        other.path.rpartition("/")[0] == change.path
        and (other.bytes > 0) == (change.bytes > 0)
        and abs(other.bytes) >= _EXPLAINED * abs(change.bytes)
        for other in found.values()
        if other.bytes
    )
