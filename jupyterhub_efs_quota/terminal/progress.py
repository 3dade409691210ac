"""How far a measurement is, on one line of a terminal; nothing where there is none."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..quota.sizes import format_size
from ..words.figures import counted, took
from ..words.names import plain
from .cells import shortened

# What is quicker than this needs no such line.
_PATIENCE_SECS = 0.3


class Progress:
    """Shows files, files a second and bytes while it is entered; called by the walk.

    `stop` is what the walk is answered: whether it is to end. `last` holds the files, bytes
    and folders that it told last.
    """

    def __init__(self, what: str, *, shown: bool) -> None:
        self.stop = False
        self.last: tuple[int, int, int] | None = None
        self._what = what
        self._started = time.monotonic()
        self._console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._shown = shown

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, files: int, size: int, dirs: int, where: str = "") -> bool:
        """Show how far it is, and the path that is being read."""
        self.last = files, size, dirs
        secs = time.monotonic() - self._started
        if self._shown and secs > _PATIENCE_SECS:
            self._live.start()
            self._live.update(self._line(files, size, secs, where), refresh=True)
        return self.stop

    def _line(self, files: int, size: int, secs: float, where: str) -> Text:
        text = (
            f"  {counted(files, 'file')}, {round(files / secs):,} a second,"
            f" {format_size(size)}, {took(secs)}"
        )
        room = self._console.width - len(text) - 1
        ascii_only = not self._console.encoding.lower().startswith("utf")
        name = shortened(
            plain(str(Path(self._what, where))), max(room, 8), "..." if ascii_only else "…"
        )
        return Text(name, style="bold", no_wrap=True, overflow="crop").append(
            text, style="not bold"
        )


def can_show() -> bool:
    """Whether progress is seen, and in nobody's way.

    It goes to standard error. Where standard output is a pipe, what reads it may well show
    that on the same terminal.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") in {"", "dumb"}:
        return False
    if sys.stdout.isatty():
        return True
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        return False
