"""A Dask cluster of several processes measures as this machine does, and may go away."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.cluster import cluster as cluster_module
from jupyterhub_efs_quota.measure.cluster import split
from jupyterhub_efs_quota.measure.cluster.cluster import Cluster, _difference
from jupyterhub_efs_quota.measure.cluster.node import PROTOCOL, Footing
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Ceiling, Task
from jupyterhub_efs_quota.measure.workers.workers import Workers
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import as_root, environment, fill
from ..ports import free_port
from .home_by_hand import summary_by_hand
from .trees import NOW

pytest.importorskip("distributed")
RULES = Rules(now=NOW)


class Dask:
    """A scheduler and workers, each a process."""

    def __init__(self, place):
        self.place = place
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.scheduler = None
        self.workers = []

    def start(self, command, *options):
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + command, *options],
            cwd=self.place,
            env={**environment(), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3"},
            stdout=subprocess.DEVNULL,
            stderr=(self.place / f"{command}.log").open("ab"),
            start_new_session=True,
        )

    def start_scheduler(self):
        host, port = self.address.removeprefix("tcp://").split(":")
        options = ["--host", host, "--port", port, "--no-dashboard", "--no-jupyter"]
        self.scheduler = self.start("scheduler", *options[:-1])

    def start_worker(self, *options):
        worker = self.start(
            *("worker", self.address, "--no-nanny", "--nthreads", "2", "--no-dashboard"),
            *("--local-directory", str(self.place), *options),
        )
        self.workers.append(worker)
        return worker

    def end(self):
        for process in [self.scheduler, *self.workers]:
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def dask(tmp_path):
    """A scheduler of one test's own, to be lost; it starts its workers."""
    yield from started(tmp_path / "dask")


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A cluster with three workers, for all tests that leave it as it is."""
    for dask in started(tmp_path_factory.mktemp("standing") / "dask"):
        for _ in range(3):
            dask.start_worker()
        yield dask


def started(place):
    place.mkdir()
    dask = Dask(place)
    dask.start_scheduler()
    yield dask
    dask.end()


@pytest.fixture
def homes(tmp_path):
    (tmp_path / "homes").mkdir()
    return tmp_path / "homes"


@pytest.fixture
async def measuring(homes, monkeypatch):
    """`measuring(address)`: a Cluster, with nobody to measure here."""
    made = []
    monkeypatch.setattr(cluster_module, "TRY_AGAIN_SECS", 0.0)

    def make(address, split_files=0):
        made.append(Cluster(address, str(homes), split_files, Nowhere()))
        return made[-1]

    yield make
    for each in made:
        await each.end()


class Nowhere:
    """Stands for the worker processes here, and counts what comes to them."""

    most = 4

    def __init__(self):
        self.asked = []

    async def measure(self, task):
        self.asked.append(task)
        return Usage(meter="here")

    def close(self):
        pass

    async def end(self):
        pass


async def ready(cluster, workers, secs=60):
    """Wait until so many workers are fit to measure."""
    until = time.monotonic() + secs
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            await cluster._ready()
            if sum(cluster._fit.values()) >= workers:
                return
        await asyncio.sleep(0.1)
    raise AssertionError("the cluster did not come up")


def grow(home):
    """A home with links across its folders, odd names, and what may not be read."""
    for number in range(300):
        here = home / f"d{number % 13}" / f"e{number % 7}\n" / f"f{number}"
        fill(here, number, "x.py")
        fill(home / f"d{number % 13}" / ".ipynb_checkpoints", number, f"c{number}")
        os.link(here / "x.py", home / f"d{(number * 5) % 13}" / f"link{number}.csv") if (
            number > 80
        ) else None
    os.mkdir(os.fsencode(home) + b"/\xff\xfe")
    fill(home / "closed", 1000)
    return home


async def test_homes_are_measured_by_the_workers_of_the_cluster(standing, homes, measuring):
    cluster = measuring(standing.address)
    await ready(cluster, 3)
    tasks = []
    for number in range(12):
        for name in range(number):
            fill(homes / str(number), 10, str(name))
        (homes / str(number)).mkdir(exist_ok=True)
        tasks.append(Task(str(homes / str(number)), 60, rules=RULES))
    found = await asyncio.gather(*map(cluster.measure, tasks))
    assert [usage.files for usage in found] == list(range(12))
    assert found[5].summary == summary_by_hand(homes / "5", RULES)
    assert not cluster._here.asked
    with pytest.raises(MeasureError, match="cannot be opened"):
        await cluster.measure(Task(str(homes / "missing"), 60))


@as_root
async def test_a_huge_home_is_measured_in_parts_to_the_same_result(
    standing, for_everybody, measuring, homes, monkeypatch
):
    # Each part is a process: dozens say no more than some.
    monkeypatch.setattr(split, "FOLDERS", 8)
    home = grow(for_everybody / "home")
    cluster = measuring(standing.address, split_files=100)
    await ready(cluster, 3)
    local = Workers(1)
    try:
        for rules in (None, RULES):
            task = Task(str(home), 60, rules=rules, files=1000)
            expected = await local.measure(task)
            assert await cluster.measure(task) == expected
        assert expected.summary == summary_by_hand(home, RULES)
    finally:
        await local.end()
    assert not cluster._here.asked


async def test_a_lost_workers_home_is_measured_by_another(dask, homes, measuring, monkeypatch):
    monkeypatch.setattr(split, "FOLDERS", 8)
    home = homes / "deep"
    for number in range(4000):
        (home / str(number % 8) / str(number)).mkdir(parents=True)
    workers = [dask.start_worker() for _ in range(2)]
    cluster = measuring(dask.address, split_files=1)
    await ready(cluster, 2)
    for files in (0, 10):  # whole, and in parts
        several = [
            asyncio.ensure_future(cluster.measure(Task(str(home), 120, files=files)))
            for _ in range(2)
        ]
        await asyncio.sleep(0.3)
        os.killpg(workers.pop().pid, signal.SIGKILL)
        dask.start_worker()
        workers = dask.workers[-1:]
        for usage in await asyncio.gather(*several):
            assert (usage.dirs, usage.complete) == (4009, True)
        await ready(cluster, 1)
    assert not cluster._here.asked


async def test_homes_are_measured_here_while_the_cluster_is_away(dask, homes, measuring, caplog):
    caplog.set_level(logging.INFO)
    home = homes / "home"
    fill(home, 5)
    task = Task(str(home), 60)
    cluster = measuring(dask.address)
    assert (await cluster.measure(task)).meter == "here"
    assert "has no workers; homes are measured here until it is back" in caplog.text
    dask.start_worker()
    await ready(cluster, 1)
    assert (await cluster.measure(task)).bytes == 5
    assert "measures homes again" in caplog.text
    caplog.clear()
    os.killpg(dask.scheduler.pid, signal.SIGKILL)
    assert (await cluster.measure(task)).meter == "here"
    assert (await cluster.measure(task)).meter == "here"
    assert caplog.text.count("homes are measured here until it is back") == 1
    dask.scheduler.wait()
    dask.start_scheduler()
    dask.start_worker()
    await ready(cluster, 1)
    assert (await cluster.measure(task)).bytes == 5


async def test_a_scheduler_lost_in_the_middle_costs_no_measurement(dask, homes, measuring):
    home = homes / "deep"
    for number in range(4000):
        (home / str(number % 50) / str(number)).mkdir(parents=True)
    dask.start_worker()
    cluster = measuring(dask.address, split_files=1)
    await ready(cluster, 1)
    several = [
        asyncio.ensure_future(cluster.measure(Task(str(home), 60, files=files)))
        for files in (0, 10, 0, 10, 0, 10)
    ]
    await asyncio.sleep(0.4)
    os.killpg(dask.scheduler.pid, signal.SIGKILL)
    for usage in await asyncio.wait_for(asyncio.gather(*several), 90):
        assert usage.meter == "here" or usage.dirs == 4051


async def test_a_scheduler_that_is_not_there_is_no_error(homes, measuring, caplog):
    fill(homes / "home", 5)
    cluster = measuring("tcp://127.0.0.1:1")
    monkey = await asyncio.wait_for(cluster.measure(Task(str(homes / "home"), 60)), 30)
    assert monkey.meter == "here"
    assert "The Dask cluster at tcp://127.0.0.1:1 cannot be reached" in caplog.text


async def test_proofs_for_a_spawn_are_had_here(homes, measuring):
    cluster = measuring("tcp://127.0.0.1:1")
    usage = await cluster.measure(Task(str(homes), 3, ceiling=Ceiling(5)))
    assert usage.meter == "here"
    assert cluster._client is None


async def test_a_worker_that_hangs_is_given_up_at_the_deadline(standing, homes, measuring):
    home = homes / "home"
    fill(home, 5)
    cluster = measuring(standing.address)
    await ready(cluster, 1)
    for _ in range(20):
        measuring_it = asyncio.ensure_future(cluster.measure(Task(str(home), 1.0)))
        # The walk stops in the middle, as in a store that hangs.
        while not measuring_it.done() and not (walks := walks_of(standing)):
            await asyncio.sleep(0.001)
        stopped = time.monotonic()
        for walk in walks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(walk, signal.SIGSTOP)
        usage = await asyncio.wait_for(measuring_it, 30)
        if usage.timed_out:  # else it had ended before it was stopped
            break
    assert usage.timed_out
    assert time.monotonic() - stopped < 10
    assert (await cluster.measure(Task(str(home), 20.0))).bytes == 5


def walks_of(dask):
    """The processes that the workers have started to measure, once they run that."""
    found = []
    for worker in dask.workers:
        with contextlib.suppress(OSError):
            with open(f"/proc/{worker.pid}/task/{worker.pid}/children") as file:
                for child in file.read().split():
                    with open(f"/proc/{child}/cmdline") as line:
                        if "cluster.apart" in line.read():
                            found.append(int(child))
    return found


async def test_a_worker_of_another_version_is_left_out(
    standing, homes, measuring, caplog, monkeypatch
):
    fill(homes / "home", 5)
    cluster = measuring(standing.address)
    real = cluster_module.footing

    async def footing(home_root):
        return (await real(home_root))._replace(version="0.0.1")

    monkeypatch.setattr(cluster_module, "footing", real)
    await ready(cluster, 1)
    cluster._own = await footing(str(homes))
    cluster._fit.clear()
    assert (await cluster.measure(Task(str(homes / "home"), 60))).meter == "here"
    assert "the service has 0.0.1: install the same there" in caplog.text
    assert "has no worker that can measure homes" in caplog.text


OWN = Footing((3, 11), "1.0", PROTOCOL, 7)


@pytest.mark.parametrize(
    "theirs, said",
    [
        (OWN, ""),
        (OWN._replace(version="0.9"), "has jupyterhub-efs-quota 0.9, the service has 1.0"),
        (OWN._replace(protocol=0), "install the same"),
        (OWN._replace(python=(3, 10)), "runs Python 3.10, the service 3.11"),
        (OWN._replace(homes=None), "has no directory at /homes: mount"),
        (OWN._replace(homes=8), "has another directory at /homes: mount"),
    ],
)
def test_what_differs_is_said_in_words(theirs, said):
    difference = _difference(OWN, theirs, "/homes")
    assert said in difference
    assert bool(said) == bool(difference)
