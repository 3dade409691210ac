"""The history database: opened, migrated, and the connections to it.

SQLite in a file on the service's own disk, or PostgreSQL where several processes share it.
Blocking, as all of this package but the calls of `History` that only take something.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from ..errors import HistoryError
from . import migrate
from .place import file_system, of_the_network

log = logging.getLogger(__name__)

# How long SQLite waits for another process that writes, and to be opened by several at once.
BUSY_SECS = 10.0
OPEN_SECS = 60.0
_SQLITE_SETTINGS = (
    # Safe with the log: a power cut may cost the last seconds, never the file.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA cache_size = -16000",
    "PRAGMA journal_size_limit = 67108864",
)
# Nothing waits for a database that does not answer for longer than this.
_POSTGRESQL_OPTIONS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 10,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "jupyterhub-efs-quota",
    # As with SQLite, a power cut may cost the last second: no transaction waits for the disk.
    "options": "-c statement_timeout=15000 -c lock_timeout=5000 -c synchronous_commit=off",
}


class Database:
    """Opens the database at a URL of `place.whole_url`, and gives connections to it."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine: Engine | None = None
        # Which files they are that we have open: the database, and SQLite's log beside it.
        self._identity: tuple[int, int] | None = None
        self._log_identity: tuple[int, int] | None = None

    @property
    def path(self) -> Path | None:
        """The file, for SQLite."""
        return Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None

    @property
    def where(self) -> str:
        """The place in words: a path, or a URL without its password."""
        shown = self._url.set(drivername=self._url.get_backend_name(), query={})
        return str(self.path or shown.render_as_string(hide_password=True))

    def open(self) -> None:
        """Connect, and bring the tables to what we know. Raises HistoryError, SQLAlchemyError."""
        self.close()
        if self.path is not None:
            self._prepare_file(self.path)
        engine = _engine(self._url)
        try:
            if self.path is not None:
                _set_journal(engine, self.path)
            self._migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine
        if self.path is not None:
            self._identity, self._log_identity = _identity(self.path), _identity(self._log)

    def close(self) -> None:
        """Let go of all connections."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    @property
    def is_open(self) -> bool:
        """Whether there is something to read from and write to."""
        return self._engine is not None

    def replaced(self) -> bool:
        """Whether the file was removed, or another put in its place, since it was opened."""
        if self._engine is None or self.path is None:
            return False
        if _identity(self.path) != self._identity:
            return True
        self._log_identity = _identity(self._log)
        return False

    def abandon(self) -> None:
        """Let go of a file that is not there any more, and of the log that belongs to it.

        SQLite leaves that log where it is, and would apply it to whatever file comes next.
        """
        self.close()
        if self._log_identity is not None and _identity(self._log) == self._log_identity:
            self._log.unlink(missing_ok=True)

    @property
    def _log(self) -> Path:
        return Path(f"{self.path}-wal")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the data. Raises HistoryError, SQLAlchemyError."""
        with self._connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """A connection to what is there, without `open`: nothing is made or changed.

        Raises HistoryError, SQLAlchemyError.
        """
        engine = _engine(self._url) if self.path is None else _read_only_engine(self.path)
        try:
            with engine.connect() as connection, connection.begin():
                yield connection
        finally:
            engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all that is done in it is there at its end, or nothing is."""
        with self._connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def downgrade(self, revision: str) -> None:
        """Bring the tables back to what an earlier version knows. Raises as `open` does."""
        with self.writing() as connection:
            migrate.take_lock(connection)
            migrate.downgrade(connection, revision)

    def _connect(self) -> Connection:
        if self._engine is None:
            raise HistoryError(f"The history database {self.where} is not open.")
        return self._engine.connect()

    def _prepare_file(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise HistoryError(
                f"There is no directory {path.parent} for the history database:"
                " make it, or set history_url."
            )
        try:
            # What all users hold is nobody's business: SQLite's own would be readable by all.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise HistoryError(
                f"The history database {path} cannot be written: {error.strerror}."
                " Mend that, or set history_url."
            ) from None

    def _migrate(self, engine: Engine) -> None:
        with engine.connect() as connection, connection.begin():
            revision = migrate.current(connection)
        migrate.refuse_newer(revision, self.where)
        if revision == migrate.newest():
            return
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            migrate.take_lock(connection)
            # Another service may have been at it while we waited.
            revision = migrate.current(connection)
            migrate.refuse_newer(revision, self.where)
            if revision != migrate.newest():
                log.info(
                    "The history database %s is brought from revision %s to %s",
                    self.where, revision or "none", migrate.newest(),
                )  # fmt: skip
                migrate.upgrade(connection)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        options = {k: v for k, v in _POSTGRESQL_OPTIONS.items() if k not in url.query}
        try:
            return create_engine(url, connect_args=options, pool_pre_ping=True, pool_timeout=10)
        except ImportError:
            raise HistoryError(
                "history_url names a PostgreSQL, and its driver is not installed:"
                " pip install jupyterhub-efs-quota[postgresql]"
            ) from None
    engine = create_engine(url, connect_args={"timeout": BUSY_SECS})
    event.listen(engine, "connect", _begin_by_hand)
    event.listen(engine, "begin", _begin)
    return engine


def _read_only_engine(path: Path) -> Engine:
    # Without the log nobody has it open; then SQLite need not make one either.
    how = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    uri = f"file:{quote(str(path))}?{how}"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True))


def _begin_by_hand(connection: Any, _: Any) -> None:
    # The driver begins a transaction only before it writes, and never the kind we want.
    connection.isolation_level = None
    for setting in _SQLITE_SETTINGS:
        connection.execute(setting)


def _begin(connection: Connection) -> None:
    # Who means to write takes the lock first: one who read before may not get it any more.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_journal(engine: Engine, path: Path) -> None:
    """Let readers read while we write (WAL), where the disk is ours alone."""
    kind = file_system(path)
    mode = "WAL"
    if of_the_network(kind):
        mode = "DELETE"
        log.warning(
            "The history database %s is on a network file system (%s), where SQLite is slow and"
            " may be damaged. Set history_url to a path on a disk of the service's own, or to a"
            " PostgreSQL.",
            path, kind,
        )  # fmt: skip
    end = time.monotonic() + OPEN_SECS
    while True:
        try:
            with engine.connect() as connection:
                raw = connection.connection.driver_connection
                assert raw is not None
                if raw.execute("PRAGMA journal_mode").fetchone()[0].upper() != mode:
                    raw.execute(f"PRAGMA journal_mode = {mode}")
            return
        except Exception as error:
            # Another process opens it too: SQLite does not wait here by itself.
            if "locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.05)
