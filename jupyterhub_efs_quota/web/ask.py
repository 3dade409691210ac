"""What pages ask of the history: within a time, since somebody waits, and never as an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ..errors import HistoryError
from ..history.history import History
from .parts import Parts

T = TypeVar("T")

# What takes longer than this is left out of the page.
WITHIN_SECS = 3.0


async def ask_in_time(
    parts: Parts, question: Callable[[History], T], *, without: str, silent: str
) -> T:
    """What a question, a function of the history, answers.

    Raises HistoryError with what the page is to say: `without` where no history is kept,
    `silent` where it does not answer now.
    """
    if not parts.history.keeps_summaries:
        raise HistoryError(without)
    try:
        return await asyncio.wait_for(parts.asking.ask(question), WITHIN_SECS)
    except (HistoryError, asyncio.TimeoutError, TimeoutError):
        raise HistoryError(silent) from None
