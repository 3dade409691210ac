"""What the loops last saw of each user: the pages show it without asking the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .errors import OTHER
from .hub.client import HubUser
from .quota.record import Record

if TYPE_CHECKING:
    from .overview.survey import Surroundings

# Whose problem it is that a home could not be measured: gone with the next measurement.
MEASURING = "measuring"


@dataclass(frozen=True)
class Problem:
    """What is wrong, in a sentence, and of which kind of `errors.KINDS` it is.

    `for_all`: the sentence names no path, so whoever sees the user may read it.
    """

    text: str
    kind: str
    for_all: bool = False


@dataclass(frozen=True)
class Row:
    """A user of the hub, their record, and what is wrong, by the loop that says so."""

    user: HubUser
    record: Record | None = None
    problems: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def problem(self) -> str | None:
        """All that is wrong, in sentences; None if nothing is."""
        return " ".join(dict.fromkeys(each.text for each in self.problems.values())) or None


class Board:
    """The rows of all users, by name."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        # Whether a loop has seen all users: sums over fewer would be wrong.
        self.complete = False
        # What the monitor found beside the users, once it has looked around.
        self.surroundings: Surroundings | None = None

    def rows(self) -> list[Row]:
        """All rows, by name."""
        return sorted(self._rows.values(), key=lambda row: row.user.name)

    def get(self, name: str) -> Row | None:
        """One user's row, if a loop has seen them."""
        return self._rows.get(name)

    def saw(self, user: HubUser, record: Record | None, *, by: str) -> None:
        """Keep what a loop saw of a user: whatever was its problem with them is over."""
        self._put(user, record, by, None)

    def failed(self, user: HubUser, problem: str, *, by: str, kind: str = OTHER) -> None:
        """Keep a loop's problem with a user, beside the last record that it could read."""
        before = self._rows.get(user.name)
        self._put(user, before.record if before else None, by, Problem(problem, kind))

    def measured(self, record: Record) -> None:
        """Keep a user's new record."""
        before = self._rows.get(record.user)
        if before is not None:
            self._put(before.user, record, MEASURING, None)

    def changed(self, record: Record) -> None:
        """Keep a record that somebody changed: what is wrong is so as before."""
        before = self._rows.get(record.user)
        if before is not None:
            self._rows[record.user] = replace(before, record=record)

    def remember(self, records: Iterable[Record]) -> None:
        """Take records of an earlier time for users whom no loop has seen yet."""
        for record in records:
            self._rows.setdefault(record.user, Row(HubUser(record.user), record))

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget users that the hub no longer has: these are all of them."""
        kept = set(names)
        # A copy: the loops' threads may add to it meanwhile.
        for name in list(self._rows):
            if name not in kept:
                self._rows.pop(name, None)
        self.complete = True

    def _put(self, user: HubUser, record: Record | None, by: str, problem: Problem | None) -> None:
        before = self._rows.get(user.name)
        problems = {k: v for k, v in (before.problems if before else {}).items() if k != by}
        if problem is not None:
            problems[by] = problem
        self._rows[user.name] = Row(user, record, problems)
