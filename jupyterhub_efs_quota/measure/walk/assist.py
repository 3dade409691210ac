"""The second process that helps to walk a large home. Started by `assistant.py`."""

from __future__ import annotations

import contextlib
import os
import sys
from multiprocessing.connection import Connection

from .assistant import Assisted
from .pace import Pace, Page
from .twin import walk_as_assistant


def main() -> None:
    """Help the process that has started this one, until it is done or gone."""
    hear = Connection(os.dup(0), writable=False)
    tell = Connection(os.dup(1), readable=False)
    # What anybody prints must not get between.
    os.dup2(2, 1)
    pace = Pace(Page(int(sys.argv[1]))) if len(sys.argv) > 1 else None
    with contextlib.suppress(EOFError, BrokenPipeError):
        task = hear.recv()
        tell.send(walk_as_assistant(task, lambda book: Assisted(tell, hear, book), pace))


if __name__ == "__main__":
    main()
