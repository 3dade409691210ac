"""GNU du as a meter: the program that sites know, for who would rather trust it.

Called in a worker process. It counts directories' own sizes too, cannot stop early, and
knows no number of files.
"""

from __future__ import annotations

import os
import subprocess

from ..errors import MeasureError
from ..quota.usage import Usage
from .empty import empty_home
from .task import Task

_NAMES_KEPT = 5


def du(task: Task) -> Usage:
    """Measure one home with `du`. Raises MeasureError if it gives no total."""
    command = ["du", "--summarize", "--block-size=1"]
    if not task.allocated:
        command.append("--apparent-size")
    if not task.cross_mounts:
        command.append("--one-file-system")
    command += [f"--exclude={pattern}" for pattern in task.skip]
    try:
        ran = subprocess.run(
            [*command, "--", os.fsencode(task.home)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=task.deadline_secs,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Usage(timed_out=True, meter="du")
    except OSError as error:
        raise MeasureError(f"du cannot be run: {error.strerror}. Install coreutils.") from None
    complaints = ran.stderr.decode(errors="backslashreplace").splitlines()
    # du answers 1 when it was kept out of anything, and prints the total of the rest.
    try:
        size = int(ran.stdout.split(b"\t", 1)[0])
    except ValueError:
        raise MeasureError(
            f"du gave no total for {task.home!r}: {'; '.join(complaints[:2]) or 'no output'}"
        ) from None
    empty = empty_home(task.home, "du")
    if empty is not None:
        return empty
    vanished = sum(line.endswith("No such file or directory") for line in complaints)
    return Usage(
        bytes=None if task.allocated else size,
        allocated=size if task.allocated else None,
        unreadable=len(complaints),
        vanished=vanished,
        unreadable_names=tuple(complaints[:_NAMES_KEPT]),
        meter="du",
    )
