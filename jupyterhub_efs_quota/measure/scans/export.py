"""Writes scans: every file of some folders in a file of wrstat's. Called by `measure --export`."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import ScanError
from ..task import Progress, Task
from .ordered import Missed, ordered
from .wrstat import QUOTED, make_line

_LOOK_SECS = 0.1
_LOOK_ENTRIES = 256
# Quick to pack; half a per cent larger than the best.
_LEVEL = 6


@dataclass
class Exported:
    """What a scan holds, and what it could not look at."""

    files: int
    dirs: int
    bytes: int
    missed: Missed


def export(
    tasks: Sequence[Task], target: str, form: str = QUOTED, progress: Progress | None = None
) -> Exported:
    """Write a scan of some folders, packed if the file's name ends in `.gz`.

    The file gets its name when it is complete; until then, and if anything is raised,
    whatever had that name stays. `progress` is told files, bytes and folders about ten
    times a second. Raises MeasureError for a folder that cannot be opened or a scan that
    cannot be written; and whatever `progress` raises.
    """
    tasks = _in_order(tasks)
    started = int(time.time())
    with _named_when_complete(target) as raw, _packed(raw, target, started) as file:
        writer = _Writer(file, os.fstat(raw.fileno()), form, progress)
        for task in tasks:
            writer.write(task)
    return writer.counted


def _in_order(tasks: Sequence[Task]) -> list[Task]:
    """The tasks in the order of their paths. Raises ScanError if one lies in another."""
    ways = {os.fsencode(task.home).rstrip(b"/") + b"/": task for task in tasks}
    way = b""
    for here in sorted(ways):
        if way and here.startswith(way):
            inner, outer = ways[here].home, ways[way].home
            raise ScanError(f"{inner!r} lies in {outer!r}: name one of them, or it is there twice.")
        way = here
    return [ways[way] for way in sorted(ways)]


class _Writer:
    """Writes the lines of folders, but for that of the file (`own`) that is written."""

    def __init__(
        self, file: BinaryIO, own: os.stat_result, form: str, progress: Progress | None
    ) -> None:
        self._file = file
        self._own = own.st_dev, own.st_ino
        self._form = form
        self._progress = progress
        self._looked = time.monotonic()
        self.counted = Exported(0, 0, 0, Missed())

    def write(self, task: Task) -> None:
        """Write all lines of one folder."""
        counted = self.counted
        for number, (path, found) in enumerate(ordered(task, counted.missed)):
            if (found.st_dev, found.st_ino) == self._own:
                continue
            self._file.write(make_line(path, found, self._form))
            if stat.S_ISDIR(found.st_mode):
                counted.dirs += 1
            else:
                counted.files += 1
                counted.bytes += found.st_size
            if number % _LOOK_ENTRIES == 0:
                self._look(os.fsdecode(path))

    def _look(self, where: str) -> None:
        now = time.monotonic()
        if self._progress is not None and now - self._looked > _LOOK_SECS:
            self._looked = now
            self._progress(self.counted.files, self.counted.bytes, self.counted.dirs, where)


@contextlib.contextmanager
def _packed(raw: BinaryIO, target: str, started: int) -> Iterator[BinaryIO]:
    if not target.endswith(".gz"):
        yield raw
        return
    # The time in the head says when the scan began.
    with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=started) as packed:
        yield packed  # type: ignore[misc]


@contextlib.contextmanager
def _named_when_complete(target: str) -> Iterator[BinaryIO]:
    """A file beside the target, which takes its name at the end if all went well."""
    if Path(target).is_dir():
        raise ScanError(f"{target} is a folder: name the file that is to be written.")
    partial = f"{target}.{secrets.token_hex(4)}.partial"
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ScanError(f"{target} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "wb", 1024 * 1024) as file:
            yield file
            file.flush()
            os.fsync(handle)
        Path(partial).replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(partial).unlink()
        if isinstance(error, OSError):
            raise ScanError(f"{target} cannot be written: {error.strerror}.") from None
        raise
