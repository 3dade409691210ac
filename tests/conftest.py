"""What all tests share: settings, control directories and records built for real."""

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.logs import JsonFormatter
from jupyterhub_efs_quota.loops.cycle import Rooms
from jupyterhub_efs_quota.measure.workers.workers import Workers
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.remeasure import Remeasure
from jupyterhub_efs_quota.settings import EFSQuota

# Whoever starts us in the background has SIGINT ignored, which all that we start inherits:
# but it is by SIGINT that a hub stops its servers.
signal.signal(signal.SIGINT, signal.default_int_handler)

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)
REPOSITORY = Path(__file__).parent.parent

# The machine may be busy: examples are many or few, never late. THOROUGH=1 in the environment
# looks ten times as long for what nobody thought of.
MANY = 10 if os.environ.get("THOROUGH") else 1
hypothesis_settings.register_profile(
    "efs-quota",
    deadline=None,
    max_examples=30 * MANY,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
hypothesis_settings.load_profile("efs-quota")


def examples(number):
    """So many examples: for a test with `given`."""
    return hypothesis_settings(max_examples=number * MANY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where several processes run tests, spread.py says which runs what."""
    from .spread import Spread

    return Spread(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        from .spread import longest_first

        items.sort(key=lambda item: longest_first(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable():
    from .spread import sendable

    return sendable((yield))


class Remembers(Recorder):
    """Keeps what was done, in a list."""

    def __init__(self):
        self.actions = []

    def acted(self, action):
        self.actions.append(action)


class Clock:
    """The one thing that is mocked: the time."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, **by):
        self.now += timedelta(**by)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def for_everybody():
    """A directory that other users of the machine reach: pytest keeps its own to itself."""
    place = Path(tempfile.mkdtemp(prefix="efs-quota-"))
    place.chmod(0o755)
    yield place
    subprocess.run(["chmod", "-R", "u+rwx", str(place)], check=True)
    shutil.rmtree(place)


@pytest.fixture
def efs(request, tmp_path):
    """A shared store: a control directory and a home root."""
    if "for_everybody" in request.fixturenames:
        tmp_path = request.getfixturevalue("for_everybody")
    (tmp_path / "quota-control").mkdir()
    (tmp_path / "users").mkdir()
    return tmp_path


@pytest.fixture
def settings(efs):
    return EFSQuota(quota_control=str(efs / "quota-control"), home_root=str(efs / "users"))


@pytest.fixture
def store(settings):
    return ControlStore(settings.quota_control)


def fill(home: Path, size: int, name: str = "data") -> Path:
    """A home with one file of that apparent size, which takes no space."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / name).open("wb") as file:
        file.truncate(size)
    return home


@pytest.fixture
def home_of(efs):
    """Make the home of a user, with that many bytes in it."""
    return lambda user, size=100: fill(efs / "users" / escape(user), size)


@pytest.fixture
def write(store):
    """Write a user's record, and give it back as it reads."""

    def write(user, **fields):
        with store.held(user, create=True) as held:
            held.write(Record(user, **fields))
        return store.read(user)

    return write


@pytest.fixture
def hasty(monkeypatch):
    """Wait for a lock for a shorter moment than otherwise."""
    monkeypatch.setitem(ControlStore.held.__wrapped__.__kwdefaults__, "wait_secs", 0.02)


@pytest.fixture
def patient(monkeypatch):
    """Wait for a lock for longer: a busy machine makes a moment long."""
    monkeypatch.setitem(ControlStore.held.__wrapped__.__kwdefaults__, "wait_secs", 30)


class LogLines(logging.Handler):
    """Our log lines as they would stand in the log, parsed again."""

    def __init__(self):
        super().__init__()
        self._formatter = JsonFormatter({"POD_NAME": "p"})
        self.lines = []

    def emit(self, record):
        self.lines.append(json.loads(self._formatter.format(record)))

    def said(self, least="INFO"):
        """(status, message) of all lines of that level and above."""
        order = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"]
        return [
            (line["status"], line["message"])
            for line in self.lines
            if order.index(line["status"]) >= order.index(least)
        ]

    def clear(self):
        self.lines.clear()


@pytest.fixture
def log_lines():
    """What our own loggers say during the test, all levels."""
    log = logging.getLogger("jupyterhub_efs_quota")
    handler, level = LogLines(), log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield handler
    log.removeHandler(handler)
    log.setLevel(level)


class ListedHub:
    """Stands in for HubClient where a test is about a loop: lists users, stops servers."""

    def __init__(self, *users):
        self.users = list(users)
        self.page_size = 200
        self.stopped = []
        self.failure = None
        self.stop_failure = None

    async def pages(self):
        for start in range(0, len(self.users), self.page_size):
            yield self.users[start : start + self.page_size]
        if self.failure is not None:
            raise self.failure

    async def user(self, name):
        if self.failure is not None:
            raise self.failure
        return next((user for user in self.users if user.name == name), None)

    async def stop_server(self, user, server):
        self.stopped.append((user, server))
        if self.stop_failure is not None:
            raise self.stop_failure


@pytest.fixture
def hub_users():
    return ListedHub()


@pytest.fixture
def listed(hub_users):
    """Add a user to the hub's list, active two hours ago."""

    def add(name, **fields):
        user = HubUser(name, **{"last_activity": NOW - timedelta(hours=2), **fields})
        hub_users.users.append(user)
        return user

    return add


@pytest.fixture
def rooms(settings, store, clock, hub_users):
    return Rooms(settings, hub_users, store, Offload(16), Board(), clock)


@pytest.fixture(scope="session")
async def workers():
    """Two processes that measure; started once, since that takes longer than most tests."""
    pool = Workers(2)
    yield pool
    idle = pool._idle[:]
    pool.close()
    for worker in idle:
        await worker.process.wait()


@pytest.fixture
async def remeasure(rooms, workers):
    """Measures single homes with real workers, under the settings."""
    return Remeasure(rooms.settings, rooms.store, workers, rooms.offload, rooms.clock)


def environment(**more):
    """The environment of a program that uses this checkout of the package."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTERHUB_", "PYTEST_", "COV_"))
        and name not in ("ENVIRONMENT", "DEPLOYMENT_NAME", "POD_NAME")
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), **more}


def run_python(code, *arguments, timeout=60, **options):
    """Run a piece of Python in a process of its own."""
    options.setdefault("env", environment())
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def tmpfs(tmp_path):
    """Mount small file systems of their own: `tmpfs(path, "64k")`."""
    mounted = []

    def mount(path, size="1m"):
        path.mkdir(parents=True, exist_ok=True)
        ran = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(path)],
            capture_output=True,
            check=False,
        )
        if ran.returncode:
            pytest.skip(f"cannot mount a tmpfs here: {ran.stderr.decode()}")
        mounted.append(path)
        return path

    yield mount
    for path in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def small_disk(efs, tmpfs):
    """The control directory on a disk of its own, of 64 KiB."""
    return tmpfs(efs / "quota-control", "64k")


def fill_up(disk):
    """Leave no room on a small disk; gives back the file that takes it."""
    filler = disk / "filler"
    with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


def make_read_only(disk, now=True):
    """Remount a disk read-only, or writable again."""
    how = f"remount,{'ro' if now else 'rw'}"
    subprocess.run(["mount", "-o", how, str(disk)], check=True)


def processes(marker, parent=None):
    """Process ids whose command line holds a text, children of `parent` if that is given."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            # After the name, which may hold anything: state and parent.
            state, above = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if marker in command and state != "Z" and parent in (None, int(above)):
            found.append(int(entry.name))
    return found


def worker_processes(parent=None):
    """The processes that measure homes for this process, or for `parent`."""
    return processes("jupyterhub_efs_quota.measure.workers.worker", parent or os.getpid())


def until(look, secs=20.0):
    """Wait until something is true; its value. For other processes, not for our own loop."""
    end = time.monotonic() + secs
    while not (value := look()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return value


async def come_about(look, secs=20.0):
    """As `until`, on our own event loop."""
    end = time.monotonic() + secs
    while not (value := look()):
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.01)
    return value


@pytest.fixture
def slow_du(tmp_path, monkeypatch):
    """A `du` that takes five minutes; what is given stands in its processes' command lines."""
    program = tmp_path / "bin" / "du"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec sleep 300.0{os.getpid()}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    marker = f"sleep 300.0{os.getpid()} "  # its end, too: 300.012 is none of 300.01's
    yield marker
    for pid in processes(marker):
        os.kill(pid, signal.SIGKILL)
