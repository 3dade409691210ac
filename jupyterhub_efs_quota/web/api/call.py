"""One request to the API as its handlers see it: who asks, for whom, with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tornado import web

from ...board import Row
from ...hub.client import HubUser
from ..parts import Parts
from .visitor import READ, Visitor

NO_SUCH_USER = "There is no such user, or you may not see them."


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
        """The user whom the path names, for whom the visitor needs a scope.

        Raises a 404 for one whom they may not see, as for one who is not there, and a 403
        for one whom they may see but do no more with.
        """
        row = self.parts.board.get(self.name)
        if row is None and self.visitor.own is not None and self.visitor.own.name == self.name:
            row = Row(self.visitor.own)  # no loop has seen them yet
        if row is None or not self.visitor.may(READ, row.user):
            raise web.HTTPError(404, NO_SUCH_USER)
        if not self.visitor.may(scope, row.user):
            raise web.HTTPError(403, f"You need the scope {scope} for this user.")
        return row

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
