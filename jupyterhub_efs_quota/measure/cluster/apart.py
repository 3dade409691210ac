"""A home, or some parts of one, in a process of its own, which ends with them.

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
import time
from collections.abc import Sequence
from dataclasses import replace

from ...errors import MeasureError
from ...quota.usage import Usage
from ..summary.part import Part
from ..task import Task, dump_task, load_task
from ..walk.engine import PARTS, engine
from ..walk.handles import allow_handles
from ..workers.priority import go_last
from ..workers.worker import measure
from ..workers.workers import GIVE_UP_AFTER_SECS, kill_group


async def measure_apart(tasks: Sequence[Task]) -> list[Usage | Part]:
    """Measure homes, or parts of them if their tasks are `in_parts`, one after the other.

    All have the deadline of the first. A process that is stuck is killed and left behind
    then, and the answers say `timed_out`. Raises MeasureError if it dies or cannot measure.
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
            _ask(process, tasks), tasks[0].deadline_secs + GIVE_UP_AFTER_SECS
        )
    except (asyncio.TimeoutError, TimeoutError):
        return [_timed_out(task) for task in tasks]
    finally:
        kill_group(process.pid)
    if isinstance(answer, str):
        raise MeasureError(answer)
    return answer


def _timed_out(task: Task) -> Usage | Part:
    usage = Usage(timed_out=True, meter=task.meter)
    return Part(usage) if task.in_parts else usage


async def _ask(
    process: asyncio.subprocess.Process, tasks: Sequence[Task]
) -> list[Usage | Part] | str:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(b"".join(map(dump_task, tasks)) + b"\n")
        await process.stdin.drain()
        # To its end: the parts of a home with millions of hard links are long.
        answer = await process.stdout.read()
        found = pickle.loads(answer)  # noqa: S301  (from our own process)
    except (ConnectionError, EOFError, pickle.UnpicklingError):
        found = f"The process that measured {tasks[0].home!r} died; the next cycle tries again."
    assert isinstance(found, list | str)
    return found


def main() -> None:
    """Measure what standard input asks for, and end with it."""
    go_last()
    allow_handles()
    tasks = [load_task(line) for line in iter(sys.stdin.buffer.readline, b"\n")]
    # A thread of its own, so that the parent's end is noticed during a walk.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        found: list[Usage | Part] | str = _measure(tasks)
    except MeasureError as error:
        found = str(error)
    except Exception as error:  # else nobody would know the reason
        found = f"{type(error).__name__}: {error}"
    pickle.dump(found, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()
    os._exit(0)  # the thread still reads


def _measure(tasks: Sequence[Task]) -> list[Usage | Part]:
    until = time.monotonic() + tasks[0].deadline_secs
    found: list[Usage | Part] = []
    for each in tasks:
        task = replace(each, deadline_secs=max(0.0, until - time.monotonic()))
        found.append(PARTS[engine()](task) if task.in_parts else measure(task))
    return found


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
