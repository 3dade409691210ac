"""The control directory: one folder a user, with the record and two locks.

`quota.lock` is held for the moment in which a record is read and written, by us and by
the predecessor (which holds it through a whole measurement). `measure.lock` keeps two of
ours from measuring one home at a time. Both are flock(2) locks, as filelock takes them,
so the kernel frees them when a process dies, however it dies.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import BrokenFile, LockHeld, StoreError
from ..homes import escape
from ..quota.record import Record, replace
from . import text

RECORD = "quota.yaml"
_TEMPORARY = "quota.yaml.tmp"
_LOCK = "quota.lock"
_MEASURE_LOCK = "measure.lock"

# Ours hold quota.lock for milliseconds: wait that long, not for a predecessor's hour.
LOCK_WAIT_SECS = 0.5
_LOCK_POLL_SECS = 0.01


class ControlStore:
    """Reads and writes control files below `root`.

    Blocking: call it off the event loop. Nothing is created but by `held(create=True)`.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        # As text: a cycle makes a dozen paths for each of 10,000 users.
        self._root = str(root)

    def directory(self, user: str) -> Path:
        """Where a user's control files are."""
        return Path(self.folder(user))

    def path(self, user: str) -> Path:
        """A user's control file."""
        return Path(self.folder(user), RECORD)

    def folder(self, user: str) -> str:
        """As `directory`, as text."""
        return f"{self._root}/{escape(user)}"

    def check(self) -> None:
        """Raise StoreError unless the control directory is there."""
        try:
            os.scandir(self.root).close()
        except OSError as error:
            raise StoreError(
                f"The control directory {self.root} cannot be read: {error.strerror}."
                " Mount or create it, or set quota_control."
            ) from None

    def read(self, user: str) -> Record | None:
        """The user's record, or None where there is no file.

        Needs no lock, since files are replaced whole. Raises BrokenFile or StoreError.
        """
        folder = self.folder(user)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise BrokenFile(f"{folder} is a link or a file, and should be a folder.") from None
        except OSError as error:
            raise _store_error(folder, error) from None
        try:
            record = read_record(f"{folder}/{RECORD}", handle)
        finally:
            os.close(handle)
        return None if record is None else _of(user, record)

    @contextmanager
    def held(
        self, user: str, *, create: bool = False, wait_secs: float = LOCK_WAIT_SECS
    ) -> Iterator[Held]:
        """Hold the user's quota.lock: read, change and write one record.

        Raises LockHeld if another process keeps it for longer than `wait_secs`, StoreError
        if the directory is missing and not to be created.
        """
        with self._flock(user, _LOCK, create=create, wait_secs=wait_secs):
            yield Held(self, user)

    @contextmanager
    def measuring(self, user: str) -> Iterator[None]:
        """Hold the user's measure.lock. Raises LockHeld at once if somebody measures.

        Raises StoreError for a user who has no directory.
        """
        with self._flock(user, _MEASURE_LOCK, create=False, wait_secs=0):
            yield

    @contextmanager
    def _flock(self, user: str, name: str, *, create: bool, wait_secs: float) -> Iterator[None]:
        directory = self.folder(user)
        path = f"{directory}/{name}"
        try:
            self._enter(directory, create=create)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise _store_error(path, error) from None
        try:
            if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o644:
                _make_readable(descriptor, 0o644)
            _lock(descriptor, path, wait_secs)
            if os.fstat(descriptor).st_nlink == 0:
                # Some versions of filelock remove the file when they let go of it; the
                # next one makes another.
                raise LockHeld(f"{path} was removed by another process.")
            yield
        finally:
            os.close(descriptor)

    def _enter(self, directory: str, *, create: bool) -> None:
        try:
            found = os.lstat(directory)
        except FileNotFoundError:
            if not create:
                raise
            # The root is never created: an unmounted store must not be mistaken for a new one.
            self.check()
            try:
                os.mkdir(directory, 0o755)
            except FileExistsError:
                return  # another monitor meets the same new user
            os.chmod(directory, 0o755)
            return
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")


class Held:
    """A user's control file while its lock is held. Made by `ControlStore.held`."""

    def __init__(self, store: ControlStore, user: str) -> None:
        self._store = store
        self._user = user

    def read(self) -> Record | None:
        """The record, or None where there is no file. Raises BrokenFile or StoreError."""
        return self._store.read(self._user)

    def write(self, record: Record) -> None:
        """Replace the file: a crash at any moment leaves the old one or the new one.

        Raises StoreError, or BrokenFile for more than a record may hold; the old file is
        then untouched.
        """
        directory = self._store.folder(self._user)
        # One name is enough, since the lock is held, and what a crash left is overwritten.
        temporary, path = f"{directory}/{_TEMPORARY}", f"{directory}/{RECORD}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        data = text.dump(_of(self._user, record)).encode()
        if len(data) > text.MAX_BYTES:
            # Written out, what a hand put in may be longer than it was: \u00e9 for a letter.
            raise BrokenFile(_too_large(path))
        try:
            descriptor = os.open(temporary, flags, 0o644)
            try:
                written = 0
                while written < len(data):
                    written += os.write(descriptor, data[written:])
                if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o644:
                    os.fchmod(descriptor, 0o644)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, path)
        except OSError as error:
            raise _store_error(path, error) from None


def read_record(path: Path | str, folder: int | None = None) -> Record | None:
    """The record in a control file, or None where there is none.

    With `folder`, a handle, the file of that name in it. Never follows a link at the file,
    never waits on a pipe. Raises BrokenFile or StoreError.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        if folder is None:
            descriptor = os.open(path, flags)
        else:
            descriptor = os.open(os.path.basename(path), flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BrokenFile(f"{path} is a symbolic link, which is not followed.") from None
        raise _store_error(path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BrokenFile(f"{path} is not a regular file, and should be one.")
        data = b""
        while len(data) <= text.MAX_BYTES:
            block = os.read(descriptor, text.MAX_BYTES + 1)
            if not block:
                break
            data += block
    except OSError as error:
        raise _store_error(path, error) from None
    finally:
        os.close(descriptor)
    if len(data) > text.MAX_BYTES:
        raise BrokenFile(_too_large(path))
    try:
        return text.load(data.decode(), path)
    except UnicodeDecodeError as error:
        raise BrokenFile(f"{path} is not UTF-8 at byte {error.start}. Correct it.") from None


def _too_large(path: Path | str) -> str:
    return f"{path} is larger than {text.MAX_BYTES} bytes: no record is."


def _of(user: str, record: Record) -> Record:
    """The record under the hub's name of the user, whatever a copied file says."""
    if record.user == user:
        return record
    return replace(record, user=user)


def _lock(descriptor: int, path: str, wait_secs: float) -> None:
    end = time.monotonic() + wait_secs
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise _store_error(path, error) from None
        if time.monotonic() >= end:
            raise LockHeld(f"{path} is held by another process.")
        time.sleep(_LOCK_POLL_SECS)


def _make_readable(descriptor: int, mode: int) -> None:
    # The predecessor's file may be under another user id: it works as it is.
    with suppress(PermissionError):
        os.fchmod(descriptor, mode)


def _store_error(path: Path | str, error: OSError) -> StoreError:
    return StoreError(f"{path}: {error.strerror or error}")
