"""The questions that are asked of the history: plain functions on a connection. Blocking."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    func,
    select,
    type_coerce,
)

from ..quota.record import Record
from ..quota.summary import Summary
from .events import load_record
from .packing import unpack
from .tables import (
    MICROSECOND,
    latest,
    measurements,
    records,
    summaries,
    users,
    writers,
)

T = TypeVar("T")

_DAY = timedelta(days=1) // MICROSECOND


@dataclass(frozen=True)
class Latest:
    """How a user stands: from the record, and, from `measured` on, from the last measurement.

    `measured` and what follows is None for who was not measured yet. Growth is that of
    the usage on record, over the 30 days before the last measurement, or since the first one
    if that is younger.
    """

    user: str
    seen: datetime
    state: str
    counted: int
    counted_files: int | None
    quota_bytes: int
    quota_files: int | None
    fraction: float
    source: str | None
    enabled: bool
    lockout_enabled: bool
    measured: datetime | None
    secs: float | None
    allocated: int | None
    dirs: int | None
    unreadable: int | None
    complete: bool | None
    timed_out: bool | None
    month_growth: int | None


@dataclass(frozen=True)
class Point:
    """One measurement of a series; the fields are those of `events.Measurement`."""

    started: datetime
    counted: int
    quota_bytes: int
    quota_files: int | None
    bytes: int | None
    allocated: int | None
    files: int | None
    dirs: int | None
    unreadable: int
    complete: bool
    timed_out: bool
    secs: float


@dataclass(frozen=True)
class Day:
    """The last measurement of a day (UTC) that saw the whole home."""

    started: datetime
    counted: int
    files: int | None
    complete: bool = True


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of the rows that were asked for, and how many there are in all."""

    rows: list[T]
    total: int


# What a table can be sorted by.
SORTS: dict[str, ColumnElement[Any]] = {
    "user": users.c.name,
    "usage": latest.c.counted,
    "files": latest.c.counted_files,
    "quota": latest.c.quota_bytes,
    "share": latest.c.fraction,
    "state": latest.c.state,
    "measured": latest.c.measured,
    "duration": latest.c.secs,
    "month_growth": latest.c.month_growth,
}


def answers(connection: Connection) -> None:
    """Nothing, if the database answers and has our tables."""
    connection.execute(select(writers).limit(1)).all()


def one_latest(connection: Connection, user: str) -> Latest | None:
    """How a user stands; None for one who was never seen."""
    row = connection.execute(_latest().where(users.c.name == user)).one_or_none()
    return None if row is None else Latest(*row)


def table(
    connection: Connection,
    *,
    sort: str = "user",
    descending: bool = False,
    offset: int = 0,
    limit: int = 100,
    search: str = "",
    state: str = "",
    names: Collection[str] | None = None,
    gone: bool = False,
) -> Page[Latest]:
    """A part of the table of all users, of whom the hub has (or no longer has, with `gone`).

    `sort` is a key of SORTS, `search` a part of the name whatever its case, `names` those
    among whom to look. Who has no value to sort by comes last. Raises KeyError.
    """
    conditions: list[ColumnElement[bool]] = [
        users.c.gone.is_not(None) if gone else users.c.gone.is_(None)
    ]
    if search:
        conditions.append(func.lower(users.c.name).contains(search.lower(), autoescape=True))
    if state:
        conditions.append(latest.c.state == state)
    if names is not None:
        conditions.append(users.c.name.in_(sorted(names)))
    column = SORTS[sort]
    order = column.desc() if descending else column.asc()
    # Only the numbers are sorted; the rest is looked up for those that are shown.
    chosen = select(users.c.id).join(latest, latest.c.user_id == users.c.id).where(*conditions)
    total = connection.scalar(select(func.count()).select_from(chosen.subquery()))
    shown = chosen.order_by(order.nulls_last(), users.c.name).offset(offset).limit(limit)
    ids = list(connection.scalars(shown))
    rows = connection.execute(_latest().add_columns(users.c.id).where(users.c.id.in_(ids)))
    by_id = {row[-1]: Latest(*row[:-1]) for row in rows}
    return Page([by_id[number] for number in ids], total or 0)


def growth(connection: Connection) -> dict[str, int | None]:
    """By how many bytes the usage of each user grew in 30 days: see `Latest`."""
    found = select(users.c.name, latest.c.month_growth).join(latest, latest.c.user_id == users.c.id)
    rows = connection.execute(found.where(users.c.gone.is_(None)))
    return {name: grown for name, grown in rows}  # noqa: C416 - rows are no pairs to mypy


def series(
    connection: Connection,
    user: str,
    since: datetime,
    until: datetime,
    points: int | None = None,
) -> list[Point]:
    """A user's measurements that began in a time, in order; `until` itself is not in it.

    With `points`, at most so many: the time is cut into as many parts of equal length, of
    each of which the last one stays.
    """
    statement = (
        columns_of(Point, measurements)
        .join(users, users.c.id == measurements.c.user_id)
        .where(
            users.c.name == user,
            measurements.c.started >= since,
            measurements.c.started < until,
        )
        .order_by(measurements.c.started)
    )
    found = [Point(*row) for row in connection.execute(statement)]
    return found if points is None else sample(found, since, until, points)


def daily(connection: Connection, user: str, since: datetime, until: datetime) -> list[Day]:
    """Of each day the last measurement that saw a user's whole home, in order.

    Much less than `series`, for it is asked of every home that is measured.
    """
    user_id = select(users.c.id).where(users.c.name == user).scalar_subquery()
    started = measurements.c.started
    within = (measurements.c.user_id == user_id, started >= since, started < until)
    last = (
        select(func.max(started))
        .where(*within, measurements.c.complete)
        .group_by(type_coerce(started, BigInteger) // _DAY)
    )
    statement = (
        select(started, measurements.c.counted, measurements.c.files)
        .where(measurements.c.user_id == user_id, started.in_(last))
        .order_by(started)
    )
    return [Day(*row) for row in connection.execute(statement)]


def sample(found: Sequence[Point], since: datetime, until: datetime, points: int) -> list[Point]:
    """The last one of each of so many equal parts of a time."""
    if len(found) <= points:
        return list(found)
    part = (until - since) / points
    last = {int((point.started - since) / part): point for point in found}
    return [last[number] for number in sorted(last)]


def summary(
    connection: Connection, user: str, before: datetime | None = None
) -> tuple[datetime, Summary] | None:
    """The last summary of a user's home (begun before a time, if given), and when it began."""
    statement = (
        select(summaries.c.started, summaries.c.data)
        .join(users, users.c.id == summaries.c.user_id)
        .where(users.c.name == user)
        .order_by(summaries.c.week.desc())
        .limit(1)
    )
    if before is not None:
        statement = statement.where(summaries.c.started < before)
    row = connection.execute(statement).one_or_none()
    return None if row is None else (row.started, unpack(row.data))


def summary_near(
    connection: Connection, user: str, time: datetime, before: datetime
) -> tuple[datetime, Summary] | None:
    """Of the summaries of a user's home begun before a time, the one nearest to another."""
    of_user = select(users.c.id).where(users.c.name == user).scalar_subquery()
    begun = list(
        connection.scalars(
            select(summaries.c.started).where(
                summaries.c.user_id == of_user, summaries.c.started < before
            )
        )
    )
    if not begun:
        return None
    nearest = min(begun, key=lambda started: abs(started - time))
    data = connection.scalar(
        select(summaries.c.data).where(
            summaries.c.user_id == of_user, summaries.c.started == nearest
        )
    )
    return None if data is None else (nearest, unpack(data))


def record(connection: Connection, user: str) -> Record | None:
    """The last good record of a user."""
    statement = select(records.c.record).join(users, users.c.id == records.c.user_id)
    text = connection.scalar(statement.where(users.c.name == user))
    return None if text is None else load_record(text)


def last_records(connection: Connection) -> list[Record]:
    """The last good records of all users that the hub has."""
    statement = select(records.c.record).join(users, users.c.id == records.c.user_id)
    found = []
    for text in connection.scalars(statement.where(users.c.gone.is_(None))):
        try:
            found.append(load_record(text))
        except ValueError:
            continue  # of another version: the control file has it
    return found


def columns_of(kind: type[Any], table: Table) -> Select[Any]:
    """The columns of a table that have the names of the fields of a kind of row."""
    return select(*(table.c[name] for name in kind.__dataclass_fields__)).select_from(table)


def _latest() -> Select[Any]:
    names = [name for name in Latest.__dataclass_fields__ if name != "user"]
    columns = [users.c.name, *(latest.c[name] for name in names)]
    return select(*columns).join_from(latest, users, users.c.id == latest.c.user_id)
