"""Events that wait for a database that is away, in a file that outlives the process.

One file a process: lines are appended, and it is emptied when all are in the database. Its
owner holds a lock on it, so that others take over only what a dead process has left.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .events import Event, decode, encode

log = logging.getLogger(__name__)

SUFFIX = ".pending"
MOST_BYTES = 256 * 1024 * 1024
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Pending:
    """The waiting events of one writer, in `{base}.{writer}.pending`. Raises OSError."""

    def __init__(self, base: Path, writer: str, most_bytes: int = MOST_BYTES) -> None:
        self.writer = writer
        self._base = base
        self._most = most_bytes
        self._handle: int | None = None
        self._size = 0
        self._read = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self._base.with_name(f"{self._base.name}.{self.writer}{SUFFIX}")

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._read >= self._size

    def append(self, events: Iterable[tuple[int, Event]]) -> None:
        """Add numbered events: all of them are on the disk afterwards, or none is."""
        data = "".join(f"{number} {encode(event)}\n" for number, event in events).encode()
        if self._size + len(data) > self._most:
            raise OSError(f"{self.path} has {self._size} bytes already, which is enough")
        handle = self._open()
        try:
            written = 0
            while written < len(data):
                written += os.write(handle, data[written:])
            os.fsync(handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, self._size)
            raise
        self._size += len(data)

    def batch(self, most: int) -> tuple[list[tuple[int, Event]], int]:
        """The next events, and where the one after them begins: see `done`."""
        events: list[tuple[int, Event]] = []
        with os.fdopen(os.dup(self._open()), "rb") as file:
            place = file.seek(self._read)
            while len(events) < most and place < self._size:
                line = file.readline()
                place += len(line)
                if not line.endswith(b"\n"):
                    # Cut off by a crash while it was written: it was never said to be kept.
                    return events, self._size
                events += _event(line, self.path)
        return events, place

    def done(self, place: int) -> None:
        """What comes before that place is in the database; an empty file is emptied."""
        self._read = place
        if self.empty:
            if self._handle is not None:
                os.ftruncate(self._handle, 0)
            self._size = self._read = 0

    def take_over(self) -> bool:
        """Take what a process has left behind; False if it is alive, or there is nothing."""
        try:
            handle = os.open(self.path, _FLAGS)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._handle, self._size = handle, os.fstat(handle).st_size
        return True

    def close(self) -> None:
        """Let go of the file, and remove it if nothing is in it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            if self.empty:
                self.path.unlink(missing_ok=True)
            os.close(handle)

    def _open(self) -> int:
        while self._handle is None:
            handle = os.open(self.path, _FLAGS | os.O_CREAT, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                self._handle = handle
                self._size = os.fstat(handle).st_size
            else:
                os.close(handle)  # taken for a dead process's, and removed, that very moment
        return self._handle


@contextmanager
def left_behind(base: Path, own: str) -> Iterator[list[Pending]]:
    """The files of processes that are dead, held till the end; those that are empty then go."""
    found: list[Pending] = []
    try:
        for path in sorted(base.parent.glob(f"{_literal(base.name)}.*{SUFFIX}"), key=_age):
            writer = path.name[len(base.name) + 1 : -len(SUFFIX)]
            if writer != own and writer.isalnum():
                pending = Pending(base, writer)
                if pending.take_over():
                    found.append(pending)
        yield found
    finally:
        for pending in found:
            pending.close()


def _event(line: bytes, path: Path) -> list[tuple[int, Event]]:
    try:
        number, _, text = line.decode().partition(" ")
        return [(int(number), decode(text))]
    except ValueError as error:
        log.warning("A line of %s is left out: %s", path, error)
        return []


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
