"""The pace of walks: a budget that holds, a brake that acts, and nobody who waits in vain."""

import asyncio
import os
import threading
import time

import pytest

from jupyterhub_efs_quota.measure.workers import brake as brake_module
from jupyterhub_efs_quota.measure.workers import governor as governor_module
from jupyterhub_efs_quota.measure.walk import twin, engine as walk
from jupyterhub_efs_quota.measure.workers.brake import Brake
from jupyterhub_efs_quota.measure.workers.governor import TICK_SECS, Governor
from jupyterhub_efs_quota.measure.walk.pace import ANY_NUMBER, Pace, Page
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import COMPILED, ENGINES, PYTHON
from jupyterhub_efs_quota.measure.workers.workers import Workers

from ..conftest import come_about, fill

needs_compiled = pytest.mark.skipif(COMPILED not in ENGINES, reason="the walk is not compiled")


@pytest.fixture
def page():
    page = Page.make()
    yield page
    page.close()


@pytest.fixture(params=[PYTHON, pytest.param(COMPILED, marks=needs_compiled)])
def paced(request, page):
    """Each engine in turn, at the pace of a page."""

    def run(home, deadline_secs=20.0, **asked):
        task = Task(str(home), deadline_secs, **asked)
        return ENGINES[request.param](task, pace=Pace(page))

    run.engine = request.param
    return run


def make_files(home, directories, files):
    for number in range(directories):
        here = home / f"d{number}"
        here.mkdir(parents=True)
        for name in range(files):
            (here / str(name)).touch()
    return home


def walk_alone(home, pace):
    """The compiled walk of the home with a handle, as it answers."""
    return walk.compiled._walk.walk(
        home,
        *(256, 64, 60.0, False, (), False, False, (0, 0)),
        *(None, (False, b"", 0, -1, False), None),
        pace,
    )


# One walk and its page.


def test_a_walk_without_a_limit_counts_its_calls(paced, page, tmp_path):
    found = paced(make_files(tmp_path / "home", 10, 300))
    assert (found.files, found.dirs) == (3000, 11)
    # They are counted ahead, some hundreds at a time.
    assert 3000 <= page.calls < 5000


def test_no_call_is_made_that_is_not_allowed(paced, page, tmp_path):
    home = make_files(tmp_path / "home", 10, 300)
    page.allow(500)
    found = paced(home, deadline_secs=0.5)
    assert found.timed_out
    assert 0 < found.files <= 500
    assert page.calls == 500


def test_a_walk_that_waits_goes_on_when_it_may(paced, page, tmp_path):
    home = make_files(tmp_path / "home", 10, 300)
    page.allow(100)

    def allow():
        for calls in range(200, 1000, 100):
            time.sleep(0.02)
            page.allow(calls)
        page.allow(ANY_NUMBER)

    helper = threading.Thread(target=allow)
    helper.start()
    found = paced(home)
    helper.join()
    assert (found.files, found.dirs, found.timed_out) == (3000, 11, False)


@pytest.mark.parametrize("threads", [1, 64])
def test_a_walk_that_waits_still_keeps_its_deadline(paced, page, tmp_path, threads):
    home = make_files(tmp_path / "home", 10, 300)
    page.allow(0)
    began = time.monotonic()
    found = paced(home, deadline_secs=0.3, walk_threads=threads)
    assert found.timed_out
    assert 0.25 < time.monotonic() - began < 1.3


@needs_compiled
def test_waiting_for_the_pace_calls_for_no_more_threads(page, tmp_path):
    """Else a walk that is to go slowly would go with all its threads."""
    home = make_files(tmp_path / "home", 20, 300)
    stop = threading.Event()

    def allow():
        while not stop.wait(0.005):
            page.allow(page.calls + 200)

    helper = threading.Thread(target=allow)
    helper.start()
    handle = os.open(home, os.O_RDONLY)
    try:
        found = walk_alone(handle, page.handle)
    finally:
        os.close(handle)
        stop.set()
        helper.join()
    assert found["files"] == 6000
    assert found["threads"] <= 8


def test_a_page_that_cannot_be_mapped_sets_no_pace(tmp_path):
    if COMPILED not in ENGINES:
        pytest.skip("the walk is not compiled")
    home = os.open(make_files(tmp_path / "home", 1, 3), os.O_RDONLY)
    try:
        assert walk_alone(home, home)["files"] == 3
    finally:
        os.close(home)


def test_what_memory_answers_is_no_answer_of_the_store(paced, page, tmp_path):
    home = make_files(tmp_path / "home", 10, 300)
    for _ in range(5):
        paced(home)
    # A processor taken away for a moment looks like an answer to the walk in Python.
    assert page.answers <= (0 if paced.engine == COMPILED else 3)


def test_a_second_process_that_helps_keeps_the_same_pace(page, tmp_path, monkeypatch):
    monkeypatch.setattr(twin, "_LARGE_DIRS", 20)
    home = make_files(tmp_path / "home", 200, 100)
    stop = threading.Event()
    began = time.monotonic()
    most = []

    def allow():
        while not stop.wait(0.05):
            page.allow(page.calls + 500)
        most.append(time.monotonic() - began)

    page.allow(0)
    helper = threading.Thread(target=allow)
    helper.start()
    try:
        parts = twin.walk_in_python(Task(str(home), 60), pace=Pace(page))
    finally:
        stop.set()
        helper.join()
    assert sum(part.counts.files for part in parts) == 20_000
    assert len(parts) == 2 or len(os.sched_getaffinity(0)) == 1
    # Each call is counted, whichever of the two makes it.
    assert 20_000 <= page.calls < 22_000
    assert most[0] > 20_000 / 500 * 0.05 * 0.9


def test_calls_that_were_not_needed_can_be_used_later(page):
    pace = Pace(page)
    page.allow(10)
    assert pace.take(8, pytest.fail) == 8
    pace.give_back(5)
    assert pace.take(8, pytest.fail) == 5
    assert pace.take(8, pytest.fail) == 2
    with pytest.raises(ZeroDivisionError):
        pace.take(1, lambda: 1 / 0)


def test_the_threads_of_a_walk_share_its_pace(page):
    page.allow(1000)
    taken = []

    def take(pace):
        def look():
            raise StopIteration

        try:
            while True:
                taken.append(pace.take(3, look))
        except StopIteration:
            pass

    threads = [threading.Thread(target=take, args=(Pace(page).another(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == page.calls == 1000


# Many walks and their governor, in a time of our own.


class Walks:
    """Walks that make so many calls a second, as far as they may."""

    def __init__(self, governor, clock, *rates):
        self.governor, self.clock = governor, clock
        self.rates = dict.fromkeys((), 0)
        self.made = {}
        for rate in rates:
            self.begin(rate)

    def begin(self, rate):
        page = Page.make()
        self.rates[page] = rate
        self.made[page] = 0
        self.governor.begin(page)
        return page

    def end(self, page):
        self.governor.end(page)
        del self.rates[page]

    def run(self, secs, latency=0.0005):
        steps = 10
        for _ in range(round(secs / TICK_SECS)):
            for _ in range(steps):
                self.clock.now += TICK_SECS / steps
                for page, rate in self.rates.items():
                    calls = min(rate * TICK_SECS / steps, page.allowed - page.calls)
                    page.made(max(0, round(calls)))
                    for _ in range(round(calls / 16)):
                        page.answered(round(latency * 1e9))
            self.governor.look()
        return self

    def speeds(self, secs, **how):
        """Calls a second of each walk, over that time."""
        before = {page: page.calls for page in self.rates}
        self.run(secs, **how)
        return [(page.calls - before[page]) / secs for page in self.rates]


class Time:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def governed():
    """Walks in a time of our own: `governed(budget, brake_at, *rates)`."""
    made = []

    def make(budget, brake_at, *rates):
        clock = Time()
        made.append(Walks(Governor(budget, brake_at, monotonic=clock), clock, *rates))
        return made[-1]

    yield make
    for walks in made:
        for page in list(walks.rates):
            walks.end(page)


async def test_without_a_budget_nobody_waits(governed):
    walks = governed(0, 0, 10**6, 5000)
    assert walks.speeds(2) == pytest.approx([10**6, 5000])
    assert all(page.allowed == ANY_NUMBER for page in walks.rates)


async def test_a_budget_holds_for_all_walks_together(governed):
    speeds = governed(3000, 0, *[10**5] * 3).speeds(5)
    assert sum(speeds) == pytest.approx(3000, rel=0.05)
    assert min(speeds) > 900


async def test_what_a_slow_walk_does_not_use_others_get(governed):
    slow, quick = governed(3000, 0, 500, 10**5).speeds(5)
    assert slow == pytest.approx(500, rel=0.2)
    assert quick == pytest.approx(2500, rel=0.1)


async def test_what_nobody_used_is_not_saved_up(governed):
    walks = governed(1000, 0, 0)
    walks.run(60)
    (page,) = walks.rates
    walks.rates[page] = 10**5
    assert walks.speeds(1)[0] < 1300


async def test_many_short_walks_keep_the_budget_too(governed):
    """A home of a few files is measured within one tick."""
    walks = governed(1000, 0)
    began, calls = walks.clock.now, 0
    for _ in range(200):
        page = walks.begin(10**6)
        while page.calls < 40:
            walks.run(TICK_SECS)
            walks.rates[page] = min(10**6, (40 - page.calls) / TICK_SECS)
        calls += page.calls
        walks.end(page)
        page.close()
    assert calls / (walks.clock.now - began) < 1100


async def test_a_very_small_budget_still_lets_every_walk_go_on(governed):
    speeds = governed(5, 0, *[1000] * 8).speeds(60)
    assert sum(speeds) == pytest.approx(5, rel=0.2)
    assert min(speeds) > 0.3


async def test_the_brake_holds_for_all_walks_and_is_said_once(governed, log_lines):
    walks = governed(0, 3.0, 8000, 8000)
    walks.run(30, latency=0.002)
    assert log_lines.said() == []
    slow = sum(walks.speeds(20, latency=0.012))
    assert slow < 8000
    assert walks.governor.brakings == 1
    walks.run(60, latency=0.002)
    assert sum(walks.speeds(2, latency=0.002)) == pytest.approx(16000, rel=0.05)
    ((level, braked), (_, off)) = log_lines.said()
    assert level == "WARN"
    assert braked.startswith("The store takes ")
    assert " and not 2 ms as usual" in braked
    assert off == "The store answers within 2 ms: full speed again."
    fields = log_lines.lines[0]
    assert fields["store_usual_secs"] == pytest.approx(0.002, rel=0.01)
    assert fields["store_latency_secs"] > 0.006


async def test_a_store_that_is_slow_now_and_then_does_not_fill_the_log(governed, log_lines):
    walks = governed(0, 3.0, 8000, 8000)
    walks.run(30, latency=0.002)
    for _ in range(4):
        walks.run(10, latency=0.012).run(40, latency=0.002)
    assert walks.governor.brakings == 4
    assert len(log_lines.said("WARN")) == 1
    assert len(log_lines.said()) == 2


async def test_brake_and_budget_hold_both(governed):
    walks = governed(1000, 3.0, 8000, 8000)
    walks.run(30, latency=0.002)
    assert sum(walks.speeds(10, latency=0.002)) == pytest.approx(1000, rel=0.1)
    walks.run(10, latency=0.012)
    assert sum(walks.speeds(10, latency=0.012)) < 500


async def test_with_the_brake_set_to_0_a_slow_store_is_asked_as_before(governed):
    walks = governed(0, 0, 8000)
    walks.run(30, latency=0.002)
    assert walks.speeds(10, latency=0.1) == pytest.approx([8000], rel=0.05)


async def test_a_governor_does_nothing_while_nothing_is_measured(page):
    governor = Governor(100, 3.0)
    governor.begin(page)
    assert governor._timer is not None
    governor.end(page)
    assert governor._timer is None
    assert governor.brake == Brake()


# Real workers on a real, slow store.


class SlowStore:
    """How long the store takes for each file, for processes started from now on."""

    def __init__(self, file):
        self._file = file
        self.take(0)

    def take(self, msecs):
        # In place: they have it mapped.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(int(1000 * msecs).to_bytes(4, "little"))


@pytest.fixture
def store(bad_store, tmp_path, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", bad_store)
    monkeypatch.setenv("SLOW_FILE", str(tmp_path / "slow"))
    return SlowStore(tmp_path / "slow")


async def test_real_walks_keep_their_budget(tmp_path, store):
    homes = [make_files(tmp_path / str(number), 10, 300) for number in range(2)]
    workers = Workers(2, Governor(800, 0))
    try:
        await asyncio.gather(
            *(workers.measure(Task(str(fill(tmp_path / f"w{n}", 1)), 9)) for n in "12")
        )
        tasks = [Task(str(home), 3.0) for home in homes]
        found = await asyncio.gather(*(workers.measure(task) for task in tasks))
    finally:
        await workers.end()
    # One call a file, and three a directory.
    calls = [each.files + 3 * each.dirs for each in found]
    assert all(each.timed_out for each in found)
    assert sum(calls) == pytest.approx(800 * 3, rel=0.2)
    assert min(calls) > 800


@needs_compiled
async def test_real_walks_slow_down_with_the_store_and_recover(
    tmp_path, store, monkeypatch, log_lines
):
    monkeypatch.setattr(governor_module, "READING_SECS", 0.25)
    monkeypatch.setattr(brake_module, "RECOVER_SECS", 2.0)
    home = make_files(tmp_path / "home", 20, 400)
    governor = Governor(0, 3.0)
    workers = Workers(2, governor)
    going_on = True

    async def measure():
        while going_on:
            await workers.measure(Task(str(home), 20, walk_threads=8))

    walks = [asyncio.create_task(measure()) for _ in range(2)]
    try:
        store.take(2)
        await come_about(lambda: governor.brake.answers > 500)
        await asyncio.sleep(0.5)
        assert governor.brake.limit is None
        assert governor.brake.usual_secs == pytest.approx(0.002, rel=0.5)
        store.take(15)
        await come_about(lambda: governor.brake.limit is not None)
        store.take(2)
        await come_about(lambda: governor.brake.limit is None)
    finally:
        going_on = False
        await workers.end()
        await asyncio.gather(*walks, return_exceptions=True)
    assert governor.brakings >= 1
    assert [level for level, _ in log_lines.said()][:2] == ["WARN", "INFO"]
