"""What somebody who was killed left in a drawer: put right before anything else is done.

What was announced and did not come is where it was; what came can be brought back.
"""

from __future__ import annotations

import contextlib
import os
import stat

from ..errors import FreeingError
from .handles import OPEN_PLACE, Home
from .limbo import KEPT, Drawer
from .note import Note


def recover(home: Home | None, drawer: Drawer) -> None:
    """Tidy a drawer up; `home` is None where it is gone or cannot be opened."""
    for note in drawer.absent():
        if home is not None:
            _mend_at_home(home, note)
    drawer.forget_absent()
    for note in drawer.notes():
        with contextlib.suppress(OSError, FreeingError), drawer.opened(note.key) as place:
            _mend(place, KEPT, note)


def _mend_at_home(home: Home, note: Note) -> None:
    with (
        contextlib.suppress(OSError, FreeingError),
        home.directory(note.names[:-1]) as parent,
    ):
        home.look(parent, note.names[-1])
        _mend(parent, note.names[-1], note)


def _mend(handle: int, name: bytes, note: Note) -> None:
    """Give a directory back its mode, if it still has the one it had while it was moved."""
    place = os.open(name, OPEN_PLACE, dir_fd=handle)
    try:
        found = os.fstat(place)
        lent = stat.S_IMODE(found.st_mode) == note.mode | stat.S_IWUSR != note.mode
        if stat.S_ISDIR(found.st_mode) and found.st_ino == note.inode and lent:
            os.chmod(f"/proc/self/fd/{place}", note.mode)
    finally:
        os.close(place)
