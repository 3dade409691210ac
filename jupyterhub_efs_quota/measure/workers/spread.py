"""Many homes at a time: who has to wait for a place, and who goes next.

The monitor, the pages and the check before a spawn ask here before they begin to measure;
the processes that then do it are in `workers.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from .order import (
    EXTRA,
    Choice,
    Priority,
    Running,
    Waiting,
    Wish,
    choose,
)


class Spread:
    """Hands out places: `most` ordinary ones, and a few for those who are waited for."""

    def __init__(self, most: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._monotonic = monotonic
        # Of each kind only the first one can be next.
        self._lanes: dict[Wish, deque[tuple[Waiting, asyncio.Future[Running]]]] = {}
        self._running: list[Running] = []

    @property
    def places(self) -> int:
        """How many homes may be measured at a time, all told."""
        return self.most + EXTRA * sum(priority.waited_for for priority in Priority)

    @contextlib.asynccontextmanager
    async def place(self, wish: Wish) -> AsyncIterator[None]:
        """A place to measure one home, as soon as there is one."""
        run = await self._wait(wish)
        try:
            yield
        finally:
            self._leave(run)

    async def _wait(self, wish: Wish) -> Running:
        given: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        mine = (Waiting(wish, self._monotonic()), given)
        lane = self._lanes.setdefault(wish, deque())
        lane.append(mine)
        self._hand_out()
        try:
            return await given
        except asyncio.CancelledError:
            if mine in lane:
                lane.remove(mine)
            elif not given.cancelled():
                self._leave(given.result())
            raise

    def _leave(self, run: Running) -> None:
        # By identity: two may look alike.
        self._running = [other for other in self._running if other is not run]
        self._hand_out()

    def _hand_out(self) -> None:
        while (choice := self._choose()) is not None:
            lane = self._lanes[choice.waiting.wish]
            _, given = lane.popleft()
            if given.cancelled():
                continue
            run = Running(choice.waiting.wish, self._monotonic(), choice.extra)
            self._running.append(run)
            given.set_result(run)

    def _choose(self) -> Choice | None:
        first = [lane[0][0] for lane in self._lanes.values() if lane]
        return choose(first, self._running, self.most, self._monotonic())
