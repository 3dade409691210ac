"""What a walk brings home of a home, or of a part of it; `finish` puts parts together.

Both engines end in a part. A home that was split has several of them, measured in other
processes; put together they are what one walk would have found, to the last byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

from ...quota.summary import Folder, Junk, LargeFile, Summary, Sums
from ...quota.usage import Usage
from .rules import Rules

NAMES_KEPT = 5
# A path that no call would take is not worth showing, and must not fill the memory.
LONGEST_PATH = 4096
# Many small files are as much of a burden as a few large ones.
FILE_WEIGHT = 4096
# Earlier than any file's.
NO_TIME = -(2**63)
NO_KIND = -1

Path = tuple[bytes, ...]
Identity = tuple[int, int]
Item = TypeVar("Item")
Ranked = tuple[int, Path, Item]


class Best(Generic[Item]):
    """The heaviest items that were offered, at most `most`; among equals the first by path.

    What is kept does not depend on the order of the offers. A folder stands before what is
    in it, so none is kept without those that it lies in.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: list[Ranked[Item]] = []
        self._lightest = 0

    def wants(self, weight: int) -> bool:
        """Whether something that heavy may be among the best."""
        return weight >= self._lightest and self._most > 0

    def offer(
        self, weight: int, path: Path, item: Item, same: Callable[[Item], bool] | None = None
    ) -> None:
        """Keep an item if it is among the best so far.

        `same` knows the item under another path: of the two the first by path is kept.
        """
        if same is not None:
            for place, (_, other, kept) in enumerate(self._items):
                if same(kept):
                    if path < other:
                        self._items[place] = (weight, path, item)
                    return
        if self.wants(weight) and sum(map(len, path)) + len(path) <= LONGEST_PATH:
            self._items.append((weight, path, item))
            if len(self._items) >= 2 * self._most:
                self._prune()

    def taken(self) -> list[Ranked[Item]]:
        """(weight, path, item) of the best, the heaviest first."""
        self._prune()
        return list(self._items)

    def _prune(self) -> None:
        self._items.sort(key=lambda ranked: (-ranked[0], ranked[1]))
        del self._items[self._most :]
        if len(self._items) == self._most > 0:
            self._lightest = self._items[-1][0]


class Row(NamedTuple):
    """A folder with what is known to be below it.

    `newest` may be NO_TIME. `kind`: the number of the kind of junk that it is or lies in,
    or NO_KIND; `junk_root`: whether the junk begins with it.
    """

    bytes: int
    allocated: int
    files: int
    dirs: int
    newest: int = NO_TIME
    kind: int = NO_KIND
    junk_root: bool = False


class Large(NamedTuple):
    """A large file; `identity` only where it has several names."""

    bytes: int
    allocated: int
    modified: int
    identity: Identity | None = None


class Place(NamedTuple):
    """Some junk."""

    kind: int
    sums: Sums


class Link(NamedTuple):
    """A file with several names, in the lowest folder that holds all that are known.

    `type`, `modified_band` and `accessed_band` say where it counts.
    """

    bytes: int
    allocated: int
    modified: int
    type: int
    modified_band: int
    accessed_band: int
    where: Path


@dataclass
class Details:
    """What a summary is made of.

    `rows` are the folders about which links or other parts may have more to say, where
    the part begins among them; `folders`, `places` and `largest` are the best of what is
    settled. Sums are by number of type, band and kind.
    """

    rows: dict[Path, Row] = field(default_factory=dict)
    folders: list[Ranked[Row]] = field(default_factory=list)
    largest: list[Ranked[Large]] = field(default_factory=list)
    places: list[Ranked[Place]] = field(default_factory=list)
    junk: list[Sums] = field(default_factory=list)
    types: list[Sums] = field(default_factory=list)
    modified: list[Sums] = field(default_factory=list)
    accessed: list[Sums] = field(default_factory=list)
    oldest: int | None = None
    newest: int | None = None


@dataclass
class Part:
    """What was found in a home, or in a part of it.

    `counts` leaves out the files in `links`: they are counted when parts are put
    together. `left`: folders that were left to others. `details`: None where no summary
    was asked for. `device`: the number of the home's file system where this part was
    measured; on another machine it is another one.
    """

    counts: Usage
    links: dict[Identity, Link] = field(default_factory=dict)
    left: list[Path] = field(default_factory=list)
    details: Details | None = None
    device: int = 0


def weight_of(sums: Row | Sums, allocated: bool) -> int:
    """How much a folder or junk matters; `allocated`: by which size the quota is judged."""
    return (sums.allocated if allocated else sums.bytes) + FILE_WEIGHT * sums.files


def finish(parts: Sequence[Part], rules: Rules | None, *, allocated: bool = False) -> Usage:
    """What all parts of a home found together, with a summary if there are rules for one.

    The first part is the one in which the home itself lies.
    """
    if len(parts) > 1:
        parts = [_without_device(part) for part in parts]
    links = _joined(part.links for part in parts)
    usage = _added_up([part.counts for part in parts], links)
    details = [part.details for part in parts if part.details is not None]
    if rules is None or not details:
        return usage
    return replace(usage, summary=_Sum(details, links, rules, allocated).summary())


def _without_device(part: Part) -> Part:
    """A part whose files are known by the same identity as on any other machine."""

    def common(identity: Identity) -> Identity:
        device, inode = identity
        return (0 if device == part.device else device, inode)

    def with_common(ranked: Ranked[Large]) -> Ranked[Large]:
        weight, path, file = ranked
        if file.identity is None:
            return ranked
        return weight, path, file._replace(identity=common(file.identity))

    details = part.details
    if details is not None:
        details = replace(details, largest=[with_common(each) for each in details.largest])
    links = {common(identity): link for identity, link in part.links.items()}
    return replace(part, links=links, details=details)


def _joined(several: Iterable[dict[Identity, Link]]) -> dict[Identity, Link]:
    """Files with several names, each once."""
    joined: dict[Identity, Link] = {}
    for links in several:
        if not joined:
            joined = dict(links)
            continue
        for identity, link in links.items():
            met = joined.get(identity)
            joined[identity] = link if met is None else _one(met, link)
    return joined


def _one(met: Link, link: Link) -> Link:
    """A file that was met in two places. Of its types the first counts."""
    common = 0
    for mine, other in zip(met.where, link.where, strict=False):
        if mine != other:
            break
        common += 1
    return met._replace(type=min(met.type, link.type), where=met.where[:common])


def _added_up(counts: Sequence[Usage], links: dict[Identity, Link]) -> Usage:
    first = counts[0]
    names = [name for one in counts for name in one.unreadable_names]
    return replace(
        first,
        bytes=sum(one.bytes or 0 for one in counts) + sum(link.bytes for link in links.values()),
        allocated=sum(one.allocated or 0 for one in counts)
        + sum(link.allocated for link in links.values()),
        files=sum(one.files or 0 for one in counts) + len(links),
        dirs=sum(one.dirs or 0 for one in counts),
        unreadable=sum(one.unreadable for one in counts),
        vanished=sum(one.vanished for one in counts),
        lost_dirs=sum(one.lost_dirs for one in counts),
        # The first by name: they do not depend on who found them.
        unreadable_names=tuple(sorted(names)[:NAMES_KEPT]),
        timed_out=any(one.timed_out for one in counts),
        proven_over=any(one.proven_over for one in counts),
    )


class _Sum:
    """Details put together: links into their folders, folders into those above."""

    def __init__(
        self,
        details: Sequence[Details],
        links: dict[Identity, Link],
        rules: Rules,
        allocated: bool,
    ) -> None:
        self._rules = rules
        self._allocated = allocated
        self._rows: dict[Path, Row] = {}
        for one in details:
            for path, row in one.rows.items():
                met = self._rows.get(path)
                self._rows[path] = row if met is None else together(met, row)
        self._folders: Best[Row] = Best(rules.folders)
        self._places: Best[Place] = Best(rules.places)
        self._junk = _columns([one.junk for one in details], len(rules.junk))
        self._types = _columns([one.types for one in details], len(rules.type_names))
        bands = len(rules.ages_days) + 1
        self._modified = _columns([one.modified for one in details], bands)
        self._accessed = _columns([one.accessed for one in details], bands)
        self._times = [
            time for one in details for time in (one.oldest, one.newest) if time is not None
        ]
        for one in details:
            for ranked in one.folders:
                self._folders.offer(*ranked)
            for place in one.places:
                self._places.offer(*place)
        self._largest = _largest([one.largest for one in details], rules.largest)
        for link in links.values():
            self._count(link)
        self._settle()

    def _count(self, link: Link) -> None:
        sums = (link.bytes, link.allocated, 1)
        for columns, number in (
            (self._types, link.type),
            (self._modified, link.modified_band),
            (self._accessed, link.accessed_band),
        ):
            columns[number] = _plus(columns[number], sums)
        self._times.append(link.modified)
        self._add(link.where, Row(*sums, dirs=0, newest=link.modified))

    def _add(self, path: Path, more: Row) -> None:
        # A folder without a row vanished meanwhile: the nearest above it takes the sum.
        while path not in self._rows and path:
            path = path[:-1]
        self._rows[path] = together(self._rows.get(path, Row(0, 0, 0, 0)), more)

    def _settle(self) -> None:
        """Add folders to those above them, the lowest first."""
        for path in sorted(self._rows, key=len, reverse=True):
            if not path:
                continue
            row = self._rows[path]
            self._folders.offer(weight_of(row, self._allocated), path, row)
            if row.junk_root:
                sums = Sums(row.bytes, row.allocated, row.files)
                self._junk[row.kind] = _plus(self._junk[row.kind], sums)
                self._places.offer(weight_of(sums, self._allocated), path, Place(row.kind, sums))
            self._add(path[:-1], row)

    def summary(self) -> Summary:
        rules = self._rules
        home = self._rows.get((), Row(0, 0, 0, 0))
        return Summary(
            now=rules.now,
            folders=(
                _folder((), home),
                *(_folder(path, row) for _, path, row in self._folders.taken()),
            ),
            types=dict(zip(rules.type_names, self._types, strict=True)),
            ages_days=rules.ages_days,
            modified=tuple(self._modified),
            accessed=tuple(self._accessed),
            largest=tuple(
                LargeFile(shown(path), file.bytes, file.allocated, file.modified)
                for _, path, file in self._largest
            ),
            junk=dict(zip(rules.kinds, self._junk, strict=True)),
            junk_places=tuple(
                Junk(rules.kinds[place.kind], shown(path), place.sums)
                for _, path, place in self._places.taken()
            ),
            oldest=min(self._times, default=None),
            newest=max(self._times, default=None),
        )


def together(row: Row, more: Row) -> Row:
    """A folder with more that is found to be in it."""
    return row._replace(
        bytes=row.bytes + more.bytes,
        allocated=row.allocated + more.allocated,
        files=row.files + more.files,
        dirs=row.dirs + more.dirs,
        newest=max(row.newest, more.newest),
    )


def _columns(several: Sequence[Sequence[Sums]], length: int) -> list[Sums]:
    columns = [Sums()] * length
    for one in several:
        for number, sums in enumerate(one):
            columns[number] = _plus(columns[number], sums)
    return columns


def _plus(one: Sums, other: Sequence[int]) -> Sums:
    return Sums(one.bytes + other[0], one.allocated + other[1], one.files + other[2])


def _largest(several: Sequence[Sequence[Ranked[Large]]], most: int) -> list[Ranked[Large]]:
    """The largest files of all parts; one with several names by the first of them."""
    best: Best[Large] = Best(most)
    linked: dict[Identity, Ranked[Large]] = {}
    for ranked in (ranked for one in several for ranked in one):
        identity = ranked[2].identity
        if identity is None:
            best.offer(*ranked)
        elif identity not in linked or ranked[1] < linked[identity][1]:
            linked[identity] = ranked
    for ranked in linked.values():
        best.offer(*ranked)
    return best.taken()


def _folder(path: Path, row: Row) -> Folder:
    return Folder(
        path=shown(path),
        sums=Sums(row.bytes, row.allocated, row.files),
        dirs=row.dirs,
        newest=None if row.newest == NO_TIME else row.newest,
    )


def shown(path: Path) -> str:
    """A path as text; odd bytes are surrogate escapes."""
    return b"/".join(path).decode("utf-8", "surrogateescape")
