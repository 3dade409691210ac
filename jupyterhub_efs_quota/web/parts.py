"""What the pages are given of the service: figures to show, and work to ask for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from enum import Enum

from jinja2 import Environment

from ..activity.jobs import Jobs
from ..board import MEASURING, Board
from ..control.store import ControlStore
from ..directories import Directories
from ..errors import LockHeld, SettingsError, kind_of
from ..freeing.desk import Desk
from ..freeing.freeing import Freeing
from ..history.asking import Asking
from ..history.recorder import Recorder
from ..hub.client import HubUser
from ..loops.rescue import Rescues
from ..measure.task import SoFar
from ..measure.workers.order import Priority, Wish, expect_large
from ..metrics.counted import Counted
from ..metrics.exposition import Exposition
from ..offload import Offload
from ..overview.volume import Gauge
from ..quota.record import Record
from ..remeasure import Remeasure
from ..settings import EFSQuota
from ..users.own_quota import OwnQuota, own_quota
from ..users.plans import Plans
from ..users.quotas import Quotas
from .notes import Notes

log = logging.getLogger(__name__)

# What metrics call the part of the service that answers browsers and the hub.
PAGES = "Pages"
_READ_SECS = 5.0


class Outcome(str, Enum):
    """How a measurement ended that somebody asked for."""

    MEASURED = "measured"
    BY_ANOTHER = "measuring"
    FAILED = "failed"


class Parts:
    """The service as its pages see it. `trouble` lists what is wrong, in sentences.

    `figures_old` says whether that is such that users' figures may be old.
    `remeasure`, `quotas` and `jobs` are None where the settings are bad: then nothing can be
    measured, changed or reported. `allocated`: which size the quotas are judged by;
    `settings` are those in force, and `foresight` what they say of what is to come.
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
        figures_old: Callable[[], bool] = lambda: False,
        clock: Callable[[], datetime],
        menu_text: str,
        counted: Counted,
        exposition: Exposition,
        directories: Directories,
        admins_exempt: bool = True,
        history: Recorder | None = None,
        allocated: bool = False,
        freeing: Freeing | None = None,
        quotas: Quotas | None = None,
        jobs: Jobs | None = None,
        settings: EFSQuota | None = None,
        rescues: Rescues | None = None,
    ) -> None:
        self.board = board
        self.store = store
        self.offload = offload
        self.templates = templates
        self.trouble = trouble
        self.figures_old = figures_old
        self.clock = clock
        self.menu_text = menu_text
        self.exposition = exposition
        self.directories = directories
        self.admins_exempt = admins_exempt
        self.history = history or Recorder()
        self.desk = Desk(freeing, clock, self.history, self._measured_at) if freeing else None
        # Questions to the history have threads of their own: see `Asking`.
        self.asking = Asking(self.history)
        self.allocated = allocated
        # What was shown to somebody, and waits for them; what was done, to be said once.
        self.plans = Plans(clock)
        self.notes = Notes()
        self.settings = settings or EFSQuota()
        self.foresight = self.settings.foresight()
        self.gauge = Gauge(clock)
        self._quotas = quotas
        self._jobs = jobs
        self._counted = counted
        self._remeasure = remeasure
        # None where the settings are bad: then no rescue begins.
        self.rescues = rescues
        self._measuring: dict[str, asyncio.Task[None]] = {}
        self._outcomes: dict[str, Outcome] = {}

    def so_far(self, user: str) -> SoFar | None:
        """How far the measurement of a home is, whoever asked for it; None if there is none."""
        under_way = self._remeasure.under_way.get(user) if self._remeasure else None
        return under_way or (SoFar(0, 0) if user in self._measuring else None)

    def measuring(self, user: str) -> bool:
        """Whether a home is being measured."""
        return self.so_far(user) is not None

    def outcome(self, user: str) -> Outcome | None:
        """How the last measurement ended that was asked for here; None while it goes on."""
        return None if user in self._measuring else self._outcomes.get(user)

    @property
    def quotas(self) -> Quotas:
        """Who explains and changes quotas. Raises SettingsError where the settings are bad."""
        if self._quotas is None:
            raise SettingsError("Nothing is said or changed until the settings are mended.")
        return self._quotas

    def own_quota(self, user: HubUser, record: Record | None) -> OwnQuota | None:
        """What there is to say of a quota of a user's own; what comes then, if that is known."""
        if record is None:
            return None
        if self._quotas is None:
            return own_quota(record, None, self.clock(), 0)
        return self._quotas.own_quota(user, record)

    @property
    def jobs(self) -> Jobs:
        """All jobs. Raises SettingsError where the settings are bad."""
        if self._jobs is None:
            raise SettingsError("Nothing is known of jobs until the settings are mended.")
        return self._jobs

    def measure(self, user: str, new: HubUser | None = None) -> asyncio.Task[None]:
        """Measure a user's home, or join the measurement that goes on already.

        `new`: who it is by the hub, so that a first record is made where there is none.
        """
        task = self._measuring.get(user)
        if task is None:
            task = self._measuring[user] = asyncio.create_task(self._measure(user, new))
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

    async def _measure(self, user: str, new: HubUser | None) -> None:
        row = self.board.get(user)
        large = row is not None and row.record is not None and expect_large(row.record)
        wish = Wish(Priority.PERSON, large)
        record = await _able(self._remeasure).measure(user, wish=wish, new=new)
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
        self._outcomes[user] = _outcome(error)
        if error is None:
            return
        self.failed(error)
        log.warning("The home of %s is not measured: %s", user, error)
        row = self.board.get(user)
        if row is not None and not isinstance(error, LockHeld):
            # Who asked and did not wait finds it there.
            self.board.failed(row.user, str(error), by=MEASURING, kind=kind_of(error))


def _outcome(error: BaseException | None) -> Outcome:
    if isinstance(error, LockHeld):
        return Outcome.BY_ANOTHER
    return Outcome.MEASURED if error is None else Outcome.FAILED


def _able(remeasure: Remeasure | None) -> Remeasure:
    if remeasure is None:
        raise SettingsError("Nothing is measured until the settings are mended.")
    return remeasure
