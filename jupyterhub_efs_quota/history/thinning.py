"""Which measurements are kept how long. The choice is pure; `thin` carries it out in steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Delete,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
)

from .database import Database
from .tables import (
    actions,
    marks,
    measurements,
    runs,
    state_changes,
    summaries,
    users,
    writers,
)
from .writing import month_number

EVERY = timedelta(days=1)
# What one transaction takes: short enough that nobody minds to wait for it.
USERS_AT_ONCE = 20
ROWS_AT_ONCE = 500
_MARK = "thinned"
_ONE = delete(measurements).where(
    measurements.c.user_id == bindparam("user"), measurements.c.started == bindparam("time")
)


@dataclass(frozen=True)
class Keep:
    """How long what is kept, in days.

    All measurements for `all_days`; then one a day, until they are `daily_days` old; then
    one a month for ever. Summaries, of which there is one a month, are kept for
    `daily_days`, and the last one always. `runs_days`: runs. `changes_days`: changes of
    state, and actions.
    """

    all_days: int = 30
    daily_days: int = 365
    runs_days: int = 400
    changes_days: int = 1825


@dataclass(frozen=True)
class Measured:
    """What the choice looks at."""

    started: datetime
    complete: bool


def superfluous(rows: Sequence[Measured], now: datetime, keep: Keep) -> list[datetime]:
    """When those measurements of one user began that are not kept, in the order of time.

    Of each day (UTC) that is over for longer than `all_days`, and of each month that is for
    longer than `daily_days`, the last whole measurement stays, or the last one where none
    was whole. The newest of all stays whatever it is.
    """
    by_day, by_month = limits(now, keep)
    best: dict[tuple[int, ...], Measured] = {}
    rows = sorted(rows, key=lambda row: row.started)
    for row in rows:
        period = _period(row.started, by_day, by_month)
        known = best.get(period)
        if known is None or row.complete or not known.complete:
            best[period] = row
    kept = {row.started for row in best.values()} | {row.started for row in rows[-1:]}
    return [row.started for row in rows if row.started not in kept]


def limits(now: datetime, keep: Keep) -> tuple[datetime, datetime]:
    """Before the first moment there is one a day, before the second one a month."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    by_day = today - timedelta(days=keep.all_days)
    # Whole months only: one that is thinned in the middle would keep two.
    by_month = (today - timedelta(days=keep.daily_days)).replace(day=1)
    return by_day, min(by_day, by_month)


def _period(time: datetime, by_day: datetime, by_month: datetime) -> tuple[int, ...]:
    if time < by_month:
        return time.year, time.month
    if time < by_day:
        return time.year, time.month, time.day
    # A period of its own: it stays.
    return (*time.timetuple()[:6], time.microsecond)


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
    """Remove what is not kept; yields how many rows went, after each small transaction.

    Readers are never in the way of it, nor it in theirs.
    """
    with database.reading() as connection:
        ids = list(connection.scalars(select(users.c.id).order_by(users.c.id)))
    for start in range(0, len(ids), USERS_AT_ONCE):
        yield _thin_users(database, ids[start : start + USERS_AT_ONCE], now, keep)
    changes = now - timedelta(days=keep.changes_days)
    for table, column, before in (
        (runs, runs.c.started, now - timedelta(days=keep.runs_days)),
        (actions, actions.c.time, changes),
        (state_changes, state_changes.c.time, changes),
        (writers, writers.c.seen, changes),
    ):
        yield from _prune(database, table, column < before)


def _thin_users(database: Database, ids: Sequence[int], now: datetime, keep: Keep) -> int:
    by_day, by_month = limits(now, keep)
    old = (measurements.c.user_id.in_(ids), measurements.c.started < by_day)
    columns = (measurements.c.user_id, measurements.c.started, measurements.c.complete)
    rows: dict[int, list[Measured]] = {}
    with database.reading() as connection:
        newest = dict(
            connection.execute(
                select(columns[0], func.max(columns[1])).where(old[0]).group_by(columns[0])
            ).all()
        )
        for user, started, complete in connection.execute(select(*columns).where(*old)):
            rows.setdefault(user, []).append(Measured(started, complete))
    found = [
        {"user": user, "time": time}
        for user, some in rows.items()
        for time in superfluous(some, now, keep)
        if time != newest[user]
    ]
    month = month_number(by_month)
    with database.writing() as connection:
        if found:
            connection.execute(_ONE, found)
        return len(found) + connection.execute(_old_summaries(ids, month)).rowcount


def _old_summaries(ids: Sequence[int], month: int) -> Delete:
    # Those with a newer one, so that there is always a last one.
    newer = summaries.alias()
    there_is_newer = exists().where(
        newer.c.user_id == summaries.c.user_id, newer.c.month > summaries.c.month
    )
    return delete(summaries).where(
        summaries.c.user_id.in_(ids), summaries.c.month < month, there_is_newer
    )


def _prune(database: Database, table: Table, old: ColumnElement[bool]) -> Iterator[int]:
    while True:
        with database.writing() as connection:
            some = list(connection.scalars(select(table.c.id).where(old).limit(ROWS_AT_ONCE)))
            connection.execute(delete(table).where(table.c.id.in_(some)))
        yield len(some)
        if len(some) < ROWS_AT_ONCE:
            return
