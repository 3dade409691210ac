"""What the page remembers of a user: within a time, or it says why not."""

import asyncio
import time

from jupyterhub_efs_quota.errors import HistoryError
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.web import ask
from jupyterhub_efs_quota.web.memory import remember

from ..conftest import NOW


class Parts:
    """What is asked of the service: by default of one that keeps a history."""

    def __init__(self, ask=None):
        self.history = Recorder()
        self.history.keeps_summaries = ask is not None
        self.asking = self
        self.ask = ask


async def test_a_history_that_hangs_is_not_waited_for_and_the_page_says_so(monkeypatch):
    monkeypatch.setattr(ask, "WITHIN_SECS", 0.1)
    never = asyncio.Event()
    began = time.monotonic()
    found = await remember(Parts(lambda _: never.wait()), "homer", NOW)
    assert "does not answer now" in found.missing and found.points == ()
    assert time.monotonic() - began < 30


async def test_a_history_that_fails_is_said_and_is_no_error():
    async def fail(_):
        raise HistoryError("gone")

    assert "does not answer now" in (await remember(Parts(fail), "homer", NOW)).missing


async def test_without_a_history_the_page_says_so():
    assert "No history is kept" in (await remember(Parts(), "homer", NOW)).missing
