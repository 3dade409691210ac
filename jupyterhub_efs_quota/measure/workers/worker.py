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
import time

from ...errors import MeasureError
from ...quota.usage import Usage
from ..counters import count, count_or_walk
from ..du import du
from ..meters import AUTO, DU, WALK
from ..task import Progress, SoFar, Task, dump_answer, dump_so_far, load_task
from ..walk.engine import walk
from ..walk.handles import allow_handles
from ..walk.pace import Pace, Page
from .priority import go_last

TELL_EVERY_SECS = 0.4


def measure(task: Task, pace: Pace | None = None, progress: Progress | None = None) -> Usage:
    """Measure one home with the meter that its task names. Raises MeasureError.

    Only the walk keeps a pace and tells its progress.
    """

    def at_a_pace(task: Task) -> Usage:
        return walk(task, progress, pace)

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
            task = load_task(tasks.get())
            answer: Usage | str = measure(task, pace, _teller() if task.tell else None)
        except MeasureError as error:
            answer = str(error)
        except Exception as error:  # a worker that dies would lose the reason
            answer = f"{type(error).__name__}: {error}"
        _say(dump_answer(answer))


def _teller() -> Progress:
    """Tells the service now and then how far a walk is."""
    last = time.monotonic()

    def tell(files: int, size: int, _dirs: int, _where: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= TELL_EVERY_SECS:
            last = now
            _say(dump_so_far(SoFar(files, size)))

    return tell


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _receive(tasks: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
