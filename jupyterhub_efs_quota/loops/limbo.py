"""The loop that keeps limbo: what has lain there long enough is listed, then purged.

It also puts right what a service that was killed has left there.
"""

from __future__ import annotations

import logging

from ..errors import Busy, EFSQuotaError
from ..freeing.freeing import Freeing
from ..freeing.progress import Progress
from .counts import Counts
from .cycle import Rooms

log = logging.getLogger(__name__)

NAME = "Limbo"
PERIOD_SECS = 3600.0


class Keeper:
    """One cycle of it is `run_once`."""

    def __init__(self, rooms: Rooms, freeing: Freeing) -> None:
        self._rooms = rooms
        self._freeing = freeing
        self.counts = Counts()

    async def run_once(self) -> None:
        """Go through all drawers. What fails for one user keeps the others from nothing."""
        self.counts = Counts()
        offload, failure = self._rooms.offload, None
        for user in await offload.run(self._freeing.limbo.users):
            self.counts.add("users")
            try:
                purged = await offload.run(self._freeing.purge, user, self._known(user), Progress())
            except Busy:
                continue  # next time
            except (EFSQuotaError, OSError) as error:
                log.error("The limbo of %s is not purged: %s", user, error)
                failure = error
                continue
            self.counts.add("purged", len(purged))
        if failure is not None:
            raise failure

    def _known(self, user: str) -> str | None:
        row = self._rooms.board.get(user)
        return row.record.home if row is not None and row.record is not None else None
