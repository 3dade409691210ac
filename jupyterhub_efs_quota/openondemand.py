"""The quotas of all users as Open OnDemand reads them: its quota JSON, version 1.

Written to a file at the end of each cycle, and served by `web/openondemand.py`.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from .board import Row
from .directories import Directories, Directory
from .logs import event
from .quota.record import Record
from .settings import EFSQuota

log = logging.getLogger(__name__)

BLOCK_BYTES = 1024
_SUBSYSTEM = "OpenOnDemand"


def quotas(
    rows: Iterable[Row],
    directories: Directories,
    now: datetime,
    among: Iterable[Row] | None = None,
) -> dict[str, Any]:
    """The document: one entry for each user whose home was measured.

    `among`: all users, where `rows` are those of them whom somebody may see. Every entry is
    complete, or the reader would drop all of that user's. Who was never measured has none: a
    usage of 0 would be a wrong number.
    """
    rows = list(rows)
    homes = Counter(directories.of(row) for row in (rows if among is None else among))
    entries = []
    for row in rows:
        home = directories.of(row)
        if home is None or row.record is None or not row.record.measured:
            continue
        if not _is_text(row.user.name):
            continue  # it would make the whole document unreadable
        entries.append(_entry(row.user.name, home, row.record, shared=homes[home] > 1))
    return {"version": 1, "timestamp": int(now.timestamp()), "quotas": entries}


def dump(document: dict[str, Any]) -> bytes:
    """The document as it is written and served: an entry a line."""
    head = json.dumps({name: value for name, value in document.items() if name != "quotas"})
    entries = ",\n".join(json.dumps(entry) for entry in document["quotas"])
    return f'{head[:-1]}, "quotas": [\n{entries}\n]}}\n'.encode()


def _entry(user: str, home: Directory, record: Record, *, shared: bool) -> dict[str, Any]:
    entry = {
        "type": "fileset" if shared else "user",
        "user": user,
        "path": home.path.encode(errors="replace").decode(),
        "block_limit": _blocks(record.quota_bytes) or 1 if record.quota_enabled else 0,
        "total_block_usage": _blocks(record.actual_bytes),
        # Without a count of files there is nothing to hold against a limit.
        "file_limit": 0,
        "total_file_usage": record.usage_files or 0,
    }
    if record.quota_enabled and record.usage_files is not None:
        entry["file_limit"] = record.quota_files or 0
    if shared:
        # Who made what in it is not known, and all of it counts for the quota of each.
        entry["block_usage"] = entry["total_block_usage"]
        entry["file_usage"] = entry["total_file_usage"]
    if record.stopped is not None:
        # How old the figures are: the document itself is written more often.
        entry["timestamp"] = int(record.stopped.timestamp())
    return entry


def _blocks(size: int) -> int:
    """A size in blocks of 1 KiB, rounded up: who is within the limit stays within it."""
    return -(-size // BLOCK_BYTES)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class QuotaFile:
    """The file at `path`, replaced whole: whoever reads it finds the old one or the new one."""

    def __init__(self, path: Path, mode: int, directories: Directories) -> None:
        self._path = path
        self._mode = mode
        self._directories = directories
        self.trouble: str | None = None

    def write(self, rows: Iterable[Row], now: datetime) -> None:
        """Write all users' quotas. Blocking. What goes wrong is said once, and raises nothing."""
        data = dump(quotas(rows, self._directories, now))
        try:
            self._replace(data)
        except OSError as error:
            trouble = (
                f"{self._path} is not written: {error.strerror or error}."
                " Its directory must exist, and the service must be able to write there:"
                " see c.EFSQuota.ood_quota_file."
            )
            level = logging.DEBUG if trouble == self.trouble else logging.ERROR
            event(log, level, trouble, subsystem=_SUBSYSTEM)
            self.trouble = trouble
        else:
            self.trouble = None

    def _replace(self, data: bytes) -> None:
        # A name that nobody can have put a link at: the directory may be anybody's.
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{self._path.name}.", dir=self._path.parent
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                os.fchmod(descriptor, self._mode)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(self._path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise


def quota_file(settings: EFSQuota) -> QuotaFile | None:
    """The file that the settings want; None if they want none."""
    if not settings.ood_quota_file:
        return None
    mode = int(settings.ood_quota_file_mode, 8)
    return QuotaFile(Path(settings.ood_quota_file), mode, Directories(settings.homes()))
