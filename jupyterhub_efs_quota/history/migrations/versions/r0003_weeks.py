"""The last summary of each week, where there was that of each month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jupyterhub_efs_quota.history.tables import Moment

revision = "0003"
down_revision = "0002"

# Weeks as `writing.week_number` counts them. Two months may have had their last ones in one.
_ONE_A_WEEK = """
DELETE FROM quota_summaries WHERE EXISTS (
    SELECT 1 FROM quota_summaries newer
    WHERE newer.user_id = quota_summaries.user_id AND newer.started > quota_summaries.started
    AND (newer.started / 86400000000 + 3) / 7 = (quota_summaries.started / 86400000000 + 3) / 7
)
"""
_SUMMARIES = sa.table(
    "quota_summaries",
    sa.column("user_id", sa.Integer),
    sa.column("month", sa.Integer),
    sa.column("started", Moment),
)


def upgrade() -> None:
    """Number them by weeks."""
    op.execute(sa.text(_ONE_A_WEEK))
    _rename("month", "week")
    op.execute(sa.text("UPDATE quota_summaries SET week = (started / 86400000000 + 3) / 7"))


def downgrade() -> None:
    """Number them by months, of which the last one stays."""
    _rename("week", "month")
    connection, table = op.get_bind(), _SUMMARIES
    last: dict[tuple[int, int], int] = {}
    chosen = sa.select(table.c.user_id, table.c.month, table.c.started)
    for user, week, started in connection.execute(chosen.order_by(table.c.started)).all():
        month = started.year * 12 + started.month - 1
        this = (table.c.user_id == user, table.c.month == last.get((user, month)))
        connection.execute(sa.delete(table).where(*this))
        last[user, month] = week
    for (user, month), week in last.items():
        this = (table.c.user_id == user, table.c.month == week)
        connection.execute(sa.update(table).where(*this).values(month=month))


def _rename(old: str, new: str) -> None:
    op.execute(sa.text(f"ALTER TABLE quota_summaries RENAME COLUMN {old} TO {new}"))
