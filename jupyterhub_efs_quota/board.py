"""What the loops last saw of each user: the pages show it without asking the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .hub.client import HubUser
from .quota.record import Record


@dataclass(frozen=True)
class Row:
    """A user of the hub, their record, and what is wrong with either."""

    user: HubUser
    record: Record | None = None
    problem: str | None = None


class Board:
    """The rows of all users, by name."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def rows(self) -> list[Row]:
        """All rows, by name."""
        return sorted(self._rows.values(), key=lambda row: row.user.name)

    def get(self, name: str) -> Row | None:
        """One user's row, if a loop has seen them."""
        return self._rows.get(name)

    def saw(self, user: HubUser, record: Record | None, problem: str | None = None) -> None:
        """Keep what was seen of a user. A record once read stays while its file is broken."""
        before = self._rows.get(user.name)
        if record is None and before is not None and problem is not None:
            record = before.record
        self._rows[user.name] = Row(user, record, problem)

    def measured(self, record: Record) -> None:
        """Keep a user's new record."""
        before = self._rows.get(record.user)
        if before is not None:
            self._rows[record.user] = replace(before, record=record, problem=None)

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget users that the hub no longer has."""
        kept = set(names)
        for name in [name for name in self._rows if name not in kept]:
            del self._rows[name]
