"""`jupyterhub-efs-quota database`: where the history database is, and which revision it has."""

from __future__ import annotations

from typing import Any

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError
from traitlets import Unicode

from ..commands import Command, fail
from ..errors import EFSQuotaError, HistoryError, SettingsError
from ..logs import start_logging
from ..settings import EFSQuota
from . import migrate
from .database import Database
from .place import whole_url


class DatabaseCommand(Command):
    """Bring the history database to what this version knows, or back."""

    name = "jupyterhub-efs-quota database"
    description = "Bring the history database to what this version knows, or back."
    examples = (
        "jupyterhub-efs-quota database --history-url=sqlite:////srv/jupyterhub/efs-quota.sqlite\n"
        "jupyterhub-efs-quota database --downgrade=0001 --config=/etc/efs-quota/config.py"
    )
    aliases: dict[Any, Any] = {  # noqa: RUF012
        "config": "Command.config_file",
        "log-level": "EFSQuota.log_level",
        "history-url": "EFSQuota.history_url",
        "downgrade": "DatabaseCommand.downgrade",
    }

    downgrade = Unicode(
        "",
        help="Bring it back to this revision, for an earlier version; stop the service first.",
    ).tag(config=True)

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process if it fails."""
        try:
            settings = self.read_settings(argv)
            start_logging("console", settings.log_level)
            self._run(settings)
        except EFSQuotaError as error:
            fail(error)
        except (CommandError, SQLAlchemyError) as error:
            fail(HistoryError(f"The history database cannot be used: {error}"))

    def _run(self, settings: EFSQuota) -> None:
        if not settings.history_url:
            raise SettingsError("history_url is empty: there is no history database.")
        database = Database(whole_url(settings.history_url))
        if database.path is not None and not database.path.exists():
            raise HistoryError(f"There is no {database.path}: give --history-url with its path.")
        database.open()
        if self.downgrade:
            database.downgrade(self.downgrade)
        with database.reading() as connection:
            print(f"{database.where}: revision {migrate.current(connection) or 'none'}")  # noqa: T201
        database.close()
