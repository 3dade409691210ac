"""Which scan is the newest, and of when it is. Called by `loops/scans.py`."""

from __future__ import annotations

import glob
import os
import re
import stat
from dataclasses import dataclass
from datetime import datetime, timezone

_GZIP = b"\x1f\x8b"
# What wrstat's names begin with: a day, since 2025 with the time, both in local time.
_NAMED = re.compile(r"(\d{8})(?:-(\d{6}))?_")


@dataclass(frozen=True)
class ScanFile:
    """A scan. `taken` is when it began, as far as that can be told: never later than that.

    `identity` is another one once the file was written anew.
    """

    path: str
    taken: datetime
    identity: tuple[int, int, int, int]


def newest_scan(pattern: str) -> ScanFile | None:
    """The newest of the files whose paths match a pattern; None if there is none.

    Raises OSError if one cannot be looked at.
    """
    scans = [scan for path in glob.glob(pattern) if (scan := _look(path)) is not None]
    return max(scans, key=lambda scan: (scan.taken, scan.path), default=None)


def _look(path: str) -> ScanFile | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None  # removed meanwhile
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return None
        head = os.read(handle, 8)
    finally:
        os.close(handle)
    # Whatever is not there is later than what is. Copying a file may make its own time new.
    times = [found.st_mtime]
    packed = int.from_bytes(head[4:8], "little")
    if head[:2] == _GZIP and packed:
        times.append(float(packed))
    for name in (os.path.basename(path), os.path.basename(os.path.dirname(path))):
        times += _named(name)
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return ScanFile(path, datetime.fromtimestamp(min(times), timezone.utc), identity)


def _named(name: str) -> list[float]:
    match = _NAMED.match(name)
    if match is None:
        return []
    day, time = match.groups()
    try:
        return [datetime.strptime(day + (time or "000000"), "%Y%m%d%H%M%S").timestamp()]  # noqa: DTZ007
    except (ValueError, OverflowError):
        return []
