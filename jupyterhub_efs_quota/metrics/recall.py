"""Takes from the history, after a start, what the metrics of single homes tell besides sizes.

Else it would be known of a home only when that is walked again, which may take a week. Begun by
`app.py` and the loops' commands.
"""

from __future__ import annotations

import asyncio
import logging
import time

from ..errors import HistoryError
from ..history.asking import Asking
from ..history.history import History
from ..history.recorder import Recorder
from ..history.trees import Tree
from .trees import KnownTrees

log = logging.getLogger(__name__)

# Each with a summary of some 50 kB to unpack: a tenth of a second.
AT_ONCE = 200
# A database that is away is asked again.
AGAIN_SECS = 10.0


def recalling(history: Recorder, trees: KnownTrees) -> asyncio.Task[None] | None:
    """Begin, on the event loop that runs now; None where no history is kept."""
    if not isinstance(history, History):
        return None
    return asyncio.create_task(recall(Asking(history, most=1), trees))


async def recall(asking: Asking, trees: KnownTrees) -> None:
    """Take what is known of all homes, a part at a time, and no more than half of the time."""
    after = 0
    while True:
        began = time.monotonic()
        try:
            part = await _part(asking, after)
        except HistoryError as error:
            log.debug("What is known of homes is asked for again: %s", error)
            await asyncio.sleep(AGAIN_SECS)
            continue
        if not part:
            return
        trees.remember(part)
        after = part[-1].number
        await asyncio.sleep(time.monotonic() - began)


async def _part(asking: Asking, after: int) -> list[Tree]:
    return await asking.ask(lambda history: history.trees(after, AT_ONCE))
