"""Where the space of a home goes: by folder, type, age, with the largest files and junk.

Plain data, bounded in size however large the home is. Made by `measure/`, shown by whoever
shows it. Paths are relative to the home; odd bytes in them are surrogate escapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Sums(NamedTuple):
    """What some files take: apparent size and space on disk in bytes, and their number."""

    bytes: int = 0
    allocated: int = 0
    files: int = 0


@dataclass(frozen=True)
class Folder:
    """A folder with all that is below it.

    `sums.allocated` holds the folders' own blocks too. `newest`: the latest modification of
    a file in it (Unix time), None if it holds no file. A file with several names counts in
    the lowest folder that holds all of them: what deleting that folder frees.
    """

    path: str
    sums: Sums
    dirs: int
    newest: int | None = None


@dataclass(frozen=True)
class LargeFile:
    """One of the largest files; `modified` is Unix time."""

    path: str
    bytes: int
    allocated: int
    modified: int


@dataclass(frozen=True)
class Junk:
    """A folder or file that can be done without, of a kind that is known."""

    kind: str
    path: str
    sums: Sums


@dataclass(frozen=True)
class Summary:
    """What one walk tells of a home besides its total.

    `folders` are the heaviest ones, each after the folder it lies in; the first is the
    home (path "") with everything. What a folder holds beyond those listed below it is
    its own files and lighter folders. `types` and the two rows of ages each add up to all
    files: `modified[i]` and `accessed[i]` are those younger than `ages_days[i]` days at
    `now` and not younger than the band before; the last band is the rest. `junk_places`
    are the heaviest places of what `junk` adds up by kind. `oldest` and `newest` are
    modifications of files (Unix time).
    """

    now: int
    folders: tuple[Folder, ...]
    types: dict[str, Sums]
    ages_days: tuple[int, ...]
    modified: tuple[Sums, ...]
    accessed: tuple[Sums, ...]
    largest: tuple[LargeFile, ...]
    junk: dict[str, Sums]
    junk_places: tuple[Junk, ...]
    oldest: int | None = None
    newest: int | None = None


def load_summary(values: dict[str, Any]) -> Summary:
    """The summary in what `dataclasses.asdict` and JSON made of one.

    Raises KeyError, TypeError or ValueError if it is none.
    """
    return Summary(
        now=values["now"],
        folders=tuple(
            Folder(**{**folder, "sums": Sums(*folder["sums"])}) for folder in values["folders"]
        ),
        types={name: Sums(*sums) for name, sums in values["types"].items()},
        ages_days=tuple(values["ages_days"]),
        modified=tuple(Sums(*sums) for sums in values["modified"]),
        accessed=tuple(Sums(*sums) for sums in values["accessed"]),
        largest=tuple(LargeFile(**file) for file in values["largest"]),
        junk={name: Sums(*sums) for name, sums in values["junk"].items()},
        junk_places=tuple(
            Junk(**{**junk, "sums": Sums(*junk["sums"])}) for junk in values["junk_places"]
        ),
        oldest=values["oldest"],
        newest=values["newest"],
    )
