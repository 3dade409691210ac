"""The history database: reachable, of our version, on a disk that suits it, with room left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import URL

from ...errors import HistoryError, SettingsError
from ...history.look import Looked
from ...history.look import look as look_at
from ...history.place import whole_url
from ...quota.sizes import MIB, format_size
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import ELSEWHERE, SERVICE_ENVIRONMENT, Place

_WHAT = "history database"
_LEAST_BYTES = 200 * MIB
_ABSOLUTE = 'c.EFSQuota.history_url = "sqlite:////srv/jupyterhub/efs-quota.sqlite"'


def look(place: Place) -> Iterator[Finding]:
    """Where it is, then how it stands with it."""
    if place.settings is None:
        return
    if not place.settings.history_url:
        yield ok(_WHAT, "None is kept: history_url is empty.")
        return
    if place.service_elsewhere:
        yield not_looked_at(_WHAT, "The service has it, on another machine.", ELSEWHERE)
        return
    try:
        url = _url(place, place.settings.history_url)
    except SettingsError as error:
        yield wrong(_WHAT, str(error), _ABSOLUTE)
        return
    if url is None:
        yield not_looked_at(
            _WHAT,
            f"{place.settings.history_url} is below the directory in which the hub runs.",
            f"{SERVICE_ENVIRONMENT}; or give it a whole path: {_ABSOLUTE}",
        )
        return
    try:
        looked = look_at(url)
    except HistoryError as error:
        yield _unusable(url, error)
        return
    yield _judge(looked)
    if looked.path is not None:
        yield _space(looked.path)


def _url(place: Place, text: str) -> URL | None:
    """The whole URL; None for a path that is relative to who knows what."""
    path = text.removeprefix("sqlite:///")
    if path == text or Path(path).is_absolute():
        return whole_url(text)
    if place.running is not None:
        return whole_url(f"sqlite:///{place.running.directory / path}")
    return whole_url(text) if Path(path).exists() else None


def _unusable(url: URL, error: HistoryError) -> Finding:
    if url.get_backend_name() == "sqlite":
        return wrong(
            _WHAT,
            f"{error} Quotas are enforced, and nothing is kept.",
            "Start the service, which makes it; see that it may write there",
        )
    return wrong(
        _WHAT,
        f"{error} Quotas are enforced, and nothing is kept.",
        "Start PostgreSQL, or correct c.EFSQuota.history_url;"
        " its driver: pip install 'jupyterhub-efs-quota[postgresql]'",
    )


def _judge(looked: Looked) -> Finding:
    if looked.shared_disk is not None:
        return warning(
            _WHAT,
            f"{looked.where} is on a network file system ({looked.shared_disk}), where SQLite is"
            " slow and may be damaged.",
            _ABSOLUTE + "  # a disk of the service's own",
        )
    if looked.read_only or (looked.path and not os.access(looked.path, os.W_OK)):
        return wrong(
            _WHAT,
            f"{looked.where} can only be read.",
            f"chown {os.geteuid()} {looked.path}" if looked.path else "Name the primary server",
        )
    if looked.revision != looked.newest:
        return warning(
            _WHAT,
            f"{looked.where} has the revision {looked.revision or 'none'}, and this version has"
            f" {looked.newest}.",
            "Restart the service, which brings it up to date",
        )
    return ok(_WHAT, f"{looked.where} has the revision {looked.revision}, the newest.")


def _space(path: Path) -> Finding:
    what = "space for the history"
    free = shutil.disk_usage(path.parent).free
    if free < _LEAST_BYTES:
        return warning(
            what,
            f"{format_size(free)} are left where {path} is.",
            "c.EFSQuota.history_all_days = 7  # or make room",
        )
    return ok(what, f"{format_size(free)} are free.")
