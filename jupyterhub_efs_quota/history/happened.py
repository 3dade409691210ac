"""What happened to users, asked of the history: changes of state, and what was done. Blocking."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    func,
    literal,
    select,
    union_all,
)

from .events import STATE_CHANGED, Action
from .reading import Page
from .tables import actions, state_changes, users

# How many values one statement takes, well below the least that a database allows.
_MANY = 500


@dataclass(frozen=True)
class StateChange:
    """A user's state became another; `before` is None for who was never seen before."""

    user: str
    time: datetime
    before: str | None
    after: str
    by: str
    counted: int
    quota_bytes: int


def changes_of_state(
    connection: Connection, *, user: str | None = None, offset: int = 0, limit: int = 100
) -> Page[StateChange]:
    """The changes of state of a user, or of all, the newest first."""
    statement = _named(StateChange, state_changes, user)
    rows, total = _newest(connection, statement, state_changes, offset, limit)
    return Page([StateChange(*row) for row in rows], total)


def all_actions(
    connection: Connection,
    *,
    user: str | None = None,
    kind: str | None = None,
    offset: int = 0,
    limit: int = 100,
) -> Page[Action]:
    """What was done to a user, or to all, the newest first; of one kind, or of all."""
    statement = _named(Action, actions, user)
    if kind is not None:
        statement = statement.where(actions.c.kind == kind)
    rows, total = _newest(connection, statement, actions, offset, limit)
    return Page([Action(*row) for row in rows], total)


def happened(
    connection: Connection,
    *,
    names: Collection[str] | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    offset: int = 0,
    limit: int = 100,
) -> Page[StateChange | Action]:
    """Changes of state and what was done, the newest first.

    Of the users of these names, or of all and of nobody. `kind` is that of actions, or
    STATE_CHANGED.
    """
    ids = None if names is None else user_ids(connection, names)
    parts = []
    for table, wanted in ((state_changes, kind in (None, STATE_CHANGED)), (actions, True)):
        conditions = _within(table.c.time, since, until)
        if ids is not None:
            conditions.append(table.c.user_id.in_(bindparam(None, ids, literal_execute=True)))
        if table is actions and kind is not None:
            conditions.append(table.c.kind == kind)
        if wanted:
            chosen = select(literal(table.name).label("of"), table.c.id, table.c.time)
            parts.append(chosen.where(*conditions))
    both = union_all(*parts).subquery()
    total = connection.scalar(select(func.count()).select_from(both))
    order = (both.c.time.desc(), both.c.of, both.c.id.desc())
    found = select(both.c.of, both.c.id).order_by(*order).offset(offset).limit(limit)
    places = [(of, number) for of, number in connection.execute(found)]
    rows = {
        **_by_id(connection, StateChange, state_changes, places),
        **_by_id(connection, Action, actions, places),
    }
    return Page([rows[place] for place in places], total or 0)


def user_ids(connection: Connection, names: Collection[str]) -> list[int]:
    """The numbers of users; who is unknown has none."""
    ordered = sorted(names)
    found: list[int] = []
    for start in range(0, len(ordered), _MANY):
        some = ordered[start : start + _MANY]
        found += connection.scalars(select(users.c.id).where(users.c.name.in_(some)))
    return found


def _named(kind: type[Any], table: Table, user: str | None) -> Select[Any]:
    """The columns of a kind of row, with the user's name: of that user, or of all and nobody."""
    columns = (
        users.c.name if name == "user" else table.c[name] for name in kind.__dataclass_fields__
    )
    statement = select(*columns).join_from(
        table, users, users.c.id == table.c.user_id, isouter=True
    )
    return statement if user is None else statement.where(users.c.name == user)


def _within(
    column: ColumnElement[Any], since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    after = [] if since is None else [column >= since]
    return after if until is None else [*after, column < until]


def _by_id(
    connection: Connection, kind: type[Any], table: Table, places: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Any]:
    """The rows of one table at some places, each a table's name and a number."""
    numbers = [number for of, number in places if of == table.name]
    statement = _named(kind, table, None).add_columns(table.c.id).where(table.c.id.in_(numbers))
    return {(table.name, row[-1]): kind(*row[:-1]) for row in connection.execute(statement)}


def _newest(
    connection: Connection, statement: Select[Any], table: Table, offset: int, limit: int
) -> tuple[Sequence[Any], int]:
    total = connection.scalar(select(func.count()).select_from(statement.subquery()))
    order = (table.c.time.desc(), table.c.id.desc())
    found = connection.execute(statement.order_by(*order).offset(offset).limit(limit))
    return found.all(), total or 0
