"""The database is away, full, damaged or slow: nobody waits, and what can be kept is kept."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.history import writing
from jupyterhub_efs_quota.history.events import Run
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.loops.reaper import Reaper
from jupyterhub_efs_quota.loops.record_run import recorded
from jupyterhub_efs_quota.metrics.counted import PREFIX, Counted
from jupyterhub_efs_quota.metrics.exposition import Exposition

from ..conftest import NOW, as_root, environment, fill_up, until
from .conftest import a_record

DAY = timedelta(days=1)


def tell(history, numbers):
    for number in numbers:
        history.ran(Run("job", "h", NOW + timedelta(seconds=number), NOW, counts={"n": number}))


def metrics_of(history):
    """The series that Prometheus is shown of a history."""
    exposition = Exposition(Counted(), Board(), list, list, history=lambda: history.counts)
    lines = [line for line in exposition.render().decode().splitlines() if "_history_" in line]
    pairs = [line.removeprefix(PREFIX).split() for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def on_record(history):
    assert history.flush(20), history.trouble
    return [run.counts["n"] for run in reversed(history.runs(limit=10**6).rows)]


def test_what_happens_while_postgresql_is_down_is_written_when_it_is_up(
    start, postgres, tmp_path, log_lines
):
    history = start(postgres.new())
    tell(history, range(5))
    assert on_record(history) == list(range(5))
    postgres.stop()
    try:
        tell(history, range(5, 10))
        until(lambda: history.trouble)
        tell(history, range(10, 3000))
        until(lambda: history.counts.waiting >= 2990)
        until(lambda: list(tmp_path.glob("waiting.*.pending")))
        assert history.counts.gaps == 1
        shown = metrics_of(history)
        assert shown["history_gaps_total"] == 1
        assert shown["history_waiting_events"] >= 2990
    finally:
        postgres.start()
    assert on_record(history) == list(range(3000))
    assert (history.trouble, history.counts.lost) == (None, 0)
    assert metrics_of(history)["history_waiting_events"] == 0
    errors = [message for _, message in log_lines.said("ERROR")]
    assert len(errors) == len(set(errors)) <= 5, errors
    assert "waits in" in errors[0]
    assert any("is written again" in message for _, message in log_lines.said("INFO"))


def test_what_was_put_aside_is_written_by_the_next_service(start, postgres, tmp_path):
    url = postgres.new()
    first = start(url)
    tell(first, range(3))
    on_record(first)
    postgres.stop()
    try:
        tell(first, range(3, 50))
        first.close()
        assert list(tmp_path.glob("waiting.*.pending"))
    finally:
        postgres.start()
    second = start(url)
    tell(second, range(50, 60))
    assert on_record(second) == list(range(60))
    assert not list(tmp_path.glob("waiting.*.pending"))


def test_telling_takes_no_time_while_the_database_hangs(start, sqlite_url, tmp_path):
    history = start(sqlite_url)
    tell(history, range(3))
    on_record(history)
    other = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    tell(history, range(3, 1000))
    for number in range(500):
        history.judged(a_record(f"user{number}"), by="Reaper")
    assert time.monotonic() - began < 2
    other.execute("ROLLBACK")
    other.close()
    assert on_record(history) == list(range(1000))


def test_a_file_that_is_removed_is_made_anew_and_nothing_is_written_into_the_void(
    start, sqlite_url, tmp_path, log_lines
):
    history = start(sqlite_url)
    history.judged(a_record(), by="Reaper")
    tell(history, range(3))
    on_record(history)
    for path in tmp_path.glob("history.sqlite*"):
        path.unlink()
    until(lambda: (tmp_path / "history.sqlite").exists())
    tell(history, range(3, 6))
    assert on_record(history) == [3, 4, 5]
    # Who stands as before is told to the new one too.
    history.judged(a_record(), by="Reaper")
    assert history.flush()
    assert history.latest("homer").counted == 100
    (warning,) = [message for _, message in log_lines.said("WARN")]
    assert "removed or replaced" in warning


def test_a_copy_that_is_put_back_is_what_is_used(start, sqlite_url, tmp_path, log_lines):
    history = start(sqlite_url)
    tell(history, range(3))
    on_record(history)
    copy = sqlite3.connect(tmp_path / "copy")
    with sqlite3.connect(tmp_path / "history.sqlite") as original:
        original.backup(copy)
    original.close()
    copy.close()
    tell(history, range(3, 6))
    on_record(history)
    os.replace(tmp_path / "copy", tmp_path / "history.sqlite")
    until(lambda: any("replaced" in message for _, message in log_lines.said("WARN")))
    tell(history, range(6, 9))
    assert on_record(history) == [0, 1, 2, 6, 7, 8]


@pytest.mark.parametrize("damage", [b"nonsense" * 1000, b"SQLite format 3\0" + b"\0" * 5000])
def test_a_damaged_file_is_said_and_left_and_what_waits_goes_into_the_next(
    start, sqlite_url, tmp_path, log_lines, damage
):
    path = tmp_path / "history.sqlite"
    path.write_bytes(damage)
    history = start(sqlite_url)
    until(lambda: history.trouble)
    tell(history, range(5))
    until(lambda: history.counts.waiting == 5)
    assert path.read_bytes() == damage
    assert "damaged" in history.trouble or "cannot be used" in history.trouble
    assert len(log_lines.said("ERROR")) == 1
    path.rename(tmp_path / "damaged")
    assert on_record(history) == list(range(5))


def test_a_file_that_is_damaged_while_it_is_open_does_not_end_the_thread(
    start, sqlite_url, tmp_path
):
    history = start(sqlite_url)
    for number in range(2000):
        history.judged(a_record(f"user{number}", size=number), by="Reaper")
    assert history.flush(30)
    path = tmp_path / "history.sqlite"
    with path.open("r+b") as file:
        file.write(b"nonsense" * 20_000)
    for number in range(2000):
        history.judged(a_record(f"user{number}", size=number + 1), by="Reaper")
    history.flush(1)  # SQLite may find out now, or when the page is needed
    for left in tmp_path.glob("history.sqlite*"):
        left.unlink()
    until(lambda: (tmp_path / "history.sqlite").exists() and history.trouble is None)
    for number in range(2000):
        history.judged(a_record(f"user{number}", size=number + 2), by="Reaper")
    assert history.flush(30)
    assert history.latest("user7").counted == 9


def test_a_full_disk_costs_nothing_where_the_waiting_go_elsewhere(start, tmp_path, tmpfs):
    disk = tmpfs(tmp_path / "disk", "1m")
    history = start(f"sqlite:///{disk}/history.sqlite")
    tell(history, range(3))
    on_record(history)
    filler = fill_up(disk)
    tell(history, range(3, 3000))
    until(lambda: history.trouble)
    assert "Make room" in history.trouble
    # What is there is read all the same.
    assert history.runs(limit=1).total >= 3
    filler.unlink()
    assert on_record(history) == list(range(3000))


def test_a_full_disk_for_both_leaves_it_in_memory_and_says_so_once(
    start, tmp_path, tmpfs, log_lines
):
    disk = tmpfs(tmp_path / "disk", "4m")
    history = start(f"sqlite:///{disk}/history.sqlite", aside=disk / "waiting")
    tell(history, range(3))
    on_record(history)
    filler = fill_up(disk)
    tell(history, range(3, 5000))
    until(lambda: any("in memory only" in message for _, message in log_lines.said("ERROR")))
    time.sleep(0.5)
    assert len(log_lines.said("ERROR")) <= 3
    filler.unlink()
    assert on_record(history) == list(range(5000))


def test_a_directory_that_is_missing_is_said_and_used_once_it_is_there(start, tmp_path):
    place = tmp_path / "later"
    history = start(f"sqlite:///{place}/history.sqlite")
    tell(history, range(3))
    until(lambda: history.trouble)
    assert f"There is no directory {place}" in history.trouble
    place.mkdir()
    assert on_record(history) == [0, 1, 2]


@as_root
def test_a_directory_that_may_not_be_written_is_said(for_everybody):
    code = f"""
import os, sys, time

from datetime import datetime, timezone
from pathlib import Path
from jupyterhub_efs_quota.history.history import History
from jupyterhub_efs_quota.history.place import whole_url
history = History(whole_url("sqlite:///{for_everybody}/history.sqlite"), Path("{for_everybody}/w"),
    lambda: datetime.now(timezone.utc))
os.setgid(65534); os.setuid(65534)
history.start()
while not history.trouble: time.sleep(0.01)
print(history.trouble)
history.close()
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=60, env=environment(), check=False,
    )  # fmt: skip
    assert "cannot be written: Permission denied" in ran.stdout, ran


def test_one_event_that_cannot_be_written_takes_no_other_with_it(
    start, url, monkeypatch, log_lines
):
    real = writing.write_events

    def picky(connection, events):
        if any(isinstance(event, Run) and event.counts["n"] == 7 for event in events):
            raise ValueError("not this one")
        real(connection, events)

    monkeypatch.setattr(writing, "write_events", picky)
    history = start(url)
    tell(history, range(20))
    assert on_record(history) == [number for number in range(20) if number != 7]
    assert history.counts.lost == 1
    (error,) = [message for _, message in log_lines.said("ERROR")]
    assert "not this one" in error


async def test_the_loops_go_on_without_a_database(
    rooms, listed, home_of, remeasure, start, tmp_path, store
):
    history = start(f"sqlite:///{tmp_path}/nowhere/history.sqlite")
    rooms = replace(rooms, history=history)
    home_of("homer", 500)
    listed("homer")
    await asyncio.wait_for(recorded(rooms, "Monitor", Monitor(rooms, remeasure))(), 30)
    await asyncio.wait_for(recorded(rooms, "Reaper", Reaper(rooms))(), 30)
    assert store.read("homer").actual_bytes == 500
    assert history.trouble
