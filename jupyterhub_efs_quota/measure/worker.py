"""A worker process: reads tasks from standard input, a line each, writes answers.

Started by `workers.py` in a session of its own. Ends itself, and whatever it started,
when its parent is gone, even in the middle of a walk.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading

from ..errors import MeasureError
from ..quota.usage import Usage
from .counters import count, count_or_walk
from .du import du
from .meters import AUTO, DU, WALK
from .task import Task, dump_answer, load_task
from .walk import walk

NICENESS = 19


def measure(task: Task) -> Usage:
    """Measure one home with the meter that its task names. Raises MeasureError."""
    if task.meter == WALK:
        return walk(task)
    if task.meter == DU:
        return du(task)
    return count_or_walk(task, walk) if task.meter == AUTO else count(task)


def main() -> None:
    """Serve tasks until standard input ends."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # A thread of its own, so that the parent's end is noticed during a walk.
    threading.Thread(target=_receive, args=(tasks,), daemon=True).start()
    while True:
        try:
            answer: Usage | str = measure(load_task(tasks.get()))
        except MeasureError as error:
            answer = str(error)
        except Exception as error:  # a worker that dies would lose the reason
            answer = f"{type(error).__name__}: {error}"
        sys.stdout.buffer.write(dump_answer(answer))
        sys.stdout.buffer.flush()


def _receive(tasks: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
