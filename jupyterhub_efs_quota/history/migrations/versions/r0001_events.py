"""What happened: measurements, summaries, changes of state, actions, runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# A time: microseconds since 1970.
_TIME = sa.BigInteger


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "quota_users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("gone", _TIME),
    )
    _measurements()
    _changes()
    op.create_table(
        "quota_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("completed", _TIME, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("counts", sa.Text, nullable=False),
    )
    op.create_index("ix_quota_runs_name_started", "quota_runs", ["name", "started"])
    op.create_index("ix_quota_runs_started", "quota_runs", ["started"])
    op.create_table(
        "quota_writers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("seen", _TIME, nullable=False),
    )
    op.create_table(
        "quota_marks",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("time", _TIME, nullable=False),
    )


def downgrade() -> None:
    """Drop them, with all that is in them."""
    for name in (
        "quota_marks",
        "quota_writers",
        "quota_runs",
        "quota_actions",
        "quota_state_changes",
        "quota_summaries",
        "quota_measurements",
        "quota_users",
    ):
        op.drop_table(name)


def _user(*, nullable: bool) -> sa.Column[int]:
    user = sa.ForeignKey("quota_users.id")
    return sa.Column("user_id", sa.Integer, user, nullable=nullable)


def _measurements() -> None:
    op.create_table(
        "quota_measurements",
        sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("started", _TIME, primary_key=True, autoincrement=False),
        sa.Column("secs", sa.Float, nullable=False),
        sa.Column("counted", sa.BigInteger, nullable=False),
        sa.Column("quota_bytes", sa.BigInteger, nullable=False),
        sa.Column("quota_files", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("allocated", sa.BigInteger),
        sa.Column("files", sa.BigInteger),
        sa.Column("dirs", sa.BigInteger),
        sa.Column("unreadable", sa.BigInteger, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("timed_out", sa.Boolean, nullable=False),
        sa.Column("meter", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quota_summaries",
        sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _changes() -> None:
    op.create_table(
        "quota_state_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        _user(nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("counted", sa.BigInteger, nullable=False),
        sa.Column("quota_bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "quota_actions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        _user(nullable=True),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("server", sa.Text),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("until", _TIME),
    )
    for table in ("quota_state_changes", "quota_actions"):
        op.create_index(f"ix_{table}_user_id_time", table, ["user_id", "time"])
        op.create_index(f"ix_{table}_time", table, ["time"])
