"""One home or a part of one in a process of its own, which ends with it.

`measure_apart` runs on the workers of a Dask cluster (on_cluster.py): whatever hangs in
the store hangs here, not there. The rest of the module is that process.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import threading

from ..errors import MeasureError
from ..quota.usage import Usage
from .part import Part
from .priority import go_last
from .task import Task, dump_task, load_task
from .walk import PARTS, engine
from .worker import measure
from .workers import GIVE_UP_AFTER_SECS, kill_group


async def measure_apart(task: Task) -> Usage | Part:
    """Measure one home, or a part of one if the task is `in_parts`.

    A process that is stuck is killed and left behind at the deadline, and the answer says
    `timed_out`. Raises MeasureError if it dies or cannot measure.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        answer = await asyncio.wait_for(
            _ask(process, task), task.deadline_secs + GIVE_UP_AFTER_SECS
        )
    except (asyncio.TimeoutError, TimeoutError):
        timed_out = Usage(timed_out=True, meter=task.meter)
        return Part(timed_out) if task.in_parts else timed_out
    finally:
        kill_group(process.pid)
    if isinstance(answer, str):
        raise MeasureError(answer)
    return answer


async def _ask(process: asyncio.subprocess.Process, task: Task) -> Usage | Part | str:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(dump_task(task))
        await process.stdin.drain()
        # To its end: the parts of a home with millions of hard links are long.
        answer = await process.stdout.read()
        found = pickle.loads(answer)  # noqa: S301  (from our own process)
    except (ConnectionError, EOFError, pickle.UnpicklingError):
        found = f"The process that measured {task.home!r} died; the next cycle tries again."
    assert isinstance(found, Usage | Part | str)
    return found


def main() -> None:
    """Measure what standard input asks for, and end with it."""
    go_last()
    line = sys.stdin.buffer.readline()
    # A thread of its own, so that the parent's end is noticed during a walk.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        task = load_task(line)
        found: Usage | Part | str = PARTS[engine()](task) if task.in_parts else measure(task)
    except MeasureError as error:
        found = str(error)
    except Exception as error:  # else nobody would know the reason
        found = f"{type(error).__name__}: {error}"
    pickle.dump(found, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()
    os._exit(0)  # the thread still reads


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
