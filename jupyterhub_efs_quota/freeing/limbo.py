"""Limbo: where things lie between a home and nowhere, a drawer for each user.

    LIMBO/USER/lock
    LIMBO/USER/receipts       see ledger.py
    LIMBO/USER/KEY/note       what the thing is: written, and on disk, before it is moved
    LIMBO/USER/KEY/kept       the thing itself
    LIMBO/USER/KEY/doomed     the thing, once it is being deleted for good

So what is there says how far somebody came who was killed: see recover.py.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ..errors import Busy, FreeingError, NoLimbo, NotThere
from ..homes import escape
from .handles import OPEN_DIRECTORY, plain_error
from .note import Note, dump, is_key, load

KEPT, DOOMED, NOTE = b"kept", b"doomed", b"note"
_NEW_NOTE, _LOCK = b"note.new", b"lock"
_OWN = 0o700
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LONGEST_NOTE = 4 << 20
_POLL_SECS = 0.05
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EXDEV, errno.EMLINK)


class Limbo:
    """The directory `place`, which is made where it is missing, for the service alone."""

    def __init__(self, place: Path) -> None:
        self.place = place

    @contextlib.contextmanager
    def drawer(self, user: str, wait_secs: float = 10.0) -> Iterator[Drawer]:
        """A user's drawer, while nobody else has it open.

        Raises NoLimbo where there can be none, Busy where somebody else has it.
        """
        with self.unlocked(user) as drawer, _locked(drawer.handle, wait_secs):
            yield drawer

    @contextlib.contextmanager
    def unlocked(self, user: str) -> Iterator[Drawer]:
        """A user's drawer, whoever has it open: for long work on what nobody else wants."""
        with self._open() as top:
            name = drawer_name(user)
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, _OWN, dir_fd=top)
                handle = os.open(name, OPEN_DIRECTORY, dir_fd=top)
            except OSError as error:
                raise no_limbo(error) from None
        try:
            yield Drawer(user, handle)
        finally:
            os.close(handle)

    def notes(self, user: str) -> list[Note]:
        """What is in a user's drawer, the oldest first; nothing is made or waited for."""
        try:
            handle = os.open(self.place / os.fsdecode(drawer_name(user)), OPEN_DIRECTORY)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise no_limbo(error) from None
        try:
            return Drawer(user, handle).notes()
        finally:
            os.close(handle)

    def users(self) -> list[str]:
        """The users who have something in limbo, by the notes."""
        if not self.place.exists():
            return []
        found = set()
        with self._open() as top:
            for name in os.listdir(top):
                with contextlib.suppress(OSError):
                    handle = os.open(name, OPEN_DIRECTORY, dir_fd=top)
                    try:
                        found.add(Drawer("", handle).user_by_notes())
                    finally:
                        os.close(handle)
        return sorted(found - {""})

    @contextlib.contextmanager
    def _open(self) -> Iterator[int]:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.place, _OWN)
            handle = os.open(self.place, OPEN_DIRECTORY)
        except OSError as error:
            raise no_limbo(error) from None
        try:
            found = os.fstat(handle)
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise NoLimbo(
                    "Nothing can be put aside: the directory for that is not the service's"
                    " alone. The administrator has to look at the setting limbo."
                )
            yield handle
        finally:
            os.close(handle)


class Drawer:
    """What a user has in limbo. Made by `Limbo.drawer`."""

    def __init__(self, user: str, handle: int) -> None:
        self.user = user
        self.handle = handle

    def keys(self) -> list[str]:
        """The names of all things, the oldest first."""
        return sorted(name for name in os.listdir(self.handle) if is_key(name))

    def notes(self) -> list[Note]:
        """What can be brought back, the oldest first."""
        return [note for key in self.keys() if (note := self._note_of(key)) is not None]

    def note(self, key: str) -> Note:
        """The note of one thing. Raises NotThere."""
        note = self._note_of(key) if is_key(key) else None
        if note is None:
            raise NotThere("This is not in limbo any more.")
        return note

    def user_by_notes(self) -> str:
        """Whose drawer it is; "" if nothing in it says so."""
        for key in self.keys():
            with self.opened(key) as place, contextlib.suppress(ValueError, OSError):
                return load(_read(place, NOTE)).user
        return ""

    @contextlib.contextmanager
    def opened(self, key: str) -> Iterator[int]:
        """The directory of a thing. Raises NotThere."""
        try:
            place = os.open(key, OPEN_DIRECTORY, dir_fd=self.handle)
        except OSError:
            raise NotThere("This is not in limbo any more.") from None
        try:
            yield place
        finally:
            os.close(place)

    def announce(self, note: Note) -> None:
        """Write, to the disk, what is about to be moved here. Raises NoLimbo."""
        try:
            os.mkdir(note.key, _OWN, dir_fd=self.handle)
            self.write(note)
            os.fsync(self.handle)
        except OSError as error:
            self.drop(note.key)
            raise no_limbo(error) from None

    def write(self, note: Note) -> None:
        """Replace a note: a crash leaves the old one or the new one. Raises OSError."""
        with self.opened(note.key) as place:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FILE
            new = os.open(_NEW_NOTE, flags, 0o600, dir_fd=place)
            try:
                data = memoryview(dump(note))
                while data:
                    data = data[os.write(new, data) :]
                os.fsync(new)
            finally:
                os.close(new)
            os.rename(_NEW_NOTE, NOTE, src_dir_fd=place, dst_dir_fd=place)
            os.fsync(place)

    def drop(self, key: str) -> None:
        """Forget a thing that never came, or is gone; if it is here, it and its note stay."""
        if self._is_here(key):
            return
        with contextlib.suppress(OSError, FreeingError), self.opened(key) as place:
            for name in (_NEW_NOTE, NOTE):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=place)
            os.rmdir(key, dir_fd=self.handle)

    def doom(self, key: str) -> None:
        """From here on a thing cannot be brought back. Raises NotThere."""
        with self.opened(key) as place:
            try:
                os.rename(KEPT, DOOMED, src_dir_fd=place, dst_dir_fd=place)
            except FileNotFoundError:
                raise NotThere("This is not in limbo any more.") from None
            os.fsync(place)

    def doomed(self) -> list[str]:
        """The keys of what was being deleted for good."""
        return [key for key in self.keys() if self._has(key, DOOMED)]

    def absent(self) -> list[Note]:
        """Notes of what is not here: it never came, or was brought back."""
        keys = [key for key in self.keys() if not self._is_here(key)]
        return [note for key in keys if (note := self._written(key)) is not None]

    def forget_absent(self) -> None:
        """Tidy up after somebody who was killed before moving, or after bringing back."""
        for key in self.keys():
            self.drop(key)

    def _is_here(self, key: str) -> bool:
        return self._has(key, KEPT) or self._has(key, DOOMED)

    def _has(self, key: str, name: bytes) -> bool:
        with contextlib.suppress(OSError, FreeingError), self.opened(key) as place:
            os.stat(name, dir_fd=place, follow_symlinks=False)
            return True
        return False

    def _written(self, key: str) -> Note | None:
        try:
            with self.opened(key) as place:
                note = load(_read(place, NOTE))
        except (OSError, ValueError, FreeingError):
            return None
        return replace(note, key=key)

    def _note_of(self, key: str) -> Note | None:
        """The note of what is here; one made up where somebody has damaged it."""
        with contextlib.suppress(OSError, FreeingError), self.opened(key) as place:
            kept = os.stat(KEPT, dir_fd=place, follow_symlinks=False)
            since = datetime.fromtimestamp(os.fstat(place).st_mtime, timezone.utc)
            unknown = Note(
                *(key, self.user, (b"restored",), since, "unknown", ""),
                inode=kept.st_ino,
                mode=stat.S_IMODE(kept.st_mode),
            )
            return self._written(key) or unknown
        return None


def drawer_name(user: str) -> bytes:
    """The name of a user's drawer: not longer than a name may be, and nobody else's."""
    name = escape(user)
    if len(name) > 200:
        digest = hashlib.sha256(user.encode(errors="surrogatepass")).hexdigest()
        name = f"{name[:150]}--{digest}"
    return name.encode()


def no_limbo(error: OSError) -> FreeingError:
    """Why nothing can be put aside, in words for the user."""
    if error.errno == errno.EXDEV:
        return NoLimbo(
            "This cannot be put aside: your home is on another file system than limbo, or has"
            " a quota of its own there. It can be deleted for good."
        )
    if error.errno in NO_ROOM:
        return NoLimbo(
            "This cannot be put aside: the store itself is full. It can be deleted for good."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EROFS):
        return NoLimbo(
            "Nothing can be put aside: the service may not write where limbo is. The"
            " administrator has to look at the setting limbo."
        )
    return plain_error(error)


def _read(place: int, name: bytes) -> bytes:
    handle = os.open(name, os.O_RDONLY | _FILE, dir_fd=place)
    try:
        data = b""
        while len(data) < _LONGEST_NOTE and (block := os.read(handle, 1 << 16)):
            data += block
        return data
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(handle: int, wait_secs: float) -> Iterator[None]:
    # A file of its own: on NFS a directory cannot be locked.
    try:
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | _FILE, 0o600, dir_fd=handle)
    except OSError as error:
        raise no_limbo(error) from None
    try:
        end = time.monotonic() + wait_secs
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise no_limbo(error) from None
            if time.monotonic() >= end:
                raise Busy("Something else is being moved or brought back just now.")
            time.sleep(_POLL_SECS)
        yield
    finally:
        os.close(lock)
