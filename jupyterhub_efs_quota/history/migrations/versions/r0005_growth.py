"""Growth is that of 30 days, everywhere: the one of a week is not kept any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Drop the column."""
    # As a batch: SQLite drops columns from 3.35 on only, and older ones are about.
    with op.batch_alter_table("quota_latest") as latest:
        latest.drop_column("week_growth")


def downgrade() -> None:
    """Make it again: it is filled with the next measurements."""
    op.add_column("quota_latest", sa.Column("week_growth", sa.BigInteger))
