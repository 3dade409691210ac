"""Two monitors over one control directory share the work."""

import asyncio
import json
import sys
from collections import Counter

from ..conftest import environment

MONITOR = """
import asyncio, sys
from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.logs import start_logging
from jupyterhub_efs_quota.loops.cycle import Rooms
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.measure.workers.workers import Workers
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.remeasure import Remeasure, utcnow
from jupyterhub_efs_quota.settings import EFSQuota
from tests.conftest import ListedHub

control, users, count, reverse = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1"
settings = EFSQuota(quota_control=control, home_root=users, measure_concurrency=2)
names = [f"user-{number}" for number in range(count)]
hub = ListedHub(*(HubUser(name) for name in (reversed(names) if reverse else names)))
store, offload = ControlStore(control), Offload(64)
rooms = Rooms(settings, hub, store, offload, Board(), utcnow)
start_logging("json", "DEBUG")

async def main():
    workers = Workers(2)
    sys.stdin.readline()
    await Monitor(rooms, Remeasure(settings, store, workers, offload)).run_once()
    await workers.end()

asyncio.run(main())
"""


async def start(*arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        MONITOR,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )


async def test_two_monitors_at_once_measure_each_home_once(efs, store, home_of):
    count = 80
    for number in range(count):
        home_of(f"user-{number}", number)
    arguments = (store.root, efs / "users", count)
    both = [await start(*arguments, reverse) for reverse in (0, 1)]
    # From their two ends or from one, they meet somewhere.
    ended = await asyncio.wait_for(
        asyncio.gather(*(process.communicate(b"go\n") for process in both)), 60
    )
    lines = [json.loads(line) for out, _ in ended for line in out.splitlines()]
    assert [err for _, err in ended] == [b"", b""]
    assert {line["status"] for line in lines} <= {"DEBUG", "INFO"}
    measured = Counter(line["user"] for line in lines if line["message"].startswith("Updated"))
    assert measured == {f"user-{number}": 1 for number in range(count)}
    for number in range(count):
        assert store.read(f"user-{number}").actual_bytes == number


async def test_what_a_monitor_leaves_when_it_is_killed_another_does(efs, store, home_of):
    count = 40
    for number in range(count):
        home_of(f"user-{number}", number)
    arguments = (store.root, efs / "users", count)
    first, second = [await start(*arguments, reverse) for reverse in (0, 1)]
    for process in (first, second):
        process.stdin.write(b"go\n")
    while True:
        line = json.loads(await asyncio.wait_for(first.stdout.readline(), 30))
        if line["message"].startswith("Updated"):
            break
    first.kill()
    await asyncio.wait_for(asyncio.gather(first.wait(), second.communicate()), 60)
    third = await start(*arguments, 0)
    _, err = await asyncio.wait_for(third.communicate(b"go\n"), 60)
    assert err == b""
    for number in range(count):
        record = store.read(f"user-{number}")
        assert record.actual_bytes == number
        assert record.started <= record.stopped
