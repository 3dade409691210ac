"""The doctor on a real hub: all is right on a healthy one, and each fault that is planted is
found, with the line that mends it."""

import os
import signal
from types import SimpleNamespace

import jupyterhub
import pytest

from jupyterhub_efs_quota.doctor.running import find
from jupyterhub_efs_quota.settings import read_file

from ..ports import free_port
from .site import ADMIN_TOKEN, POOR_TOKEN, run

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
    """What is not right, but for answers that take long: the machine may be busy."""
    return [
        (finding.status, finding.what, finding.said)
        for finding in found.findings
        if finding.status in ("warning", "wrong") and not finding.said.endswith(" ms.")
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
    assert not [finding for finding in healthy.findings if finding.status == "not looked at"]
    assert healthy.code == int(any(f.status == "warning" for f in healthy.findings))


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
        ("writing to the homes", "is only read, since allow_delete is off"),
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


# --- Faults around it --------------------------------------------------------------------


@pytest.fixture(scope="module")
def changed(site):
    """Next to the running hub: a configuration that was changed, badly, and not taken yet."""
    url = f"postgresql://quota:verysecret@127.0.0.1:{free_port()}/history"
    end = site.end.replace("default_quota", 'home_path="{home_root}/{username}", default_quota')
    end = end.replace("10_000", "20_000").replace(f"sqlite:///{site.tmp}/history.sqlite", url)
    return doctor(f"--config={site.write(site.begin + end, 'changed.py')}")


def test_homes_that_another_mapping_finds_are_told_with_that_mapping(changed):
    (finding,) = about(changed, "homes of users")
    assert finding.status == "wrong"
    assert "1 of 3 users have a home, and 2 users have one of another name" in finding.said
    assert "homer@example.org has homer-40example-2eorg" in finding.said
    assert finding.mend == 'c.EFSQuota.home_path = "{home_root}/{escaped_username}"'


def test_a_service_that_runs_with_older_settings_is_told_of(changed):
    (finding,) = about(changed, "running service")
    assert finding.status == "warning"
    assert "another default_quota, history_url, home_path" in finding.said
    assert finding.mend == "Restart the hub"


def test_a_password_in_the_address_of_a_database_is_never_printed(changed):
    (finding,) = about(changed, "history database")
    assert finding.status == "wrong"
    assert "connection" in finding.said
    assert "verysecret" not in changed.ran.out + changed.ran.err


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


def test_a_service_that_is_dead_is_found_from_both_sides(site):
    try:
        # The hub looks every half minute whether it runs: that may have been just now.
        for _ in range(3):
            site.wait(lambda: service_of(site))
            os.kill(service_of(site).pid, signal.SIGKILL)
            found = doctor(f"--config={site.config}")
            if service_of(site) is None:
                break
        (direct,), (proxied,) = about(found, "service"), about(found, "service by the proxy")
        assert direct.status == "wrong" and "does not run" in direct.said
        assert proxied.status == "wrong" and "the proxy does not reach" in proxied.said
        assert found.code == 2
    finally:
        # The hub starts it again after half a minute.
        site.wait(lambda: site.ask("/services/efs-quota/health")["status"] == "ok")


def test_a_hub_that_is_away_is_told_and_ends_nothing_else():
    ran = run(
        "doctor", PATIENT, f"--hub-url=http://127.0.0.1:{free_port()}", JUPYTERHUB_API_TOKEN="x"
    )
    assert ran.code == 2
    lines = ran.out.splitlines()
    assert [line for line in lines if line.startswith("wrong: hub: ")]
    assert [line for line in lines if line.startswith("ok: settings: ")]
    assert "\x1b" not in ran.out
