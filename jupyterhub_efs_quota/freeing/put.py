"""Move an entry to a name that is free: whatever has that name is never replaced."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from .handles import OPEN_PLACE, identity

# What file systems say that have no hard links, or not for this.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def put(source: int, name: bytes, target: int, new_name: bytes) -> bool:
    """Move an entry from one open directory to another; whether its new name was free.

    Owner, mode and times stay. Raises OSError.
    """
    found = os.stat(name, dir_fd=source, follow_symlinks=False)
    with movable(source, name, found):
        if stat.S_ISDIR(found.st_mode):
            return _put_directory(source, name, target, new_name)
        return _put_file(source, name, target, new_name)


def _put_directory(source: int, name: bytes, target: int, new_name: bytes) -> bool:
    # A directory replaces an empty one and nothing else: so it is one of our own.
    try:
        os.mkdir(new_name, 0o700, dir_fd=target)
    except FileExistsError:
        return False
    try:
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.rmdir(new_name, dir_fd=target)
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False  # somebody was quick to use it
        raise
    return True


def _put_file(source: int, name: bytes, target: int, new_name: bytes) -> bool:
    try:
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        if not _same(source, name, target, new_name):
            return False
        # Somebody was killed at this very point.
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _put_without_link(source, name, target, new_name)
    os.unlink(name, dir_fd=source)
    return True


def _put_without_link(source: int, name: bytes, target: int, new_name: bytes) -> bool:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.close(os.open(new_name, flags, 0o600, dir_fd=target))
    except FileExistsError:
        return False
    os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    return True


def _same(source: int, name: bytes, target: int, new_name: bytes) -> bool:
    one = os.stat(name, dir_fd=source, follow_symlinks=False)
    try:
        other = os.stat(new_name, dir_fd=target, follow_symlinks=False)
    except FileNotFoundError:
        return False  # whoever had the name has given it up again
    return identity(one) == identity(other)


@contextlib.contextmanager
def movable(handle: int, name: bytes, found: os.stat_result) -> Iterator[None]:
    """Make a directory writable to us while it is moved, where its owner had it otherwise.

    Whoever is not root needs that to move one, since its `..` changes.
    """
    if os.geteuid() == 0 or not stat.S_ISDIR(found.st_mode) or found.st_mode & stat.S_IWUSR:
        yield
        return
    place = os.open(name, OPEN_PLACE, dir_fd=handle)
    try:
        if identity(os.fstat(place)) != identity(found):
            raise OSError(errno.ENOENT, "replaced")
        by_handle, mode = f"/proc/self/fd/{place}", stat.S_IMODE(found.st_mode)
        os.chmod(by_handle, mode | stat.S_IWUSR)
        try:
            yield
        finally:
            os.chmod(by_handle, mode)
    finally:
        os.close(place)
