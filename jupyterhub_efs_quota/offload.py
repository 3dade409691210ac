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


class Offload:
    """Runs functions in threads, at most `most` at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0

    async def run(
        self,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What the function returns or raises. Raises StoreError if all threads are stuck."""
        if self._running >= self._most:
            raise StoreError(
                f"{self._most} calls to the store do not answer: it seems to hang."
                " Look at its mount."
            )
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
                self._running -= 1
                if not future.done():
                    say()

            # The loop may have ended while we were stuck: then nobody listens.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(deliver)

        # By the low-level door: threading.Thread would wait, on this loop, for it to begin.
        _thread.start_new_thread(work, ())
        self._running += 1
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
