"""A home held by a handle, and the mount that it is on: what every counter starts from.

By a handle, so that all questions are about the same directory, whatever is renamed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import CannotCount

_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Mount:
    """A line of /proc/self/mountinfo: type, device or dataset, where, and what part of it."""

    kind: str
    source: str
    point: str
    root: str


@dataclass(frozen=True)
class OpenHome:
    """A home with what its handle told when it was opened."""

    path: str
    handle: int
    mount: Mount
    device: int
    inode: int
    owner: int
    changed: float

    @property
    def proc_path(self) -> str:
        """A path to the open home, for calls that take no handle."""
        return f"/proc/self/fd/{self.handle}"

    def read(self, name: str = ".") -> int:
        """A handle of the home, or of its parent `..`, that can be read; to be closed."""
        try:
            return os.open(name, os.O_RDONLY | _DIRECTORY, dir_fd=self.handle)
        except OSError as error:
            what = "Its parent directory" if name == ".." else "It"
            raise CannotCount(
                f"{what} cannot be read ({error.strerror}): the service needs to run as root."
            ) from None


@contextmanager
def open_home(path: str) -> Iterator[OpenHome]:
    """A home, open for as long as the `with` lasts. Raises CannotCount."""
    try:
        # A handle that reads nothing needs no permission on the home itself.
        handle = os.open(path, os.O_PATH | _DIRECTORY)
    except OSError as error:
        raise CannotCount(f"It cannot be opened: {error.strerror}.") from None
    try:
        found = os.fstat(handle)
        yield OpenHome(
            path,
            handle,
            mount_of(handle),
            device=found.st_dev,
            inode=found.st_ino,
            owner=found.st_uid,
            changed=found.st_mtime,
        )
    finally:
        os.close(handle)


def mount_of(handle: int) -> Mount:
    """The mount that an open file is on. Raises CannotCount."""
    try:
        about = Path(f"/proc/self/fdinfo/{handle}").read_bytes()
        table = Path("/proc/self/mountinfo").read_bytes()
    except OSError as error:
        raise CannotCount(f"/proc does not tell its mount: {error.strerror}.") from None
    number = re.search(rb"^mnt_id:\s*(\d+)$", about, re.MULTILINE)
    for line in table.splitlines():
        if number is not None and line.split(b" ", 1)[0] == number[1]:
            return parse_mount(line)
    raise CannotCount("/proc does not tell its mount.")


def parse_mount(line: bytes) -> Mount:
    """The mount in a line of mountinfo."""
    fields = line.split(b" ")
    kind, source = fields[fields.index(b"-", 6) + 1 :][:2]
    return Mount(
        kind=_text(kind), source=_text(source), point=_text(fields[4]), root=_text(fields[3])
    )


def _text(field: bytes) -> str:
    """A field of mountinfo, where blanks and the like are written as octal digits."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), field))
