"""Jobs behind a real hub: reports over the API, the page, the switch, the metrics."""

import asyncio
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from bs4 import BeautifulSoup
from jupyterhub.tests.utils import add_user, find_user, public_url

from ..conftest import REPOSITORY
from .conftest import hub_config, start_hub, stop_hub

SERVICES = {
    "backup": ["custom:efs-quota:report"],
    "reader": ["custom:efs-quota:read"],
    "filtered": ["custom:efs-quota:report!user=admin"],
    "boss": ["custom:efs-quota:admin"],
    "nobody": ["list:users"],
}


@pytest.fixture(scope="module")
async def site(tmp_path_factory):
    """A hub with services that may report, read or do everything; checks are made."""
    tmp = tmp_path_factory.mktemp("site")
    config = hub_config(
        tmp,
        reaper_period_secs=1,
        activity_checks={
            "nightly": {"job": "backup", "recent_minutes": 60},
            "loop": {"job": "reaper", "recent_minutes": 60},
        },
    )
    c = config.JupyterHub
    for name, scopes in SERVICES.items():
        c.services.append({"name": name, "api_token": f"token-of-{name}"})
        c.load_roles.append({"name": f"service-{name}", "services": [name], "scopes": scopes})
    hub = await start_hub(config, tmp)
    try:
        yield hub
    finally:
        await stop_hub(hub)


def url(hub, path=""):
    return public_url(hub, path=f"services/efs-quota/{path}")


async def ask(hub, method, path, who, body=None):
    headers = {"Authorization": f"token token-of-{who}"}
    return await hub.session().request(method, url(hub, f"api/{path}"), headers=headers, json=body)


def a_report(**change):
    now = datetime.now(timezone.utc)
    return {
        "job": "backup",
        "host": "store1",
        "started": (now - timedelta(minutes=2)).isoformat(),
        "completed": now.isoformat(),
        **change,
    }


async def test_a_run_that_is_reported_is_answered_as_it_is_stored(site):
    counts = {"files": 12, "bytes": 3456}
    answer = await ask(site, "post", "runs", "backup", a_report(counts=counts))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["job"], told["host"], told["outcome"]) == ("backup", "store1", "success")
    assert told["counts"] == counts

    async def listed():
        return (await ask(site, "get", "runs?job=backup", "reader")).json()["items"]

    for _ in range(200):
        if told in await listed():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{told} is not in {await listed()}")


@pytest.mark.parametrize(
    ("who", "status"),
    [("backup", 201), ("boss", 201), ("reader", 403), ("filtered", 403), ("nobody", 403)],
)
async def test_to_report_has_a_scope_of_its_own(site, who, status):
    answer = await ask(site, "post", "runs", who, a_report(job="scope"))
    assert answer.status_code == status, answer.text


async def test_who_may_report_sees_nobody_and_switches_nothing(site):
    add_user(site.db, site, name="somebody")
    assert (await ask(site, "get", "users", "backup")).json()["items"] == []
    assert (await ask(site, "get", "users/somebody", "backup")).status_code == 404
    for method, path, body in (
        ("get", "runs", None),
        ("get", "jobs", None),
        ("get", "changes", None),
        ("put", "jobs/switch", {"job": "monitor", "on": False}),
    ):
        answer = await ask(site, method, path, "backup", body)
        assert answer.status_code == 403 or answer.json()["items"] == [], path
    answer = await site.session().post(url(site, "api/runs"), json=a_report())
    assert answer.status_code == 401


NOW = datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"job": None}, "The body needs job"),
        ({"job": "a\nb"}, "job must be 1 to 200 characters of text"),
        ({"job": "x" * 201}, "job must be 1 to 200 characters of text"),
        ({"job": 5}, "job must be 1 to 200 characters of text"),
        ({"started": "2026-11-22T12:00:00"}, "started must be a time with its zone"),
        ({"outcome": "fine"}, "outcome must be one of"),
        ({"error": "x" * 5000}, "error must be text"),
        ({"counts": {"files": -1}}, "counts must be a whole number"),
        ({"counts": {str(n): n for n in range(60)}}, "counts must be an object of at most"),
        ({"counts": [1]}, "counts must be an object"),
        ({"more": 1}, "no field 'more'"),
    ],
)
async def test_a_report_that_cannot_be_is_a_400_that_names_what_is_wrong(site, change, said):
    answer = await ask(site, "post", "runs", "backup", a_report(**change))
    assert answer.status_code == 400
    assert said in answer.json()["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"job": "monitor"}, "of the service itself"),
        ({"job": "a\u202eb"}, "name of a job"),
        ({"host": "a:b"}, "name of a host"),
        ({"completed": (NOW - timedelta(days=1)).isoformat()}, "before it started"),
        ({"completed": (NOW + timedelta(days=1)).isoformat()}, "in the future"),
    ],
)
async def test_a_report_that_makes_no_sense_is_a_409_that_says_why(site, change, said):
    answer = await ask(site, "post", "runs", "backup", a_report(**change))
    assert answer.status_code == 409
    assert said in answer.json()["message"]


async def test_a_report_that_is_too_long_is_refused(site):
    answer = await ask(site, "post", "runs", "backup", a_report(error="x" * 100_000))
    assert answer.status_code == 413


async def test_a_name_with_odd_characters_is_taken_as_it_is_and_shown_as_text(site):
    name = '<b>ü & "x"</b> 100 %'
    answer = await ask(site, "post", "runs", "backup", a_report(job=name, error="<i>no</i>"))
    assert answer.json()["job"] == name
    session = await site.login("admin")
    await until_shown(session, site, lambda page: name in names(page))
    page = await jobs_page(session, site)
    assert "<b>" not in str(page.find("tbody")).replace("<bdi>", "")


async def jobs_page(session, hub):
    answer = await session.get(url(hub, "jobs"))
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def names(page):
    return [cell.text for cell in page.select("th.name bdi")]


async def until_shown(session, hub, holds):
    for _ in range(300):
        page = await jobs_page(session, hub)
        if holds(page):
            return page
        await asyncio.sleep(0.1)
    raise AssertionError(f"it does not come about: {page}")


def row_of(page, name):
    return next(row for row in page.select("tbody tr") if row.th and row.th.text == name)


async def press(session, hub, name):
    page = await jobs_page(session, hub)
    given = {field["name"]: field["value"] for field in row_of(page, name).select("input")}
    return await session.post(url(hub, "jobs/switch"), data=given)


async def test_administrators_see_each_job_with_its_runs_and_checks(site):
    await ask(site, "post", "runs", "backup", a_report(job="seen"))
    failure = a_report(job="seen", outcome="failure", error="The disk is full.")
    await ask(site, "post", "runs", "backup", failure)
    session = await site.login("admin")
    page = await until_shown(session, site, lambda page: "The disk is full." in page.text)
    row = row_of(page, "seen")
    assert row.select_one("svg.runs")["aria-label"].startswith("The last 2 runs took ")
    assert {rect["class"][0] for rect in row.select("rect")} == {"tone-success", "tone-danger"}
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", str(page))
    page = await until_shown(session, site, lambda page: "reaper" in names(page))
    assert "loop: holds" in row_of(page, "reaper").text


async def test_our_own_loops_have_a_check_and_a_next_run_without_a_word_in_the_settings(site):
    session = await site.login("admin")
    page = await until_shown(session, site, lambda page: {"monitor", "limbo"} <= {*names(page)})
    for name in ("monitor", "limbo"):
        page = await until_shown(session, site, lambda page, n=name: row_of(page, n).time)
        assert "recent: holds" in row_of(page, name).text
    # What the site asks of the reaper goes before what we do.
    assert "recent" not in row_of(page, "reaper").text
    jobs = (await ask(site, "get", "jobs", "reader")).json()["items"]
    checks = {job["job"]: [check["check"] for check in job["checks"]] for job in jobs}
    assert (checks["monitor"], checks["reaper"]) == (["recent"], ["loop"])


async def test_who_may_report_forges_no_run_of_limbo(site):
    answer = await ask(site, "post", "runs", "backup", a_report(job="limbo"))
    assert answer.status_code == 409
    assert "of the service itself" in answer.json()["message"]


async def test_jobs_are_for_administrators_only(site):
    add_user(site.db, site, name="somebody")
    session = await site.login("somebody")
    assert (await session.get(url(site, "jobs"))).status_code == 403
    mine = BeautifulSoup((await session.get(url(site))).text, "html.parser")
    token = mine.find("input", {"name": "_xsrf"})
    given = {"job": "reaper", "on": "false", "_xsrf": token["value"] if token else ""}
    assert (await session.post(url(site, "jobs/switch"), data=given)).status_code == 403
    assert not (site.efs / "quota-control" / "switched-off.txt").exists()


async def test_a_switch_without_the_xsrf_token_switches_nothing(site):
    session = await site.login("admin")
    given = {"job": "reaper", "on": "false"}
    assert (await session.post(url(site, "jobs/switch"), data=given)).status_code == 403
    assert (await ask(site, "get", "jobs/switch?job=reaper", "backup")).json()["on"]


async def test_a_loop_that_an_administrator_switches_off_does_nothing_until_it_is_on_again(site):
    session = await site.login("admin")
    await until_shown(session, site, lambda page: "reaper" in names(page))
    page = BeautifulSoup((await press(session, site, "reaper")).text, "html.parser")
    assert "Switched off by admin, 20" in page.select_one("td.note").text
    await until_shown(session, site, lambda page: "skipped" in row_of(page, "reaper").text)
    runs = (await ask(site, "get", "runs?job=reaper&limit=1", "reader")).json()["items"]
    assert runs[0]["outcome"] == "skipped"
    assert runs[0]["counts"] == {}
    page = await jobs_page(session, site)
    assert "loop: off" in row_of(page, "reaper").text
    assert "skipped" in metric_text(await metrics(site))
    await press(session, site, "reaper")
    await until_shown(session, site, lambda page: "success" in row_of(page, "reaper").text)
    changes = (await ask(site, "get", "changes?kind=job-switched", "reader")).json()["items"]
    last = [(each["by"], each["before"], each["after"]) for each in changes[:2]]
    assert last == [
        ("admin", "reaper is off", "reaper is on"),
        ("admin", "reaper is on", "reaper is off"),
    ]


async def test_the_api_switches_too_and_says_who_and_why(site):
    answer = await ask(
        site, "put", "jobs/switch", "boss", {"job": "tidy up", "on": False, "reason": "it is late"}
    )
    assert answer.json()["on"] is False
    assert answer.json()["note"].startswith("by service boss, ")
    assert answer.json()["note"].endswith(": it is late")
    answer = await ask(site, "get", "jobs/switch?job=tidy+up", "backup")
    assert answer.json()["on"] is False
    jobs = (await ask(site, "get", "jobs", "reader")).json()["items"]
    assert {job["job"]: job["on"] for job in jobs}["tidy up"] is False
    answer = await ask(site, "put", "jobs/switch", "boss", {"job": "tidy up", "on": True})
    assert answer.json() == {"job": "tidy up", "on": True, "note": ""}
    assert (await ask(site, "get", "jobs/switch", "backup")).status_code == 400


async def metrics(hub):
    token = find_user(hub.db, "admin").new_api_token(scopes=["read:metrics"])
    answer = await hub.session().get(
        url(hub, "metrics"), headers={"Authorization": f"token {token}"}
    )
    return answer.text


def metric_text(text):
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


async def test_the_metrics_count_what_is_reported(site):
    await ask(site, "post", "runs", "backup", a_report(job="counted"))
    text = await metrics(site)
    line = 'jupyterhub_efs_quota_job_runs_total{name="counted",outcome="success"} 1.0'
    assert line in text.splitlines()
    assert 'job_duration_seconds_sum{name="counted"} 12' in text


async def test_the_metrics_know_when_a_job_last_ended_well(site, monkeypatch):
    await ask(site, "post", "runs", "backup", a_report(job="timed"))
    for _ in range(120):
        text = await metrics(site)
        if 'job_last_success_timestamp_seconds{name="timed"}' in text:
            break
        await asyncio.sleep(0.5)
    assert 'job_last_success_timestamp_seconds{name="timed"}' in text
    assert re.search(
        r'job_check_holds\{check="loop",name="reaper"\} 1|'
        r'job_check_holds\{name="reaper",check="loop"\} 1',
        text,
    )


async def test_the_command_reports_a_run_over_the_api(site, tmp_path):
    file = tmp_path / "token"
    file.write_text("token-of-backup\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupyterhub_efs_quota", "activity", "run", "by command"),
        *(f"--url={url(site)}", f"--token-file={file}", "--host=far", "--"),
        *("sh", "-c", "exit 7"),
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 500)
    assert (process.returncode, said) == (7, b"")
    session = await site.login("admin")
    page = await until_shown(session, site, lambda page: "by command" in names(page))
    assert "failure" in row_of(page, "by command").text
