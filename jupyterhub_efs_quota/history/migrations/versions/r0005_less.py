"""What a cycle writes is less: growth is that of 30 days alone, and nothing is packed twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Drop the column, and leave summaries as they are."""
    # As a batch: SQLite drops columns from 3.35 on only, and older ones are about.
    with op.batch_alter_table("quota_latest") as latest:
        latest.drop_column("week_growth")
    if op.get_bind().dialect.name == "postgresql":
        # Summaries are compressed already: PostgreSQL would try it again, in vain.
        op.execute("ALTER TABLE quota_summaries ALTER COLUMN data SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Make it again: it is filled with the next measurements."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE quota_summaries ALTER COLUMN data SET STORAGE EXTENDED")
    op.add_column("quota_latest", sa.Column("week_growth", sa.BigInteger))
