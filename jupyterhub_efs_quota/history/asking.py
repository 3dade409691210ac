"""Questions to the history from the event loop: in threads of their own, within a time.

Made by `app.py`; asked by the pages. A database that hangs holds up nobody for long, and
never what reads the control files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import HistoryError, StoreError
from ..offload import Offload
from .history import History

T = TypeVar("T")

# Threads, and how long anybody waits for one: a page is to be there within 300 ms.
MOST, WITHIN_SECS = 8, 3.0


class Asking:
    """Asks a history, within `secs`."""

    def __init__(self, history: History, secs: float = WITHIN_SECS) -> None:
        self._history = history
        self._offload = Offload(MOST)
        self._secs = secs

    async def ask(self, question: Callable[[History], T]) -> T:
        """What the question returns. Raises HistoryError if there is no answer in time."""
        try:
            return await self._offload.run_within(self._secs, question, self._history)
        except StoreError:
            raise HistoryError("The history database does not answer now.") from None
