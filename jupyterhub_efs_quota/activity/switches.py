"""Which jobs are switched off: a file that administrators edit, or that the pages write.

A job's name on a line of its own switches it off; a note may follow it after a #. It lies
beside the control files, so that it holds for all machines and after a restart.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from ..errors import BadRun, StoreError
from ..settings import EFSQuota
from .names import checked_name

log = logging.getLogger(__name__)

FILE = "switched-off.txt"
_HEAD = (
    "# Jobs of jupyterhub-efs-quota that are switched off: a name a line; a note may follow a #.\n"
)
_MOST_BYTES = 64 * 1024
_LOCK_SECS, _LOCK_POLL_SECS = 5.0, 0.02


class Switches:
    """The jobs that the file at `path` switches off. All methods block.

    `expected`: somebody has named the file in the settings, so that it should be there.
    """

    def __init__(self, path: Path, *, expected: bool = False) -> None:
        self._path = path
        self._expected = expected
        self._said: frozenset[str] = frozenset()

    def off(self) -> dict[str, str]:
        """The jobs that are switched off, each with its note.

        A file that is missing or broken switches nothing off, which is logged once.
        """
        trouble: list[str] = []
        jobs: dict[str, str] = {}
        try:
            lines = self._read().split("\n")
        except FileNotFoundError:
            lines = []
            if self._expected:
                trouble.append(f"There is no {self._path}, so all jobs are on.")
        except (OSError, ValueError) as error:
            lines = []
            trouble.append(f"{self._path} is no list of jobs, so all jobs are on: {_why(error)}.")
        for number, line in enumerate(lines, 1):
            try:
                name, note = _parsed(line)
            except BadRun as error:
                trouble.append(f"Line {number} of {self._path} switches nothing off: {error}")
            else:
                if name:
                    jobs[name] = note
        self._say(trouble)
        return jobs

    def turn(self, name: str, *, on: bool, by: str, now: datetime, reason: str = "") -> bool:
        """Switch a job on or off for all machines; whether that changed anything.

        Raises BadRun for what is no name, StoreError if the file cannot be written.
        """
        checked_name(name)
        try:
            with self._locked():
                lines = self._lines()
                others = [line for line in lines if not _names(line, name)]
                if (len(others) == len(lines)) == on:
                    return False
                if not on:
                    others.append(_line(name, by, now, reason))
                self._write("".join(others))
        except (OSError, ValueError) as error:
            raise StoreError(
                f"The job {name!r} is as it was: {self._path} cannot be changed: {_why(error)}."
            ) from None
        return True

    def _read(self) -> str:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is no regular file")
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ValueError(f"it is larger than {_MOST_BYTES} bytes")
        return data.decode()

    def _lines(self) -> list[str]:
        try:
            text = self._read()
        except FileNotFoundError:
            return [_HEAD]
        if text and not text.endswith("\n"):
            text += "\n"
        return [f"{line}\n" for line in text.split("\n")[:-1]]

    def _write(self, text: str) -> None:
        if len(text.encode()) > _MOST_BYTES:
            raise ValueError("it would become too large: remove what is not needed")
        temporary = self._path.with_name(f"{self._path.name}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._path.with_name(f"{self._path.name}.lock")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        handle = os.open(path, flags, 0o644)
        try:
            end = time.monotonic() + _LOCK_SECS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise
                time.sleep(_LOCK_POLL_SECS)
            yield
        finally:
            os.close(handle)

    def _say(self, trouble: list[str]) -> None:
        for sentence in trouble:
            if sentence not in self._said:
                log.warning("%s", sentence)
        self._said = frozenset(trouble)


def switches_of(settings: EFSQuota) -> Switches:
    """The file that the settings name, or the one beside the control files."""
    if settings.switched_off_file:
        return Switches(Path(settings.switched_off_file), expected=True)
    return Switches(Path(settings.quota_control) / FILE)


def _parsed(line: str) -> tuple[str, str]:
    """The job in a line and the note beside it; "" for a line without a job."""
    text = line.strip()
    if not text or text.startswith("#"):
        return "", ""
    name, _, note = text.replace("\t#", " #").partition(" #")
    return checked_name(name.rstrip()), note.strip()


def _names(line: str, name: str) -> bool:
    try:
        return _parsed(line)[0] == name
    except BadRun:
        return False


def _line(name: str, by: str, now: datetime, reason: str) -> str:
    when = now.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    note = " ".join(f"by {by}, {when}{': ' if reason else ''}{reason}".split())
    return f"{name}  # {''.join(each for each in note if each.isprintable())}\n"


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    return getattr(error, "strerror", None) or str(error)
