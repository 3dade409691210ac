"""The history that the settings ask for. Called by `app.py` and the commands."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ..quota.record import Record
from ..settings import EFSQuota
from .history import History
from .place import whole_url
from .recorder import Recorder
from .thinning import Keep

log = logging.getLogger(__name__)

_WAITING = "efs-quota-history"


def history_of(
    settings: EFSQuota,
    clock: Callable[[], datetime],
    remembered: Callable[[list[Record]], None] | None = None,
) -> History | None:
    """The history, not started yet; None where the settings want none. Raises SettingsError."""
    if not settings.history_url:
        return None
    url = whole_url(settings.history_url)
    keep = Keep(
        all_days=settings.history_all_days,
        daily_days=settings.history_daily_days,
        runs_days=settings.activity_days,
        changes_days=settings.history_changes_days,
    )
    path = Path(url.database or "") if url.get_backend_name() == "sqlite" else Path(_WAITING)
    directory = Path(settings.history_waiting or path.absolute().parent)
    return History(url, directory / path.name, clock, keep, remembered)


def recorder_of(settings: EFSQuota, clock: Callable[[], datetime]) -> Recorder:
    """Where a command puts on record what it does.

    It makes no database in whatever directory it happens to run. Raises SettingsError.
    """
    history = history_of(settings, clock)
    if history is None:
        return Recorder()
    path = Path(settings.history_url.removeprefix("sqlite:///"))
    if settings.history_url.startswith("sqlite:") and not (path.is_absolute() or path.exists()):
        log.debug("No history is kept: there is no %s. Give history_url a whole path.", path)
        return Recorder()
    return history
