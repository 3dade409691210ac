"""The doctor on a real hub: all is right on a healthy one, and each fault that is planted is
found, with the line that mends it."""

import json
import os
import signal
from types import SimpleNamespace

import jupyterhub
import pytest
from jupyterhub.utils import random_port

from jupyterhub_efs_quota.doctor.running import find
from jupyterhub_efs_quota.settings import read_file

from ..conftest import as_root, environment
from .site import ADMIN_TOKEN, POOR_TOKEN, run

HUB_6 = jupyterhub.version_info[0] >= 6
# On a machine that has better things to do.
PATIENT = "--deadline=100"


def doctor(*arguments, **variables):
    """The findings by what was looked at, and the exit status."""
    ran = run("doctor", "--json", PATIENT, *arguments, **variables)
    assert ran.out, ran
    findings = [SimpleNamespace(**finding) for finding in ran.json["findings"]]
    assert ran.json["exit_status"] == ran.code
    return SimpleNamespace(ran=ran, code=ran.code, findings=findings)


def about(found, what):
    """What was found about one thing."""
    return [finding for finding in found.findings if finding.what == what]


def amiss(found):
    return [
        (finding.status, finding.what, finding.said)
        for finding in found.findings
        if finding.status in ("warning", "wrong")
    ]


def service_of(site):
    """The running service, as the doctor finds it."""
    (service,) = [
        item
        for item in read_file(str(site.config)).JupyterHub.services
        if item["name"] == "efs-quota"
    ]
    return find("efs-quota", service["command"], service["url"])


@pytest.fixture(scope="module")
def healthy(site):
    site.wait(lambda: (site.control / "alice" / "quota.yaml").exists())
    return doctor(f"--config={site.config}")


def test_on_a_healthy_hub_all_is_right_and_nothing_is_left_out(healthy):
    assert amiss(healthy) == []
    assert {finding.status for finding in healthy.findings} == {"ok"}
    assert healthy.code == 0


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("setup(c)", "service, role and scopes"),
        ("spawn hook", "c.Spawner.pre_spawn_hook is ours"),
        ("consecutive_failure_limit", "It is not set"),
        ("service by the proxy", "/base/services/efs-quota/health, in "),
        ("service", "It answers at http://127.0.0.1:"),
        ("hub", f"JupyterHub {jupyterhub.__version__} answers"),
        ("token", "That of the service efs-quota has all that is needed"),
        ("homes of users", "3 of 3 users have a home"),
        ("permissions of the control directory", "3 folders in it"),
        ("history database", "the newest"),
        ("clock of the hub", "agrees"),
        ("clock of the store", "agrees"),
        ("running service", "has the same settings"),
    ],
)
def test_what_the_doctor_says_of_a_healthy_hub(healthy, what, said):
    (finding,) = about(healthy, what)
    assert said in finding.said


def test_the_doctor_prints_no_token_and_leaves_no_file(site, healthy):
    secrets = [service_of(site).environment["JUPYTERHUB_API_TOKEN"], ADMIN_TOKEN, POOR_TOKEN]
    assert not any(secret in healthy.ran.out + healthy.ran.err for secret in secrets)
    assert not [name for name in os.listdir(site.control) if name.startswith(".")]


def test_in_the_environment_of_the_service_the_hub_is_seen_and_the_rest_is_said_to_be_elsewhere(
    site,
):
    told = service_of(site).environment
    found = doctor(**told)
    assert amiss(found) == []
    assert about(found, "token")[0].status == "ok"
    assert about(found, "homes of users")[0].said.startswith("3 of 3")
    (hook,) = about(found, "spawn hook")
    assert hook.status == "not looked at"
    assert "--config=jupyterhub_config.py" in hook.mend


def test_with_nothing_known_all_that_needs_the_hub_is_said_to_be_not_looked_at(site):
    found = doctor(f"--efs-quota-control={site.control}", f"--home-root={site.homes}")
    unseen = {f.what for f in found.findings if f.status == "not looked at"}
    assert {"hub", "service", "service by the proxy", "token", "homes of users"} <= unseen
    assert all(f.mend for f in found.findings if f.status == "not looked at")


def test_the_doctor_in_a_pipe_prints_a_line_for_each_finding(site):
    ran = run("doctor", PATIENT, f"--config={site.config}")
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert lines[-1].endswith(" ok")
    assert all(line.startswith("ok: ") for line in lines[:-2])
    assert "\x1b" not in ran.out


# --- Faults in the configuration ---------------------------------------------------------

LAST = "Move `setup(c)` to the end of"


@pytest.mark.parametrize(
    ("after", "what", "said", "mend"),
    [
        (
            "def theirs(spawner): pass\nc.Spawner.pre_spawn_hook = theirs",
            "spawn hook",
            "c.Spawner.pre_spawn_hook is theirs (",
            LAST,
        ),
        (
            "c.SimpleLocalProcessSpawner.pre_spawn_hook = print",
            "spawn hook",
            "c.SimpleLocalProcessSpawner.pre_spawn_hook is print",
            LAST,
        ),
        ("c.Spawner.pre_spawn_hook = None", "spawn hook", "There is none", LAST),
        ("c.JupyterHub.services = []", "setup(c)", "c.JupyterHub.services was replaced", LAST),
        ("c.JupyterHub.load_roles = []", "setup(c)", "c.JupyterHub.load_roles", LAST),
        ("c.JupyterHub.custom_scopes = {}", "setup(c)", "c.JupyterHub.custom_scopes", LAST),
        (
            "c.JupyterHub.load_roles.append({'name': 'user', 'scopes': ['self']})"
            if HUB_6
            else "c.JupyterHub.load_roles = [r if r['name'] != 'user' else {'name': 'user',"
            " 'scopes': ['self']} for r in c.JupyterHub.load_roles]",
            "setup(c)",
            "(or the role `user`)",
            LAST,
        ),
        (
            "c.JupyterHub.load_roles = [{**role, 'scopes': ['list:users']} if role['name'] =="
            " 'efs-quota' else role for role in c.JupyterHub.load_roles]",
            "role of the service",
            "lacks read:users:activity",
            '"delete:servers"',
        ),
        ("c.EFSQuota.default_quota = '5Gi'", "settings", "default_quota in c.EFSQuota", LAST),
        ("c.EFSQuota.defalt_quota = '5Gi'", "settings", "Did you mean default_quota?", "Correct"),
        ("raise KeyError('x')", "settings", "fails: KeyError", "Correct that in"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_fault_of_the_configuration_is_found_with_its_line(site, after, what, said, mend):
    config = site.write(f"{site.begin}\n{site.end}\n{after}\n", "faulty.py")
    found = doctor(f"--config={config}")
    faults = [finding for finding in about(found, what) if finding.status == "wrong"]
    assert [said in fault.said for fault in faults] == [True], found.ran
    assert mend in faults[0].mend
    assert found.code == 2


def test_a_configuration_without_setup_is_told_the_two_words_that_are_missing(site):
    config = site.write(f"{site.begin}\nc.EFSQuota.home_root = '{site.homes}'", "without.py")
    found = doctor(f"--config={config}", f"--efs-quota-control={site.control}")
    assert [f.status for f in about(found, "setup(c)")] == ["wrong"]
    line = about(found, "setup(c)")[0].mend
    assert line.startswith("from jupyterhub_efs_quota import setup; setup(c)")
    # The line does what it says.
    mended = site.write(f"{config.read_text()}\n{line}\n", "mended.py")
    found = doctor(f"--config={mended}", f"--efs-quota-control={site.control}")
    assert [f.status for f in about(found, "setup(c)")] == ["ok"]
    assert [f.status for f in about(found, "spawn hook")] == ["ok"]


def test_a_hook_of_the_site_that_calls_ours_is_right(site):
    config = site.write(
        f"{site.begin}\n"
        "from jupyterhub_efs_quota import pre_spawn_hook\n"
        "async def theirs(spawner):\n    await pre_spawn_hook(spawner)\n"
        "c.Spawner.pre_spawn_hook = theirs\n",
        "by_hand.py",
    )
    found = doctor(f"--config={config}", f"--efs-quota-control={site.control}")
    assert [f.status for f in about(found, "spawn hook")] == ["ok"]
    assert [f.status for f in about(found, "setup(c)")] == ["ok"]


def test_a_service_that_runs_with_older_settings_is_told_of(site):
    config = site.write(site.begin + site.end.replace("10_000", "20_000"), "newer.py")
    (finding,) = about(doctor(f"--config={config}"), "running service")
    assert finding.status == "warning"
    assert "another default_quota" in finding.said
    assert finding.mend == "Restart the hub"


def test_a_hub_that_ends_after_failures_is_looked_at_by_its_version(site):
    config = site.write(
        f"{site.begin}\nc.Spawner.consecutive_failure_limit = 5\n{site.end}", "limit.py"
    )
    (finding,) = about(doctor(f"--config={config}"), "consecutive_failure_limit")
    assert finding.status == "ok"
    assert ("does not count refusals" if HUB_6 else "takes its refusals off") in finding.said


# --- Faults around it --------------------------------------------------------------------


def test_homes_that_another_mapping_finds_are_told_with_that_mapping(site):
    end = site.end.replace("default_quota", 'home_path="{home_root}/{username}", default_quota')
    config = site.write(site.begin + end, "mapping.py")
    (finding,) = about(doctor(f"--config={config}"), "homes of users")
    assert finding.status == "wrong"
    assert "homer@example.org has homer-40example-2eorg" in finding.said
    assert finding.mend == 'c.EFSQuota.home_path = "{home_root}/{escaped_username}"'


def test_a_token_with_too_few_scopes_is_told_what_it_lacks_and_the_role_that_gives_it(site):
    told = {
        **service_of(site).environment,
        "JUPYTERHUB_API_TOKEN": POOR_TOKEN,
        "JUPYTERHUB_SERVICE_NAME": "poor",
    }
    (finding,) = about(doctor(**told), "token")
    assert finding.status == "wrong"
    assert "lacks read:users:groups, delete:servers" in finding.said
    assert '"services": ["poor"]' in finding.mend
    assert '"delete:servers"' in finding.mend


def test_a_token_that_the_hub_does_not_know_is_told(site):
    told = {**service_of(site).environment, "JUPYTERHUB_API_TOKEN": "stale"}
    found = doctor(**told)
    (finding,) = about(found, "token")
    assert (finding.status, found.code) == ("wrong", 2)
    assert "does not know this token" in finding.said


def test_a_password_in_the_address_of_a_database_is_never_printed(site):
    url = f"postgresql://quota:verysecret@127.0.0.1:{random_port()}/history"
    end = site.end.replace(f"sqlite:///{site.tmp}/history.sqlite", url)
    found = doctor(f"--config={site.write(site.begin + end, 'database.py')}")
    (finding,) = about(found, "history database")
    assert finding.status == "wrong"
    assert "connection" in finding.said
    assert "verysecret" not in found.ran.out + found.ran.err


def test_a_service_that_is_dead_is_found_from_both_sides(site):
    running = service_of(site)
    os.kill(running.pid, signal.SIGSTOP)
    os.kill(running.pid, signal.SIGKILL)
    try:
        found = doctor(f"--config={site.config}")
        (direct,), (proxied,) = about(found, "service"), about(found, "service by the proxy")
        assert direct.status == "wrong" and "does not run" in direct.said
        assert proxied.status == "wrong" and "the proxy does not reach" in proxied.said
        assert found.code == 2
    finally:
        # The hub starts it again after half a minute.
        site.wait(lambda: site.ask("/services/efs-quota/health")["status"] == "ok")


@as_root
def test_a_control_directory_that_anybody_may_write_is_found_and_the_line_mends_it(site):
    site.control.chmod(0o777)
    try:
        found = doctor(f"--config={site.config}")
        (finding,) = about(found, "permissions of the control directory")
        assert finding.status == "wrong"
        assert os.system(finding.mend) == 0
        found = doctor(f"--config={site.config}")
        assert about(found, "permissions of the control directory")[0].status == "ok"
    finally:
        site.control.chmod(0o755)


def test_a_hub_that_is_away_is_told_and_ends_nothing_else():
    found = doctor(f"--hub-url=http://127.0.0.1:{random_port()}", "--api-token=x", **environment())
    assert about(found, "hub")[0].status == "wrong"
    assert about(found, "walk")[0].status in ("ok", "warning")
    assert json.loads(found.ran.out)["counts"]["wrong"] >= 1
