"""The monitor's look around: how full the volume is, and which homes have no user.

Once a cycle, when all users were seen. It never fails the cycle, and is given up after a time.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..activity.activity import asked
from ..board import Row
from ..directories import Directories
from ..errors import HistoryError, StoreError
from ..history.events import Fill
from ..hub.client import HubUser
from ..words.names import plain
from .unclaimed import find_unclaimed
from .volume import read_fill

if TYPE_CHECKING:  # the database is for who has one
    from ..history.surroundings import Gone
    from ..loops.cycle import Rooms

log = logging.getLogger(__name__)

LOOK_SECS = 60.0


@dataclass(frozen=True)
class Unclaimed:
    """A folder among the homes that is nobody's, its name safe to show.

    `user` had it while the hub had them; `bytes` were measured last, at `measured`.
    """

    folder: str
    user: str | None = None
    bytes: int | None = None
    measured: datetime | None = None


@dataclass(frozen=True)
class Surroundings:
    """What was found at a time: the folder with the most homes, and how full its volume is.

    `whole`: whether all folders were looked through; `unclaimed` is None if none could be.
    """

    time: datetime
    place: Path
    fill: Fill | None
    unclaimed: Sequence[Unclaimed] | None
    whole: bool = True


class Survey:
    """Looks around for one monitor, and leaves on the board what it found."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._directories = Directories(rooms.homes)

    async def look(self) -> None:
        """Look around now."""
        rooms = self._rooms
        try:
            found = await rooms.offload.run_within(LOOK_SECS, self._look, rooms.board.rows())
        except StoreError as error:
            log.warning("The volume of the homes is not looked at: %s", error)
            return
        rooms.board.surroundings = found
        if found.fill is not None:
            rooms.history.filled(found.fill)

    def _look(self, rows: Sequence[Row]) -> Surroundings:
        root, now = self._rooms.homes.home_root, self._rooms.clock()
        homes = self._homes(rows)
        place = _fullest(root, homes)
        fill = None
        try:
            fill = read_fill(place, now)
        except StoreError as error:
            log.debug("%s", error)
        try:
            found = find_unclaimed(
                root, homes, self._apart(), self._rooms.settings.skip_directories
            )
        except OSError as error:
            log.debug("The home root %s cannot be listed: %s", root, error.strerror)
            return Surroundings(now, place, fill, None)
        known = self._known(found.folders)
        return Surroundings(now, place, fill, [known[each] for each in found.folders], found.whole)

    def _homes(self, rows: Sequence[Row]) -> set[str]:
        """Where the homes of all users are: by what their spawner told, and by the mapping."""
        both = (each for row in rows for each in (row, Row(row.user)))
        found = (self._directories.of(each) for each in both)
        return {directory.below_root for directory in found if directory is not None}

    def _apart(self) -> list[str]:
        """Folders of our own, which may lie among the homes."""
        settings, root = self._rooms.settings, self._rooms.homes.home_root
        ours = (settings.limbo_place(), Path(settings.quota_control))
        return [str(each.relative_to(root)) for each in ours if each.is_relative_to(root)]

    def _known(self, folders: Sequence[str]) -> dict[str, Unclaimed]:
        """What is remembered of each folder, by the mapping of those whom the hub has no more."""
        known = {folder: Unclaimed(plain(folder)) for folder in folders}
        for gone in self._gone() if folders else ():
            directory = self._directories.of(Row(HubUser(gone.user)))
            if directory is not None and directory.below_root in known:
                folder = directory.below_root
                known[folder] = Unclaimed(plain(folder), gone.user, gone.counted, gone.measured)
        return known

    def _gone(self) -> Sequence[Gone]:
        try:
            return asked(self._rooms.history).gone()
        except HistoryError:
            return ()


def _fullest(root: Path, homes: set[str]) -> Path:
    """The folder in which most homes lie: what is mounted there is the volume."""
    above = Counter(home.rpartition("/")[0] for home in homes)
    most = max(above.items(), key=lambda pair: (pair[1], pair[0]), default=("", 0))
    return root / most[0]
