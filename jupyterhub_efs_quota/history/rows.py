"""Many rows at a time: put into a table, or changed there, or asked for by their keys.

Called by `writing`. A cycle of ten thousand users writes forty thousand rows, so nothing is
done for each of them that can be done once. Values are what columns hold: times as numbers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Subquery,
    Table,
    TableValuedAlias,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from .tables import Moment

Row = dict[str, Any]


@dataclass(frozen=True)
class _Change:
    """What is changed in a row that is there: these columns, unless it is the younger one."""

    key: tuple[str, ...]
    columns: tuple[str, ...]
    younger: str | None


def append(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows into a table that numbers them itself; times may be times."""
    if rows:
        connection.execute(insert(table), rows)


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows but for those that are there already."""
    _put(connection, table, rows, None)


def upsert(
    connection: Connection,
    table: Table,
    key: Sequence[str],
    rows: Sequence[Row],
    *,
    younger: str | None = None,
    columns: Collection[str] = (),
) -> None:
    """Insert rows; where there is one already change it (of `columns` only, if given).

    `younger`: the column with the time, by which an older row never replaces a younger one.
    """
    if rows:
        changed = [name for name in rows[0] if name not in key and (not columns or name in columns)]
        _put(connection, table, rows, _Change(tuple(key), tuple(changed), younger))


def among(connection: Connection, asked: Column[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a column holds one of many numbers or texts, which go as one value.

    As many values they would be written into the statement one by one, each time anew.
    """
    if connection.dialect.name == "postgresql":
        kind = postgresql.ARRAY(asked.type)
        return asked == any_(bindparam(None, list(values), type_=kind, unique=True))
    given = func.json_each(bindparam(None, json.dumps(list(values)), type_=Text, unique=True))
    return asked.in_(select(given.table_valued("value").c.value))


def pairs(connection: Connection, values: Sequence[tuple[int, int]]) -> TableValuedAlias | Subquery:
    """Pairs of whole numbers as a table with the columns `one` and `other`."""
    columns = (column("one", BigInteger), column("other", BigInteger))
    if connection.dialect.name == "postgresql":
        kind = postgresql.ARRAY(BigInteger)
        both = (
            bindparam(None, list(each), type_=kind, unique=True)
            for each in zip(*values, strict=True)
        )
        return func.unnest(*both).table_valued(*columns).render_derived()
    given = func.json_each(bindparam(None, json.dumps(values), type_=Text, unique=True))
    row = given.table_valued("value").c.value
    at = (
        func.json_extract(row, f"$[{place}]").label(column.name)
        for place, column in enumerate(columns)
    )
    return select(*at).subquery()


def each(connection: Connection, statement: Any, rows: Sequence[Row]) -> None:
    """Execute a statement for each row, with none of what SQLAlchemy does for each of them."""
    _execute(
        connection, statement.compile(dialect=connection.dialect, column_keys=list(rows[0])), rows
    )


def _execute(connection: Connection, compiled: Any, rows: Sequence[Row]) -> None:
    order = compiled.positiontup
    values = list(rows) if order is None else [tuple(map(row.__getitem__, order)) for row in rows]
    connection.exec_driver_sql(str(compiled), values)


def _put(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    change: _Change | None,
) -> None:
    if not rows:
        return
    compiled = _statement(connection.dialect, table, tuple(rows[0]), change)
    if _in_json(connection.dialect, table):
        connection.exec_driver_sql(str(compiled), {"rows": json.dumps(rows)})
        return
    _execute(connection, compiled, rows)


@lru_cache(maxsize=64)
def _statement(
    dialect: Dialect,
    table: Table,
    names: tuple[str, ...],
    change: _Change | None,
) -> Any:
    """The statement that puts rows with these columns into a table."""
    statement: Any
    if _in_json(dialect, table):
        statement = _from_json(table, names)
    else:
        of = postgresql if dialect.name == "postgresql" else sqlite
        statement = of.insert(table)
    if change is None:
        statement = statement.on_conflict_do_nothing()
    else:
        new, time, where = statement.excluded, change.younger, None
        if time is not None:
            where = or_(table.c[time].is_(None), table.c[time] <= new[time])
        to = {name: new[name] for name in change.columns}
        statement = statement.on_conflict_do_update(index_elements=change.key, set_=to, where=where)
    return statement.compile(dialect=dialect, column_keys=list(names))


def _in_json(dialect: Dialect, table: Table) -> bool:
    """Whether all rows go as one value.

    PostgreSQL then answers once, not for each row. JSON knows no bytes: as base64 they would
    take twice as long as row by row.
    """
    bytes_ = any(isinstance(each.type, LargeBinary) for each in table.c)
    return dialect.name == "postgresql" and not bytes_


def _from_json(table: Table, names: Sequence[str]) -> Any:
    columns = [table.c[name] for name in names]
    kinds = [column(each.name, _stored(each)) for each in columns]
    given = func.json_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSON))
    source = select(given.table_valued(*kinds).render_derived(with_types=True))
    return postgresql.insert(table).from_select(columns, source)


def _stored(column: Column[Any]) -> Any:
    """The type of a column; moments come as the numbers that they are stored as."""
    return BigInteger() if isinstance(column.type, Moment) else column.type
