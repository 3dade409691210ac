"""Brings the tables to what this version knows. Called by `database.py`, with a lock held."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ..errors import HistoryError

# Not alembic's own name: the hub's tables, with theirs, may be in the same database.
VERSION_TABLE = "quota_version"
# Any number, the same in all our processes: "quota" in ASCII.
_LOCK = 0x71756F7461


def newest() -> str:
    """The revision that this version makes."""
    head = _scripts().get_current_head()
    assert head is not None
    return head


def current(connection: Connection) -> str | None:
    """The revision of the tables; None where there are none yet."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def take_lock(connection: Connection) -> None:
    """Wait until no other process migrates, till this transaction ends.

    On SQLite the transaction itself is that lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def refuse_newer(revision: str | None, where: str) -> None:
    """Raise HistoryError for tables of a version that is not known here."""
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise HistoryError(
            f"The history database {where} was made by a newer version of jupyterhub-efs-quota"
            f" (revision {revision}; this one knows up to {newest()}). Install that version"
            f" again, or go back with it: jupyterhub-efs-quota database --downgrade={newest()}."
            " Until then nothing is recorded; quotas are enforced all the same."
        )


def upgrade(connection: Connection) -> None:
    """Bring the tables to the newest revision, in the transaction of the connection."""
    command.upgrade(_config(connection), "head")


def downgrade(connection: Connection, revision: str) -> None:
    """Bring the tables back to a revision; `base` drops all of them."""
    command.downgrade(_config(connection), revision)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    # A % begins a reference in alembic's configuration.
    place = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", place)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
