"""What waits stays in order, is bounded, outlives the process, and is written just once."""

import os
import random
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.history import queue as module
from jupyterhub_efs_quota.history import runs, writing
from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Action, Judged, Measurement, Run, decode, encode
from jupyterhub_efs_quota.history.pending import Pending, left_behind
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.queue import Queue

from ..conftest import NOW, environment, fill_up
from ..unit.strategies import ODD_NAMES
from .conftest import a_record


def a_run(number):
    return Run("job", "h", NOW + timedelta(seconds=number), NOW, counts={"n": number})


def numbers(events):
    return [event.counts["n"] for _, event in events]


EVENTS = [
    Measurement("homer", NOW, 1.5, 10**30, -1, summary=b"\0\xff", complete=False),
    Judged("homer", NOW, "Reaper", a_record(over_since=NOW, extra={"x": [1]}), a_record()),
    Action("x", None, NOW, "me", until=NOW + timedelta(microseconds=1)),
    a_run(3),
    *(Action("x", name, NOW, name) for name in ODD_NAMES),
]


@pytest.mark.parametrize("event", EVENTS, ids=range(len(EVENTS)))
def test_an_event_comes_back_from_its_line_as_it_was(event):
    line = encode(event)
    assert "\n" not in line
    assert decode(line) == event


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"event": "run"}', '{"event": "x"}', "{", "3"])
def test_a_line_that_is_none_is_an_error(line):
    with pytest.raises(ValueError):
        decode(line)


def test_a_full_queue_takes_no_more_counts_what_it_lost_and_leaves_room_for_the_rare():
    queue = Queue(most=100)
    for number in range(150):
        queue.put(Measurement("u", NOW, 1.0, number, 1))
    assert (len(queue), queue.lost) == (90, 60)
    for number in range(20):
        queue.put(a_run(number))
    assert (len(queue), queue.lost) == (100, 70)


def test_summaries_go_before_anything_else_does(monkeypatch):
    monkeypatch.setattr(module, "MOST_SUMMARY_BYTES", 100)
    queue = Queue()
    for _ in range(3):
        queue.put(Measurement("u", NOW, 1.0, 1, 1, summary=b"x" * 40))
    assert [event.summary is None for _, event in queue.first(9)] == [False, False, True]
    queue.done(queue.first(2))
    queue.put(Measurement("u", NOW, 1.0, 1, 1, summary=b"x" * 40))
    assert queue.first(9)[-1][1].summary is not None
    assert queue.lost == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "aside", "write", "fail", "crash"]), st.integers(1, 7)),
        max_size=40,
    )
)
def test_whatever_fails_when_all_are_written_in_order_and_none_twice(tmp_path_factory, steps):
    """The queue, the file and the database as the thread works them, with any mix of faults."""
    place = tmp_path_factory.mktemp("q")
    database = Database(whole_url(f"sqlite:///{place}/db"))
    database.open()
    queue, pending, told, writers = Queue(), Pending(place / "w", "w0"), 0, 0

    def write(source, events, fails):
        with database.writing() as connection:
            writing.write(connection, source, events)
            if fails == 1:
                raise OSError
        if fails == 2:
            raise OSError  # it is written, and we are told that it is not

    def drain(one, fails=0):
        while not one.empty:
            events, end = one.batch(3)
            write(one.writer, events, fails)
            one.done(end)

    for step, many in [*steps, ("crash", 1)]:
        try:
            if step == "put":
                queue.put(*(a_run(told + n) for n in range(many)))
                told += many
            elif step == "aside":
                events = queue.first(many)
                pending.append(events)
                queue.done(events)
            elif step in ("write", "fail"):
                fails = 0 if step == "write" else 1 + many % 2
                drain(pending, fails)
                events = queue.first(many)
                write(pending.writer, events, fails)
                queue.done(events)
            else:
                # What is in memory is gone, but for what `close` puts aside; another takes over.
                if len(queue):
                    events = queue.first(10**6)
                    pending.append(events)
                    queue.done(events)
                os.close(pending._handle) if pending._handle is not None else None
                writers += 1
                pending, queue = Pending(place / "w", f"w{writers}"), Queue()
                with left_behind(place / "w", pending.writer) as found:
                    for one in found:
                        drain(one)
        except OSError:
            pass
    with database.reading() as connection:
        rows = runs.all_runs(connection, limit=10**6).rows
    database.close()
    assert [run.counts["n"] for run in reversed(rows)] == list(range(told))
    assert not list(place.glob("*.pending"))


def test_a_file_cut_off_by_a_crash_gives_what_is_whole(tmp_path):
    pending = Pending(tmp_path / "w", "a")
    pending.append([(1, a_run(1)), (2, a_run(2))])
    os.close(pending._handle)
    whole = pending.path.read_bytes()
    for length in range(len(whole)):
        pending.path.write_bytes(whole[:length])
        with left_behind(tmp_path / "w", "b") as found:
            got = [event for one in found for event in one.batch(10)[0]]
        assert numbers(got) == [1, 2][: whole[:length].count(b"\n")]


def test_a_line_that_makes_no_sense_is_left_out_and_said(tmp_path, log_lines):
    pending = Pending(tmp_path / "w", "a")
    pending.append([(1, a_run(1))])
    os.close(pending._handle)
    pending.path.write_bytes(b"nonsense\n2 {}\n\xff\n" + pending.path.read_bytes())
    with left_behind(tmp_path / "w", "b") as found:
        assert numbers(found[0].batch(10)[0]) == [1]
    assert len(log_lines.said("WARN")) == 3


def test_what_a_living_process_has_put_aside_is_left_alone(tmp_path):
    living = Pending(tmp_path / "w", "a")
    living.append([(1, a_run(1))])
    with left_behind(tmp_path / "w", "b") as found:
        assert found == []
    living.close()
    with left_behind(tmp_path / "w", "b") as found:
        assert [numbers(one.batch(10)[0]) for one in found] == [[1]]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, tmpfs):
    disk = tmpfs(tmp_path / "disk", "64k")
    pending = Pending(disk / "w", "a")
    pending.append([(1, a_run(1))])
    fill_up(disk)
    big = Measurement("u", NOW, 1.0, 1, 1, summary=b"x" * 50_000)
    with pytest.raises(OSError):
        pending.append([(2, big)])
    (disk / "filler").unlink()
    pending.append([(3, a_run(3))])
    assert numbers(pending.batch(10)[0]) == [1, 3]


def test_the_file_has_an_end(tmp_path):
    pending = Pending(tmp_path / "w", "a", most_bytes=1000)
    with pytest.raises(OSError, match="enough"):
        for number in range(100):
            pending.append([(number, a_run(number))])
    assert pending.path.stat().st_size <= 1000


def test_the_file_is_readable_by_the_service_alone_and_follows_no_link(tmp_path):
    pending = Pending(tmp_path / "w", "a")
    pending.append([(1, a_run(1))])
    assert pending.path.stat().st_mode & 0o777 == 0o600
    other = Pending(tmp_path / "w", "b")
    other.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        other.append([(1, a_run(1))])
    assert not (tmp_path / "elsewhere").exists()


TELLER = """
import sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from jupyterhub_efs_quota.history import history as module
from jupyterhub_efs_quota.history.history import History
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.events import Run

module.GATHER_SECS = 0.001
now = datetime(2026, 1, 1, tzinfo=timezone.utc)
history = History(whole_url(sys.argv[1]), Path(sys.argv[2]), lambda: now)
history.start()
number = int(sys.argv[3])
while True:
    number += 1
    history.ran(Run("job", "h", now + timedelta(seconds=number), now, counts={"n": number}))
    if number % 20 == 0:
        time.sleep(0.002)
    if number % 100 == 0 and history.flush(0.5):
        print(number, flush=True)
"""


def test_a_writer_that_is_killed_at_any_moment_leaves_all_it_had_said_was_written(
    url, tmp_path, start
):
    chance, said = random.Random(1), 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", TELLER, url, str(tmp_path / "waiting"), str(said + 1000)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(chance.randrange(1, 6)):
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        database = Database(whole_url(url))
        database.open()
        with database.reading() as connection:
            rows = runs.all_runs(connection, limit=10**6).rows
        database.close()
        got = [run.counts["n"] for run in reversed(rows)]
        assert got == sorted(set(got))
        last = [number for number in got if number <= said]
        assert last[-100:] == list(range(said - 99, said + 1))
