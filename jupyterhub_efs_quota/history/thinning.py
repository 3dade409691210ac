"""Which measurements are kept how long. The choice is pure; `thin` carries it out in steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
)

from .database import Database
from .rows import each
from .tables import (
    MICROSECOND,
    actions,
    fills,
    latest,
    marks,
    measurements,
    number_of,
    runs,
    state_changes,
    summaries,
    users,
    writers,
)

EVERY = timedelta(days=1)
# What one transaction takes: short enough that nobody minds to wait for it.
USERS_AT_ONCE = 20
ROWS_AT_ONCE = 500
_MARK = "thinned"
_DAY = EVERY // MICROSECOND
_ONE_MEASUREMENT = delete(measurements).where(
    measurements.c.user_id == bindparam("user"), measurements.c.started == bindparam("number")
)
_ONE_SUMMARY = delete(summaries).where(
    summaries.c.user_id == bindparam("user"), summaries.c.week == bindparam("number")
)


@dataclass(frozen=True)
class Keep:
    """How long what is kept, in days.

    All measurements for `all_days`; then one a day, until they are `daily_days` old; then
    one a month for ever; and so for how full the volume was. Summaries, of which there is one
    a week, are kept for `all_days`; then one a month, until they are `daily_days` old; and the
    last one always. `runs_days`: runs. `changes_days`: changes of state, and actions.
    """

    all_days: int = 30
    daily_days: int = 365
    runs_days: int = 400
    changes_days: int = 1825


class SummedUp(NamedTuple):
    """A summary: whose, of which week, and when its measurement began."""

    user: int
    week: int
    started: datetime


class Measured(NamedTuple):
    """What the choice looks at."""

    started: datetime
    complete: bool


def superfluous(
    rows: Sequence[Measured], now: datetime, keep: Keep, newest: datetime | None = None
) -> list[datetime]:
    """When those measurements of one user began that are not kept, in the order of time.

    Of each day (UTC) that is over for longer than `all_days`, and of each month that is for
    longer than `daily_days`, the last whole measurement stays, or the last one where none
    was whole. The user's newest stays whatever it is.
    """
    by_day, by_month = limits(now, keep)
    best: dict[Any, Measured] = {}
    rows = sorted(rows, key=lambda row: row.started)
    for row in rows:
        period = _period(row.started, by_day, by_month)
        known = best.get(period)
        if known is None or row.complete or not known.complete:
            best[period] = row
    kept = {row.started for row in best.values()} | {newest}
    return [row.started for row in rows if row.started not in kept]


def superfluous_summaries(rows: Sequence[SummedUp], by_month: datetime) -> list[SummedUp]:
    """Those that are not kept of summaries of which there is to be one a month.

    Each user's newest stays, however old; of the others those before `by_month` go.
    """
    of_month: dict[tuple[int, int, int], SummedUp] = {}
    newest: dict[int, SummedUp] = {}
    for row in sorted(rows):
        of_month[row.user, row.started.year, row.started.month] = row
        newest[row.user] = row
    kept = {row for row in of_month.values() if row.started >= by_month} | {*newest.values()}
    return [row for row in rows if row not in kept]


def limits(now: datetime, keep: Keep) -> tuple[datetime, datetime]:
    """Before the first moment there is one a day, before the second one a month."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    by_day = today - timedelta(days=keep.all_days)
    # Whole months only: one that is thinned in the middle would keep two.
    by_month = (today - timedelta(days=keep.daily_days)).replace(day=1)
    return by_day, min(by_day, by_month)


def _period(time: datetime, by_day: datetime, by_month: datetime) -> Any:
    if time < by_month:
        return time.year, time.month
    if time < by_day:
        return time.year, time.month, time.day
    return time  # a period of its own: it stays


def claim(database: Database, now: datetime) -> bool:
    """Whether it is time to thin, and nobody else has begun: then it is ours for a day."""
    with database.writing() as connection:
        last = connection.scalar(select(marks.c.time).where(marks.c.name == _MARK))
        if last is not None and now - last < EVERY:
            return False
        connection.execute(delete(marks).where(marks.c.name == _MARK))
        connection.execute(insert(marks).values(name=_MARK, time=now))
        return True


def thin(database: Database, now: datetime, keep: Keep) -> Iterator[int]:
    """Remove what is not kept; yields how many rows went, after each small step.

    Readers are never in the way of it, nor it in theirs.
    """
    with database.reading() as connection:
        ids = list(connection.scalars(select(users.c.id).order_by(users.c.id)))
    for start in range(0, len(ids), USERS_AT_ONCE):
        yield from _thin_users(database, ids[start : start + USERS_AT_ONCE], now, keep)
    yield from _thin_fills(database, now, keep)
    changes = now - timedelta(days=keep.changes_days)
    for table, column, before in (
        (runs, runs.c.started, now - timedelta(days=keep.runs_days)),
        (actions, actions.c.time, changes),
        (state_changes, state_changes.c.time, changes),
        (writers, writers.c.seen, changes),
    ):
        yield from _prune(database, table, column < before)


def _thin_users(database: Database, ids: Sequence[int], now: datetime, keep: Keep) -> Iterator[int]:
    with database.reading() as connection:
        rows = _candidates(connection, ids, now, keep)
        measured = select(latest.c.user_id, latest.c.measured).where(latest.c.user_id.in_(rows))
        newest = {row.user_id: row.measured for row in connection.execute(measured)}
        summed_up = _summed_up(connection, ids, limits(now, keep)[0])
    old = [
        {"user": row.user, "number": row.week}
        for row in superfluous_summaries(summed_up, limits(now, keep)[1])
    ]
    found = [
        {"user": user, "number": number_of(time)}
        for user, some in rows.items()
        for time in superfluous(some, now, keep, newest.get(user))
    ]
    for statement, keys in ((_ONE_MEASUREMENT, found), (_ONE_SUMMARY, old)):
        for start in range(0, len(keys), ROWS_AT_ONCE):
            some_keys = keys[start : start + ROWS_AT_ONCE]
            with database.writing() as connection:
                each(connection, statement, some_keys)
            yield len(some_keys)
    yield 0  # there was nothing to do, which took its time too


def _thin_fills(database: Database, now: datetime, keep: Keep) -> Iterator[int]:
    by_day, _ = limits(now, keep)
    with database.reading() as connection:
        times = list(connection.scalars(select(fills.c.time).where(fills.c.time < by_day)))
    # All were whole; the newest of all is the last one of its day.
    old = superfluous([Measured(time, complete=True) for time in times], now, keep)
    for start in range(0, len(old), ROWS_AT_ONCE):
        some = old[start : start + ROWS_AT_ONCE]
        with database.writing() as connection:
            connection.execute(delete(fills).where(fills.c.time.in_(some)))
        yield len(some)


def _candidates(
    connection: Connection, ids: Sequence[int], now: datetime, keep: Keep
) -> dict[int, list[Measured]]:
    """The measurements among which to choose, by user: not those that are alone in their day."""
    by_day, by_month = limits(now, keep)
    user, started, complete = (measurements.c[name] for name in ("user_id", "started", "complete"))
    day = type_coerce(started, BigInteger).op("/")(_DAY)  # of whole numbers: a whole number
    rows: dict[int, list[Measured]] = {}

    def take(condition: ColumnElement[bool]) -> None:
        found = select(user, started, complete).where(condition).order_by(user, started)
        for one, time, whole in connection.execute(found):
            rows.setdefault(one, []).append(Measured(time, whole))

    take(and_(user.in_(ids), started < by_month))
    crowded = (
        select(user.label("one"), func.min(started).label("first"), func.max(started).label("last"))
        .where(user.in_(ids), started >= by_month, started < by_day)
        .group_by(user, day)
        .having(func.count() > 1)
        .subquery()
    )
    spans = select(crowded.c.one, func.min(crowded.c.first), func.max(crowded.c.last))
    for one, first, last in connection.execute(spans.group_by(crowded.c.one)).all():
        take(and_(user == one, started >= first, started <= last))
    return rows


def _summed_up(connection: Connection, ids: Sequence[int], before: datetime) -> list[SummedUp]:
    """The summaries that are old, and for each user the newest one too."""
    newest = (
        select(summaries.c.user_id, func.max(summaries.c.week).label("week"))
        .where(summaries.c.user_id.in_(ids))
        .group_by(summaries.c.user_id)
        .subquery()
    )
    rows = (
        select(summaries.c.user_id, summaries.c.week, summaries.c.started)
        .join(newest, newest.c.user_id == summaries.c.user_id)
        .where(or_(summaries.c.started < before, summaries.c.week == newest.c.week))
    )
    return [SummedUp(*row) for row in connection.execute(rows)]


def _prune(database: Database, table: Table, old: ColumnElement[bool]) -> Iterator[int]:
    while True:
        with database.writing() as connection:
            some = list(connection.scalars(select(table.c.id).where(old).limit(ROWS_AT_ONCE)))
            connection.execute(delete(table).where(table.c.id.in_(some)))
        yield len(some)
        if len(some) < ROWS_AT_ONCE:
            return
