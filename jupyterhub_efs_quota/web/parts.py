"""What the pages are given of the service: figures to show, and work to ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from jinja2 import Environment

from ..board import Board
from ..control.store import ControlStore
from ..directories import Directories
from ..errors import SettingsError
from ..freeing.desk import Desk
from ..freeing.freeing import Freeing
from ..history.recorder import Recorder
from ..measure.workers.order import Priority, Wish, expect_large
from ..metrics.counted import Counted
from ..metrics.exposition import Exposition
from ..offload import Offload
from ..quota.record import Record
from ..remeasure import Remeasure

# What metrics call the part of the service that answers browsers and the hub.
PAGES = "Pages"
_READ_SECS = 5.0


class Parts:
    """The service as its pages see it. `trouble` lists what is wrong, in sentences.

    `remeasure` is None where the settings are bad: then nothing can be measured.
    """

    def __init__(
        self,
        *,
        board: Board,
        store: ControlStore,
        offload: Offload,
        remeasure: Remeasure | None,
        templates: Environment,
        trouble: Callable[[], list[str]],
        clock: Callable[[], datetime],
        menu_text: str,
        counted: Counted,
        exposition: Exposition,
        directories: Directories,
        admins_exempt: bool = True,
        history: Recorder | None = None,
        freeing: Freeing | None = None,
    ) -> None:
        self.board = board
        self.store = store
        self.offload = offload
        self.templates = templates
        self.trouble = trouble
        self.clock = clock
        self.menu_text = menu_text
        self.exposition = exposition
        self.directories = directories
        self.admins_exempt = admins_exempt
        self.history = history or Recorder()
        self.desk = Desk(freeing, clock, self.history, self._measured_at) if freeing else None
        self._counted = counted
        self._remeasure = remeasure
        self._measuring: dict[str, asyncio.Task[None]] = {}

    def measuring(self, user: str) -> bool:
        """Whether a measurement that the user asked for is going on."""
        return user in self._measuring

    def measure(self, user: str) -> asyncio.Task[None]:
        """Measure a user's home, or join the measurement that goes on already."""
        task = self._measuring.get(user)
        if task is None:
            task = self._measuring[user] = asyncio.create_task(self._measure(user))
            task.add_done_callback(lambda done: self._ended(user, done))
        return task

    async def verify(self, record: Record, budget_secs: float) -> Record:
        """See `Remeasure.verify`."""
        record = await _able(self._remeasure).verify(record, budget_secs)
        self.board.measured(record)
        return record

    def answered(self, record: Record) -> None:
        """Count what the spawn hook was told."""
        self._counted.verified(record)

    def failed(self, error: BaseException) -> None:
        """Count what went wrong."""
        self._counted.error(PAGES, error)

    async def _measure(self, user: str) -> None:
        row = self.board.get(user)
        large = row is not None and row.record is not None and expect_large(row.record)
        wish = Wish(Priority.PERSON, large)
        record = await _able(self._remeasure).measure(user, wish=wish)
        if record is not None:
            self.board.measured(record)

    async def _measured_at(self, user: str) -> datetime | None:
        """Measure a user's home, and say when that began."""
        await asyncio.shield(self.measure(user))
        record = await self.offload.run_within(_READ_SECS, self.store.read, user)
        return record.started if record is not None else None

    def _ended(self, user: str, task: asyncio.Task[None]) -> None:
        self._measuring.pop(user, None)
        # Whoever waits for it is told; nobody else needs to be.
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.failed(error)


def _able(remeasure: Remeasure | None) -> Remeasure:
    if remeasure is None:
        raise SettingsError("Nothing is measured until the settings are mended.")
    return remeasure
