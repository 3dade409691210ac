"""kill -9 at any moment: no torn file, no lock left behind, and right numbers afterwards."""

import os
import random
import subprocess
import sys
import time

import pytest

from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.quota.record import State

from ..conftest import environment, processes, run_python, until, worker_processes

# Both run in a process of their own, which forks those that are to be killed: starting
# Python anew for each would take most of the time.
WRITERS = """
import os, random, signal, sys, time
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.quota.record import Record

store, times, chance = ControlStore(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
last = 0
for _ in range(times):
    heard, tell = os.pipe()
    pid = os.fork()
    if not pid:
        number = last
        os.write(tell, b"!")
        while True:
            number += 1
            with store.held("homer", create=True) as held:
                # Longer and shorter, so that a mix of two would show.
                held.write(Record("homer", quota_bytes=number, actual_bytes=number,
                                  extra={"note": "x" * (number % 700)}))
    os.read(heard, 1)
    os.close(heard)
    os.close(tell)
    time.sleep(chance.uniform(0, 0.012))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    record = store.read("homer")  # raises if it is torn
    if record is None:
        assert last == 0, "the file is lost"
        continue
    assert record.quota_bytes == record.actual_bytes >= last, (record, last)
    assert record.extra == {"note": "x" * (record.quota_bytes % 700)}, record
    last = record.quota_bytes
    with store.held("homer"):  # raises if the lock is left behind
        pass
print(last)
"""

MONITORS = """
import asyncio, os, random, signal, sys, time
from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.logs import start_logging
from jupyterhub_efs_quota.loops.cycle import Rooms
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.measure.walk.engine import walk
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.remeasure import Remeasure, utcnow
from jupyterhub_efs_quota.settings import EFSQuota
from tests.conftest import ListedHub

control, users, times, seed, count = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
chance = random.Random(seed)
settings = EFSQuota(quota_control=control, home_root=users, default_quota=1000)
store = ControlStore(control)
names = [f"user-{number}" for number in range(count)]

class Here:
    "Measures in this process: one of its own would take longer to start than it lives."

    most = 4

    async def measure(self, task, _=None):
        os.write(tell, b"!")
        await asyncio.sleep(0)
        return walk(task)

async def cycles():
    offload = Offload(8)
    hub = ListedHub(*(HubUser(name, last_activity=utcnow()) for name in names))
    rooms = Rooms(settings, hub, store, offload, Board(), utcnow)
    while True:
        # Everybody was active just now, so everybody is measured in every cycle.
        hub.users = [HubUser(name, last_activity=utcnow()) for name in names]
        await Monitor(rooms, Remeasure(settings, store, Here(), offload)).run_once()

start_logging("json", "CRITICAL")
seen = 0
for turn in range(times):
    heard, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(cycles())
        finally:
            os._exit(1)
    if turn % 3:
        os.read(heard, 1)  # it has begun to measure
    time.sleep(chance.uniform(0, 0.05))
    os.close(heard)
    os.close(tell)
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL, "it ended by itself"
    for number, name in enumerate(names):
        record = store.read(name)  # raises if it is torn
        if record is not None:
            assert record.actual_bytes in (-1, 100 * number), record
            seen += record.measured
            with store.measuring(name), store.held(name):  # raise if a lock is left behind
                pass
print(seen)
"""


def seed():
    """Another one each time; pytest shows it if the test fails."""
    number = random.randrange(10**6)
    print(f"seed {number}")
    return number


def test_a_writer_that_is_killed_tears_no_file_and_leaves_no_lock(store):
    ran = run_python(WRITERS, store.root, 300, seed(), timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert int(ran.stdout) >= 40, "hardly anything was written"
    left = set(os.listdir(store.directory("homer")))
    assert left <= {"quota.yaml", "quota.lock", "quota.yaml.tmp"}


async def test_a_monitor_that_is_killed_leaves_records_that_the_next_one_puts_right(
    efs, store, settings, rooms, remeasure, home_of, hub_users, clock
):
    names = [f"user-{number}" for number in range(12)]
    for number, name in enumerate(names):
        home_of(name, 100 * number)
    ran = run_python(MONITORS, store.root, efs / "users", 60, seed(), len(names), timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert int(ran.stdout) >= 40, "hardly anything was measured"

    # The next monitor comes later.
    clock.forward(days=36500)
    hub_users.users = [HubUser(name, last_activity=clock.now) for name in names]
    settings.default_quota = 1000
    await Monitor(rooms, remeasure).run_once()
    for number, name in enumerate(names):
        record = store.read(name)
        assert record.actual_bytes == 100 * number
        assert record.quota_bytes == 1000
        over = number > 10
        assert (record.quota_state is State.LOCKOUT) is over
        assert record.started == record.stopped == clock.now
        assert sorted(os.listdir(store.directory(name))) == [
            "measure.lock",
            "quota.lock",
            "quota.yaml",
        ]


PARENT = """
import asyncio
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.workers.workers import Workers

async def main():
    workers = Workers(3)
    print("measuring", flush=True)
    await asyncio.gather(
        workers.measure(Task("/usr", 300, meter="du")),
        workers.measure(Task("/var", 300, meter="du")),
        workers.measure(Task("/", 300)),
    )

asyncio.run(main())
"""


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.3])
def test_when_the_service_is_killed_its_workers_and_what_they_started_end(slow_du, delay):
    # One worker walks all there is; two wait for a du that takes minutes.
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env=environment(PATH=os.environ["PATH"]),
        stdout=subprocess.PIPE,
    )
    parent.stdout.readline()
    if delay:
        until(lambda: len(processes(slow_du)) == 2)
    time.sleep(delay)
    workers = worker_processes(parent.pid)
    assert len(workers) == 3 or not delay
    parent.kill()
    parent.communicate()
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
    until(lambda: not processes(slow_du))
