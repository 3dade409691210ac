"""Measuring in processes of their own: answers come back, and so does what went wrong."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.workers import priority
from jupyterhub_efs_quota.measure.workers import workers as workers_module
from jupyterhub_efs_quota.measure.workers.governor import Governor
from jupyterhub_efs_quota.measure.meters import METERS
from jupyterhub_efs_quota.measure.task import (
    Ceiling,
    Task,
    dump_answer,
    dump_task,
    load_answer,
    load_task,
)
from jupyterhub_efs_quota.measure.workers.workers import Workers
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import come_about, environment, fill, processes, worker_processes
from .strategies import file_names


def mine():
    """The worker processes of this process that are not the ones all tests share."""
    return sorted(set(worker_processes()) - set(SHARED))


SHARED = []
odd_text = file_names.map(os.fsdecode)
ceilings = st.none() | st.builds(Ceiling, st.integers(0, 2**80), st.integers(0, 2**80))
tasks = st.builds(
    Task,
    home=odd_text,
    deadline_secs=st.floats(0, 1e6),
    meter=st.sampled_from(sorted(METERS)),
    cross_mounts=st.booleans(),
    skip=st.lists(odd_text, max_size=3).map(tuple),
    ceiling=ceilings,
    allocated=st.booleans(),
    limit=ceilings,
)
counts = st.none() | st.integers(0, 2**80)
usages = st.builds(
    Usage,
    bytes=counts,
    allocated=counts,
    files=counts,
    dirs=counts,
    unreadable=st.integers(0, 2**64),
    vanished=st.integers(0, 2**64),
    unreadable_names=st.lists(odd_text, max_size=3).map(tuple),
    timed_out=st.booleans(),
    proven_over=st.booleans(),
    why_walked=st.text(),
)


@given(tasks)
def test_a_task_travels_as_one_line(task):
    line = dump_task(task)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert load_task(line) == task


@given(usages | st.text())
def test_an_answer_travels_as_one_line(answer):
    line = dump_answer(answer)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert load_answer(line) == answer


@pytest.fixture
async def workers():
    """A pool of one test's own: they look at its processes."""
    SHARED[:] = worker_processes()
    pool = Workers(2)
    yield pool
    pool.close()


async def test_a_home_is_measured_in_another_process(workers, tmp_path):
    usage = await workers.measure(Task(str(fill(tmp_path / "home", 5000)), 60))
    assert (usage.bytes, usage.files, usage.dirs) == (5000, 1, 1)
    assert len(mine()) == 1


@pytest.mark.parametrize("meter", ["walk", "du"])
async def test_both_meters_are_there(workers, tmp_path, meter):
    usage = await workers.measure(Task(str(fill(tmp_path / "home", 5000)), 60, meter=meter))
    assert usage.bytes >= 5000
    assert usage.meter == meter


@pytest.mark.parametrize("meter", sorted(set(METERS) - {"walk", "du"}))
async def test_what_counts_itself_is_asked_in_a_worker_and_never_guesses(workers, tmp_path, meter):
    """No test directory is set up for a counter: `auto` walks, and all others say why not."""
    home = fill(tmp_path / "home", 5000)
    allocated = "allocated" in METERS[meter].sizes
    task = Task(str(home), 60, meter=meter, allocated=allocated)
    if meter == "auto":
        usage = await workers.measure(task)
        assert (usage.bytes, usage.meter) == (5000, "walk")
        assert usage.why_walked
    else:
        with pytest.raises(MeasureError, match=f"meter = '{meter}' cannot count .*home"):
            await workers.measure(task)


async def test_a_home_whose_name_is_no_text_is_measured(workers, tmp_path):
    odd = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xff\n"))
    os.mkdir(odd)
    usage = await workers.measure(Task(odd, 60))
    assert usage.dirs == 1


async def test_all_of_a_task_arrives(workers, tmp_path):
    home = fill(tmp_path / "home", 5000)
    fill(home / "x", 10**9)
    usage = await workers.measure(Task(str(home), 60, skip=("x",)))
    assert usage.bytes == 5000
    usage = await workers.measure(Task(str(home), 60, ceiling=Ceiling(4000)))
    assert usage.proven_over


async def test_what_went_wrong_comes_back_and_the_worker_stays(workers, tmp_path):
    with pytest.raises(MeasureError, match="missing"):
        await workers.measure(Task(str(tmp_path / "missing"), 60))
    (first,) = mine()
    await workers.measure(Task(str(fill(tmp_path / "home", 1)), 60))
    assert mine() == [first]


async def test_an_odd_fault_in_a_worker_comes_back_with_its_name(workers):
    with pytest.raises(MeasureError, match="ValueError: .*null"):
        await workers.measure(Task("/home\0", 60))


async def test_no_more_workers_run_than_there_may_be(workers, tmp_path):
    home = str(fill(tmp_path / "home", 5))
    usages = await asyncio.gather(*(workers.measure(Task(home, 60)) for _ in range(12)))
    assert [usage.bytes for usage in usages] == [5] * 12
    assert len(mine()) == 2


async def test_a_worker_that_died_in_its_sleep_costs_one_try_at_most(workers, tmp_path):
    home = str(fill(tmp_path / "home", 5))
    await workers.measure(Task(home, 60))
    os.kill(mine()[0], signal.SIGKILL)
    for _ in range(2):
        try:
            usage = await workers.measure(Task(home, 60))
            break
        except MeasureError as error:
            assert "died; the next cycle tries again" in str(error)
    assert usage.bytes == 5


async def test_a_worker_that_hangs_is_given_up_at_the_deadline_and_not_waited_for(
    workers, tmp_path, monkeypatch, log_lines
):
    monkeypatch.setattr("jupyterhub_efs_quota.measure.workers.workers.GIVE_UP_AFTER_SECS", 0.2)
    home = str(fill(tmp_path / "home", 5))
    await workers.measure(Task(home, 60))
    (stuck,) = mine()
    os.kill(stuck, signal.SIGSTOP)
    usage = await workers.measure(Task(home, 0.1))
    assert usage == Usage(timed_out=True)
    assert log_lines.said() == [
        ("WARN", f"The measurement of {home} hangs: its worker is given up.")
    ]
    await come_about(lambda: not (stuck in mine()))
    assert (await workers.measure(Task(home, 60))).bytes == 5


async def test_one_worker_that_hangs_keeps_no_other_from_working(workers, slow_du, tmp_path):
    home = str(fill(tmp_path / "home", 5))
    hanging = asyncio.create_task(workers.measure(Task("/", 60, meter="du")))
    for _ in range(3):
        assert (await workers.measure(Task(home, 60))).bytes == 5
    assert not hanging.done()
    hanging.cancel()


async def test_a_worker_that_dies_takes_only_its_own_home_with_it(workers, slow_du, tmp_path):
    home = str(fill(tmp_path / "home", 5))
    dying = asyncio.create_task(workers.measure(Task("/", 60, meter="du")))
    await come_about(lambda: processes(slow_du))
    (worker,) = mine()
    other = asyncio.create_task(workers.measure(Task("/", 60, meter="du")))
    await come_about(lambda: len(processes(slow_du)) == 2)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(MeasureError, match="died; the next cycle tries again"):
        await dying
    assert not other.done()
    assert (await workers.measure(Task(home, 60))).bytes == 5
    other.cancel()


async def test_workers_that_cannot_be_killed_are_not_joined_by_ever_more(
    workers, tmp_path, monkeypatch
):
    """Each home on a store that hangs would leave one behind, in every cycle."""
    monkeypatch.setattr("jupyterhub_efs_quota.measure.workers.workers.GIVE_UP_AFTER_SECS", 0.1)
    monkeypatch.setattr("jupyterhub_efs_quota.measure.workers.workers.MOST_LOST", 2)
    kill_group = workers_module.kill_group
    monkeypatch.setattr(workers_module, "kill_group", lambda leader: None)
    home = str(fill(tmp_path / "home", 5))
    stuck = []
    for _ in range(2):
        started = asyncio.create_task(workers.measure(Task(home, 60)))
        await started
        (new,) = set(mine()) - set(stuck)
        stuck.append(new)
        os.kill(new, signal.SIGSTOP)
        assert (await workers.measure(Task(home, 0.1))).timed_out
    with pytest.raises(MeasureError, match="2 workers hang in the kernel.*Look at the mount"):
        await workers.measure(Task(home, 60))
    kill_group(stuck[0])
    await come_about(lambda: stuck[0] not in mine())
    await asyncio.sleep(0.1)
    assert (await workers.measure(Task(home, 60))).bytes == 5
    kill_group(stuck[1])


def priority_of(process):
    """Niceness, and the class of input and output, of each thread of a process."""
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/stat") as file:
            nice = int(file.read().rpartition(")")[2].split()[16])
        said = subprocess.run(["ionice", "-p", thread], capture_output=True, text=True, check=True)
        yield nice, said.stdout.strip()


@pytest.mark.skipif(not shutil.which("ionice"), reason="needs ionice")
async def test_workers_and_what_they_start_have_the_lowest_priority(workers, slow_du):
    measuring = asyncio.create_task(workers.measure(Task("/", 60, meter="du")))
    (du,) = await come_about(lambda: processes(slow_du))
    for process in (*mine(), du):
        assert set(priority_of(process)) == {(19, "idle")}
    measuring.cancel()


def test_on_a_machine_that_we_do_not_know_a_worker_starts_all_the_same(monkeypatch):
    asked = []
    monkeypatch.setattr(priority.platform, "machine", lambda: "pdp11")
    monkeypatch.setattr(priority.os, "nice", asked.append)
    monkeypatch.setattr(priority.ctypes, "CDLL", None)
    priority.go_last()
    assert asked == [19]


async def test_a_worker_that_is_given_up_leaves_no_file_open(workers, tmp_path, monkeypatch):
    """A service lives for months, and each worker has a page of memory and two pipes."""
    monkeypatch.setattr("jupyterhub_efs_quota.measure.workers.workers.GIVE_UP_AFTER_SECS", 0.1)
    pool = Workers(1, Governor(0, 3.0))
    home = str(fill(tmp_path / "home", 5))

    async def one():
        before = set(mine())
        await pool.measure(Task(home, 60))
        (worker,) = set(mine()) - before
        os.kill(worker, signal.SIGSTOP)
        assert (await pool.measure(Task(home, 0.1))).timed_out
        await come_about(lambda: worker not in mine())
        await asyncio.sleep(0.05)

    await one()
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await one()
    assert len(os.listdir("/proc/self/fd")) <= len(before)
    await pool.end()


async def test_a_worker_that_is_killed_mid_walk_is_told_and_leaves_nothing(workers, slow_du):
    measuring = asyncio.create_task(workers.measure(Task("/", 60, meter="du")))
    await come_about(lambda: processes(slow_du))
    os.kill(mine()[0], signal.SIGKILL)
    with pytest.raises(MeasureError, match="died; the next cycle tries again"):
        await measuring
    await come_about(lambda: not (mine() or processes(slow_du)))


async def test_a_walk_keeps_its_deadline_by_itself_and_its_worker_stays(workers):
    usage = await workers.measure(Task("/", 0.1))
    assert usage.timed_out
    assert usage.files is not None
    assert len(mine()) == 1


async def test_a_measurement_that_nobody_waits_for_any_more_ends_its_worker(workers, slow_du):
    home = "/"
    measuring = asyncio.create_task(workers.measure(Task(home, 60, meter="du")))
    await come_about(lambda: mine())
    measuring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await measuring
    await come_about(lambda: not (mine()))


async def test_closing_ends_all_workers_and_those_who_wait_are_told(slow_du):
    SHARED[:] = worker_processes()
    workers = Workers(2)
    measuring = [asyncio.create_task(workers.measure(Task("/", 60, meter="du"))) for _ in "12"]
    await come_about(lambda: not (len(mine()) == 2))
    workers.close()
    for task in measuring:
        with pytest.raises(MeasureError, match="died|any more"):
            await task
    await come_about(lambda: not (mine()))


def a_worker(**options):
    return subprocess.Popen(
        [sys.executable, "-m", "jupyterhub_efs_quota.measure.workers.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        **options,
    )


def test_a_worker_ends_when_its_input_does():
    worker = a_worker(start_new_session=True)
    worker.communicate(timeout=30)
    assert worker.returncode == -signal.SIGKILL


def test_a_worker_in_the_session_of_somebody_else_ends_only_itself():
    worker = a_worker()
    worker.communicate(timeout=30)
    assert worker.returncode == 0


def test_a_worker_answers_nonsense_with_what_is_wrong_and_goes_on(tmp_path):
    worker = a_worker(start_new_session=True)
    answers = []
    for line in (b"nonsense\n", b"{}\n", b"[]\n", dump_task(Task(str(tmp_path), 60))):
        worker.stdin.write(line)
        worker.stdin.flush()
        answers.append(*json.loads(worker.stdout.readline()))
    worker.communicate(timeout=30)
    assert answers == ["error", "error", "error", "usage"]


def test_a_worker_needs_no_hub_and_no_web():
    """It starts often, and on machines that have only Python."""
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "import jupyterhub_efs_quota.measure.workers.worker, sys;"
            "print([m for m in ('jupyterhub', 'tornado', 'traitlets', 'yaml') if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert ran.stdout == "[]\n", ran.stderr
