"""Put something aside: from a home into limbo, whole and at once, by one rename.

Whoever owns a folder may take what is in it anywhere, so nothing is done here that the
user could not do: that is what the checks of ownership are for. Names may be swapped at any
moment by that very user, so it is looked at again when it is out of reach, and given back
if it is not what was meant.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import datetime

from ..errors import FreeingError
from .handles import Home, identity, plain_error
from .limbo import KEPT, NO_ROOM, Drawer, no_limbo
from .note import Note, new_key
from .paths import Names, check
from .put import movable, put


@dataclass(frozen=True)
class Errand:
    """On whose behalf, and when, something is done; `key` is the same for all of one click."""

    key: str
    by: str
    now: datetime


def take(
    home: Home, drawer: Drawer, names: Names, errand: Errand, inode: int | None = None
) -> Note:
    """Move an entry of a home into the user's drawer; its note, still without its weight.

    `inode` is what the user was shown; something else of that name is refused. Raises
    NotThere, NoLimbo or FreeingError: then it is where it was.
    """
    check(names)
    if not names:
        raise FreeingError("Your home itself cannot be deleted, only what is in it.")
    with home.directory(names[:-1]) as parent:
        home.check_own(parent)
        found = home.look(parent, names[-1])
        if inode is not None and found.st_ino != inode:
            raise FreeingError("Something else has this name by now. Look at it again.")
        note = Note(
            new_key(errand.now),
            drawer.user,
            names,
            errand.now,
            errand.by,
            errand.key,
            found.st_ino,
            stat.S_IMODE(found.st_mode),
        )
        drawer.announce(note)
        try:
            _move(home, parent, drawer, note, found)
        finally:
            # What did not come is forgotten; what came stays.
            drawer.drop(note.key)
    return note


def _move(home: Home, parent: int, drawer: Drawer, note: Note, found: os.stat_result) -> None:
    name = note.names[-1]
    with drawer.opened(note.key) as place:
        if not home.still_at(note.names[:-1], parent):
            raise FreeingError("The folder that this was in has been moved. Look again.")
        try:
            with movable(parent, name, found):
                os.rename(name, KEPT, src_dir_fd=parent, dst_dir_fd=place)
        except OSError as error:
            raise (no_limbo if error.errno in NO_ROOM else plain_error)(error) from None
        moved = os.stat(KEPT, dir_fd=place, follow_symlinks=False)
        same = identity(moved) == identity(found) and moved.st_uid == home.owner
        if not same or not home.still_at(note.names[:-1], parent):
            if not put(place, KEPT, parent, name):
                raise FreeingError("This was replaced at that very moment: it is in limbo now.")
            raise FreeingError("This was moved or replaced at that very moment. Look again.")
        os.fsync(place)
        os.fsync(parent)
