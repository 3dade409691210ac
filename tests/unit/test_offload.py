"""Blocking work off the event loop: given up, counted, and never the end of anything."""

import _thread
import asyncio
import threading

import pytest

from jupyterhub_efs_quota.errors import StoreError
from jupyterhub_efs_quota.offload import Offload

from ..conftest import run_python


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("jupyterhub_efs_quota.offload.PATIENCE_SECS", 0.05)


async def test_what_a_function_returns_comes_back():
    assert await Offload(1).run(lambda a, b: a + b, 1, b=2) == 3


async def test_what_a_function_raises_comes_back():
    with pytest.raises(ZeroDivisionError):
        await Offload(1).run(lambda: 1 / 0)


async def test_the_loop_goes_on_meanwhile():
    offload, hold = Offload(1), threading.Event()
    task = asyncio.create_task(offload.run(hold.wait, 30))
    await asyncio.sleep(0)
    assert not task.done()
    hold.set()
    assert await task is True


async def test_when_all_are_stuck_the_store_is_taken_for_dead_and_then_alive_again():
    offload, hold = Offload(2), threading.Event()
    stuck = [asyncio.create_task(offload.run(hold.wait, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="2 calls to the store do not answer"):
        await offload.run(int)
    hold.set()
    await asyncio.gather(*stuck)
    assert await offload.run(int) == 0


async def test_an_answer_that_takes_too_long_is_not_waited_for():
    offload, hold = Offload(1), threading.Event()
    with pytest.raises(StoreError, match="did not answer within 0.01 seconds"):
        await offload.run_within(0.01, hold.wait, 30)
    with pytest.raises(StoreError, match="1 calls"):
        await offload.run(int)
    hold.set()
    while True:
        try:
            assert await offload.run_within(5, int) == 0
            break
        except StoreError:
            await asyncio.sleep(0.01)


async def test_within_its_time_an_answer_is_the_answer():
    assert await Offload(1).run_within(30, int, "5") == 5
    with pytest.raises(ValueError):
        await Offload(1).run_within(30, int, "five")


async def test_a_thread_that_cannot_be_started_is_not_counted_as_stuck(monkeypatch):
    offload = Offload(1)

    def no_thread(*args):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", no_thread)
        with pytest.raises(RuntimeError):
            await offload.run(int)
    assert await offload.run(int) == 0


async def test_whatever_a_function_raises_somebody_is_told():
    def stop():
        raise StopIteration("odd")

    with pytest.raises(Exception, match="odd|StopIteration"):
        await asyncio.wait_for(Offload(1).run(stop), 10)


def test_a_stuck_thread_keeps_no_process_from_ending():
    ran = run_python(
        """
import asyncio, threading
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.errors import StoreError

async def main():
    try:
        await Offload(1).run_within(0.01, threading.Event().wait)
    except StoreError as error:
        print(error)

asyncio.run(main())
""",
        timeout=30,
    )
    assert ran.stdout == "The store did not answer within 0.01 seconds. Look at its mount.\n"
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_late_answer_to_a_loop_that_has_ended_is_dropped():
    ran = run_python(
        """
import _thread, asyncio, threading, time
from jupyterhub_efs_quota.offload import Offload

hold, begun = threading.Event(), threading.Event()

def work():
    begun.set()
    hold.wait(30)

async def main():
    asyncio.ensure_future(Offload(1).run(work))
    await asyncio.sleep(0.01)

asyncio.run(main())
print(begun.wait(10))
hold.set()
while _thread._count():
    time.sleep(0.01)
""",
        timeout=30,
    )
    assert (ran.stdout, ran.stderr) == ("True\n", "")
