"""Adds up what is found in a home, file by file: for the walk in Python and for scans.

The compiled walk adds up in the same way (_walk_tally.c); both end in the same details.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from ...quota.summary import Sums
from .part import (
    LONGEST_PATH,
    NO_KIND,
    NO_TIME,
    Best,
    Details,
    Identity,
    Large,
    Link,
    Path,
    Place,
    Row,
    weight_of,
)
from .rules import LONGEST_EXTENSION, Pattern, Rules

_BLOCK = 512
_FORMAT = 0o170000
_SIZED = (stat.S_IFREG, stat.S_IFLNK)


class Opened:
    """A folder that is being counted.

    The sums are its own files' and those of settled folders below it. It is settled
    itself once nothing more can be added: `unsettled` counts what still can, which is the
    reading of the folder, each folder right below it, and each file with several names
    that lies in it so far.

    `begins`: this part of the home begins with it, so what is above is settled elsewhere.
    `elsewhere`: it is counted in another part, and stands here for those below it.
    """

    __slots__ = (
        *("parent", "name", "depth", "length", "kind", "junk_root", "unsettled"),
        *("bytes", "allocated", "files", "dirs", "newest", "begins", "elsewhere"),
    )

    def __init__(self, parent: Opened | None, name: bytes) -> None:
        self.parent = parent
        self.name = name
        self.depth: int = parent.depth + 1 if parent else 0
        self.length: int = parent.length + 1 + len(name) if parent else 0
        self.kind: int = parent.kind if parent else NO_KIND
        self.junk_root = self.begins = self.elsewhere = False
        self.unsettled = 1
        self.bytes = self.allocated = self.files = self.dirs = 0
        self.newest = NO_TIME

    def path(self) -> Path:
        """The names from the home down to here."""
        names = []
        here = self
        while here.parent is not None:
            names.append(here.name)
            here = here.parent
        return tuple(reversed(names))

    def row(self) -> Row:
        """What is known of it so far."""
        return Row(
            *(self.bytes, self.allocated, self.files, self.dirs, self.newest),
            *(self.kind, self.junk_root),
        )


@dataclass
class _Linked:
    """A file with several names, in the lowest folder that holds those met so far."""

    link: Link
    where: Opened


class JunkPatterns:
    """Tells junk by its name or path."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._at_any_depth = [
            (pattern.kind, re.compile(_regular(pattern.parts[0])))
            for pattern in patterns
            if not pattern.from_home
        ]
        self._from_home = [
            (pattern.kind, [re.compile(_regular(part)) for part in pattern.parts])
            for pattern in patterns
            if pattern.from_home
        ]

    def kind(self, parent: Opened, name: bytes) -> int:
        """The number of the kind of junk that `name` in `parent` is, or NO_KIND.

        Of several the first counts, those at any depth before those from the home.
        """
        for kind, pattern in self._at_any_depth:
            if pattern.fullmatch(name):
                return kind
        for kind, parts in self._from_home:
            if len(parts) == parent.depth + 1:
                path = (*parent.path(), name)
                if all(part.fullmatch(each) for part, each in zip(parts, path, strict=True)):
                    return kind
        return NO_KIND


def _regular(pattern: bytes) -> bytes:
    return fnmatch.translate(pattern.decode("latin-1")).encode("latin-1")


class Tally:
    """The details of one home, or of a part of it: `begin`, then `enter`, `count`, `leave`.

    `allocated`: by which size the quota is judged. Not safe to share between threads.
    """

    def __init__(self, rules: Rules, *, allocated: bool = False) -> None:
        self._allocated = allocated
        self._extensions = rules.extensions
        self._other = len(rules.types)
        self._ends = rules.band_ends
        patterns = rules.patterns
        self._junk_folders = JunkPatterns([each for each in patterns if each.folder])
        self._junk_files = JunkPatterns([each for each in patterns if not each.folder])
        self._types = [[0, 0, 0] for _ in rules.type_names]
        self._modified = [[0, 0, 0] for _ in range(len(rules.ages_days) + 1)]
        self._accessed = [[0, 0, 0] for _ in range(len(rules.ages_days) + 1)]
        self._junk = [[0, 0, 0] for _ in rules.junk]
        self._folders: Best[Row] = Best(rules.folders)
        self._places: Best[Place] = Best(rules.places)
        self._largest: Best[Large] = Best(rules.largest)
        self._linked: dict[Identity, _Linked] = {}
        self._oldest: int | None = None
        self._newest: int | None = None
        home = Opened(None, b"")
        home.elsewhere = True
        # Where this part begins or leaves something out, with all that is above.
        self._known: dict[Path, Opened] = {(): home}
        self._kept_open: list[Opened] = []
        self._stand_ins: dict[tuple[Opened, int], Opened] = {}

    def begin(self, path: Path = (), blocks: int = 0) -> Opened:
        """Enter the home, or a folder where this part of it begins: there may be several."""
        here = self._known[()]
        for depth, name in enumerate(path, start=1):
            known = self._known.get(path[:depth])
            if known is None:
                known = self._known[path[:depth]] = self._below(here, name)
                known.elsewhere = True
            here = known
        here.begins = True
        here.elsewhere = False
        self._kept_open.append(here)
        self._open(here, blocks)
        return here

    def enter(self, parent: Opened, name: bytes, blocks: int) -> Opened:
        """Enter a folder; `blocks` of 512 bytes are its own."""
        here = self._below(parent, name)
        if parent.length > LONGEST_PATH:
            here = self._stand_in(parent, here)
        if here.dirs:
            here.unsettled += 1
        else:
            parent.unsettled += 1
        self._open(here, blocks)
        return here

    def _stand_in(self, parent: Opened, here: Opened) -> Opened:
        """Of folders too deep to be shown one stands for all, and one for junk of a kind."""
        if not here.junk_root:
            return parent
        return self._stand_ins.setdefault((parent, here.kind), here)

    def hold(self, folder: Opened) -> None:
        """Keep a folder unsettled, until it is left once more."""
        folder.unsettled += 1

    def keep_open(self, folder: Opened) -> None:
        """Say that something below a folder that is held is counted in another part."""
        self._kept_open.append(folder)
        path = folder.path()
        here: Opened | None = folder
        while here is not None and self._known.setdefault(path[: here.depth], here) is here:
            here = here.parent

    @staticmethod
    def _open(here: Opened, blocks: int) -> None:
        here.dirs += 1
        here.allocated += blocks * _BLOCK

    def _below(self, parent: Opened, name: bytes) -> Opened:
        here = Opened(parent, name)
        if here.kind == NO_KIND:
            here.kind = self._junk_folders.kind(parent, name)
            here.junk_root = here.kind != NO_KIND
        return here

    def count(self, folder: Opened, name: bytes, found: os.stat_result) -> bool:
        """Count an entry that is no folder. False: a further name of one met before."""
        sized = found.st_mode & _FORMAT in _SIZED
        size = found.st_size if sized else 0
        allocated = found.st_blocks * _BLOCK if sized else 0
        modified = int(found[stat.ST_MTIME])
        kind = self._other
        if stat.S_ISREG(found.st_mode):
            kind = self._type(name)
            identity = (found.st_dev, found.st_ino) if found.st_nlink > 1 else None
            weight = allocated if self._allocated else size
            if self._largest.wants(weight):
                self._offer(folder, name, weight, Large(size, allocated, modified, identity))
        bands = self._band(modified), self._band(int(found[stat.ST_ATIME]))
        if found.st_nlink > 1:
            link = Link(size, allocated, modified, kind, *bands, where=())
            return self._link(folder, (found.st_dev, found.st_ino), link)
        for sums in (self._types[kind], self._modified[bands[0]], self._accessed[bands[1]]):
            _add(sums, size, allocated)
        if self._oldest is None or modified < self._oldest:
            self._oldest = modified
        if self._newest is None or modified > self._newest:
            self._newest = modified
        folder.bytes += size
        folder.allocated += allocated
        folder.files += 1
        folder.newest = max(folder.newest, modified)
        if folder.kind == NO_KIND:
            self._count_junk(folder, name, size, allocated)
        return True

    def leave(self, folder: Opened) -> None:
        """Say that a folder has been read: it is settled once all below it is."""
        here: Opened | None = folder
        while here is not None:
            here.unsettled -= 1
            if here.unsettled or here.begins:
                return
            self._settle(here)
            here = here.parent

    def links(self) -> dict[Identity, Link]:
        """The files with several names."""
        # A path for each folder, not for each file: there may be millions of these.
        paths = {linked.where: linked.where.path() for linked in self._linked.values()}
        return {
            identity: linked.link._replace(where=paths[linked.where])
            for identity, linked in self._linked.items()
        }

    def details(self) -> Details:
        """What was counted, without the links. Every folder must have been left."""
        return Details(
            rows=self._rows(),
            folders=self._folders.taken(),
            largest=self._largest.taken(),
            places=self._places.taken(),
            junk=[Sums(*sums) for sums in self._junk],
            types=[Sums(*sums) for sums in self._types],
            modified=[Sums(*sums) for sums in self._modified],
            accessed=[Sums(*sums) for sums in self._accessed],
            oldest=self._oldest,
            newest=self._newest,
        )

    def _type(self, name: bytes) -> int:
        stem, dot, extension = name.rpartition(b".")
        if not stem or not dot or len(extension) > LONGEST_EXTENSION:
            return self._other
        return self._extensions.get(extension.lower(), self._other)

    def _band(self, time: int) -> int:
        for band, end in enumerate(self._ends):
            if time > end:
                return band
        return len(self._ends)

    def _offer(self, folder: Opened, name: bytes, weight: int, file: Large) -> None:
        if folder.length + 1 + len(name) > LONGEST_PATH:
            return
        same = None
        if file.identity is not None:
            same = lambda other: other.identity == file.identity  # noqa: E731
        self._largest.offer(weight, (*folder.path(), name), file, same)

    def _count_junk(self, folder: Opened, name: bytes, size: int, allocated: int) -> None:
        kind = self._junk_files.kind(folder, name)
        if kind != NO_KIND:
            _add(self._junk[kind], size, allocated)
            sums = Sums(size, allocated, 1)
            self._place(folder, name, kind, sums)

    def _place(self, parent: Opened, name: bytes, kind: int, sums: Sums) -> None:
        weight = weight_of(sums, self._allocated)
        if self._places.wants(weight) and parent.length + 1 + len(name) <= LONGEST_PATH:
            self._places.offer(weight, (*parent.path(), name), Place(kind, sums))

    def _link(self, folder: Opened, identity: Identity, link: Link) -> bool:
        met = self._linked.get(identity)
        if met is None:
            self._linked[identity] = _Linked(link, folder)
            folder.unsettled += 1
            return True
        met.link = met.link._replace(type=min(met.link.type, link.type))
        common = _common(met.where, folder)
        if common is not met.where:
            common.unsettled += 1
            met.where, before = common, met.where
            self.leave(before)
        return False

    def _settle(self, here: Opened) -> None:
        row = here.row()
        parent = here.parent
        assert parent is not None
        weight = weight_of(row, self._allocated)
        if here.length <= LONGEST_PATH and self._folders.wants(weight):
            self._folders.offer(weight, here.path(), row)
        if here.junk_root:
            sums = Sums(here.bytes, here.allocated, here.files)
            _add(self._junk[here.kind], *sums)
            self._stand_ins.pop((parent, here.kind), None)
            self._place(parent, here.name, here.kind, sums)
        parent.bytes += here.bytes
        parent.allocated += here.allocated
        parent.files += here.files
        parent.dirs += here.dirs
        parent.newest = max(parent.newest, here.newest)

    def _rows(self) -> dict[Path, Row]:
        """The folders about which links or other parts may have more to say."""
        rows: dict[Path, Row] = {}
        for folder in [*self._kept_open, *(linked.where for linked in self._linked.values())]:
            here: Opened | None = folder
            path = folder.path()
            while here is not None and not here.elsewhere and path not in rows:
                rows[path] = here.row()
                here, path = (None if here.begins else here.parent), path[:-1]
        return rows


def junk_at(rules: Rules, path: Path) -> tuple[int, bool]:
    """The kind of junk that a folder is or lies in, and whether the junk begins with it."""
    here = Tally(rules).begin(path)
    return here.kind, here.junk_root


def _add(sums: list[int], size: int, allocated: int, files: int = 1) -> None:
    sums[0] += size
    sums[1] += allocated
    sums[2] += files


def _common(one: Opened, other: Opened) -> Opened:
    """The lowest folder that holds both."""
    while one is not other:
        if one.depth >= other.depth and one.parent is not None:
            one = one.parent
        elif other.parent is not None:
            other = other.parent
    return one
