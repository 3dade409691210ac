"""The questions that are asked of the history: plain functions on a connection. Blocking."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    func,
    literal,
    select,
    type_coerce,
    union_all,
)

from ..quota.record import Record
from ..quota.summary import Summary, load_summary
from .events import STATE_CHANGED, Action, Run, load_record
from .tables import (
    BEGAN,
    MICROSECOND,
    actions,
    latest,
    marks,
    measurements,
    records,
    runs,
    state_changes,
    summaries,
    users,
    writers,
)

T = TypeVar("T")

# Before it is compressed. An ordinary one has 50 kB; the longest possible paths would make 12 MB.
MOST_SUMMARY_BYTES = 1_000_000
LONGEST_RUN = timedelta(days=31)
_DAY = timedelta(days=1) // MICROSECOND
# How many values one statement takes, well below the least that a database allows.
_MANY = 500


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
class StateChange:
    """A user's state became another; `before` is None for who was never seen before."""

    user: str
    time: datetime
    before: str | None
    after: str
    by: str
    counted: int
    quota_bytes: int


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
        _columns(Point, measurements)
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


def all_runs(
    connection: Connection,
    *,
    name: str | None = None,
    host: str | None = None,
    outcome: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    offset: int = 0,
    limit: int = 100,
) -> Page[Run]:
    """The runs of a job, or of all; the newest by its start first."""
    conditions: list[ColumnElement[bool]] = []
    if name is not None:
        conditions.append(runs.c.name == name)
    if host is not None:
        conditions.append(runs.c.host == host)
    if outcome is not None:
        conditions.append(runs.c.outcome == outcome)
    if since is not None:
        conditions.append(runs.c.started >= since)
    if until is not None:
        conditions.append(runs.c.started < until)
    statement = _columns(Run, runs).where(*conditions)
    order = (runs.c.started.desc(), runs.c.id.desc())
    found = connection.execute(statement.order_by(*order).offset(offset).limit(limit))
    total = connection.scalar(select(func.count()).select_from(runs).where(*conditions))
    return Page([_run(row) for row in found], total or 0)


def job_runs(
    connection: Connection,
    name: str,
    *,
    host: str | None = None,
    outcomes: Collection[str] | None = None,
    completed_since: datetime | None = None,
    limit: int | None = 100,
) -> list[Run]:
    """The last runs of a job, the newest by its start first; not counted, so it is soon told."""
    conditions: list[ColumnElement[bool]] = [runs.c.name == name]
    if host is not None:
        conditions.append(runs.c.host == host)
    if outcomes is not None:
        conditions.append(runs.c.outcome.in_(sorted(outcomes)))
    if completed_since is not None:
        # Those that began long before are not looked for: no run takes as long.
        conditions.append(runs.c.started >= completed_since - LONGEST_RUN)
        conditions.append(runs.c.completed >= completed_since)
    statement = _columns(Run, runs).where(*conditions).limit(limit)
    order = (runs.c.started.desc(), runs.c.id.desc())
    return [_run(row) for row in connection.execute(statement.order_by(*order))]


def job_names(connection: Connection, most: int | None = None) -> list[str]:
    """The names of all jobs that ever ran, as far as that is on record, or the first of them."""
    # From one name to the next by the index: there are few names, and many runs.
    names: list[str] = []
    while most is None or len(names) < most:
        statement = select(func.min(runs.c.name))
        if names:
            statement = statement.where(runs.c.name > names[-1])
        following = connection.scalar(statement)
        if following is None:
            break
        names.append(following)
    return names


def began(connection: Connection) -> datetime | None:
    """Since when runs are on record; None where nothing is."""
    mark = connection.scalar(select(marks.c.time).where(marks.c.name == BEGAN))
    first = connection.scalar(select(func.min(runs.c.started)))
    return min((time for time in (mark, first) if time is not None), default=None)


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


def pack(found: Summary) -> bytes:
    """A summary as it is stored: JSON, compressed.

    Of one whose names are so long that reading it would take its time, the lighter half of
    all that is listed is left out until it is short enough.
    """
    text = json.dumps(asdict(found), separators=(",", ":")).encode()
    while len(text) > MOST_SUMMARY_BYTES and len(found.folders) > 1:
        found = _half(found)
        text = json.dumps(asdict(found), separators=(",", ":")).encode()
    return zlib.compress(text, 1)


def unpack(data: bytes) -> Summary:
    """The summary in what `pack` made."""
    return load_summary(json.loads(zlib.decompress(data)))


def _half(found: Summary) -> Summary:
    return replace(
        found,
        folders=found.folders[: len(found.folders) // 2],
        largest=found.largest[: len(found.largest) // 2],
        junk_places=found.junk_places[: len(found.junk_places) // 2],
    )


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)
    return Run(**{**values, "counts": json.loads(values["counts"])})


def _latest() -> Select[Any]:
    names = [name for name in Latest.__dataclass_fields__ if name != "user"]
    columns = [users.c.name, *(latest.c[name] for name in names)]
    return select(*columns).join_from(latest, users, users.c.id == latest.c.user_id)


def _columns(kind: type[Any], table: Table) -> Select[Any]:
    return select(*(table.c[name] for name in kind.__dataclass_fields__)).select_from(table)


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
