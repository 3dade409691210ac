"""What alembic runs to migrate: on the connection, and in the transaction, that it is given."""

from __future__ import annotations

from alembic import context

from jupyterhub_efs_quota.history.migrate import VERSION_TABLE
from jupyterhub_efs_quota.history.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
