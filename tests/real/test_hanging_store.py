"""A store that really hangs: a FUSE file system whose process is stopped."""

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import tornado.web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.errors import StoreError
from jupyterhub_efs_quota.hub.spawn import SpawnGate
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.settings import EFSQuota

from .conftest import until
from .test_service import ByHand

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("bindfs") or not os.path.exists("/dev/fuse"),
    reason="needs root, bindfs and /dev/fuse",
)


@pytest.fixture
def hanging(efs):
    """The store, mounted through a process: once that is stopped, every call hangs."""
    mounted = efs.parent / f"{efs.name}-mounted"
    mounted.mkdir()
    daemon = subprocess.Popen(["bindfs", "-f", str(efs), str(mounted)])
    end = time.monotonic() + 10
    while not (mounted / "users").is_dir():
        assert time.monotonic() < end and daemon.poll() is None, "bindfs does not start"
        time.sleep(0.05)
    yield mounted, daemon
    daemon.kill()
    daemon.wait()
    subprocess.run(["umount", "-l", str(mounted)], check=False)


async def longest_pause(while_running):
    """The longest time for which the event loop stood still while something ran."""
    longest, last = 0.0, time.monotonic()
    task = asyncio.ensure_future(while_running)
    while not task.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    await task
    return longest


def stub_spawner(name="alice"):
    from types import SimpleNamespace

    user = SimpleNamespace(name=name, admin=False, settings={})
    return SimpleNamespace(user=user, volume_mounts=[], log=logging.getLogger("hub"))


async def test_a_store_that_hangs_neither_stops_the_hub_nor_holds_a_spawn(hanging):
    mounted, daemon = hanging
    gate = SpawnGate(
        EFSQuota(
            quota_control=str(mounted / "quota-control"),
            home_root=str(mounted / "users"),
            hook_timeout=0.5,
        )
    )
    await gate.check(stub_spawner())
    daemon.send_signal(signal.SIGSTOP)
    pause = await longest_pause(asyncio.gather(*(gate.check(stub_spawner()) for _ in range(100))))
    # A call that waits in this thread would wait for ever.
    assert pause < 0.5


async def test_a_store_that_hangs_does_not_keep_the_process_from_ending(hanging):
    mounted, daemon = hanging
    program = f"""
import asyncio
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.offload import Offload
async def main():
    store = ControlStore({str(mounted / "quota-control")!r})
    try:
        await Offload(4).run_within(0.5, store.read, "alice")
    except Exception as error:
        print(error, flush=True)
asyncio.run(main())
"""
    daemon.send_signal(signal.SIGSTOP)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    assert b"did not answer within 0.5 seconds" in said


async def test_a_store_that_comes_back_is_used_again(hanging):
    mounted, daemon = hanging
    store, offload = ControlStore(mounted / "quota-control"), Offload(2)
    daemon.send_signal(signal.SIGSTOP)
    for _ in range(2):
        with pytest.raises(StoreError):
            await offload.run_within(0.2, store.read, "alice")
    with pytest.raises(StoreError, match="seems to hang"):
        await offload.run_within(10, store.read, "alice")
    daemon.send_signal(signal.SIGCONT)
    end = time.monotonic() + 10
    while True:
        try:
            assert await offload.run_within(1, store.read, "alice") is None
            return
        except StoreError:
            assert time.monotonic() < end, "the store is not used again"
            await asyncio.sleep(0.05)


@pytest.fixture
async def one_user_hub():
    """The port of what answers a service like a hub with one user, alice."""

    class Users(tornado.web.RequestHandler):
        def get(self):
            alice = {"name": "alice", "groups": [], "last_activity": None, "servers": {}}
            self.write({"items": [alice], "_pagination": {"next": None}})

    server = HTTPServer(tornado.web.Application([("/hub/api/users", Users)]))
    (socket,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([socket])
    yield socket.getsockname()[1]
    server.stop()


async def test_a_service_whose_store_hangs_in_a_measurement_still_ends_in_5_seconds(
    hanging, efs, tmp_path, one_user_hub
):
    mounted, daemon = hanging
    home = efs / "users" / "alice"
    home.mkdir()
    for number in range(20_000):
        (home / str(number)).touch()
    service = ByHand(
        tmp_path,
        hub_port=one_user_hub,
        quota_control=str(mounted / "quota-control"),
        home_root=str(mounted / "users"),
    )
    try:
        store = ControlStore(efs / "quota-control")
        await until(lambda: (record := store.read("alice")) and record.started)
        daemon.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        status = await asyncio.get_running_loop().run_in_executor(None, service.process.wait, 20)
        assert (status, time.monotonic() - began < 5) == (0, True)
    finally:
        daemon.send_signal(signal.SIGCONT)
        service.stop()
