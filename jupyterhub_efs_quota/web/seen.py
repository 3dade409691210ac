"""Whom a visitor may see: the same for pages and API, and the same answer for all others."""

from __future__ import annotations

from dataclasses import replace

from tornado import web

from ..board import Board, Row
from ..users.told import without_paths
from .api.visitor import ADMIN, MANAGE, READ, Visitor

NO_SUCH_USER = "There is no such user, or you may not see them."


def find(board: Board, visitor: Visitor, name: str, scope: str = READ) -> Row:
    """A user for whom the visitor needs a scope.

    Raises a 404 for one whom they may not see, as for one who is not there, and a 403
    for one whom they may see but do no more with.
    """
    row = board.get(name)
    if row is None and visitor.own is not None and visitor.own.name == name:
        row = Row(visitor.own)  # no loop has seen them yet
    if row is None or not visitor.may(READ, row.user):
        raise web.HTTPError(404, NO_SUCH_USER)
    if not visitor.may(scope, row.user):
        raise web.HTTPError(403, f"You need the scope {scope} for this user.")
    return row


def looked_after(board: Board, visitor: Visitor) -> list[Row]:
    """All whom the visitor looks after, by name: not themselves, just for being themselves."""
    return [row for row in board.rows() if visitor.looks_after(row.user)]


def groups_of(rows: list[Row], visitor: Visitor) -> list[str]:
    """The groups that a visitor may filter by: of a lead, those whom they lead."""
    if not visitor.may_all(READ):
        return sorted(visitor.groups)
    return sorted({group for row in rows for group in row.user.groups or ()})


def groups_shown(row: Row, visitor: Visitor) -> list[str]:
    """The groups of a user that a visitor is shown."""
    groups = sorted(row.user.groups or ())
    if visitor.may_all(READ):
        return groups
    return [group for group in groups if group in visitor.groups]


def as_seen(row: Row, visitor: Visitor) -> Row:
    """A user's row with no more in it than the visitor may read of them.

    Paths are for administrators; of a user's groups a lead knows those whom they lead.
    """
    if not visitor.may_all(ADMIN):
        row = without_paths(row)
    if row.user.groups is None or visitor.is_own(row.user.name):
        return row
    return replace(row, user=replace(row.user, groups=tuple(groups_shown(row, visitor))))


def manages(row: Row, visitor: Visitor) -> bool:
    """Whether a visitor may change a user's quota."""
    return visitor.may(MANAGE, row.user)
