"""A scan -> usage: what homes hold, from a file of wrstat's instead of a walk.

Called by `measure --from` and, in a process of its own, for the monitor. A scan is read
line by line; nothing of the file system is looked at. What a walk counts is counted here in
the same way, but for what the format does not tell:

- folders that could not be read are empty there;
- the older generation has one size only, and so has the other if it was written without
  the space on disk. `allocated` is then None, and 0 in the summary.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...errors import ScanError
from ...quota.summary import Sums
from ...quota.usage import Usage
from ..summary.part import Identity, Link, Part, finish
from ..summary.rules import Rules
from ..summary.tally import Opened, Tally
from ..task import Progress
from .wrstat import Entry, entries

METER = "scan"
_BLOCK = 512
_SIZED = (stat.S_IFREG, stat.S_IFLNK)
_LOOK_LINES = 4096


@dataclass(frozen=True)
class Wanted:
    """What is asked of a scan: which homes, by their paths in it, and how they are counted.

    `skip`, `cross_mounts`, `allocated` and `rules` are those of a `Task`.
    """

    homes: tuple[bytes, ...]
    cross_mounts: bool = False
    skip: tuple[str, ...] = (".snapshot", ".zfs")
    allocated: bool = False
    rules: Rules | None = None


def read_scan(path: str, wanted: Wanted, progress: Progress | None = None) -> dict[bytes, Usage]:
    """The usage of each home that is in a scan. Raises ScanError.

    A scan in wrstat's own order is read once, in memory that does not grow with it. One in
    another order is read three times, and all folders of the homes are kept meanwhile.
    `progress` is told files, bytes and folders about every four thousand lines.
    """
    found: dict[bytes, Usage] = {}
    for homes in _apart(wanted.homes):
        found.update(_Reading(path, replace(wanted, homes=homes), progress).run())
    return found


def _apart(homes: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The homes in groups, none of which holds one home inside another."""
    left = sorted(set(homes))
    while left:
        group: list[bytes] = []
        inside: list[bytes] = []
        for home in left:
            above = group[-1] if group else None
            nested = above is not None and home.startswith(above.rstrip(b"/") + b"/")
            (inside if nested else group).append(home)
        yield tuple(group)
        left = inside


class _OtherOrder(Exception):
    """The scan is not in the order of its paths."""


@dataclass
class _Home:
    """A home that is being counted. `linked`: files with several names that were met."""

    path: bytes
    device: int
    changed: int
    tally: Tally | None
    size: int = 0
    allocated: int = 0
    files: int = 0
    dirs: int = 0
    lost: set[bytes] = field(default_factory=set)
    linked: set[Identity] = field(default_factory=set)

    def usage(self, rules: Rules | None, *, allocated: bool, space_known: bool) -> Usage:
        """What it holds."""
        links: dict[Identity, Link] = self.tally.links() if self.tally else {}
        counts = Usage(
            # Files with several names are added when parts are put together.
            bytes=self.size - sum(link.bytes for link in links.values()),
            allocated=self.allocated - sum(link.allocated for link in links.values()),
            files=self.files - len(links),
            dirs=self.dirs,
            unreadable=len(self.lost),
            vanished=len(self.lost),
            lost_dirs=len(self.lost),
            changed=float(self.changed),
            meter=METER,
        )
        details = self.tally.details() if self.tally else None
        usage = finish([Part(counts, links, details=details)], rules, allocated=allocated)
        return usage if space_known else _without_space(usage)


@dataclass
class _Folder:
    """A folder of a home; `opened` is None where nothing is summed up."""

    home: _Home
    opened: Opened | None


class _Reading:
    """Reads one scan for homes none of which lies in another."""

    def __init__(self, path: str, wanted: Wanted, progress: Progress | None) -> None:
        self._path = path
        self._wanted = wanted
        self._progress = progress
        self._names = frozenset(wanted.homes)
        self._skip = re.compile(
            b"|".join(os.fsencode(fnmatch.translate(p)) for p in wanted.skip) or rb"(?!)"
        )
        self._start()

    def _start(self) -> None:
        self._homes: dict[bytes, _Home] = {}
        # None: a folder that is left out, with what is in it.
        self._folders: dict[bytes, _Folder | None] = {}
        self._files = self._bytes = self._dirs = 0
        self._whole_blocks = True
        self._differ = False

    def run(self) -> dict[bytes, Usage]:
        try:
            self._read_in_order()
        except _OtherOrder:
            self._start()
            self._read_folders()
            self._read_files()
        for folder in reversed(list(self._folders.values())):
            self._close(folder)
        # A length is rarely a whole number of blocks, and the space always.
        space_known = self._whole_blocks and self._differ
        return {
            path: home.usage(
                self._wanted.rules, allocated=self._wanted.allocated, space_known=space_known
            )
            for path, home in self._homes.items()
        }

    def _entries(self) -> Iterator[tuple[int, Entry]]:
        for number, entry in entries(self._path):
            if number % _LOOK_LINES == 0 and self._progress is not None:
                self._progress(self._files, self._bytes, self._dirs, "")
            yield number, entry

    def _read_in_order(self) -> None:
        """Read a scan in which each folder comes right before what is in it."""
        way: list[bytes] = []
        last, outside = b"", None
        for number, entry in self._entries():
            parent = _parent(entry.path)
            if entry.path not in self._names and parent not in self._folders:
                if parent == outside:
                    continue
                if self._home_of(parent) is None:
                    outside = parent
                    continue
            key = _key(entry)
            if key == last:
                raise self._twice(number, entry)
            if key < last:
                raise _OtherOrder
            last = key
            while way and not _is_below(entry.path, way[-1]):
                self._close(self._folders.pop(way.pop()))
            self._look_at(number, entry)
            if entry.path not in self._names and parent not in self._folders:
                self._lost(parent)
            elif entry.kind == stat.S_IFDIR:
                self._enter(entry, parent)
                way.append(entry.path)
            else:
                self._count(entry, self._folders[parent])

    def _read_folders(self) -> None:
        """Read the folders of a scan in any order."""
        found: dict[bytes, Entry] = {}
        for number, entry in self._entries():
            if self._home_of(entry.path) is None:
                continue
            self._look_at(number, entry)
            if entry.kind == stat.S_IFDIR:
                if entry.path in found:
                    raise self._twice(number, entry)
                # There may be millions: only what is needed.
                found[entry.path] = entry._replace(
                    uid=0, gid=0, accessed=0, changed=0, inode=0, links=0, apparent=None
                )
        for path in sorted(found, key=lambda path: path.rstrip(b"/") + b"/"):
            parent = _parent(path)
            if path in self._names or parent in self._folders:
                self._enter(found.pop(path), parent)
            else:
                self._lost(parent)

    def _read_files(self) -> None:
        """Read what is no folder, when all folders are known."""
        for _, entry in self._entries():
            if entry.kind == stat.S_IFDIR:
                continue
            parent = _parent(entry.path)
            if parent in self._folders:
                self._count(entry, self._folders[parent])
            else:
                self._lost(parent)

    def _home_of(self, path: bytes) -> bytes | None:
        """The home that a path is or lies in."""
        while path not in self._names:
            above = _parent(path)
            if above == path:
                return None
            path = above
        return path

    def _lost(self, folder: bytes) -> None:
        """Note a folder that is not listed, but something in it: it was deleted meanwhile."""
        home = self._home_of(folder)
        if home in self._homes:
            self._homes[home].lost.add(folder)

    def _enter(self, entry: Entry, parent: bytes) -> None:
        path = entry.path
        if path in self._names:
            self._folders[path] = self._begin(entry)
            return
        above = self._folders[parent]
        if above is None or self._left_out(entry, above.home):
            self._folders[path] = None
            return
        home, opened = above.home, above.opened
        home.dirs += 1
        home.allocated += entry.size // _BLOCK * _BLOCK
        self._dirs += 1
        if home.tally is not None and opened is not None:
            opened = home.tally.enter(opened, _name(path), entry.size // _BLOCK)
        self._folders[path] = _Folder(home, opened)

    def _begin(self, entry: Entry) -> _Folder:
        rules = self._wanted.rules
        tally = None if rules is None else Tally(rules, allocated=self._wanted.allocated)
        home = _Home(entry.path, entry.device, entry.modified, tally)
        home.dirs = 1
        home.allocated = entry.size // _BLOCK * _BLOCK
        self._dirs += 1
        self._homes[entry.path] = home
        opened = None if tally is None else tally.begin((), entry.size // _BLOCK)
        return _Folder(home, opened)

    def _left_out(self, entry: Entry, home: _Home) -> bool:
        if entry.device != home.device and not self._wanted.cross_mounts:
            return True
        return self._skip.fullmatch(_name(entry.path)) is not None

    def _count(self, entry: Entry, folder: _Folder | None) -> None:
        if folder is None:
            return
        home = folder.home
        if home.tally is not None and folder.opened is not None:
            first = home.tally.count(folder.opened, _name(entry.path), _as_stat(entry))
        else:
            first = self._first_name(home, entry)
        if not first:
            return
        home.files += 1
        self._files += 1
        if entry.kind in _SIZED:
            size = _length(entry)
            home.size += size
            home.allocated += entry.size // _BLOCK * _BLOCK
            self._bytes += size

    @staticmethod
    def _first_name(home: _Home, entry: Entry) -> bool:
        if entry.links < 2:
            return True
        identity = (entry.device, entry.inode)
        if identity in home.linked:
            return False
        home.linked.add(identity)
        return True

    def _look_at(self, number: int, entry: Entry) -> None:
        """Find out whether the second column is the space on disk, and homes are folders."""
        if entry.kind != stat.S_IFDIR and entry.path in self._names:
            shown = os.fsdecode(entry.path)
            raise ScanError(f"{self._path}, line {number}: {shown!r} is no folder there.")
        if entry.size % _BLOCK or entry.apparent is None:
            self._whole_blocks = False
        elif entry.size != entry.apparent:
            self._differ = True

    def _close(self, folder: _Folder | None) -> None:
        if folder is not None and folder.home.tally is not None and folder.opened is not None:
            folder.home.tally.leave(folder.opened)

    def _twice(self, number: int, entry: Entry) -> ScanError:
        return ScanError(
            f"{self._path}, line {number}: {os.fsdecode(entry.path)!r} is listed twice, and"
            " would be counted twice. Make the scan again."
        )


def _without_space(usage: Usage) -> Usage:
    """The usage without what is not known: how much space anything takes on disk."""
    summary = usage.summary
    if summary is None:
        return replace(usage, allocated=None)
    known = replace(
        summary,
        folders=tuple(replace(each, sums=_length_only(each.sums)) for each in summary.folders),
        types={name: _length_only(sums) for name, sums in summary.types.items()},
        modified=tuple(map(_length_only, summary.modified)),
        accessed=tuple(map(_length_only, summary.accessed)),
        largest=tuple(replace(each, allocated=0) for each in summary.largest),
        junk={kind: _length_only(sums) for kind, sums in summary.junk.items()},
        junk_places=tuple(
            replace(each, sums=_length_only(each.sums)) for each in summary.junk_places
        ),
    )
    return replace(usage, allocated=None, summary=known)


def _length_only(sums: Sums) -> Sums:
    return sums._replace(allocated=0)


def _key(entry: Entry) -> bytes:
    """What wrstat sorts by."""
    if entry.path == b"/":
        return entry.path
    return entry.path + b"/" if entry.kind == stat.S_IFDIR else entry.path


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"/") + b"/")


def _length(entry: Entry) -> int:
    return entry.size if entry.apparent is None else entry.apparent


def _as_stat(entry: Entry) -> os.stat_result:
    """The entry as a file system would tell it."""
    return os.stat_result(
        (
            *(entry.kind, entry.inode, entry.device, entry.links, entry.uid, entry.gid),
            *(_length(entry), entry.accessed, entry.modified, entry.changed),
        ),
        {"st_blocks": entry.size // _BLOCK},
    )
