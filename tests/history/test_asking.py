"""Questions from API and pages: what happened to whom, and what a slow database holds up."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.errors import HistoryError
from jupyterhub_efs_quota.history.asking import Asking
from jupyterhub_efs_quota.history.events import STATE_CHANGED, Action, Run
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.quota.record import State

from ..conftest import NOW
from .conftest import a_record, measure


async def test_without_a_database_the_answer_is_that_there_is_none():
    with pytest.raises(HistoryError, match="no history"):
        await Asking(Recorder()).ask(lambda past: past.runs())


async def test_a_database_that_does_not_answer_is_given_up_and_holds_up_nobody_else(history):
    stuck, leave = threading.Event(), threading.Event()

    def hang(_):
        stuck.set()
        leave.wait(60)

    asking = Asking(history, most=2, secs=0.2)
    try:
        waits = [asyncio.create_task(asking.ask(hang)) for _ in range(3)]
        while not stuck.is_set():
            await asyncio.sleep(0.01)
        began = time.monotonic()
        for wait in waits:
            with pytest.raises(HistoryError, match="did not answer"):
                await wait
        assert time.monotonic() - began < 30
        # Others ask by other threads: this one's are all taken.
        assert history.flush()
        assert await Asking(history).ask(lambda past: past.job_names()) == []
    finally:
        leave.set()


def tell(history, clock):
    """Three users, of whom things are on record, minute by minute."""
    history.judged(a_record("anna", state=State.LOCKOUT, size=5000), by="Reaper")
    clock.forward(minutes=1)
    history.stopped("anna", "", "over", by="Reaper")
    clock.forward(minutes=1)
    history.judged(a_record("bert", state=State.NEARING_LIMIT), by="Monitor")
    clock.forward(minutes=1)
    history.acted(Action("mended", None, clock(), "admin"))
    clock.forward(minutes=1)
    before, after = a_record("bert"), a_record("bert", quota=5)
    history.quota_changed(before, after, by="teacher", reason="why", until=clock())
    assert history.flush()


def shown(page):
    return [(getattr(row, "kind", STATE_CHANGED), row.user) for row in page.rows]


def test_changes_of_state_and_actions_come_together_the_newest_first(history, clock):
    tell(history, clock)
    page = history.happened()
    assert page.total == len(page.rows)
    assert shown(page)[-4:] == [
        ("mended", None),
        ("state-changed", "bert"),
        ("server-stopped", "anna"),
        ("state-changed", "anna"),
    ]
    assert ("quota-changed", "bert") in shown(page)
    assert [row.time for row in page.rows] == sorted((row.time for row in page.rows), reverse=True)


def test_of_some_users_nothing_of_others_or_of_nobody_is_told_and_counted(history, clock):
    tell(history, clock)
    page = history.happened(names=["anna", "unknown"])
    assert shown(page) == [("server-stopped", "anna"), ("state-changed", "anna")]
    assert page.total == 2
    assert history.happened(names=[]).rows == []
    assert history.happened(names=[]).total == 0


def test_changes_are_found_by_kind_and_time_and_cut_into_pages(history, clock):
    tell(history, clock)
    assert {kind for kind, _ in shown(history.happened(kind="server-stopped"))} == {
        "server-stopped"
    }
    assert {kind for kind, _ in shown(history.happened(kind=STATE_CHANGED))} == {STATE_CHANGED}
    some = history.happened(since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=2))
    assert shown(some) == [("server-stopped", "anna")]
    whole = shown(history.happened())
    halves = [history.happened(offset=offset, limit=2) for offset in range(0, len(whole), 2)]
    assert [each for page in halves for each in shown(page)] == whole
    assert {page.total for page in halves} == {len(whole)}


def test_changes_of_very_many_users_are_found(history, clock):
    tell(history, clock)
    names = [f"user-{number}" for number in range(70_000)]
    assert shown(history.happened(names=[*names, "anna"]))[-1] == ("state-changed", "anna")


def test_runs_are_found_by_the_time_of_their_start(history, clock):
    for minutes in range(3):
        time = NOW + timedelta(minutes=minutes)
        history.ran(Run("monitor", "host", time, time))
    assert history.flush()
    page = history.runs(since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=2))
    assert [run.started for run in page.rows] == [NOW + timedelta(minutes=1)]


def test_the_growth_of_all_users_is_told_at_once(history):
    measure(history, NOW - timedelta(days=8), "anna", 100)
    measure(history, NOW, "anna", 350)
    assert history.flush()
    assert history.growth() == {"anna": 250}
