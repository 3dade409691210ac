"""Faults that are planted in a hub's configuration, which is loaded as the hub does."""

import jupyterhub
import pytest

from jupyterhub_efs_quota.doctor.checks import hub_config, rescue, settings, spawn_hook
from jupyterhub_efs_quota.doctor.command import DoctorCommand
from jupyterhub_efs_quota.doctor.finding import Status
from jupyterhub_efs_quota.doctor.hub_app import address

HUB_6 = jupyterhub.version_info[0] >= 6
SITE = """
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.services = [{"name": "theirs", "api_token": "x"}]
c.JupyterHub.load_roles = [{"name": "theirs", "services": ["theirs"], "scopes": []}]
"""
SETUP = """
from jupyterhub_efs_quota import setup
setup(c, default_quota="1Gi")
"""
LAST = "Move `setup(c)` to the end of"


def load(tmp_path, text, *arguments):
    """The place that a configuration makes."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(text)
    command = DoctorCommand()
    command.take_arguments([f"--config={path}", *arguments])
    return command.place()


@pytest.fixture
def look(tmp_path, monkeypatch):
    """What the checks of the configuration find in a file; by what was looked at."""
    monkeypatch.setattr("jupyterhub_efs_quota.doctor.command.os.environ", {})

    def look(text):
        place = load(tmp_path, text)
        findings = [f for check in (settings, hub_config, spawn_hook) for f in check.look(place)]
        # No hub runs here, so that no service does.
        return [finding for finding in findings if finding.what != "running service"]

    return look


def about(findings, what):
    return [finding for finding in findings if finding.what == what]


def amiss(findings):
    return [f for f in findings if f.status in (Status.WARNING, Status.WRONG)]


def test_a_good_configuration_has_nothing_amiss(look):
    assert amiss(look(SITE + SETUP)) == []


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
def test_a_fault_of_the_configuration_is_found_with_its_line(look, after, what, said, mend):
    (fault,) = [f for f in about(look(f"{SITE}{SETUP}\n{after}\n"), what) if f in amiss([f])]
    assert fault.status is Status.WRONG
    assert said in fault.said
    assert mend in fault.mend


@pytest.mark.parametrize(
    "after",
    [
        "c.Spawner.pre_spawn_hook = print",
        "c.JupyterHub.services = []",
        "c.JupyterHub.load_roles = []",
        "c.EFSQuota.default_quota = '5Gi'",
    ],
)
def test_setup_at_the_end_mends_what_was_replaced_after_it(look, after):
    assert amiss(look(f"{SITE}{SETUP}\n{after}\n"))
    assert amiss(look(f"{SITE}\n{after}\n{SETUP}")) == []


def test_a_hook_of_a_spawner_that_is_not_the_hubs_is_a_warning(look):
    found = look(f"{SITE}{SETUP}\nc.KubeSpawner.pre_spawn_hook = print")
    assert [f.status for f in about(found, "spawn hook")] == [Status.OK, Status.WARNING]


def test_a_configuration_without_setup_is_told_the_line_which_mends_it(look):
    found = look(SITE)
    (finding,) = about(found, "setup(c)")
    assert finding.status is Status.WRONG
    assert [f.status for f in about(found, "spawn hook")] == [Status.WRONG]
    assert amiss(look(f"{SITE}\n{finding.mend}\n")) == []


@pytest.mark.parametrize(
    "body",
    [
        "from jupyterhub_efs_quota import pre_spawn_hook\nc.Spawner.pre_spawn_hook = pre_spawn_hook",
        "from jupyterhub_efs_quota import pre_spawn_hook\n"
        "async def theirs(spawner):\n    await pre_spawn_hook(spawner)\n"
        "c.Spawner.pre_spawn_hook = theirs",
        "async def theirs(spawner):\n"
        "    from jupyterhub_efs_quota import pre_spawn_hook\n"
        "    await pre_spawn_hook(spawner)\n"
        "c.Spawner.pre_spawn_hook = theirs",
    ],
)
def test_a_hook_that_is_wired_by_hand_is_right(look, body):
    found = look(f"{SITE}\n{body}\n")
    assert amiss(found) == []
    assert "wired by hand" in about(found, "setup(c)")[0].said


def test_a_hook_of_the_site_before_setup_is_called_by_ours(look):
    assert amiss(look(f"{SITE}\nc.Spawner.pre_spawn_hook = print\n{SETUP}")) == []


def test_a_hub_that_ends_after_failures_is_looked_at_by_its_version(look):
    limit = "c.Spawner.consecutive_failure_limit = 5"
    (finding,) = about(look(f"{SITE}\n{limit}\n{SETUP}"), "consecutive_failure_limit")
    assert finding.status is Status.OK
    assert ("does not count refusals" if HUB_6 else "takes its refusals off") in finding.said


@pytest.mark.skipif(HUB_6, reason="only JupyterHub 5 counts refusals")
def test_on_hub_5_a_limit_without_our_hook_is_told(look):
    limit = "c.Spawner.consecutive_failure_limit = 5\nc.Spawner.pre_spawn_hook = print"
    (finding,) = about(look(f"{SITE}{SETUP}\n{limit}"), "consecutive_failure_limit")
    assert finding.status is Status.WARNING
    assert "consecutive_failure_limit = 0" in finding.mend


def test_a_configuration_that_the_hub_would_not_take_is_told(look):
    (finding,) = amiss(look(f"{SITE}{SETUP}\nc.JupyterHub.spawner_class = 'no.such.Spawner'"))
    assert finding.what == "settings"
    assert "The hub does not take this configuration" in finding.said


def test_a_file_with_our_settings_alone_is_read_and_the_rest_not_looked_at(look):
    found = look("c.EFSQuota.default_quota = '5Gi'")
    assert [f.status.value for f in found] == ["ok", *["not looked at"] * 3]


def test_the_token_of_a_service_apart_is_taken_from_the_hubs_file(tmp_path, monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    apart = SETUP.replace("setup(c,", 'setup(c, url="http://elsewhere:1", api_token="given",')
    bind = 'c.JupyterHub.bind_url = "http://:8123/base/"\n'
    access = load(tmp_path, bind + apart).access
    assert (access.api_url, access.token) == ("http://127.0.0.1:8123/base/hub/api", "given")
    access = load(tmp_path, bind + apart, "--hub-url=https://h.org", "--api-token=mine").access
    assert (access.api_url, access.token) == ("https://h.org/hub/api", "mine")


@pytest.mark.parametrize(
    ("bind_url", "reached"),
    [
        ("http://:8000", "http://127.0.0.1:8000/"),
        ("http://0.0.0.0:8001/base/", "http://127.0.0.1:8001/base/"),
        ("http://hub.example.org", "http://hub.example.org:80/"),
        ("http://[fd00::1]:8000/", "http://[fd00::1]:8000/"),
    ],
)
def test_the_proxy_is_reached_where_it_listens(tmp_path, monkeypatch, bind_url, reached):
    monkeypatch.delenv("PROXY_PUBLIC_SERVICE_HOST", raising=False)
    app = load(tmp_path, f"c.JupyterHub.bind_url = '{bind_url}'").app
    assert address(app) == reached


def test_on_zero_to_jupyterhub_the_proxy_is_where_the_chart_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXY_PUBLIC_SERVICE_HOST", "10.0.0.7")
    monkeypatch.setenv("PROXY_PUBLIC_SERVICE_PORT", "80")
    assert address(load(tmp_path, SITE + SETUP).app) == "http://10.0.0.7:80/"


RESCUE = """
c.EFSQuota.on_lockout = "rescue"
c.EFSQuota.rescue_overrides = {"mem_limit": "1G"}
"""


@pytest.mark.parametrize(
    ("site", "said", "mend"),
    [
        ("", "for 60 minutes", ""),
        ('c.EFSQuota.rescue_overrides = {"memory": 1}', "has no setting 'memory'", "Correct"),
        ('c.JupyterHub.spawner_class = "docker"', "starts a user's last container again",
         "c.DockerSpawner.remove = True"),
        ('c.JupyterHub.spawner_class = "docker"\nc.DockerSpawner.remove = True', "60 minutes", ""),
        ('c.EFSQuota.home_root = "/h"\nc.EFSQuota.rescue_directory = "/h/tmp"', "may be full",
         'rescue_directory = "/tmp"'),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_of_rescues_is_told(tmp_path, monkeypatch, site, said, mend):
    if "docker" in site:
        pytest.importorskip("dockerspawner")
    monkeypatch.setattr("jupyterhub_efs_quota.doctor.command.os.environ", {})
    (finding,) = rescue.look(load(tmp_path, f"{SITE}{RESCUE}{site}{SETUP}"))
    assert said in finding.said and mend in finding.mend
    assert (finding.status is Status.OK) is (mend == "")


def test_nothing_is_said_of_rescues_where_none_are_offered(tmp_path, monkeypatch):
    monkeypatch.setattr("jupyterhub_efs_quota.doctor.command.os.environ", {})
    assert list(rescue.look(load(tmp_path, SITE + SETUP))) == []
