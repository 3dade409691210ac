"""Questions to the history off the event loop, in threads of their own, with a time limit.

A database that is slow holds up those who ask it, and nobody else: pages, API and the hook's
questions to the control files have other threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import HistoryError, StoreError
from ..offload import Offload
from .history import History
from .recorder import Recorder

T = TypeVar("T")

MOST_AT_ONCE = 8
ANSWER_SECS = 10.0


class Asking:
    """Asks `history`, if it is one that can be asked: without a database there is none."""

    def __init__(
        self, history: Recorder, most: int = MOST_AT_ONCE, secs: float = ANSWER_SECS
    ) -> None:
        self._history = history if isinstance(history, History) else None
        self._offload = Offload(most)
        self._secs = secs

    async def ask(self, question: Callable[[History], T]) -> T:
        """What the question, a function of the history, answers. Raises HistoryError."""
        if self._history is None:
            raise HistoryError("There is no history: the service runs without a database.")
        try:
            return await self._offload.run_within(self._secs, question, self._history)
        except StoreError:
            raise HistoryError(
                f"The history database did not answer within {self._secs:g} seconds, or is"
                " asked too much at a time. Try again later, and see that it answers."
            ) from None
