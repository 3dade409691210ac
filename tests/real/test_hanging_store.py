"""A store that really hangs: a FUSE file system whose process is stopped."""

import asyncio
import contextlib
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
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.workers.workers import Workers
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import come_about, environment, fill, worker_processes
from .conftest import until
from .site import run
from .test_service import ByHand

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("bindfs") or not os.path.exists("/dev/fuse"),
    reason="needs root, bindfs and /dev/fuse",
)


@contextlib.contextmanager
def through_a_process(store, mounted):
    """A store, mounted a second time through a process, which is given back."""
    mounted.mkdir()
    daemon = subprocess.Popen(["bindfs", "-f", str(store), str(mounted)])
    end = time.monotonic() + 10
    while not (mounted / "users").is_dir():
        assert time.monotonic() < end and daemon.poll() is None, "bindfs does not start"
        time.sleep(0.05)
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()
        subprocess.run(["umount", "-l", str(mounted)], check=False)


@pytest.fixture
def hanging(efs):
    """The store, mounted through a process: once that is stopped, every call hangs."""
    mounted = efs.parent / f"{efs.name}-mounted"
    with through_a_process(efs, mounted) as daemon:
        yield mounted, daemon


@pytest.fixture
def unkillable(hanging, efs):
    """As `hanging`, but who waits for it cannot even be killed, as on a hard NFS mount.

    The call is taken by a second process, which itself hangs: the kernel waits for that.
    """
    mounted, daemon = hanging
    above = efs.parent / f"{efs.name}-above"
    with through_a_process(mounted, above):
        yield above, daemon
        daemon.send_signal(signal.SIGCONT)


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


async def test_a_worker_that_hangs_in_the_kernel_is_given_up_and_others_go_on(
    unkillable, efs, tmp_path
):
    above, daemon = unkillable
    fill(efs / "users" / "alice", 5)
    other = str(fill(tmp_path / "other", 7))
    daemon.send_signal(signal.SIGSTOP)
    workers, before = Workers(2), set(worker_processes())
    began = time.monotonic()
    measuring = asyncio.create_task(workers.measure(Task(str(above / "users" / "alice"), 1.0)))
    for _ in range(3):
        assert (await workers.measure(Task(other, 30))).bytes == 7
    assert (await measuring).timed_out
    assert time.monotonic() - began < 10
    await asyncio.sleep(0.5)
    left = set(worker_processes()) - before
    assert len(left) == 2, "the one that hangs, though killed, and the one that does not"
    assert (await workers.measure(Task(other, 30))).bytes == 7
    began = time.monotonic()
    await workers.end()
    assert time.monotonic() - began < 3
    assert len(set(worker_processes()) - before) == 1
    daemon.send_signal(signal.SIGCONT)
    await come_about(lambda: not set(worker_processes()) - before)


async def test_a_worker_that_hangs_in_the_kernel_does_not_keep_the_process_from_ending(
    unkillable, efs
):
    above, daemon = unkillable
    fill(efs / "users" / "alice", 5)
    program = f"""
import asyncio
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.workers.workers import Workers
async def main():
    workers = Workers(2)
    print(await workers.measure(Task({str(above / "users" / "alice")!r}, 0.5)), flush=True)
    hanging = asyncio.create_task(workers.measure(Task({str(above / "users")!r}, 60)))
    await asyncio.sleep(1)
    await workers.end()
asyncio.run(main())
"""
    daemon.send_signal(signal.SIGSTOP)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, env=environment()
    )
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    assert b"timed_out=True" in line
    assert await asyncio.wait_for(process.wait(), 10) == 0


def test_the_doctor_tells_of_a_mount_that_hangs_and_ends(hanging):
    mounted, daemon = hanging
    daemon.send_signal(signal.SIGSTOP)
    ran = run(
        "doctor",
        "--deadline=5",
        f"--efs-quota-control={mounted}/quota-control",
        f"--home-root={mounted}/users",
    )
    assert ran.code == 2
    assert "wrong: mounts: This check was not done after 5 seconds" in ran.out
    assert "umount -l" in ran.out
    assert "ok: settings: " in ran.out
