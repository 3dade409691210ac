"""Blocking work off the event loop, given up after a time.

A thread that reads from a store that hangs cannot be stopped. So these are daemon
threads, which keep no process from ending, and there is a most of them: then the store
is taken for dead, and nobody waits for it any more.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")

# How long a call waits for a thread before the store is taken for dead.
PATIENCE_SECS = 1.0


class Offload:
    """Runs functions in threads, at most `most` at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = asyncio.Semaphore(most)

    async def run(
        self,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What the function returns or raises. Raises StoreError if all threads are stuck."""
        try:
            # A crowd is gone in no time; calls that are stuck are not.
            if self._places.locked():
                await asyncio.wait_for(self._places.acquire(), PATIENCE_SECS)
            else:
                await self._places.acquire()
        except (asyncio.TimeoutError, TimeoutError):
            raise StoreError(
                f"{self._most} calls to the store do not answer: it seems to hang."
                " Look at its mount."
            ) from None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                result = function(*args, **kwargs)
            except StopIteration as error:
                odd = RuntimeError(f"{type(error).__name__}: {error}")  # no future takes it
                answer(lambda: future.set_exception(odd))
            except BaseException as error:
                answer(lambda error=error: future.set_exception(error))  # type: ignore[misc]
            else:
                answer(lambda: future.set_result(result))

        def answer(say: Callable[[], None]) -> None:
            def deliver() -> None:
                self._places.release()
                if not future.done():
                    say()

            # The loop may have ended while we were stuck: then nobody listens.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(deliver)

        # By the low-level door: threading.Thread would wait, on this loop, for it to begin.
        try:
            _thread.start_new_thread(work, ())
        except RuntimeError:
            self._places.release()
            raise
        return await future

    async def run_within(
        self, secs: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `run`, but raises StoreError when there is no answer within `secs`."""
        try:
            return await asyncio.wait_for(self.run(function, *args, **kwargs), secs)
        except (asyncio.TimeoutError, TimeoutError):
            raise StoreError(
                f"The store did not answer within {secs:g} seconds. Look at its mount."
            ) from None
