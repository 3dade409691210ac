"""A worker process: reads tasks from standard input, a line each, writes answers.

Started by `workers.py` in a session of its own, with the handle of a page (pace.py) where
there is a pace to keep. Ends itself, and whatever it started, when its parent is gone,
even in the middle of a walk.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

from ...errors import MeasureError
from ...quota.usage import Usage
from ..counters import count, count_or_walk
from ..du import du
from ..meters import AUTO, DU, WALK
from ..task import Task, dump_answer, load_task
from ..walk.engine import walk
from ..walk.handles import allow_handles
from ..walk.pace import Pace, Page
from .priority import go_last


def measure(task: Task, pace: Pace | None = None) -> Usage:
    """Measure one home with the meter that its task names. Raises MeasureError.

    Only the walk keeps a pace.
    """

    def at_a_pace(task: Task) -> Usage:
        return walk(task, pace=pace)

    if task.meter == WALK:
        return at_a_pace(task)
    if task.meter == DU:
        return du(task)
    return count_or_walk(task, at_a_pace) if task.meter == AUTO else count(task)


def main() -> None:
    """Serve tasks until standard input ends."""
    go_last()
    allow_handles()
    pace = Pace(Page(int(sys.argv[1]))) if len(sys.argv) > 1 else None
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # A thread of its own, so that the parent's end is noticed during a walk.
    threading.Thread(target=_receive, args=(tasks,), daemon=True).start()
    while True:
        try:
            answer: Usage | str = measure(load_task(tasks.get()), pace)
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
