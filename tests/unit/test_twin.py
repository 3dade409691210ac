"""The walk in Python with others that help: threads on a slow store, a process on a quick one."""

import itertools
import os
import shutil
import signal
import threading
import time

import pytest
from hypothesis import given

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.walk import crew, twin
from jupyterhub_efs_quota.measure.walk.book import Book
from jupyterhub_efs_quota.measure.walk.pace import Pace, Page
from jupyterhub_efs_quota.measure.summary.part import finish
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Ceiling, Task
from jupyterhub_efs_quota.measure.walk.engine import measure_in_python

from ..conftest import examples
from .home_by_hand import summary_by_hand
from .trees import NOW, plant, trees

RULES = Rules(now=NOW)
numbers = itertools.count()
needs_processors = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="a second process helps on a second processor"
)


@pytest.fixture
def eager_threads(monkeypatch):
    """Threads walk together at once, as if each call had to wait."""
    monkeypatch.setattr(crew._Review, "waits_since", lambda self, last: 8)
    monkeypatch.setattr(crew._Review, "busy_since", lambda self, last: 0.5)
    monkeypatch.setattr(crew, "_LEAST_CALLS", 1)
    monkeypatch.setattr(twin, "_REVIEW_CALLS", 1)


@pytest.fixture
def home(tmp_path):
    """A home of 600 folders, with files that have names in two of them."""
    home = tmp_path / "home"
    for number in range(600):
        here = home / f"d{number % 20}" / f"d{number}"
        here.mkdir(parents=True)
        (here / "file").write_bytes(b"x" * number)
        if number % 3 == 0:
            os.link(here / "file", home / f"d{(number * 7) % 20}" / f"link{number}.csv")
    return home


@examples(40)
@given(tree=trees)
def test_several_threads_find_what_one_finds(eager_threads, tmp_path, tree):
    root = tmp_path / str(next(numbers))
    plant(root, tree)
    expected = summary_by_hand(root, RULES)  # first, for it changes when links were read
    for _ in range(3):
        usage = measure_in_python(Task(str(root), 60, rules=RULES, walk_threads=6))
        assert usage.summary == expected
        assert usage.complete
    shutil.rmtree(root)


@pytest.mark.parametrize("rules", [None, RULES])
def test_several_threads_share_a_large_home(eager_threads, home, rules, monkeypatch):
    threads = set()
    count = Book.count

    def slow_count(self, *found):
        threads.add(threading.get_ident())
        time.sleep(0.001)
        count(self, *found)

    monkeypatch.setattr(Book, "count", slow_count)
    before = set(os.listdir("/proc/self/fd")), set(threading.enumerate())
    usage = measure_in_python(Task(str(home), 60, rules=rules))
    assert len(threads) > 4
    assert (usage.files, usage.dirs) == (600, 621)
    # Others may have ended meanwhile: those of earlier tests.
    assert set(os.listdir("/proc/self/fd")) <= before[0]
    assert set(threading.enumerate()) <= before[1]


def test_threads_stop_together(eager_threads, home):
    usage = measure_in_python(Task(str(home), 60, ceiling=Ceiling(1000)))
    assert usage.proven_over
    assert usage.bytes > 1000
    assert measure_in_python(Task(str(home), 0.0)).timed_out
    assert threading.active_count() == 1 or not any(
        "_work" in thread.name for thread in threading.enumerate()
    )


def test_hard_links_prove_nothing_twice(eager_threads, home):
    # A file found by two threads under two names is one file all the same.
    for _ in range(5):
        assert measure_in_python(Task(str(home), 60, ceiling=Ceiling(179_700, 600))).complete


def test_an_error_in_a_thread_is_an_error_of_the_walk(eager_threads, home, monkeypatch):
    leave = Book.leave

    def failing(self, folder):
        if threading.current_thread() is not threading.main_thread():
            raise ZeroDivisionError
        time.sleep(0.001)
        leave(self, folder)

    monkeypatch.setattr(Book, "leave", failing)
    with pytest.raises(ZeroDivisionError):
        measure_in_python(Task(str(home), 60))


@pytest.fixture
def assisted(monkeypatch):
    """Another process helps soon, and this one is slow."""
    started = []

    class Assistant(twin.Assistant):
        def __init__(self, task, page):
            super().__init__(task, page)
            started.append(self)

    count = Book.count

    def slow_count(self, *found):
        time.sleep(0.005)
        count(self, *found)

    monkeypatch.setattr(Book, "count", slow_count)
    monkeypatch.setattr(twin, "Assistant", Assistant)
    monkeypatch.setattr(twin, "_LARGE_DIRS", 5)
    monkeypatch.setattr(crew._Review, "waits_since", lambda self, last: 1)
    return started


@needs_processors
@pytest.mark.parametrize("rules", [None, RULES])
def test_a_second_process_helps_and_nothing_counts_twice(assisted, home, rules):
    before = len(os.listdir("/proc/self/fd"))
    parts = twin.walk_in_python(Task(str(home), 60, rules=rules))
    assert [part.counts.dirs > 20 for part in parts] == [True, True]
    usage = finish(parts, rules)
    assert (usage.files, usage.dirs, usage.bytes) == (600, 621, 179_700)
    assert usage.complete
    if rules is not None:
        assert usage.summary == summary_by_hand(home, rules)
    assert len(os.listdir("/proc/self/fd")) == before
    assert assisted[0]._process.returncode is not None


@needs_processors
def test_a_second_process_that_hangs_is_given_up_at_the_deadline(assisted, home):
    def hang():
        while not assisted:
            time.sleep(0.001)
        assisted[0]._process.send_signal(signal.SIGSTOP)

    thread = threading.Thread(target=hang)
    thread.start()
    started = time.monotonic()
    usage = measure_in_python(Task(str(home), 2.0, rules=RULES))
    assert 2.0 < time.monotonic() - started < 3.0
    assert usage.timed_out
    assert 0 < usage.dirs < 621
    assert assisted[0]._process.returncode is not None
    thread.join()


@needs_processors
@pytest.mark.parametrize("when", ["at once", "late"])
def test_a_second_process_that_dies_fails_the_measurement(assisted, home, when):
    def kill():
        while not assisted:
            time.sleep(0.001)
        if when == "late":
            assisted[0]._process.send_signal(signal.SIGSTOP)  # not before it has work
            time.sleep(0.5)
        assisted[0]._process.send_signal(signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(MeasureError, match="second process"):
        measure_in_python(Task(str(home), 60))
    thread.join()


@needs_processors
@pytest.mark.parametrize("calls", [None, 5000])
def test_a_second_process_keeps_the_same_pace(assisted, home, calls):
    page = Page.make()
    if calls is not None:
        # As the service gives them out, a tenth at a time.
        threading.Thread(
            target=lambda: [time.sleep(0.1) or page.allow(calls * i // 10) for i in range(1, 60)],
            daemon=True,
        ).start()
        page.allow(calls // 10)
    started = time.monotonic()
    parts = twin.walk_in_python(Task(str(home), 60), None, Pace(page))
    took = time.monotonic() - started
    made = page.calls
    assert finish(parts, None).dirs == 621
    assert made >= 621 + 600
    if calls is None:
        assert [part.counts.dirs > 20 for part in parts] == [True, True]
    else:
        assert made <= calls * (took + 0.2)


@needs_processors
def test_small_homes_start_no_process(assisted, home, monkeypatch):
    monkeypatch.setattr(twin, "_LARGE_DIRS", 1000)
    assert len(twin.walk_in_python(Task(str(home), 60))) == 1
    assert not assisted
