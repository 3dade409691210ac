"""One request to the API as its handlers see it: who asks, for whom, with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...board import Row
from ...hub.client import HubUser
from ..parts import Parts
from ..seen import find
from .visitor import READ, Visitor


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

    def visible(self) -> list[Row]:
        """All users whom the visitor may see."""
        rows = self.parts.board.rows()
        if self.visitor.may_all(READ):
            return rows
        return [row for row in rows if self.visitor.may(READ, row.user)]

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
