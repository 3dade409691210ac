"""Gathers what the overview is made of: asked by its page and by the API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from ..activity.overview import Job
from ..errors import EFSQuotaError, HistoryError, StoreError
from ..history.events import Action, ActionKind, Fill
from ..history.history import History
from ..overview.overview import RECENT, Happened, Overview, Past, Seen, overview
from ..overview.volume import BACK
from ..overview.wanted import Wanted
from .ask import ask_in_time
from .parts import Parts


async def look(parts: Parts, wanted: Wanted) -> Overview:
    """How the site stands now; what cannot be had is said, and is no error."""
    now = parts.clock()
    past, (fill, problem), jobs = await asyncio.gather(
        _past(parts, wanted.top, now), _fill(parts), _jobs(parts)
    )
    board = parts.board
    seen = Seen(
        board.rows(), board.complete, board.surroundings, fill, problem, jobs, parts.trouble()
    )
    # Of ten thousand users it takes a moment.
    return await asyncio.to_thread(overview, seen, past, parts.settings.default_quota, wanted, now)


async def _past(parts: Parts, top: int, now: datetime) -> Past:
    try:
        return await ask_in_time(
            parts,
            lambda history: _read(history, top, now),
            without="No history is kept here, so nothing is known of other days.",
            silent="The history does not answer now, so growth, the forecast, refusals and"
            " stopped servers are missing. Load this page again in a while.",
        )
    except HistoryError as error:
        return Past(missing=str(error))


def _read(history: History, top: int, now: datetime) -> Past:
    return Past(
        growth=history.growth(),
        fills=history.fills(now - BACK),
        refused=_happened(history, ActionKind.REFUSED, top, now),
        stopped=_happened(history, ActionKind.STOPPED, top, now),
    )


def _happened(history: History, kind: ActionKind, top: int, now: datetime) -> Happened:
    page = history.happened(kind=kind.value, since=now - RECENT, limit=top)
    return Happened([each for each in page.rows if isinstance(each, Action)], page.total)


async def _fill(parts: Parts) -> tuple[Fill | None, str | None]:
    """How full the volume is now, or why that is not known."""
    surroundings = parts.board.surroundings
    if surroundings is None:
        return None, None  # nobody knows yet where the homes are
    try:
        return await parts.gauge.read(surroundings.place), None
    except StoreError as error:
        return None, str(error)


async def _jobs(parts: Parts) -> Sequence[Job] | None:
    """All jobs, as they were seen a moment ago; None where nothing is known of them."""
    try:
        jobs = parts.jobs.overview
        return jobs.jobs or await parts.asking.ask(lambda _: jobs.look())
    except EFSQuotaError:
        return None
