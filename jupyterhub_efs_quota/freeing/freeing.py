"""All that can be done to free space in a home, for one user at a time. Blocking.

`Desk` calls it for the pages, the loop of `loops/limbo.py` to purge. What fails for one
thing is told as its outcome, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ParamSpec

from ..errors import EFSQuotaError, FreeingError, HomeError, NoLimbo, NotThere
from ..quota.record import Record
from ..quota.sizes import format_size
from ..quota.summary import Sums
from ..settings import EFSQuota
from .erase import erase
from .handles import Home, open_home
from .ledger import ASIDE, BACK, ERASED, PURGED, Receipt, append, read
from .limbo import KEPT, Drawer, Limbo
from .listing import BY_NAME, By, Listing, Order, list_directory
from .note import Note
from .paths import Names, topmost
from .progress import Progress
from .purge import discard, due, empty
from .recover import recover
from .restore import restore
from .take import Errand, take
from .weigh import Weight, weigh

log = logging.getLogger(__name__)

P = ParamSpec("P")

# With less than this free, what only goes to limbo helps nobody else.
_FULL = 0.05
# How long a page waits for a listing, and for the weight of all that was chosen.
_LIST_SECS = 20.0
# By another order than the names', every entry has to be looked at: not of a million.
_SORT_SECS = 6.0
_WEIGH_SECS = 3.0
LIMBO = "limbo"


@dataclass(frozen=True)
class Choice:
    """Something in the home that a user chose; `inode` is that of what they were shown."""

    names: Names
    inode: int | None = None


@dataclass(frozen=True)
class Weighed:
    """A choice with what it holds now; `problem` says why it cannot be deleted."""

    choice: Choice
    weight: Weight | None = None
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one thing: `done` is one of the ledger's words, or "" with a problem.

    `no_limbo`: it was not put aside, and can only be deleted for good.
    """

    names: Names
    done: str = ""
    sums: Sums | None = None
    problem: str = ""
    no_limbo: bool = False


@dataclass(frozen=True)
class Standing:
    """How a user stands here. `why_not` says why nothing can be deleted; "" if it can.

    `limbo_room` is what may still be put aside, None for no limit; `full`: the store is.
    """

    why_not: str
    full: bool
    notes: tuple[Note, ...]
    limbo_room: int | None


Said = Callable[[Outcome], None]


class Freeing:
    """Frees space under the settings. Every method may raise EFSQuotaError or OSError."""

    def __init__(self, settings: EFSQuota, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._homes = settings.homes()
        self._clock = clock
        self.limbo = Limbo(settings.limbo_place())

    @property
    def allocated(self) -> bool:
        """Whether the quota goes by the space on disk, and not by the files' own sizes."""
        return self._settings.size_basis == "allocated"

    @property
    def limbo_days(self) -> float:
        """For how long things stay in limbo."""
        return self._settings.limbo_days

    # Looking.

    def standing(self, record: Record) -> Standing:
        """Whether this user can delete, and what is in limbo."""
        notes: tuple[Note, ...] = ()
        why_not, full = "", False
        try:
            with self._home(record) as home:
                why_not = self._why_not(home)
                full = _is_full(home)
            notes = tuple(self.limbo.notes(record.user))
        except (EFSQuotaError, FileNotFoundError) as error:
            why_not = why_not or str(error)
        return Standing(why_not, full, notes, self._room(record, notes))

    def listing(
        self, record: Record, names: Names, after: bytes = b"", order: Order = BY_NAME
    ) -> Listing:
        """A page of a directory as it is now. Raises Stopped if that takes too long."""
        secs = _LIST_SECS if order.by is By.NAME else _SORT_SECS
        with self._home(record) as home:
            return list_directory(home, names, after, progress=Progress(secs), order=order)

    def weigh(self, record: Record, choices: Iterable[Choice]) -> list[Weighed]:
        """What was chosen, without what lies in something else that was, as it is now."""
        by_names = {choice.names: choice for choice in choices}
        progress = Progress(_WEIGH_SECS)
        with self._home(record) as home:
            return [_weighed(home, by_names[names], progress) for names in topmost(by_names)]

    def receipts(self, user: str) -> list[Receipt]:
        """All that is on record of what was done."""
        with self.limbo.drawer(user) as drawer:
            return read(drawer)

    # Doing. Each thing is told as soon as it is done.

    def put_aside(
        self,
        record: Record,
        choices: Sequence[Choice],
        errand: Errand,
        progress: Progress,
        say: Said,
    ) -> None:
        """Move into limbo what was chosen, as far as the user's limbo has room."""
        for choice in _outermost(choices):
            progress.step()
            with self._at_work(record) as (home, drawer):
                say(_attempt(choice.names, self._aside, record, home, drawer, choice, errand))

    def _aside(
        self, record: Record, home: Home, drawer: Drawer, choice: Choice, errand: Errand
    ) -> Outcome:
        before = self._weighed_notes(home, drawer)
        note = take(home, drawer, choice.names, errand, choice.inode)
        note = _with_weight(home, drawer, note)
        room = self._room(record, before)
        if room is not None and self._size(note.sums) > room:
            restore(home, drawer, note.key)
            raise NoLimbo(
                f"There is no room for it in your limbo, which takes {format_size(room)} more."
                " Delete it for good, or what is in limbo."
            )
        receipt = _receipt(errand, ASIDE, note.names, note.sums)
        append(drawer, [receipt])
        return Outcome(note.names, ASIDE, note.sums)

    def bring_back(
        self, record: Record, keys: Sequence[str], errand: Errand, progress: Progress, say: Said
    ) -> None:
        """Move things out of limbo, as far as the user's quota has room."""
        room = record.quota_bytes - record.actual_bytes if record.quota_enabled else None
        for key in keys:
            progress.step()
            with self._at_work(record) as (home, drawer):
                note = _noted(drawer, key, say)
                if note is None:
                    continue
                outcome = _attempt(note.names, self._back, home, drawer, note, errand, room)
            if room is not None and outcome.done:
                room -= self._size(outcome.sums)
            say(outcome)

    def _back(
        self, home: Home, drawer: Drawer, note: Note, errand: Errand, room: int | None
    ) -> Outcome:
        note = note if note.sums is not None else _with_weight(home, drawer, note)
        if room is not None and self._size(note.sums) > room:
            raise FreeingError(
                "There is no room for it under your quota: make room first. It stays in limbo."
            )
        names = restore(home, drawer, note.key)
        append(drawer, [_receipt(errand, BACK, names, note.sums)])
        return Outcome(names, BACK, note.sums)

    def erase(
        self,
        record: Record,
        choices: Sequence[Choice],
        errand: Errand,
        progress: Progress,
        say: Said,
    ) -> None:
        """Delete for good, where it is, what was chosen."""
        with self._home(record) as home:
            self._check_able(home)
            for choice in _outermost(choices):
                outcome = _attempt(choice.names, _erased, home, choice, progress)
                say(outcome)
                self._keep(record.user, _receipt(errand, ERASED, outcome.names, outcome.sums))
                if outcome.problem:
                    progress.step()  # it may have been stopped

    def empty_limbo(
        self, record: Record, keys: Sequence[str], errand: Errand, progress: Progress, say: Said
    ) -> None:
        """Delete for good what is in limbo."""
        for key in keys:
            progress.step()
            with self._at_work(record) as (_, drawer):
                note = _noted(drawer, key, say)
                if note is None:
                    continue
                if note.others:
                    say(
                        Outcome(
                            note.names,
                            problem="It holds files of somebody else, so it stays until"
                            f" {note.due(self._settings.limbo_days):%Y-%m-%d}.",
                        )
                    )
                    continue
                discard(drawer, key)
                append(drawer, [_receipt(errand, ERASED, note.names, note.sums)])
            with self.limbo.unlocked(record.user) as drawer:
                erased = empty(drawer, key, progress)
            say(Outcome(note.names, ERASED, note.sums or erased.sums, erased.why))

    def purge(self, user: str, known: str | None, progress: Progress) -> list[Note]:
        """What has lain for long enough, said and then deleted; put right what was left."""
        now = self._clock()
        with self.limbo.drawer(user) as drawer:
            with self._recovering(user, known) as home:
                recover(home, drawer)
            listed = due(drawer.notes(), now, self._settings.limbo_days)
            for note in listed:
                log.info("Purging from limbo, of %s since %s: %a", user, note.time, note.names)
                discard(drawer, note.key)
            errand = Errand("", LIMBO, now)
            append(drawer, [_receipt(errand, PURGED, each.names, each.sums) for each in listed])
        with self.limbo.unlocked(user) as drawer:
            for key in drawer.doomed():
                empty(drawer, key, progress)
        return listed

    # The parts.

    @contextlib.contextmanager
    def _home(self, record: Record) -> Iterator[Home]:
        path = self._homes.of(record.user, record.home)
        self._check_apart(path)
        with open_home(self._homes.home_root, path) as home:
            yield home

    @contextlib.contextmanager
    def _at_work(self, record: Record) -> Iterator[tuple[Home, Drawer]]:
        with self._home(record) as home:
            self._check_able(home)
            with self.limbo.drawer(record.user) as drawer:
                recover(home, drawer)
                yield home, drawer

    @contextlib.contextmanager
    def _recovering(self, user: str, known: str | None) -> Iterator[Home | None]:
        """The home, if there is one: limbo outlives it."""
        with contextlib.ExitStack() as stack:
            home = None
            with contextlib.suppress(EFSQuotaError, OSError):
                path = self._homes.of(user, known)
                home = stack.enter_context(open_home(self._homes.home_root, path))
            yield home

    def _check_apart(self, path: Path) -> None:
        limbo = self.limbo.place
        if path.is_relative_to(limbo) or limbo.is_relative_to(path):
            raise HomeError(f"The home {path} and limbo, {limbo}, lie in one another: move limbo.")

    def _check_able(self, home: Home) -> None:
        why_not = self._why_not(home)
        if why_not:
            raise FreeingError(why_not)

    def _why_not(self, home: Home) -> str:
        if not self._settings.allow_delete:
            return "Nothing can be deleted from this page: the site has not allowed it."
        if os.fstatvfs(home.handle).f_flag & os.ST_RDONLY:
            return "Nothing can be deleted from this page: the service can only read your files."
        if os.geteuid() not in (0, home.owner):
            return (
                "Nothing can be deleted from this page: your files belong to a system user"
                " for whom the service may not act."
            )
        return ""

    def _room(self, record: Record, notes: Iterable[Note]) -> int | None:
        if not record.quota_enabled:
            return None
        share = int(record.quota_bytes * self._settings.limbo_share)
        return max(0, share - sum(self._size(note.sums) for note in notes))

    def _size(self, sums: Sums | None) -> int:
        if sums is None:
            return 0
        return sums.allocated if self.allocated else sums.bytes

    @staticmethod
    def _weighed_notes(home: Home, drawer: Drawer) -> list[Note]:
        """What is in limbo; whoever was killed before weighing it leaves that to us."""
        return [
            note if note.sums is not None else _with_weight(home, drawer, note)
            for note in drawer.notes()
        ]

    def _keep(self, user: str, receipt: Receipt) -> None:
        """Put a receipt on record, if there is a place for it."""
        if receipt.sums is None:
            return
        try:
            with self.limbo.drawer(user) as drawer:
                append(drawer, [receipt])
        except (EFSQuotaError, OSError) as error:
            log.warning("A receipt of %s is not kept: %s", user, error)


def _noted(drawer: Drawer, key: str, say: Said) -> Note | None:
    """The note of a thing; None, and said, where it is not in limbo any more."""
    try:
        return drawer.note(key)
    except NotThere as error:
        say(Outcome((os.fsencode(key),), problem=str(error)))
        return None


def _outermost(choices: Sequence[Choice]) -> list[Choice]:
    by_names = {choice.names: choice for choice in choices}
    return [by_names[names] for names in topmost(by_names)]


def _attempt(names: Names, act: Callable[P, Outcome], *args: P.args, **kwargs: P.kwargs) -> Outcome:
    try:
        return act(*args, **kwargs)
    except (EFSQuotaError, OSError) as error:
        return Outcome(names, problem=str(error), no_limbo=isinstance(error, NoLimbo))


def _erased(home: Home, choice: Choice, progress: Progress) -> Outcome:
    names = choice.names
    if not names:
        raise FreeingError("Your home itself cannot be deleted, only what is in it.")
    with home.directory(names[:-1]) as parent:
        home.check_own(parent)
        found = home.look(parent, names[-1])
        if choice.inode not in (None, found.st_ino):
            raise FreeingError("Something else has this name by now. Look at it again.")
        done = erase(parent, names[-1], home.owner, progress)
    return Outcome(names, ERASED, done.sums, done.why if done.left else "")


def _weighed(home: Home, choice: Choice, progress: Progress) -> Weighed:
    names = choice.names
    try:
        if not names:
            raise FreeingError("Your home itself cannot be deleted, only what is in it.")
        with home.directory(names[:-1]) as parent:
            home.check_own(parent)
            found = home.look(parent, names[-1])
            weight = weigh(home, parent, names[-1], progress)
    except FreeingError as error:
        return Weighed(choice, problem=str(error))
    return Weighed(replace(choice, inode=found.st_ino), weight)


def _with_weight(home: Home, drawer: Drawer, note: Note) -> Note:
    """The note with what the thing holds: weighed where nobody can change it any more."""
    with drawer.opened(note.key) as place:
        weight = weigh(home, place, KEPT)
    note = replace(note, sums=weight.sums, others=weight.others)
    with contextlib.suppress(OSError):  # a store that is full: it is weighed again next time
        drawer.write(note)
    return note


def _receipt(errand: Errand, done: str, names: Names, sums: Sums | None) -> Receipt:
    return Receipt(errand.key, errand.now, errand.by, done, names, sums)


def _is_full(home: Home) -> bool:
    found = os.fstatvfs(home.handle)
    return found.f_bavail < found.f_blocks * _FULL
