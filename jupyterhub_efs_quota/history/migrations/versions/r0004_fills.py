"""How full the volume of the homes was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table: it fills from now on."""
    op.create_table(
        "quota_fills",
        sa.Column("time", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("free", sa.BigInteger, nullable=False),
        sa.Column("files_used", sa.BigInteger),
        sa.Column("files_free", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop it, and what it holds."""
    op.drop_table("quota_fills")
