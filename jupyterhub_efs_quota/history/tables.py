"""The tables, as the newest migration leaves them.

All have names of their own (`quota_…`), so that they may stand in a database with others.
Where a cycle writes a row for each user, `user_id` is no foreign key: on PostgreSQL the check
would take as long as the writing. Rows of `quota_users` are never deleted.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


def number_of(time: datetime) -> int:
    """A time as its column holds it."""
    return (time - _EPOCH) // MICROSECOND


class Moment(TypeDecorator[datetime]):
    """A time as a whole number: microseconds since 1970, UTC. Small, exact, and sorts."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> int | None:
        """The number of a time."""
        return None if value is None else number_of(value)

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        """The time of a number."""
        return None if value is None else _EPOCH + value * MICROSECOND


metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s"})

# Names once, since they are long and rows are many. `gone`: when the hub had them no more.
users = Table(
    "quota_users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("gone", Moment),
)

# A user's rows lie together, in the order of time: that is how they are asked for.
measurements = Table(
    "quota_measurements",
    metadata,
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("started", Moment, primary_key=True, autoincrement=False),
    Column("secs", Float, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("quota_bytes", BigInteger, nullable=False),
    Column("quota_files", BigInteger),
    Column("bytes", BigInteger),
    Column("allocated", BigInteger),
    Column("files", BigInteger),
    Column("dirs", BigInteger),
    Column("unreadable", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("timed_out", Boolean, nullable=False),
    Column("meter", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The last summary of each week (see `writing.week_number`), compressed.
summaries = Table(
    "quota_summaries",
    metadata,
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("started", Moment, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

state_changes = Table(
    "quota_state_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("quota_users.id"), nullable=False),
    Column("time", Moment, nullable=False),
    Column("before", Text),
    Column("after", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("quota_bytes", BigInteger, nullable=False),
    Index(None, "user_id", "time"),
    Index(None, "time"),
)

actions = Table(
    "quota_actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("user_id", ForeignKey("quota_users.id")),
    Column("by", Text, nullable=False),
    Column("server", Text),
    Column("before", Text),
    Column("after", Text),
    Column("reason", Text),
    Column("until", Moment),
    Index(None, "user_id", "time"),
    Index(None, "time"),
)

runs = Table(
    "quota_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("started", Moment, nullable=False),
    Column("completed", Moment, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("counts", Text, nullable=False),
    Index(None, "name", "started"),
    Index(None, "started"),
)

# Up to which of its events each process has written: nothing is written twice.
writers = Table(
    "quota_writers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("seen", Moment, nullable=False),
)

# When something that one process does for all was last done; and, by this name, when the record
# began.
BEGAN = "began"
marks = Table(
    "quota_marks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("time", Moment, nullable=False),
)

# How each user stands: one row each, for tables sorted by anything. Down to
# `lockout_enabled` from the record, below from the last measurement.
latest = Table(
    "quota_latest",
    metadata,
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("seen", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("counted_files", BigInteger),
    Column("quota_bytes", BigInteger, nullable=False),
    Column("quota_files", BigInteger),
    Column("fraction", Float, nullable=False),
    Column("source", Text),
    Column("enabled", Boolean, nullable=False),
    Column("lockout_enabled", Boolean, nullable=False),
    Column("measured", Moment),
    Column("secs", Float),
    Column("allocated", BigInteger),
    Column("dirs", BigInteger),
    Column("unreadable", BigInteger),
    Column("complete", Boolean),
    Column("timed_out", Boolean),
    Column("month_growth", BigInteger),
)

# How full the volume of the homes was: see `events.Fill`.
fills = Table(
    "quota_fills",
    metadata,
    Column("time", Moment, primary_key=True, autoincrement=False),
    Column("used", BigInteger, nullable=False),
    Column("free", BigInteger, nullable=False),
    Column("files_used", BigInteger),
    Column("files_free", BigInteger),
)

# The whole record of each user as last seen, apart: it is long, and seldom asked for.
records = Table(
    "quota_records",
    metadata,
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
)
