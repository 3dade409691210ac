"""One home on a Dask cluster, whole or in parts. Made by `cluster.py` for each measurement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import MeasureError
from ...quota.usage import Usage
from ..task import Task, dump_task
from ..workers.workers import GIVE_UP_AFTER_SECS
from .node import left_by, measure_there, put_together
from .split import shares, sub_trees, upper_levels

if TYPE_CHECKING:
    from distributed import Client, Future

_LEAST_PAUSE_SECS, _MOST_PAUSE_SECS = 0.005, 0.25
# How often it is seen that the cluster still has workers, and how long that may take.
_LOOK_SECS, _ANSWER_SECS = 2.0, 10.0
# A measurement stops itself at its deadline. One that has not even begun by then stands in
# line, or its worker hangs as a whole.
_PATIENCE = 2
_ON_THE_WAY_SECS = 60.0
# Homes go before the parts of a huge one, which is in no hurry.
_HOME, _PART = 1, 0


class Away(Exception):
    """The cluster cannot measure at the moment; the message says why."""


class Job:
    """Measures one home. `workers`: those that may do it, None: all."""

    def __init__(self, client: Client, workers: list[str] | None, task: Task) -> None:
        self._client = client
        self._workers = workers
        self._task = task
        self._futures: list[Future] = []
        self._deadline = time.monotonic() + task.deadline_secs

    async def whole(self) -> Usage:
        """Measure it by one worker. Raises MeasureError or Away."""
        found = self._measure([self._task], priority=_HOME)
        if not await self._done([found], _PATIENCE * self._task.deadline_secs + _ON_THE_WAY_SECS):
            return Usage(timed_out=True, meter=self._task.meter)
        (usage,) = await self._result(found)
        assert isinstance(usage, Usage)
        return usage

    async def in_parts(self) -> Usage:
        """Measure it by many workers. Raises MeasureError or Away."""
        upper = self._measure([upper_levels(self._task)])
        left = self._submit(left_by, upper)
        if not await self._done([left], self._left_secs()):
            return Usage(timed_out=True, meter=self._task.meter)
        task = replace(self._task, deadline_secs=max(0.0, self._left_secs()))
        trees = sub_trees(task, await self._result(left))
        parts = [self._measure(share) for share in shares(trees)]
        late = not await self._done(parts, self._left_secs() + GIVE_UP_AFTER_SECS)
        if late:
            parts = [part for part in parts if part.done()]
        usage = self._submit(put_together, [upper, *parts], dump_task(self._task), late=late)
        if not await self._done([usage], _ON_THE_WAY_SECS):
            return Usage(timed_out=True, meter=self._task.meter)
        found = await self._result(usage)
        assert isinstance(found, Usage)
        return found

    @property
    def connected(self) -> bool:
        """Whether the scheduler is there."""
        return bool(self._client.status == "running")

    def cancel(self) -> None:
        """Let the cluster forget about it."""
        for future in self._futures:
            future.release()
        self._futures.clear()

    def _left_secs(self) -> float:
        return self._deadline - time.monotonic()

    def _measure(self, tasks: Sequence[Task], priority: int = _PART) -> Future:
        return self._submit(measure_there, [dump_task(task) for task in tasks], priority=priority)

    def _submit(
        self, function: Callable[..., Any], *args: Any, priority: int = _PART, **options: Any
    ) -> Future:
        try:
            future: Future = self._client.submit(
                function, *args, pure=False, priority=priority, workers=self._workers, **options
            )
        except Exception as error:  # a client that has lost its scheduler
            raise Away(f"was lost ({error})") from None
        self._futures.append(future)
        return future

    async def _done(self, futures: Sequence[Future], patience_secs: float) -> bool:
        """Wait until all are done; False if that takes too long. Raises Away."""
        now = time.monotonic()
        until, look, pause = now + patience_secs, now + _LOOK_SECS, _LEAST_PAUSE_SECS
        while not all(future.done() for future in futures):
            if not self.connected:
                raise Away("was lost")
            now = time.monotonic()
            if now > until:
                return False
            if now > look:
                await self._see_workers()
                look = now + _LOOK_SECS
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MOST_PAUSE_SECS)
        return True

    async def _see_workers(self) -> None:
        """See that somebody is there to measure."""
        try:
            present = set(await asyncio.wait_for(self._client.nthreads(), _ANSWER_SECS))
        except Exception as error:
            raise Away(f"was lost ({error or type(error).__name__})") from None
        if not present or (self._workers is not None and present.isdisjoint(self._workers)):
            raise Away("has lost its workers")

    async def _result(self, future: Future) -> Any:
        from distributed import KilledWorker

        try:
            return await asyncio.wait_for(future.result(), _ON_THE_WAY_SECS)
        except MeasureError:
            raise
        except KilledWorker:
            raise MeasureError(
                f"The Dask workers that measured {self._task.home!r} died, one after the other."
            ) from None
        except (CancelledError, OSError, asyncio.TimeoutError, TimeoutError) as error:
            raise Away(f"was lost ({error or type(error).__name__})") from None
