"""One request to the API as its handlers see it: who asks, for whom, with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...board import Row
from ...hub.client import HubUser
from ..parts import Parts
from ..seen import as_seen, find
from .visitor import ADMIN, READ, Visitor


@dataclass(frozen=True)
class Call:
    """A request whose parameters and body are as the contract has them: `given`.

    `base` is the path of the API; `name` is the user whom the request's path names.
    """

    parts: Parts
    visitor: Visitor
    given: Mapping[str, Any]
    base: str
    name: str = ""

    def user(self, scope: str = READ) -> Row:
        """The user whom the path names, for whom the visitor needs a scope: see `find`."""
        return find(self.parts.board, self.visitor, self.name, scope)

    def visible(self, group: str | None = None) -> list[Row]:
        """All users whom the visitor may see; with a group, of those whose groups they know."""
        rows, visitor = self.parts.board.rows(), self.visitor
        if visitor.may_all(READ):
            return rows
        # Who leads one group does not learn who of it is in another.
        known = group is None or group in visitor.groups
        return [
            row
            for row in rows
            if visitor.may(READ, row.user) and (known or visitor.is_own(row.user.name))
        ]

    @property
    def administers(self) -> bool:
        """Whether the visitor may read all there is."""
        return self.visitor.may_all(ADMIN)

    def seen(self, row: Row) -> Row:
        """A user's row with no more in it than the visitor may read of them."""
        return as_seen(row, self.visitor)

    def names(self) -> list[str] | None:
        """The names of those whom the visitor may see; None for everybody's."""
        if self.visitor.may_all(READ):
            return None
        names = {row.user.name for row in self.visible()}
        own: HubUser | None = self.visitor.own
        if own is not None and self.visitor.is_own(own.name):
            names.add(own.name)
        return sorted(names)


@dataclass(frozen=True)
class Answer:
    """What is answered: JSON, or the text of another kind."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
