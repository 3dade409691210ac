"""Bring something back out of limbo, with its owner, mode and times, and replace nothing.

Where its name is taken it gets another; where its folder is gone, that is made again; where
a link or somebody else's folder is in the way, it comes into a folder of the home.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from ..errors import FreeingError, NotThere
from .handles import OPEN_DIRECTORY, Home, plain_error
from .limbo import KEPT, Drawer
from .note import Note
from .paths import Names, another_name
from .put import put

FOLDER = b"Restored"
_MOST_NAMES = 1000
_MODE = 0o700


def restore(home: Home, drawer: Drawer, key: str) -> Names:
    """Bring a thing back; where it is now. Raises NotThere or FreeingError."""
    note = drawer.note(key)
    with drawer.opened(key) as place:
        for folder in (note.names[:-1], (FOLDER,)):
            try:
                with _folder(home, folder) as target:
                    names = (*folder, _put_there(drawer, note, place, target, folder))
                    _check_still(home, folder, target, place, names)
                    os.fsync(target)
                break
            except NotThere:
                raise
            except FreeingError:
                if folder == (FOLDER,):
                    raise
        os.fsync(place)
    drawer.drop(key)
    return names


@contextmanager
def _folder(home: Home, names: Names) -> Iterator[int]:
    """A folder of the home, made where it is missing. Raises FreeingError."""
    handle = os.dup(home.handle)
    try:
        for name in names:
            try:
                inner = home.step(handle, name)
            except NotThere:
                home.check_own(handle)
                inner = _made(home, handle, name)
            os.close(handle)
            handle = inner
        home.check_own(handle)
        yield handle
    except OSError as error:
        raise plain_error(error) from None
    finally:
        os.close(handle)


def _made(home: Home, handle: int, name: bytes) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, _MODE, dir_fd=handle)
    inner = os.open(name, OPEN_DIRECTORY, dir_fd=handle)
    try:
        # What is given to the user is only what was just made: still ours, and empty.
        found = os.fstat(inner)
        if found.st_uid == os.geteuid() != home.owner and not os.listdir(inner):
            os.fchown(inner, home.owner, os.fstat(home.handle).st_gid)
        home.check_inside(inner)
    except BaseException:
        os.close(inner)
        raise
    return inner


def _put_there(drawer: Drawer, note: Note, place: int, target: int, folder: Names) -> bytes:
    """Give it the first name that is free; the name."""
    for number in range(_MOST_NAMES):
        name = note.names[-1] if number == 0 else another_name(note.names[-1], number)
        if number or folder != note.names[:-1]:
            # If we are killed, this says where its mode is to be put right.
            with suppress(OSError):
                drawer.write(replace(note, names=(*folder, name)))
        if put(place, KEPT, target, name):
            return name
    raise FreeingError("All names that it could have are taken.")


def _check_still(home: Home, folder: Names, target: int, place: int, names: Names) -> None:
    """Take it back at once if its folder was moved away meanwhile: perhaps out of the home."""
    if home.still_at(folder, target):
        return
    with suppress(OSError):
        os.rename(names[-1], KEPT, src_dir_fd=target, dst_dir_fd=place)
    raise FreeingError("The folder was moved away at that very moment. Try again.")
