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
from dataclasses import dataclass

from ...errors import MeasureError
from ...quota.usage import Usage
from ..task import Task, dump_task, load_answer
from ..walk.pace import Page
from .governor import Governor

log = logging.getLogger(__name__)

# A worker stops its walk itself at the deadline. One that does not is stuck in the kernel.
GIVE_UP_AFTER_SECS = 2.0
LAST_WAIT_SECS = 1.0
# Workers that hang in the kernel and cannot even be killed: more would be no help.
MOST_LOST = 16
# A summary of the longest paths with the oddest names: 500 of 4096 bytes, six signs a byte.
_LONGEST_LINE = 16 * 1024 * 1024


@dataclass(eq=False)
class Worker:
    """A worker process, and the page that it shares with the governor if there is one."""

    process: asyncio.subprocess.Process
    page: Page | None

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.returncode is not None

    def kill(self) -> None:
        """Kill the process and what it started, without waiting for its end."""
        if not self.ended:  # its number may be another's by now
            kill_group(self.process.pid)

    def forget(self) -> None:
        """Let go of the page: nobody is going to look at it any more."""
        if self.page is not None:
            self.page.close()
            self.page = None


class Workers:
    """Up to `most` worker processes, started when needed and kept.

    `governor` sets the pace of their walks; None: they go as fast as they can.
    """

    def __init__(self, most: int, governor: Governor | None = None) -> None:
        self.most = most
        self.governor = governor
        self._slots = asyncio.Semaphore(most)
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._lost: list[Worker] = []
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
                self._begin(worker)
                answer = await self._ask(worker, task)
                done = True
            except asyncio.TimeoutError:
                log.warning("The measurement of %s hangs: its worker is given up.", task.home)
                return Usage(timed_out=True, meter=task.meter)
            finally:
                self._busy.discard(worker)
                self._end(worker)
                if done:
                    self._idle.append(worker)
                else:
                    self._give_up(worker)
        if isinstance(answer, str):
            raise MeasureError(answer)
        return answer

    def _begin(self, worker: Worker) -> None:
        if self.governor is not None and worker.page is not None:
            self.governor.begin(worker.page)

    def _end(self, worker: Worker) -> None:
        if self.governor is not None and worker.page is not None:
            self.governor.end(worker.page)

    def _give_up(self, worker: Worker) -> None:
        # Even one that just died: the `du` that it started may live on.
        kill_group(worker.process.pid)
        worker.forget()
        self._lost.append(worker)

    async def _take(self) -> Worker:
        worker = self._sleeping() or await self._start()
        if self._closed:
            # Closed while this one was on its way.
            worker.kill()
            worker.forget()
            raise MeasureError("Nothing is measured any more: the service ends.")
        return worker

    def _sleeping(self) -> Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if not worker.ended:
                return worker
            worker.forget()
        return None

    async def _start(self) -> Worker:
        self._lost = [worker for worker in self._lost if not worker.ended]
        if len(self._lost) >= MOST_LOST:
            raise MeasureError(
                f"{len(self._lost)} workers hang in the kernel and cannot be killed, so no more"
                " are started. Look at the mount of the homes."
            )
        page = None if self.governor is None else Page.make()
        try:
            return Worker(await _start(page), page)
        except BaseException:
            if page is not None:
                page.close()
            raise

    async def _ask(self, worker: Worker, task: Task) -> Usage | str:
        stdin, stdout = worker.process.stdin, worker.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(dump_task(task))
            await stdin.drain()
            line = await asyncio.wait_for(
                stdout.readline(), task.deadline_secs + GIVE_UP_AFTER_SECS
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
            worker.kill()
        for worker in self._idle:
            worker.forget()
        self._idle.clear()

    async def end(self) -> None:
        """Close, and wait a moment for the end of those workers that do not hang."""
        workers = [*self._idle, *self._busy]
        self.close()
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            ends = asyncio.gather(*(worker.process.wait() for worker in workers))
            await asyncio.wait_for(ends, LAST_WAIT_SECS)


async def _start(page: Page | None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{__package__}.worker",
        *([] if page is None else [str(page.handle)]),
        pass_fds=() if page is None else (page.handle,),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        # Its own session: a Ctrl-C at the terminal is ours to handle, and a kill of the
        # group takes the `du` that it may have started along.
        start_new_session=True,
    )


def kill_group(leader: int) -> None:
    """Kill what is left of a worker's session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
