"""How each user stands, in a row of their own: computed from what happened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.BigInteger

# Growth is filled in with the next measurement, the record with the next look at it.
_FILL = """
INSERT INTO quota_latest (
    user_id, seen, state, counted, counted_files, quota_bytes, quota_files, fraction,
    enabled, lockout_enabled, measured, secs, allocated, dirs, unreadable, complete, timed_out
)
SELECT
    m.user_id, m.started,
    COALESCE(
        (SELECT c.after FROM quota_state_changes c
         WHERE c.user_id = m.user_id ORDER BY c.time DESC, c.id DESC LIMIT 1), 'ok'),
    m.counted, m.files, m.quota_bytes, m.quota_files,
    CASE WHEN m.quota_bytes > 0 AND m.counted > 0
         THEN CAST(m.counted AS DOUBLE PRECISION) / m.quota_bytes ELSE 0 END,
    TRUE, TRUE, m.started, m.secs, m.allocated, m.dirs, m.unreadable, m.complete, m.timed_out
FROM quota_measurements m
JOIN (SELECT user_id, MAX(started) AS started FROM quota_measurements GROUP BY user_id) newest
    ON newest.user_id = m.user_id AND newest.started = m.started
"""


def upgrade() -> None:
    """Make the tables, and fill them from the measurements there are."""
    op.create_table(
        "quota_latest",
        sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seen", _TIME, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("counted", sa.BigInteger, nullable=False),
        sa.Column("counted_files", sa.BigInteger),
        sa.Column("quota_bytes", sa.BigInteger, nullable=False),
        sa.Column("quota_files", sa.BigInteger),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("lockout_enabled", sa.Boolean, nullable=False),
        sa.Column("measured", _TIME),
        sa.Column("secs", sa.Float),
        sa.Column("allocated", sa.BigInteger),
        sa.Column("dirs", sa.BigInteger),
        sa.Column("unreadable", sa.BigInteger),
        sa.Column("complete", sa.Boolean),
        sa.Column("timed_out", sa.Boolean),
        sa.Column("week_growth", sa.BigInteger),
        sa.Column("month_growth", sa.BigInteger),
    )
    op.create_table(
        "quota_records",
        sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.execute(sa.text(_FILL))


def downgrade() -> None:
    """Drop them: an upgrade computes them anew."""
    op.drop_table("quota_records")
    op.drop_table("quota_latest")
