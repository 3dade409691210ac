"""How it stands with the history database: looked at, and left as it is. For the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from ..errors import HistoryError
from . import migrate
from .database import Database
from .place import file_system, of_the_network


@dataclass(frozen=True)
class Looked:
    """What there is.

    `where`: in words, without a password. `path`: the file, for SQLite. `revision`: of its
    tables, None where there are none; `newest`: what this version makes. `shared_disk`: the
    network file system that the file is on.
    """

    where: str
    path: Path | None
    revision: str | None
    newest: str
    read_only: bool
    shared_disk: str | None


def look(url: URL) -> Looked:
    """Look at the database at a URL of `place.whole_url`. Blocking. Raises HistoryError."""
    database = Database(url)
    path = database.path
    if path is not None and not path.is_file():
        raise HistoryError(f"There is no {path}.")
    try:
        with database.looking() as connection:
            revision = migrate.current(connection)
            read_only = connection.dialect.name == "postgresql" and (
                connection.execute(text("SHOW transaction_read_only")).scalar() == "on"
            )
    except SQLAlchemyError as error:
        # Of the driver's words the first line says what is wrong.
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        hidden = said.replace(url.password, "***") if url.password else said
        raise HistoryError(f"{database.where} cannot be used: {hidden}.") from None
    migrate.refuse_newer(revision, database.where)
    kind = file_system(path) if path is not None else None
    return Looked(
        where=database.where,
        path=path,
        revision=revision,
        newest=migrate.newest(),
        read_only=read_only,
        shared_disk=kind if of_the_network(kind) else None,
    )
