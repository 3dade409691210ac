"""The open home of a user: every directory of it is reached from its handle, name by name.

No symbolic link is followed, no other file system or mount is entered, nor what belongs to
somebody else and is closed to the user. All that lists, moves or deletes begins here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import FreeingError, HomeError, NotThere
from .paths import Names

# A link in a directory's place is refused, and nothing that is opened makes us wait.
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# A handle by which nothing can be read: to look at, and to step on from.
OPEN_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_MAY_ENTER = stat.S_IROTH | stat.S_IXOTH


class Identity(NamedTuple):
    """What stays the same of a file or directory, however it is called."""

    device: int
    inode: int


def identity(found: os.stat_result) -> Identity:
    """Which one it is that was found."""
    return Identity(found.st_dev, found.st_ino)


def mount_of(handle: int) -> int:
    """The number of the mount that a handle lies in; 0 where the system does not tell."""
    try:
        with open(f"/proc/self/fdinfo/{handle}", "rb") as lines:
            return next((int(line[7:]) for line in lines if line.startswith(b"mnt_id:")), 0)
    except OSError:
        return 0


class Home:
    """A home that is open. Made by `open_home`.

    `owner` is whose home it is, by the directory itself: what does not belong to them is
    not theirs to delete.
    """

    def __init__(self, handle: int) -> None:
        found = os.fstat(handle)
        self.handle = handle
        self.owner = found.st_uid
        self.identity = identity(found)
        self._mount = mount_of(handle)

    @contextlib.contextmanager
    def directory(self, names: Names) -> Iterator[int]:
        """A handle of a directory of the home. Raises FreeingError."""
        handle = os.dup(self.handle)
        try:
            for name in names:
                inner = self.step(handle, name)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    def step(self, handle: int, name: bytes) -> int:
        """A handle of a directory within one that is open. Raises FreeingError."""
        try:
            inner = os.open(name, OPEN_DIRECTORY, dir_fd=handle)
        except OSError as error:
            raise plain_error(error) from None
        try:
            self.check_inside(inner)
        except BaseException:
            os.close(inner)
            raise
        return inner

    def check_inside(self, handle: int) -> None:
        """Raise FreeingError unless a directory is of this home, and open to its user."""
        found = os.fstat(handle)
        if found.st_dev != self.identity.device or mount_of(handle) != self._mount:
            raise FreeingError("Another file system is mounted here, which is not yours to free.")
        open_to_all = found.st_mode & _OTHERS_MAY_ENTER == _OTHERS_MAY_ENTER
        if found.st_uid != self.owner and not open_to_all:
            raise FreeingError("This folder belongs to somebody else.")

    def check_own(self, handle: int) -> None:
        """Raise FreeingError unless a directory is the user's: who owns it may empty it."""
        if os.fstat(handle).st_uid != self.owner:
            raise FreeingError("This lies in a folder that belongs to somebody else.")

    def look(self, handle: int, name: bytes) -> os.stat_result:
        """What an entry of the user's is, if it is theirs to delete. Raises FreeingError."""
        try:
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError as error:
            raise plain_error(error) from None
        if found.st_dev != self.identity.device:
            raise FreeingError("Another file system is mounted here, which is not yours to free.")
        if found.st_uid != self.owner:
            raise FreeingError("This belongs to somebody else.")
        return found

    def still_at(self, names: Names, handle: int) -> bool:
        """Whether an open directory still is the one that these names lead to."""
        try:
            with self.directory(names) as found:
                return identity(os.fstat(found)) == identity(os.fstat(handle))
        except FreeingError:
            return False


@contextlib.contextmanager
def open_home(home_root: Path | str, home: Path) -> Iterator[Home]:
    """Open a home below the home root, without following any link below that.

    Raises HomeError.
    """
    try:
        handle = os.open(home_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in home.relative_to(home_root).parts:
            above, handle = handle, -1
            try:
                handle = os.open(name, OPEN_DIRECTORY, dir_fd=above)
            finally:
                os.close(above)
    except OSError as error:
        raise HomeError(
            f"The home {home} is not opened to free space in it: {error.strerror}. Between"
            f" {home_root} and it there may be directories only, no links."
        ) from None
    try:
        yield Home(handle)
    finally:
        os.close(handle)


def plain_error(error: OSError) -> FreeingError:
    """What went wrong at a file, in words for its user."""
    number = error.errno
    if number in (errno.ENOENT, errno.ESTALE):
        return NotThere("This is not there any more.")
    if number in (errno.ELOOP, errno.ENOTDIR):
        return FreeingError("This is not the folder it was: it is a link or a file now.")
    if number in (errno.EACCES, errno.EPERM):
        return FreeingError(
            "The service may not do this here: the files belong to somebody whom it may not"
            " act for. Delete them from your own server, or ask the administrator."
        )
    if number == errno.EROFS:
        return FreeingError("The service can only read here.")
    return FreeingError(f"This did not work: {error.strerror or error}.")
