"""The command line: what it takes, what it prints, and how it ends."""

import asyncio
import json
import os
import re
import signal
import sys

import pytest
from tornado.httpclient import AsyncHTTPClient
from traitlets.config.loader import PyFileConfigLoader

from jupyterhub_efs_quota import __version__, commands
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.settings import HANDED_OVER, EFSQuota, resolve

from ..conftest import environment
from ..ports import free_port
from .conftest import a_user


class Ran:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out.decode(), err.decode()

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"{self.code}\n{self.out}\n{self.err}"


async def start(*arguments, cwd=None, **variables):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jupyterhub_efs_quota",
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**variables),
        cwd=cwd,
    )


async def run(*arguments, cwd=None, **variables):
    process = await start(*arguments, cwd=cwd, **variables)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Ran(process.returncode, out, err)


@pytest.fixture
def here(capfd, monkeypatch):
    """Run a command that ends before it does anything in this process: that is quicker."""
    for name in list(environment().keys() ^ os.environ.keys()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    monkeypatch.setattr(commands, "start_logging", lambda *_: None)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            commands.main(list(arguments))
        out, err = capfd.readouterr()
        return Ran(ended.value.code or 0, out.encode(), err.encode())

    return run


@pytest.fixture
def told(hub, efs):
    """The flags that say where everything is."""
    return [
        f"--hub-url={hub.url.removesuffix('/hub/api')}",
        "--api-token=secret",
        f"--efs-quota-control={efs}/quota-control",
        f"--home-root={efs}/users",
    ]


def running(name, *servers):
    return a_user(name, servers={server: {"ready": True} for server in servers})


async def test_one_monitor_cycle_measures_and_ends_with_0(hub, told, home_of, store):
    hub.users = [a_user("homer@x")]
    home_of("homer@x", 5000)
    ran = await run("monitor", "--once", *told, ENVIRONMENT="prod", DEPLOYMENT_NAME="roman")
    assert (ran.code, ran.err) == (0, ""), ran
    assert [line["message"] for line in ran.lines] == [
        "Initializing quota for user homer@x",
        "Updated quota for homer@x using    4.9K of  200.0G bytes.",
    ]
    assert (ran.lines[1]["service"], ran.lines[1]["env"]) == ("roman", "dmd-ops")
    assert store.read("homer@x").actual_bytes == 5000
    assert hub.asked[0].headers["Authorization"] == "token secret"


async def test_one_reaper_cycle_stops_servers_and_ends_with_0(hub, told, home_of, write):
    hub.users = [running("homer", "")]
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5)
    ran = await run("reaper", "--once", *told, "--log-format=console")
    assert (ran.code, ran.err) == (0, ""), ran
    assert "CRITICAL Reaper: Deleting notebook server for homer" in ran.out
    assert [(r.method, r.path) for r in hub.asked] == [
        ("GET", "/hub/api/users"),
        ("DELETE", "/hub/api/users/homer/server"),
    ]


async def test_the_token_and_the_address_may_stand_in_the_environment(hub, efs):
    ran = await run(
        "monitor",
        "--once",
        f"--efs-quota-control={efs}/quota-control",
        f"--home-root={efs}/users",
        JUPYTERHUB_API_TOKEN="secret",
        JUPYTERHUB_API_URL=hub.url,
    )
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert hub.asked[0].headers["Authorization"] == "token secret"


async def test_a_dry_run_prints_and_does_nothing(hub, told, home_of, write, store):
    hub.users = [running("homer", "", "gpu")]
    home_of("homer")
    before = write("homer", quota_bytes=1, actual_bytes=5)
    quiet = ["--log-level=CRITICAL", "--log-format=console", *told]
    monitor, reaper = await asyncio.gather(
        run("monitor", "--dry-run", *quiet), run("reaper", "--dry-run", *quiet)
    )
    assert (monitor.code, reaper.code) == (0, 0)
    assert monitor.out == "Would measure homer: never measured\n"
    assert reaper.out.splitlines()[-1] == "Would stop the default server, 'gpu' of homer"
    assert [request.method for request in hub.asked] == ["GET", "GET"]
    assert store.read("homer") == before


async def test_a_dry_run_with_nothing_to_do_says_so_and_the_address_may_be_that_of_the_api(
    hub, told
):
    ran = await run("monitor", "--dry-run", f"--hub-url={hub.url}/", *told[1:])
    assert (ran.code, ran.out, ran.err) == (0, "Would do nothing.\n", "")


@pytest.mark.parametrize(
    "loop, flags, why",
    [
        ("monitor", ["--once"], "Give the hub's address: --hub-url."),
        ("monitor", ["--hub-url=hub.example.org"], "must begin with http:// or https://"),
        ("monitor", ["--hub-url=https://h", "--api-cert=/nowhere.pem"], "/nowhere.pem"),
        ("monitor", ["--nonsense"], "is not understood"),
        ("monitor", ["--nonsense=1"], "--nonsense is no flag"),
        ("reaper", ["nonsense"], "'nonsense' is not understood"),
        ("reaper", ["--EFSQuota.nonsense=1"], "nonsense is no setting"),
        ("reaper", ["--Nonsense.x=1"], "Nonsense has no settings"),
        ("reaper", ["--ReaperCommand.nonsense=1"], "nonsense is no setting"),
        ("", ["--nonsense"], "is not understood"),
        ("", ["--nonsense=1"], "--nonsense is no flag"),
        ("", ["nonsense"], "'nonsense' is not understood"),
        ("reaper", ["--default-quota=10X"], "default_quota"),
        ("reaper", ["--period-secs=0"], "reaper_period_secs"),
        ("reaper", ["--period-secs=often"], "reaper_period_secs"),
        ("monitor", ["--home-root=users"], "home_root must be an absolute path"),
        ("monitor", ["--home-path=/all/the/same"], "gives every user the same home"),
        ("monitor", ["--config=/nowhere.py"], "/nowhere.py does not exist"),
        ("monitor", ["--once=maybe"], "is not understood"),
    ],
)
def test_a_mistake_on_the_command_line_ends_with_1_and_its_reason(here, loop, flags, why):
    ran = here(loop, *flags) if loop else here(*flags)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("jupyterhub-efs-quota: ")
    assert why in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err


def test_without_a_token_nothing_is_asked(here, monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN")
    ran = here("monitor", "--once", "--hub-url=http://127.0.0.1:9")
    assert (ran.code, ran.out) == (1, "")
    assert "--api-token or JUPYTERHUB_API_TOKEN" in ran.err


async def test_a_hub_that_refuses_ends_one_cycle_with_1_and_its_reason(hub, told):
    hub.answer(403)
    hub.answer(403)
    loops = (run(loop, "--once", *told) for loop in ("monitor", "reaper"))
    for ran in await asyncio.gather(*loops):
        assert (ran.code, ran.out) == (1, ""), ran
        assert "403 Forbidden. Is the token valid? It needs the scopes" in ran.err
        assert ran.err.count("\n") == 1


async def test_a_store_that_is_not_mounted_ends_one_cycle_with_1(hub, told, efs):
    (efs / "users").rmdir()
    users, control = await asyncio.gather(
        run("monitor", "--once", *told),
        run("reaper", "--once", *told[:2], f"--efs-quota-control={efs}/nowhere"),
    )
    assert (users.code, users.out, control.code, control.out) == (1, "", 1, "")
    assert f"{efs}/users is missing" in users.err
    assert f"{efs}/nowhere cannot be read" in control.err
    assert users.err.count("\n") == control.err.count("\n") == 1


async def test_a_fault_of_one_user_is_no_failure_of_the_cycle(hub, told, home_of, write, store):
    hub.users = [a_user("homer"), a_user("lisa")]
    for name in ("homer", "lisa"):
        home_of(name)
        write(name)
    store.path("homer").write_text("")
    ran = await run("monitor", "--once", *told)
    assert (ran.code, ran.err) == (0, ""), ran
    assert store.path("homer").read_text() == ""
    assert store.read("lisa").actual_bytes == 100


async def test_settings_come_from_a_file_and_the_command_line_goes_before_it(
    hub, told, home_of, store, tmp_path
):
    config = tmp_path / "config.py"
    config.write_text(
        "c.EFSQuota.default_quota = '1K'\nc.EFSQuota.user_quotas = {'lisa': '2K'}\n"
        "c.EFSQuota.log_format = 'console'\n"
    )
    hub.users = [a_user("homer"), a_user("lisa")]
    for name in ("homer", "lisa"):
        home_of(name, 1500)
    ran = await run("monitor", "--once", f"--config={config}", "--default-quota=3K", *told)
    assert (ran.code, ran.err) == (0, ""), ran
    assert "INFO Monitor: Updated quota for homer" in ran.out
    assert (store.read("homer").quota_bytes, store.read("lisa").quota_bytes) == (3072, 2048)


async def test_settings_that_the_hub_handed_over_are_used(hub, told, home_of, store):
    hub.users = [a_user("homer")]
    home_of("homer", 1500)
    handed = json.dumps({"default_quota": 1000})
    ran = await run("monitor", "--once", *told, **{HANDED_OVER: handed})
    assert ran.code == 0
    assert store.read("homer").quota_state is State.LOCKOUT


async def test_without_once_it_loops_until_it_is_told_to_end(hub, told, home_of):
    hub.users = [a_user("homer")]
    home_of("homer")
    process = await start("monitor", *told, "--period-secs=4")
    said = []
    # Of a first cycle that took its time, less than four seconds are left.
    while len([m for m in said if m.startswith("Waiting ")]) < 2:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        said.append(json.loads(line)["message"])
    process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, err) == (0, b"")
    assert said[:2] == [
        "Initializing quota for user homer",
        "Updated quota for homer using     100 of  200.0G bytes.",
    ]
    assert re.fullmatch(r"Waiting [0-4]\.\d seconds for next Monitor cycle\.", said[2])


async def test_a_loop_outlives_a_hub_that_refuses(hub, told):
    for _ in range(100):
        hub.answer(403)
    process = await start("reaper", *told, "--period-secs=1")
    line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    assert line["message"] == "EXCEPTION: Quota checking top level failure."
    assert line["error.kind"] == "HubError"
    assert process.returncode is None
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, err) == (0, b"")


async def test_an_interrupt_ends_one_cycle_without_a_traceback(hub, told, home_of, slow_du):
    hub.users = [a_user("homer")]
    home_of("homer")
    process = await start("monitor", "--once", *told, "--EFSQuota.meter=du")
    await asyncio.wait_for(process.stdout.readline(), 30)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    "flags",
    [
        ["--help"],
        ["--help-all"],
        ["monitor", "--help"],
        ["reaper", "--help-all"],
        ["check", "--help"],
    ],
)
def test_help_ends_with_0(here, flags):
    ran = here(*flags)
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out) > 200


def test_help_all_names_every_setting(here):
    ran = here("monitor", "--help-all")
    for name in EFSQuota.class_trait_names(config=True):
        assert f"--EFSQuota.{name}=" in ran.out


def test_help_all_shows_settings_as_those_of_one_section(here):
    sections = re.findall(r"^(\w+\(.*\)) options$", here("monitor", "--help-all").out, re.M)
    assert sections[-2:] == ["MonitorCommand(LoopCommand)", "EFSQuota(Configurable)"]


def test_the_version_is_told(here):
    assert here("--version").out == f"{__version__}\n"


async def test_a_file_with_all_settings_is_written_and_works(tmp_path):
    ran = await run("--generate-config", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, ""), ran
    path = tmp_path / "jupyterhub_efs_quota_config.py"
    assert ran.out == f"Wrote {path.name}\n"
    text = path.read_text()
    for name in EFSQuota.class_trait_names(config=True):
        assert f"# c.EFSQuota.{name} = " in text
    uncommented = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if line.startswith("# c.")
    )
    path.write_text("c = get_config()\n" + uncommented)
    config = PyFileConfigLoader(str(path)).load_config()
    assert resolve(config).trait_values(config=True) == EFSQuota().trait_values(config=True)


async def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "mine.py").write_text("# precious")
    ran = await run("--generate-config", "--config=mine.py", cwd=tmp_path)
    assert ran.code == 1
    assert "mine.py exists already" in ran.err
    assert (tmp_path / "mine.py").read_text() == "# precious"


def test_the_service_by_hand_says_how_to_run_a_loop(here):
    ran = here()
    assert (ran.code, ran.out) == (1, "")
    assert "the hub starts this service" in ran.err
    assert "jupyterhub-efs-quota monitor --help" in ran.err


async def test_a_loop_by_hand_serves_its_own_metrics_and_none_unless_asked_to(hub, told, home_of):
    hub.users = [a_user("homer")]
    home_of("homer")
    port = free_port()
    process = await start("monitor", *told, f"--EFSQuota.metrics_port={port}")
    text = ""
    for _ in range(300):
        try:
            answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/metrics")
        except OSError:
            await asyncio.sleep(0.1)
            continue
        text = answer.body.decode()
        if 'cycles_total{loop="Monitor",outcome="success"} 1.0' in text:
            break
        await asyncio.sleep(0.1)
    assert 'cycles_total{loop="Monitor",outcome="success"} 1.0' in text
    assert 'measurements_total{outcome="complete"} 1.0' in text
    assert "Reaper" not in text
    # The port is taken: a command by hand says so, and ends.
    second = await start("monitor", *told, f"--EFSQuota.metrics_port={port}")
    _, err = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == 1
    assert f"There are no metrics at 127.0.0.1:{port}".encode() in err
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
