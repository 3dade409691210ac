"""Empty limbo: of what has lain there long enough, or of what its user wants gone.

Decided first, as a list; then done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .erase import Erased, erase
from .limbo import DOOMED, Drawer
from .note import Note
from .progress import Progress


def due(notes: Iterable[Note], now: datetime, limbo_days: float) -> list[Note]:
    """What is to be purged now, the oldest first. Pure."""
    return sorted(
        (note for note in notes if note.due(limbo_days) <= now), key=lambda note: note.time
    )


def discard(drawer: Drawer, key: str) -> None:
    """From here on a thing cannot be brought back: `empty` deletes it. Raises NotThere."""
    drawer.doom(key)


def empty(drawer: Drawer, key: str, progress: Progress | None = None) -> Erased:
    """Delete what was discarded. If that is cut short, the next call goes on."""
    with drawer.opened(key) as place:
        erased = erase(place, DOOMED, None, progress)
    drawer.drop(key)
    return erased
