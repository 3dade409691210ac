"""Errands of users: one at a time for each, in the background, to be watched and stopped.

The pages' and the API's way to `Freeing`, on the event loop. When something was done, the
home is measured again at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, ParamSpec, TypeVar

from ..errors import Busy, EFSQuotaError, LockHeld
from ..history.events import Action, ActionKind
from ..history.recorder import Recorder
from ..offload import Offload
from ..quota.record import Record
from ..quota.sizes import format_size
from .freeing import Choice, Freeing, Outcome
from .ledger import BACK, Receipt
from .progress import Progress, Stopped
from .take import Errand

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# Things of one errand; a form of a page has fewer.
MOST = 1000
_THREADS = 16
# Errands of this many users go on at once; others wait.
_AT_ONCE = 4
_MEASURE_TRIES = 30
_MEASURE_WAIT_SECS = 2.0


class Kind(str, Enum):
    """What an errand is for."""

    ASIDE = "aside"
    BACK = "back"
    ERASE = "erase"
    EMPTY = "empty"


@dataclass
class Job:
    """An errand that goes on, or the last one. `total` things, of which `outcomes` are done.

    `trouble` is what ended it early.
    """

    kind: Kind
    errand: Errand
    total: int
    progress: Progress = field(default_factory=Progress)
    outcomes: list[Outcome] = field(default_factory=list)
    trouble: str = ""
    ended: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def freed_bytes(self) -> int:
        """What is not in the home any more."""
        done = [each.sums for each in self.outcomes if each.done and each.done != BACK]
        return sum(sums.bytes for sums in done if sums)


class Desk:
    """Takes errands. `measured` measures a user's home and says when that began."""

    def __init__(
        self,
        freeing: Freeing,
        clock: Callable[[], datetime],
        history: Recorder,
        measured: Callable[[str], Awaitable[datetime | None]],
    ) -> None:
        self._freeing = freeing
        self._clock = clock
        self._history = history
        self._measured = measured
        self._offload = Offload(_THREADS)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._jobs: dict[str, Job] = {}

    async def look(
        self, secs: float, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `Freeing` answers, waited for no longer than this."""
        return await self._offload.run_within(secs, question, *args, **kwargs)

    @property
    def freeing(self) -> Freeing:
        """What is asked by `look`."""
        return self._freeing

    def job(self, user: str) -> Job | None:
        """A user's errand that goes on, or else the last one since the service began."""
        return self._jobs.get(user)

    async def receipts(self, user: str, errand: str, secs: float) -> list[Receipt]:
        """Receipts of a user, of one errand if it is named.

        Those of the last one are known here, if the store was too full to keep them.
        """
        job = self._jobs.get(user)
        if job is not None and errand == job.errand.key:
            made, of = job.errand, [each for each in job.outcomes if each.done]
            return [
                Receipt(made.key, made.now, made.by, each.done, each.names, each.sums)
                for each in of
            ]
        kept = await self.look(secs, self._freeing.receipts, user)
        return [each for each in kept if not errand or each.errand == errand]

    def stop(self, user: str) -> None:
        """Have a user's errand stop; what is done stays done."""
        job = self._jobs.get(user)
        if job is not None:
            job.progress.stop()

    def begin(self, kind: Kind, record: Record, things: Sequence[Choice] | Sequence[str]) -> Job:
        """Begin an errand of the user whose record this is. Raises Busy."""
        before = self._jobs.get(record.user)
        if before is not None and not before.ended:
            raise Busy("Something else is being done for you just now. Wait until it is done.")
        errand = Errand(secrets.token_hex(8), record.user, self._clock())
        job = self._jobs[record.user] = Job(kind, errand, len(things))
        job.task = asyncio.create_task(self._run(job, record, things))
        return job

    async def _run(self, job: Job, record: Record, things: Sequence[Any]) -> None:
        work: dict[Kind, Callable[..., None]] = {
            Kind.ASIDE: self._freeing.put_aside,
            Kind.BACK: self._freeing.bring_back,
            Kind.ERASE: self._freeing.erase,
            Kind.EMPTY: self._freeing.empty_limbo,
        }
        try:
            async with self._places:
                await self._offload.run(
                    work[job.kind], record, things, job.errand, job.progress, job.outcomes.append
                )
        except (EFSQuotaError, OSError) as error:
            job.trouble = str(error)
            if not isinstance(error, Stopped):
                log.warning("An errand of %s ends early: %s", record.user, error)
        except Exception:
            job.trouble = "Something went wrong. Tell the administrator."
            log.exception("An errand of %s fails", record.user)
        job.ended = True
        self._put_on_record(job, record.user)
        if any(outcome.done for outcome in job.outcomes) and job.kind is not Kind.EMPTY:
            await self._measure(record.user)

    def _put_on_record(self, job: Job, user: str) -> None:
        done = [outcome for outcome in job.outcomes if outcome.done]
        if not done:
            return
        files = sum(outcome.sums.files for outcome in done if outcome.sums)
        size = sum(outcome.sums.bytes for outcome in done if outcome.sums)
        kind = ActionKind.RESTORED if job.kind is Kind.BACK else ActionKind.FREED
        # No names of files: the history is for others too.
        self._history.acted(
            Action(
                kind.value,
                user,
                job.errand.now,
                by=job.errand.by,
                after=f"{format_size(size)} in {files:,} files",
                reason=done[0].done,
            )
        )

    async def _measure(self, user: str) -> None:
        """Measure anew: one that began before something was deleted would not do."""
        since = self._clock()
        for _ in range(_MEASURE_TRIES):
            try:
                began = await self._measured(user)
            except LockHeld:
                began = None
            except (EFSQuotaError, OSError) as error:
                log.warning("The home of %s is not measured: %s", user, error)
                return
            if began is not None and began >= since:
                return
            await asyncio.sleep(_MEASURE_WAIT_SECS)

    async def waited(self, user: str, secs: float) -> None:
        """Wait until a user's errand is done and the home is measured, but not for longer."""
        job = self._jobs.get(user)
        if job is not None and job.task is not None:
            with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(job.task), secs)
