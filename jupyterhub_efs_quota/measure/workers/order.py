"""Who is measured next: priorities, and small homes not stuck behind large ones.

Pure: `spread.py` calls it whenever a place is free or somebody comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ...quota.record import Record

# A home that took this long, or holds so many files, is a large one.
LARGE_SECS = 60.0
LARGE_FILES = 1_000_000
# Who has waited for so long goes before those who came later, whoever they are.
LONG_SECS = 600.0
# Places besides for each kind of those for whom somebody waits.
EXTRA = 4


class Priority(IntEnum):
    """For whom a home is measured; the lower goes first.

    SPAWN and PERSON: somebody waits for the answer, for a server or at a page. LOCKED: a
    user is locked out, or at work, or nothing is known of them yet. ROUTINE: all others.
    """

    SPAWN = 0
    PERSON = 1
    LOCKED = 2
    ROUTINE = 3

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for the answer."""
        return self <= Priority.PERSON


@dataclass(frozen=True)
class Wish:
    """Somebody wants a home measured. `large`: it is expected to take long."""

    priority: Priority = Priority.ROUTINE
    large: bool = False


ROUTINE = Wish()


@dataclass(frozen=True)
class Waiting:
    """A wish that has no place yet, and when it came."""

    wish: Wish
    since: float


@dataclass(frozen=True)
class Running:
    """A wish that has a place since then; `extra`: none of the ordinary ones."""

    wish: Wish
    since: float
    extra: bool = False

    def large(self, now: float) -> bool:
        """Whether it keeps its place for long: as it was expected, or has turned out."""
        return self.wish.large or now - self.since >= LARGE_SECS


@dataclass(frozen=True)
class Choice:
    """Who goes next, and where."""

    waiting: Waiting
    extra: bool = False


def expect_large(record: Record) -> bool:
    """Whether a home is expected to take long, by its last measurement."""
    if (record.usage_files or 0) >= LARGE_FILES or record.timed_out:
        return True
    if record.started is None or record.stopped is None:
        return False
    return (record.stopped - record.started).total_seconds() >= LARGE_SECS


def choose(
    waiting: Sequence[Waiting], running: Sequence[Running], most: int, now: float
) -> Choice | None:
    """Who goes next; None: those who wait have to wait on.

    There are `most` ordinary places. Where there are two or more, large homes never have
    all of them. Those for whom somebody waits take one if it is free, and else one of the
    places that their kind has besides.
    """
    ordinary = [run for run in running if not run.extra]
    able = [each for each in waiting if len(ordinary) < most and _fits(each, ordinary, most, now)]
    if able:
        large = any(run.large(now) for run in ordinary)
        return Choice(min(able, key=lambda each: _rank(each, now, large=large or most == 1)))
    for kind in (Priority.SPAWN, Priority.PERSON):
        first = min((w for w in waiting if w.wish.priority is kind), key=_since, default=None)
        taken = sum(run.extra and run.wish.priority is kind for run in running)
        if first is not None and taken < EXTRA:
            return Choice(first, extra=True)
    return None


def _fits(waiting: Waiting, ordinary: Sequence[Running], most: int, now: float) -> bool:
    """Whether there would be an ordinary place left for a small home."""
    if not waiting.wish.large:
        return True
    if most == 1:
        return not waiting.wish.priority.waited_for  # that has a place of its own
    return sum(run.large(now) for run in ordinary) < most - 1


def _since(waiting: Waiting) -> float:
    return waiting.since


def _rank(waiting: Waiting, now: float, *, large: bool) -> tuple[int, float]:
    """Sorts first who goes first. `large`: a large home is at it already, or would be alone."""
    wish = waiting.wish
    if now - waiting.since >= LONG_SECS:
        place = -1
    elif wish.priority is not Priority.ROUTINE:
        place = wish.priority
    else:
        # One large home goes on beside the small ones, so that they do not all come last.
        place = Priority.ROUTINE + (wish.large if large else not wish.large)
    return place, waiting.since
