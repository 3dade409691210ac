"""The service as a process: started by a real hub, and by hand as hubs start it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from jupyterhub.tests.utils import add_user, api_request

from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.settings import HANDED_OVER

from ..conftest import fill
from ..ports import free_port
from .conftest import QUOTA, hub_config, start_hub, stop_hub, until

pytestmark = pytest.mark.over_both


def processes_of(session_env):
    """The living processes that carry this mark in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if session_env.encode() in file.read():
                    with open(f"/proc/{pid}/stat") as stat:
                        # JupyterHub leaves defunct children where nobody reaps them.
                        if stat.read().rpartition(")")[2].split()[0] != "Z":
                            found.append(int(pid))
        except OSError:
            continue
    return found


class ByHand:
    """The service as a hub starts it, with or without a hub behind its API's URL."""

    def __init__(self, tmp, hub_port=1, arguments=(), **settings):
        self.port = free_port()
        self.log = tmp / "service.log"
        self.mark = f"EFS_QUOTA_TEST={self.port}"
        history = f"sqlite:///{tmp}/history.sqlite"
        given = {"log_format": "console", "history_url": history, **settings}
        name, value = self.mark.split("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub_efs_quota", *arguments],
            env={
                **os.environ,
                name: value,
                "JUPYTERHUB_SERVICE_NAME": "efs-quota",
                "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.port}",
                "JUPYTERHUB_SERVICE_PREFIX": "/services/efs-quota/",
                "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub_port}/hub/api",
                "JUPYTERHUB_API_TOKEN": "t" * 32,
                "JUPYTERHUB_CLIENT_ID": "service-efs-quota",
                "JUPYTERHUB_BASE_URL": "/",
                HANDED_OVER: json.dumps(given),
            },
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def health(self):
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/services/efs-quota/health", timeout=5
            ) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def said(self):
        return self.log.read_text()

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def by_hand(tmp_path):
    started = []

    def start(**given):
        started.append(ByHand(tmp_path, **given))
        return started[-1]

    yield start
    for service in started:
        service.stop()


def paths(efs):
    return {"quota_control": str(efs / "quota-control"), "home_root": str(efs / "users")}


async def test_the_service_listens_though_the_store_is_missing_and_says_what_is_wrong(
    by_hand, tmp_path
):
    service = by_hand(quota_control=str(tmp_path / "no"), home_root=str(tmp_path / "nothing"))
    await until(lambda: service.health() == 503)
    await until(lambda: "control directory" in service.said())
    assert service.process.poll() is None


async def test_a_missing_store_that_is_mounted_later_is_used_without_a_restart(hub, tmp_path):
    # The loops say so once and try again; the page's health follows.
    from jupyterhub_efs_quota.loops.loop import Loop

    mounted = False

    async def cycle():
        if not mounted:
            raise OSError("not mounted")

    now = [0.0]
    loop = Loop("Monitor", cycle, 300, monotonic=lambda: now[0])
    await loop.tick()
    assert loop.failure
    mounted = True
    now[0] = 61
    await loop.tick()
    assert loop.failure is None


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"default_quota": "10Gx"}, "10Gx"),
        ({"no_such_setting": 1}, "no_such_setting"),
        ({"home_path": "/same/for/all"}, "home_path"),
    ],
)
async def test_a_bad_setting_does_not_take_the_hub_down_with_the_service(by_hand, settings, wrong):
    service = by_hand(**settings)
    await until(lambda: service.health() == 503)
    assert wrong in service.said()


async def test_an_unknown_flag_does_not_take_the_hub_down_with_the_service(by_hand):
    service = by_hand(arguments=["--nonsense=1"])
    await until(lambda: service.health() == 503)
    assert "--nonsense is no flag" in service.said()


async def test_a_hub_that_is_down_is_survived_and_said_once(by_hand, efs):
    service = by_hand(**paths(efs))
    await until(lambda: "hub does not answer" in service.said(), secs=30)
    await asyncio.sleep(2)
    assert service.process.poll() is None
    # Once for each of the two loops.
    assert service.said().count("top level failure") == 2


async def test_sigterm_ends_the_service_within_5_seconds_and_leaves_no_process(by_hand, efs):
    service = by_hand(**paths(efs))
    await until(lambda: service.health() is not None)
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    status = await asyncio.get_running_loop().run_in_executor(None, service.process.wait)
    assert status == 0
    assert time.monotonic() - began < 5
    assert processes_of(service.mark) == []


async def test_the_service_ends_when_the_hub_that_started_it_is_killed(tmp_path, efs):
    program = f"""
import subprocess, sys, time
from pathlib import Path
sys.path.insert(0, {os.getcwd()!r})
from tests.real.test_service import ByHand
service = ByHand(Path({str(tmp_path)!r}), home_root={str(efs / "users")!r},
    quota_control={str(efs / "quota-control")!r})
print(service.process.pid, service.port, flush=True)
time.sleep(60)
"""
    hub = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    pid, port = (int(word) for word in hub.stdout.readline().split())
    mark = f"EFS_QUOTA_TEST={port}"
    await until(lambda: "is up" in (tmp_path / "service.log").read_text())
    hub.kill()
    hub.wait()
    await until(lambda: not processes_of(mark), secs=10)


async def test_the_loops_lock_a_user_out_and_stop_the_default_and_the_named_servers(
    hub_app, tmp_path
):
    hub = await hub_app(
        hub_config(tmp_path, monitor_period_secs=1, reaper_period_secs=1, verify_secs=0)
    )
    user = add_user(hub.db, hub, name="over")
    fill(hub.efs / "users" / "over", QUOTA // 2)
    for server in ("", "gpu"):
        path = f"users/over/servers/{server}" if server else "users/over/server"
        assert (await api_request(hub, path, method="post")).status_code in (201, 202)
    await until(lambda: len([s for s in user.spawners.values() if s.ready]) == 2)
    fill(hub.efs / "users" / "over", 3 * QUOTA)
    user.orm_user.last_activity = None

    await until(lambda: not any(s.active for s in user.spawners.values()), secs=40)
    record = hub.control.read("over")
    assert record.quota_state is State.LOCKOUT
    assert record.actual_bytes == 3 * QUOTA
    assert (await api_request(hub, "users/over/server", method="post")).status_code == 403


async def test_a_hand_edit_of_the_quota_acts_within_one_period_of_the_reaper(hub_app, tmp_path):
    hub = await hub_app(hub_config(tmp_path, reaper_period_secs=1))
    add_user(hub.db, hub, name="edited")
    fill(hub.efs / "users" / "edited", 100)
    with hub.control.held("edited", create=True) as held:
        held.write(Record("edited", quota_bytes=50, actual_bytes=100))
    record = await until(
        lambda: (r := hub.control.read("edited")).quota_state is State.LOCKOUT and r
    )
    assert (record.quota_bytes, record.quota_source) == (50, "hand")


async def test_a_hub_that_is_restarted_finds_its_service_again(tmp_path):
    for _ in range(2):
        hub = await start_hub(hub_config(tmp_path, reaper_period_secs=1), tmp_path)
        try:
            add_user(hub.db, hub, name="stays")
            fill(tmp_path / "users" / "stays", 100)
            record = ControlStore(tmp_path / "quota-control").read("stays")
            before = record.reaper_time if record else None
            if record is None:
                with hub.control.held("stays", create=True) as held:
                    held.write(Record("stays", actual_bytes=100))
            await until(lambda: hub.control.read("stays").reaper_time != before)
        finally:
            await stop_hub(hub)


async def command(hub, *arguments, token=None):
    """A command of ours against the hub, as cron runs it: exit status, output, errors."""
    environment = {**os.environ, "JUPYTERHUB_API_TOKEN": token or ""}
    if hub.internal_ssl:
        environment |= {
            "JUPYTERHUB_API_URL": hub.hub.api_url,
            "JUPYTERHUB_SSL_KEYFILE": hub.internal_ssl_key,
            "JUPYTERHUB_SSL_CERTFILE": hub.internal_ssl_cert,
            "JUPYTERHUB_SSL_CLIENT_CA": hub.internal_ssl_ca,
        }
    else:
        arguments = (*arguments, f"--hub-url={hub.hub.api_url}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupyterhub_efs_quota"),
        *arguments,
        f"--efs-quota-control={hub.efs / 'quota-control'}",
        f"--home-root={hub.efs / 'users'}",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), errors.decode()


@pytest.fixture
def token(hub):
    """What a cron job would hold: the service's own token."""
    return hub._service_map["efs-quota"].api_token


async def test_monitor_once_measures_the_homes_of_a_hubs_users(hub, user, token):
    fill(user.home, 4_321)
    status, out, errors = await command(hub, "monitor", "--once", token=token)
    assert status == 0, errors
    assert user.read().actual_bytes == 4_321
    lines = [json.loads(line) for line in out.splitlines()]
    assert any(line["message"].startswith(f"Updated quota for {user.name}") for line in lines)


async def test_reaper_once_stops_running_servers_with_the_lines_that_sites_have_alerts_on(
    hub, user, token
):
    user.write(lockout_enabled=True)
    assert (await api_request(hub, f"users/{user.name}/server", method="post")).status_code == 201
    user.write(quota_bytes=10, quota_source="hand", actual_bytes=100)
    status, out, errors = await command(hub, "reaper", "--once", token=token)
    assert status == 0, errors
    lines = [json.loads(line) for line in out.splitlines()]
    about = [(line["status"], line["message"]) for line in lines if user.name in line["message"]]
    assert about == [
        (
            "CRITICAL",
            f"User {user.name} is using     100 bytes exceeding quota      10 bytes.  LOCKOUT.",
        ),
        ("CRITICAL", f"Deleting notebook server for {user.name}"),
    ]
    await until(lambda: not user.orm.spawner.active)


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(hub, user, token):
    user.write()
    assert (await api_request(hub, f"users/{user.name}/server", method="post")).status_code == 201
    user.write(quota_bytes=10, quota_source="hand", actual_bytes=100)
    before = user.read()
    status, out, errors = await command(hub, "reaper", "--dry-run", token=token)
    assert status == 0, errors
    assert f"Would stop the default server of {user.name}" in out
    assert user.orm.spawner.active
    assert user.read() == before
    status, out, _ = await command(hub, "monitor", "--dry-run", token=token)
    assert f"Would measure {user.name}" in out
    assert user.read() == before


async def test_a_token_without_the_scopes_ends_a_command_with_1_and_names_the_scopes(hub, user):
    token = user.orm.new_api_token()
    status, _, errors = await command(hub, "monitor", "--once", token=token)
    assert status == 1
    assert "needs the scopes list:users" in errors
    assert "Traceback" not in errors
