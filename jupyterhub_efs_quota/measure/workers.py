"""Measuring outside this process: a store that hangs then hangs a worker and nothing else.

Used by the service for many homes at a time, and by the hook for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

from ..errors import MeasureError
from ..quota.usage import Usage
from .task import Task, dump_task, load_answer

log = logging.getLogger(__name__)

# A worker stops its walk itself at the deadline. One that does not is stuck in the kernel.
GIVE_UP_AFTER_SECS = 2.0
LAST_WAIT_SECS = 1.0
# A summary of the longest paths with the oddest names: 500 of 4096 bytes, six signs a byte.
_LONGEST_LINE = 16 * 1024 * 1024


class Workers:
    """Up to `most` worker processes, started when needed and kept."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._slots = asyncio.Semaphore(most)
        self._idle: list[asyncio.subprocess.Process] = []
        self._busy: set[asyncio.subprocess.Process] = set()
        self._closed = False

    async def measure(self, task: Task) -> Usage:
        """Measure one home.

        A worker that is stuck is killed and left behind at the deadline, and the usage
        says `timed_out`. Raises MeasureError if the worker dies or cannot measure.
        """
        async with self._slots:
            worker = await self._take()
            self._busy.add(worker)
            done = False
            try:
                answer = await self._ask(worker, task)
                done = True
            except asyncio.TimeoutError:
                log.warning("The measurement of %s hangs: its worker is given up.", task.home)
                return Usage(timed_out=True, meter=task.meter)
            finally:
                self._busy.discard(worker)
                if done:
                    self._idle.append(worker)
                else:
                    # Even one that just died: the `du` that it started may live on.
                    kill_group(worker.pid)
        if isinstance(answer, str):
            raise MeasureError(answer)
        return answer

    async def _take(self) -> asyncio.subprocess.Process:
        self._idle = [worker for worker in self._idle if worker.returncode is None]
        worker = self._idle.pop() if self._idle else await _start()
        if self._closed:
            # Closed while this one was on its way.
            kill(worker)
            raise MeasureError("Nothing is measured any more: the service ends.")
        return worker

    async def _ask(self, worker: asyncio.subprocess.Process, task: Task) -> Usage | str:
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            worker.stdin.write(dump_task(task))
            await worker.stdin.drain()
            line = await asyncio.wait_for(
                worker.stdout.readline(), task.deadline_secs + GIVE_UP_AFTER_SECS
            )
            return load_answer(line)
        except (ConnectionError, ValueError):
            raise MeasureError(
                f"The worker that measured {task.home!r} died; the next cycle tries again."
            ) from None

    def close(self) -> None:
        """Kill every worker, without waiting for one that hangs."""
        self._closed = True
        for worker in [*self._idle, *self._busy]:
            kill(worker)
        self._idle.clear()

    async def end(self) -> None:
        """Close, and wait a moment for the end of those workers that do not hang."""
        workers = [*self._idle, *self._busy]
        self.close()
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            ends = asyncio.gather(*(worker.wait() for worker in workers))
            await asyncio.wait_for(ends, LAST_WAIT_SECS)


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{__package__}.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        # Its own session: a Ctrl-C at the terminal is ours to handle, and a kill of the
        # group takes the `du` that it may have started along.
        start_new_session=True,
    )


def kill(worker: asyncio.subprocess.Process) -> None:
    """Kill a worker and what it started."""
    if worker.returncode is not None:
        return  # its number may be another's by now
    kill_group(worker.pid)


def kill_group(leader: int) -> None:
    """Kill what is left of a worker's session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
