"""A second process that helps to walk a large home: the walk in Python has one processor each.

`twin.py` starts one in the session of its worker process, which is killed as a whole. The
two speak through pipes: folders to begin at, given away by either, and at last what was
found. It ends with the one it helps.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

from ...errors import MeasureError
from ..summary.part import Part
from ..task import Task
from .book import Book
from .crew import Crew, Start

# What is said besides paths.
HUNGRY, IDLE, STOP = "hungry", "idle", "stop"
_TELL_SECS = 0.1

_POLL_SECS, _HUNGRY_POLL_SECS = 0.02, 0.001
_LAST_WAIT_SECS = 0.4
# How many calls the assistant makes between looks at what is said.
_LISTEN_CALLS = 500


class Counted(NamedTuple):
    """How far the assistant is."""

    files: int
    bytes: int
    dirs: int


class Assistant:
    """The other process, as seen by the one it helps. Raises OSError if it cannot be started.

    `page`: the handle of the page (pace.py) whose pace both keep.
    """

    def __init__(self, task: Task, page: int | None) -> None:
        handles = () if page is None else (page,)
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.assist", *map(str, handles)],
            pass_fds=handles,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._tell = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self._hear = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()
        self._tell.send(task)
        self.part: Part | None = None
        # Files, bytes and folders so far.
        self.counted = (0, 0, 0)

    def walk(self, crew: Crew, book: Book) -> None:
        """Walk folders of a crew in the other process, until there are none."""
        try:
            while (start := crew.next(away=True)) is not None:
                if start.above is not None:
                    os.close(start.above)
                book.hand_over(start.folder)
                self._tell.send(start.path)
                self._follow(crew)
            self._tell.send(STOP)
            while not self._hear.poll(_LAST_WAIT_SECS):
                if crew.stopped:
                    return
            self.part = self._hear.recv()
        except (EOFError, OSError):
            raise MeasureError("A second process that measured the home died.") from None

    def _follow(self, crew: Crew) -> None:
        """Pass on what the other one gives back, until it has nothing left."""
        asked = False
        while not crew.stopped:
            if self._hear.poll(_HUNGRY_POLL_SECS if crew.hungry else _POLL_SECS):
                said = self._hear.recv()
                if said == IDLE:
                    return
                if isinstance(said, Counted):
                    self.counted = said
                    continue
                crew.put(Start(said))
                asked = False
            elif crew.hungry and not asked:
                self._tell.send(HUNGRY)
                asked = True

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._tell.close()
        self._hear.close()
        deadline = time.monotonic() + _LAST_WAIT_SECS
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)


class Assisted:
    """The one who is helped, as seen by the other process: stands for its crew."""

    def __init__(self, tell: Connection, hear: Connection, book: Book) -> None:
        self._tell = tell
        self._hear = hear
        self._book = book
        self._calls = 0
        self._told = 0.0
        self._begun = False
        self.hungry = False
        self.stopped = False
        # Nobody helps here to look at names.
        self.look_together = None
        self.threads = 1

    def next(self) -> Start | None:
        """Wait for a folder to begin at; None at the end."""
        if self._begun:
            self.hungry = False
            self._tell.send(IDLE)
        self._begun = True
        while not self.stopped:
            said = self._hear.recv()
            if isinstance(said, tuple):
                return Start(said)
            self._heed(said)
        return None

    def put(self, start: Start) -> None:
        """Give back a folder."""
        if start.above is not None:
            os.close(start.above)
        self._book.hand_over(start.folder)
        self.hungry = False
        self._tell.send(start.path)

    def review(self, calls: int) -> None:
        """Called by the walker with the calls that it has made since."""
        self._calls += calls
        if self._calls >= _LISTEN_CALLS:
            self._calls = 0
            while self._hear.poll():
                self._heed(self._hear.recv())
            if time.monotonic() - self._told > _TELL_SECS:
                self._told = time.monotonic()
                self._tell.send(Counted(*self._book.counted()))

    def stop(self) -> None:
        """Stop as soon as the walker looks."""
        self.stopped = True

    def _heed(self, said: str) -> None:
        self.stopped = self.stopped or said == STOP
        self.hungry = said == HUNGRY
