"""The fewest folders and files to delete for a user to be back under the quota.

Pure. Known junk goes first; what is proposed never overlaps, and nothing of it is needless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..quota.summary import Summary
from .paths import Names, of_text


@dataclass(frozen=True)
class Candidate:
    """Something that could be deleted, and what that frees. `kind` is that of junk, or ""."""

    names: Names
    bytes: int
    files: int
    kind: str = ""

    def overlaps(self, other: Candidate) -> bool:
        """Whether one lies in the other."""
        shorter = min(len(self.names), len(other.names))
        return self.names[:shorter] == other.names[:shorter]


@dataclass(frozen=True)
class Need:
    """How much has to go: bytes and files, each 0 if it is not over."""

    bytes: int = 0
    files: int = 0


@dataclass(frozen=True)
class Suggestion:
    """What to delete; `enough`: whether that brings the user under."""

    chosen: tuple[Candidate, ...]
    enough: bool

    @property
    def bytes(self) -> int:
        """What it frees."""
        return sum(each.bytes for each in self.chosen)

    @property
    def files(self) -> int:
        """How many files it frees."""
        return sum(each.files for each in self.chosen)


def candidates(summary: Summary, *, allocated: bool) -> list[Candidate]:
    """All that a summary knows and that could be deleted: junk, folders, largest files."""
    junk = [
        Candidate(of_text(j.path), j.sums[allocated], j.sums.files, j.kind)
        for j in summary.junk_places
    ]
    folders = [Candidate(of_text(f.path), f.sums[allocated], f.sums.files) for f in summary.folders]
    files = [
        Candidate(of_text(f.path), f.allocated if allocated else f.bytes, 1)
        for f in summary.largest
    ]
    found: dict[Names, Candidate] = {}
    for each in (*junk, *folders, *files):
        if each.names:  # not the home itself
            found.setdefault(each.names, each)
    return list(found.values())


def suggest(able: Sequence[Candidate], need: Need) -> Suggestion:
    """The shortest list that frees what is needed; all that would help if nothing is enough."""
    if not need.bytes and not need.files:
        return Suggestion((), enough=True)
    junk = [each for each in able if each.kind]
    for of in ([junk] if junk else []) + [list(able)]:
        chosen = _cover(of, need, first=junk if of is not junk else ())
        if _enough(chosen, need):
            return Suggestion(tuple(_ordered(_needed(chosen, need))), enough=True)
    return Suggestion(tuple(_ordered(chosen)), enough=False)


def _cover(able: Sequence[Candidate], need: Need, first: Sequence[Candidate]) -> list[Candidate]:
    """Disjoint candidates that cover the need, those in `first` before all others."""
    chosen = _topmost(first)
    for unit in ("bytes", "files"):
        wanted = _size(need, unit) - sum(_size(each, unit) for each in chosen)
        if wanted > 0:
            chosen = _add(chosen, able, unit, wanted)
    return chosen


def _add(
    chosen: list[Candidate], able: Sequence[Candidate], unit: str, wanted: int
) -> list[Candidate]:
    """The fewest more that bring so much, and of those the ones that bring the least too much."""

    def gain(each: Candidate) -> int:
        """What it brings besides what of it is chosen already."""
        inside = sum(_size(other, unit) for other in chosen if _within(other, each))
        return _size(each, unit) - inside

    free = [each for each in able if not any(_within(each, other) for other in chosen)]
    gains = {each.names: gain(each) for each in free}
    free = sorted((e for e in free if gains[e.names] > 0), key=lambda e: (gains[e.names], e.names))
    # The largest that do not lie in others bring the most for their number.
    fewest = _fewest(_topmost(free), gains, wanted)
    for place in range(len(fewest)):
        rest = [each for number, each in enumerate(fewest) if number != place]
        missing = wanted - sum(gains[each.names] for each in rest)
        # The first that does, from the smallest on, in place of a larger one.
        fewest[place] = next(
            each
            for each in (*free, fewest[place])
            if (gains[each.names] >= missing or each is fewest[place])
            and not any(each.overlaps(other) for other in rest)
        )
    outside = [each for each in chosen if not any(_within(each, other) for other in fewest)]
    return outside + fewest


def _fewest(able: Iterable[Candidate], gains: dict[Names, int], wanted: int) -> list[Candidate]:
    chosen: list[Candidate] = []
    for each in sorted(able, key=lambda e: (-gains[e.names], e.names)):
        if wanted <= 0:
            break
        chosen.append(each)
        wanted -= gains[each.names]
    # The smallest of them first: it can be replaced by something smaller still.
    return chosen[::-1]


def _needed(chosen: list[Candidate], need: Need) -> list[Candidate]:
    """Without what is not needed, the smallest first, and junk last of all."""
    for each in sorted(chosen, key=lambda e: (bool(e.kind), e.bytes, e.files, e.names)):
        rest = [other for other in chosen if other is not each]
        if _enough(rest, need):
            chosen = rest
    return chosen


def _enough(chosen: Iterable[Candidate], need: Need) -> bool:
    chosen = list(chosen)
    return (
        sum(each.bytes for each in chosen) >= need.bytes
        and sum(each.files for each in chosen) >= need.files
    )


def _topmost(able: Iterable[Candidate]) -> list[Candidate]:
    """Those that lie in no other."""
    kept: list[Candidate] = []
    for each in sorted(able, key=lambda e: e.names):
        if not kept or not _within(each, kept[-1]):
            kept.append(each)
    return kept


def _size(of: Candidate | Need, unit: str) -> int:
    return of.bytes if unit == "bytes" else of.files


def _within(inner: Candidate, outer: Candidate) -> bool:
    return inner.names[: len(outer.names)] == outer.names


def _ordered(chosen: Iterable[Candidate]) -> list[Candidate]:
    """Junk first, then the largest first."""
    return sorted(chosen, key=lambda e: (not e.kind, -e.bytes, -e.files, e.names))
