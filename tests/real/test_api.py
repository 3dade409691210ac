"""The JSON API behind a real hub: who may see and change what, and what strangers learn."""

import asyncio
import itertools
import json
import sys
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import yaml
from jupyterhub.tests.utils import add_user, find_user, public_url

from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.quota.record import Record, State

from ..conftest import NOW, fill
from ..conftest import come_about as until
from .conftest import hub_config, start_hub, stop_hub

QUOTA = 10_000
COURSE_QUOTA = 20_000
MEMBERS = ["anna", "bert"]
OTHERS = ["carl", "dora"]
# Names that must lead nowhere else, each of them a user.
ODD = ["a/b", "..", "ü#?&x", "<b>%2F</b>", "名前", "x" * 250, "a b+c", "refused", "null"]
SERVICES = {
    "reader": ["custom:efs-quota:read"],
    "course-reader": ["custom:efs-quota:read!group=course"],
    "one-reader": ["custom:efs-quota:read!user=carl"],
    "manager": ["custom:efs-quota:manage"],
    "nobody-in-particular": ["list:users"],
}


async def until_true(ask_again, secs=40):
    """Wait until a question to the service is answered with something."""
    for _ in range(int(secs / 0.2)):
        answer = await ask_again()
        if answer:
            return answer
        await asyncio.sleep(0.2)
    raise AssertionError("it did not come about")


@pytest.fixture(scope="module")
async def course(tmp_path_factory):
    """A hub with a course: its members, its teacher, others; the reaper comes every second."""
    tmp = tmp_path_factory.mktemp("course")
    config = hub_config(
        tmp,
        reaper_period_secs=1,
        group_quotas={"course": COURSE_QUOTA},
        default_quota=QUOTA,
    )
    c = config.JupyterHub
    c.load_groups = {"course": {"users": MEMBERS}, "teachers": {"users": ["teacher"]}}
    c.load_roles.append(
        {
            "name": "teacher-of-course",
            "groups": ["teachers"],
            "scopes": ["custom:efs-quota:manage!group=course"],
        }
    )
    for name, scopes in SERVICES.items():
        c.services.append({"name": name, "api_token": f"token-of-{name}"})
        c.load_roles.append({"name": f"service-{name}", "services": [name], "scopes": scopes})
    for name in (*MEMBERS, *OTHERS, *ODD, "teacher"):
        fill(tmp / "users" / escape(name), 100)
    hub = await start_hub(config, tmp)
    try:
        expected = {*MEMBERS, *OTHERS, *ODD, "teacher"}
        for name in expected:
            add_user(hub.db, hub, name=name)
            with hub.control.held(name, create=True) as held:
                held.write(Record(name, actual_bytes=100, started=NOW, stopped=NOW))

        async def all_seen():
            items = (await get(hub, "users", "reader")).json()["items"]
            return expected <= {item["name"] for item in items if item["record"]}

        await until_true(all_seen)
        yield hub
    finally:
        await stop_hub(hub)


def url(hub, path):
    return public_url(hub, path=f"services/efs-quota/api/{path}")


def token_of(hub, who, scopes=None):
    """A token: of a service by its name, else a new one of a user."""
    if who in SERVICES:
        return f"token-of-{who}"
    user = find_user(hub.db, who)
    return user.new_api_token(scopes=scopes) if scopes else user.new_api_token()


async def ask(hub, method, path, who=None, scopes=None, headers=None, **more):
    if who is not None:
        headers = {"Authorization": f"token {token_of(hub, who, scopes)}", **(headers or {})}
    session = hub.session()
    return await session.request(method, url(hub, path), headers=headers, **more)


async def get(hub, path, who=None, **more):
    return await ask(hub, "get", path, who, **more)


def write(hub, name, **fields):
    """A user's record, and what the service shows of it before the next loop."""
    given = {"started": NOW, "stopped": NOW, "quota_source": "hand", **fields}
    with hub.control.held(name, create=True) as held:
        held.write(Record(name, **given))


@pytest.fixture
def locked(course):
    """Anna holds twice her quota."""
    write(course, "anna", quota_bytes=QUOTA, actual_bytes=2 * QUOTA, quota_state=State.LOCKOUT)
    return "anna"


def names(answer):
    assert answer.status_code == 200, answer.text
    return sorted(item["name"] for item in answer.json()["items"])


async def cookie_session(hub, name, page=""):
    """A browser that has been at the service's page, and the XSRF token that it got there."""
    session = await hub.login(name)
    answer = await session.get(public_url(hub, path=f"services/efs-quota/{page}"))
    assert answer.status_code == 200, answer.text
    token = next(
        cookie.value
        for cookie in session.cookies
        if cookie.name == "_xsrf" and "efs-quota" in cookie.path
    )
    return SimpleNamespace(session=session, xsrf={"X-XSRFToken": token})


# Who sees whom.


async def test_an_instructor_sees_the_members_of_the_course_and_totals_count_no_others(course):
    mine = sorted([*MEMBERS, "teacher"])  # and themselves
    for who in ("teacher", "course-reader"):
        answer = await get(course, "users", who)
        assert names(answer) == (mine if who == "teacher" else MEMBERS)
        assert answer.json()["total"] == len(names(answer))
    answer = await get(course, "users?state=ok&q=a&limit=1", "course-reader")
    assert answer.json()["total"] <= len(MEMBERS)
    answer = await get(course, "users?group=course&sort=-size", "reader")
    assert names(answer) == MEMBERS


async def test_an_instructor_sees_the_same_in_the_browser(course):
    browser = await cookie_session(course, "teacher")
    answer = await browser.session.get(url(course, "users"), headers=browser.xsrf)
    assert names(answer) == sorted([*MEMBERS, "teacher"])
    answer = await browser.session.get(url(course, "users/carl"), headers=browser.xsrf)
    assert answer.status_code == 404


async def test_users_see_themselves_and_nobody_else(course):
    assert names(await get(course, "users", "carl")) == ["carl"]
    assert (await get(course, "users", "carl")).json()["total"] == 1
    assert (await get(course, "users/carl", "carl")).json()["name"] == "carl"
    for path in ("", "/explain", "/history", "/changes"):
        assert (await get(course, f"users/dora{path}", "carl")).status_code == 404


async def test_a_filter_by_name_shows_that_user_only(course):
    assert names(await get(course, "users", "one-reader")) == ["carl"]
    assert (await get(course, "users/carl", "one-reader")).status_code == 200
    assert (await get(course, "users/anna", "one-reader")).status_code == 404


async def test_an_administrator_sees_and_changes_all_but_not_by_a_token_for_something_else(course):
    everybody = sorted([*MEMBERS, *OTHERS, *ODD, "teacher"])
    assert set(everybody) <= set(names(await get(course, "users?limit=1000", "admin")))
    # As that of a server has: it may tell the hub's name for an administrator, no more.
    scopes = ["users:activity!user", "read:users:name!user"]
    answer = await get(course, "users", "admin", scopes=scopes)
    assert answer.status_code == 403
    body = json.dumps({"bytes": 1})
    answer = await ask(course, "put", "users/carl/quota", "admin", scopes=scopes, data=body)
    assert answer.status_code == 403


async def test_a_token_without_any_of_our_scopes_and_none_at_all_learn_nothing(course):
    for path in ("users", "users/anna", "changes", "runs", "users/nobody"):
        assert (await get(course, path, "nobody-in-particular")).status_code == 403
        answer = await get(course, path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        answer = await get(course, path, headers={"Authorization": "token nonsense"})
        assert answer.status_code == 401
        assert answer.json()["status"] == 401


CALLS = [
    ("get", ""),
    ("get", "/explain"),
    ("get", "/history?points=3"),
    ("get", "/changes"),
    ("post", "/measure?wait=1"),
    ("put", "/quota"),
    ("delete", "/quota"),
]


@pytest.mark.parametrize("who", ["carl", "teacher", "course-reader", "one-reader"])
@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_who_is_not_to_be_seen_is_answered_like_who_does_not_exist(course, who, method, path):
    before = course.control.read("dora")
    body = {"data": json.dumps({"bytes": 5})} if method == "put" else {}
    answers = [
        await ask(course, method, f"users/{name}{path}", who, **body)
        for name in ("dora", "nobody", "nobody%2Felse")
    ]
    told = {(a.status_code, a.text, tuple(sorted(_lasting(a.headers)))) for a in answers}
    assert len(told) == 1 and answers[0].status_code == 404
    after = course.control.read("dora")
    assert (after.quota_bytes, after.quota_source) == (before.quota_bytes, before.quota_source)


def _lasting(headers):
    return {(k, v) for k, v in headers.items() if k.lower() not in ("date",)}


async def test_wrong_bodies_and_parameters_tell_nobody_who_exists(course):
    for path, method, data in (
        ("/quota", "put", "{nonsense"),
        ("/history?points=0", "get", None),
        ("/measure?wait=no", "post", None),
    ):
        there, not_there = [
            await ask(course, method, f"users/{name}{path}", "carl", data=data)
            for name in ("dora", "nobody")
        ]
        assert (there.status_code, there.text) == (not_there.status_code, not_there.text)


async def test_runs_may_name_anybody_so_they_are_for_who_sees_all(course):
    for who in ("teacher", "course-reader", "carl"):
        assert (await get(course, "runs", who)).status_code == 403
    await until_true(lambda: _total(course, "runs?job=reaper&outcome=success&limit=2"))
    answer = await get(course, "runs?job=reaper&limit=2", "admin")
    assert {item["job"] for item in answer.json()["items"]} == {"reaper"}
    assert (await get(course, "runs?outcome=failure", "reader")).json()["total"] == 0
    assert (await get(course, "runs?until=2020-01-01T00:00:00Z", "reader")).json()["total"] == 0


async def _total(course, path, who="reader"):
    return (await get(course, path, who)).json()["total"]


# What is changed.


async def put(hub, name, who, body, **more):
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return await ask(hub, "put", f"users/{quote(name, safe='')}/quota", who, data=data, **more)


async def test_an_instructor_lets_a_member_in_at_once_and_it_is_on_record(course, locked):
    answer = await put(course, locked, "teacher", {"bytes": "100Ki", "reason": "Thesis"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state_before"], told["state_after"]) == ("lockout", "ok")
    assert "locked out no more" in told["sentence"]
    record = course.control.read(locked)
    assert (record.quota_bytes, record.quota_state) == (100 * 1024, State.OK)
    user = (await get(course, f"users/{locked}", "anna")).json()
    assert user["quota"]["reason"] == "Thesis"
    assert user["quota"]["source"] == "hand"

    async def on_record():
        answer = await get(course, f"users/{locked}/changes?kind=quota-changed", "teacher")
        return [item for item in answer.json()["items"] if item["by"] == "teacher"]

    change = (await until_true(on_record))[0]
    assert change["reason"] == "Thesis"
    assert change["before"]["quota_bytes"] == QUOTA
    assert change["after"]["quota_bytes"] == 100 * 1024
    listed = (await get(course, "changes?kind=quota-changed", "teacher")).json()["items"]
    assert change in listed


async def test_a_quota_that_locks_out_says_so_in_the_answer(course):
    write(course, "bert", quota_bytes=QUOTA, actual_bytes=5_000)
    answer = await put(course, "bert", "teacher", {"bytes": 10})
    told = answer.json()
    assert told["state_after"] == "lockout" and "locks them out" in told["sentence"]
    assert course.control.read("bert").quota_state is State.LOCKOUT


async def test_a_reset_gives_the_quota_of_the_group(course, locked):
    answer = await ask(course, "delete", f"users/{locked}/quota", "teacher")
    assert answer.status_code == 200, answer.text
    record = course.control.read(locked)
    assert (record.quota_bytes, record.quota_source) == (COURSE_QUOTA, "group:course")
    assert answer.json()["user"]["quota"]["source"] == "group:course"


async def test_a_quota_with_an_end_is_reset_by_the_next_loop_which_is_on_record(course, locked):
    end = datetime.now(timezone.utc) + timedelta(seconds=2)
    answer = await put(
        course, locked, "manager", {"bytes": "1Mi", "until": end.isoformat(), "reason": "now"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["state_after"] == "ok"
    await until(lambda: course.control.read(locked).quota_source == "group:course")
    record = course.control.read(locked)
    assert (record.quota_until, record.quota_reason) == (None, None)

    async def on_record():
        answer = await get(course, f"users/{locked}/changes?kind=quota-changed", "reader")
        return [item for item in answer.json()["items"] if item["by"] == "Reaper"]

    change = (await until_true(on_record))[0]
    assert "has passed" in change["reason"]
    assert (change["before"]["quota_bytes"], change["after"]["quota_bytes"]) == (2**20, 20_000)
    answer = await get(course, f"users/{locked}/changes?kind=quota-changed", "reader")
    asked = [item for item in answer.json()["items"] if item["by"] == "service manager"]
    assert asked and asked[0]["until"] is not None


async def test_who_may_only_read_changes_and_measures_nobody(course):
    before = course.control.read("anna").quota_bytes
    for who in ("reader", "course-reader", "anna"):
        assert (await put(course, "anna", who, {"bytes": 5})).status_code == 403
        assert (await ask(course, "delete", "users/anna/quota", who)).status_code == 403
    assert (await ask(course, "post", "users/anna/measure", "reader")).status_code == 403
    assert course.control.read("anna").quota_bytes == before


async def test_users_have_their_own_home_measured_and_others_only_by_who_manages(course):
    for name, who in (("anna", "anna"), ("bert", "teacher"), ("carl", "manager")):
        home = fill(course.efs / "users" / name, 777)
        answer = await ask(course, "post", f"users/{name}/measure?wait=60", who)
        assert answer.status_code == 200, answer.text
        assert answer.json()["record"]["actual_bytes"] == 777
        assert home.exists()


async def test_a_measurement_that_nobody_waits_for_goes_on_where_it_says(course):
    fill(course.efs / "users" / "carl", 4_321)
    answer = await ask(course, "post", "users/carl/measure", "carl")
    assert answer.status_code == 202
    told = answer.json()
    assert told["measuring"] is True
    assert told["look"] == answer.headers["Location"]
    assert told["look"].endswith("/api/users/carl")
    await until(lambda: course.control.read("carl").actual_bytes == 4_321)

    async def done():
        return not (await get(course, "users/carl", "carl")).json()["measuring"]

    await until_true(done)


async def test_a_home_that_is_gone_cannot_be_measured_and_the_answer_says_so(course):
    orm_user = add_user(course.db, course, name="homeless")
    try:
        write(course, "homeless")
        answer = await ask(course, "post", "users/homeless/measure?wait=30", "homeless")
        assert answer.status_code == 409
        assert "The home cannot be used" in answer.json()["message"]
    finally:
        course.users.delete(orm_user.id)


async def test_measurements_come_in_order_and_thinned_out(course):
    for size in (10, 20, 30):
        fill(course.efs / "users" / "dora", size)
        answer = await ask(course, "post", "users/dora/measure?wait=60", "dora")
        assert answer.status_code == 200

    async def three():
        answer = await get(course, "users/dora/history", "dora")
        return answer.json() if len(answer.json()["items"]) >= 3 else None

    series = await until_true(three)
    assert [item["bytes"] for item in series["items"]][-3:] == [10, 20, 30]
    fewer = (await get(course, "users/dora/history?points=1", "dora")).json()["items"]
    assert [item["bytes"] for item in fewer] == [30]
    since = quote(series["items"][-1]["started"])
    later = (await get(course, f"users/dora/history?since={since}", "dora")).json()["items"]
    assert [item["bytes"] for item in later] == [30]


async def test_the_growth_is_told_and_sorted_by_if_asked_for(course):
    answer = await get(course, "users?sort=-growth&limit=3", "reader")
    assert answer.status_code == 200
    growths = [item["growth"] for item in answer.json()["items"]]
    known = [growth for growth in growths if growth is not None]
    assert known == sorted(known, reverse=True) and known


async def test_an_explanation_says_which_rule_gave_the_quota_and_why_the_state(course, locked):
    answer = await get(course, f"users/{locked}/explain", "anna")
    told = answer.json()
    assert {rule["rule"]: rule["gives"] for rule in told["rules"]} == {
        "default": [],
        "group:course": [],
        "hand": ["bytes", "files"],
    }
    assert told["state"]["causes"] == ["over-bytes"]
    assert {turn["change"] for turn in told["would_change"]} >= {"free-space", "larger-quota"}


# Browsers.


async def test_a_cookie_changes_nothing_without_the_xsrf_token(course, locked):
    browser = await cookie_session(course, "teacher")
    before = course.control.read(locked).quota_bytes
    address, body = url(course, f"users/{locked}/quota"), json.dumps({"bytes": "1Gi"})
    for headers in ({}, {"X-XSRFToken": "2|aaaa|bbbb|1"}):
        answer = await browser.session.put(address, data=body, headers=headers)
        assert answer.status_code == 401
        answer = await browser.session.delete(address, headers=headers)
        assert answer.status_code == 401
    # What a page of another site fetches with the visitor's cookie tells it nothing either.
    answer = await browser.session.get(address, headers={"Sec-Fetch-Mode": "cors"})
    assert answer.status_code in (401, 405)
    answer = await browser.session.get(
        url(course, f"users/{locked}"), headers={"Sec-Fetch-Mode": "cors"}
    )
    assert answer.status_code == 401
    assert course.control.read(locked).quota_bytes == before
    answer = await browser.session.put(address, data=body, headers=browser.xsrf)
    assert answer.status_code == 200, answer.text
    assert course.control.read(locked).quota_bytes == 2**30


# Whatever is sent.


# A client resolves `..` in a path before anybody is asked.
@pytest.mark.parametrize("name", [name for name in ODD if name != ".."])
async def test_a_name_that_looks_like_a_path_is_a_name(course, name):
    path = f"users/{quote(name, safe='')}"
    answer = await get(course, path, "reader")
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == name
    answer = await put(course, name, "manager", {"bytes": 54_321})
    assert answer.status_code == 200, answer.text
    assert course.control.read(name).quota_bytes == 54_321


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        b"\xff\xfe",
        "[]",
        '"20Gi"',
        "null",
        "{}",
        '{"reason": "only"}',
        '{"bytes": null}',
        '{"bytes": NaN}',
        '{"bytes": Infinity}',
        '{"bytes": 1e400}',
        '{"bytes": -1}',
        '{"bytes": 1.5}',
        '{"bytes": true}',
        '{"bytes": "many"}',
        '{"bytes": "-1Gi"}',
        '{"bytes": "99999999999999P"}',
        '{"bytes": [5]}',
        '{"bytes": 5, "files": "5"}',
        '{"bytes": 5, "files": -1}',
        '{"bytes": 5, "files": 1e30}',
        '{"bytes": 5, "until": "2099-01-01T00:00:00"}',
        '{"bytes": 5, "until": "2099-01-01"}',
        '{"bytes": 5, "until": "9999-12-31T23:59:59-12:00"}',
        '{"bytes": 5, "until": 5}',
        '{"bytes": 5, "reason": 5}',
        '{"bytes": 5, "reason": "\\u0000"}',
        '{"bytes": 5, "reason": "\\ud800"}',
        '{"bytes": 5, "unknown": 1}',
        '{"bytes": ' + "9" * 5000 + "}",
        json.dumps({"bytes": 5, "reason": "x" * 501}),
        "[" * 50_000,
        '{"bytes":' * 5_000,
    ],
    ids=lambda body: repr(body)[:40],
)
async def test_a_bad_body_is_refused_with_what_is_wrong_and_changes_nothing(course, body):
    before = course.control.read("dora").quota_bytes
    answer = await put(course, "dora", "manager", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"]
    assert course.control.read("dora").quota_bytes == before


async def test_an_end_in_the_past_is_refused_and_changes_nothing(course):
    before = course.control.read("dora").quota_bytes
    answer = await put(course, "dora", "manager", {"bytes": 5, "until": "2020-01-01T00:00:00Z"})
    assert answer.status_code == 409 and "past" in answer.json()["message"]
    assert course.control.read("dora").quota_bytes == before


@pytest.mark.parametrize(
    "time",
    ["since=2026-11-23T00:00:00Z&until=2026-11-22T00:00:00Z", "until=0001-01-01T00:00:00Z"],
)
async def test_a_time_in_which_nothing_can_have_been_has_no_measurements(course, time):
    answer = await get(course, f"users/dora/history?{time}", "reader")
    assert (answer.status_code, answer.json()["items"]) == (200, []), answer.text


async def test_a_body_that_is_too_large_is_refused(course):
    body = json.dumps({"bytes": 5, "reason": "x" * 70_000})
    assert (await put(course, "dora", "manager", body)).status_code == 413
    body = json.dumps({"bytes": 5, "reason": "x" * 2_000_000})
    assert (await put(course, "dora", "manager", body)).status_code in (400, 413, 503)


@pytest.mark.parametrize(
    "path",
    [
        "users?limit=0",
        "users?limit=1001",
        "users?limit=-1",
        "users?limit=1.5",
        "users?limit=%C2%B2",
        "users?limit=%D9%A3",
        "users?limit=",
        "users?limit=1&limit=2",
        "users?offset=" + "9" * 100,
        "users?sort=shoe-size",
        "users?sort=--name",
        "users?state=drunk",
        "users?growth=maybe",
        "users?q=" + "x" * 300,
        "users?q=%FF",
        "users?lmit=5",
        "users/dora/history?since=yesterday",
        "users/dora/history?since=2026-11-22T00:00:00",
        "users/dora/history?points=5001",
        "users/dora/changes?offset=x",
        "runs?outcome=perhaps",
    ],
)
async def test_a_bad_parameter_is_refused_with_what_is_wrong(course, path):
    answer = await get(course, path, "reader")
    assert answer.status_code == 400, answer.text
    assert answer.json()["status"] == 400 and answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("post", "users", "GET"),
        ("put", "users/dora", "GET"),
        ("head", "users", "GET"),
        ("options", "users/dora/quota", "DELETE, PUT"),
        ("get", "users/dora/quota", "DELETE, PUT"),
        ("get", "users/dora/measure", "POST"),
        ("patch", "users/dora/quota", "DELETE, PUT"),
    ],
)
async def test_a_method_that_does_not_go_names_those_that_do(course, method, path, allowed):
    answer = await ask(course, method, path, "manager")
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


async def test_a_route_that_is_not_there_is_a_404_in_json(course):
    for path in ("", "nothing", "users/", "users/dora/nothing", "users//"):
        answer = await get(course, path, "reader")
        assert (answer.status_code, answer.json()["status"]) == (404, 404), path


async def test_the_contract_is_served_to_everybody_as_json_and_yaml(course):
    told = (await get(course, "openapi.json")).json()
    assert told["servers"][0]["url"].endswith("/services/efs-quota/api")
    assert yaml.safe_load((await get(course, "openapi.yaml")).text) == told


async def test_errors_of_a_damaged_file_say_so_and_leave_it(course):
    path = course.control.path("dora")
    before = path.read_text()
    try:
        path.write_text("quota_bytes: many\n")
        answer = await put(course, "dora", "manager", {"bytes": 5})
        assert answer.status_code == 409
        assert "damaged" in answer.json()["message"]
        # Which file, and where in it, is told to who may look at it.
        answer = await put(course, "dora", "admin", {"bytes": 5})
        assert f"{path}" in answer.json()["message"]
        assert "quota_bytes" in answer.json()["message"]
        assert path.read_text() == "quota_bytes: many\n"
        user = (await get(course, "users/dora", "reader")).json()
        assert "damaged" in user["problem"]
    finally:
        path.write_text(before)


async def test_schemathesis_finds_nothing_that_the_contract_does_not_say(course, tmp_path):
    """Some requests of each kind, right and wrong, against the running service."""
    # A user, so that there is a home to free space in; and one who may do all else, too.
    fill(course.efs / "users" / "admin", 100)
    token = token_of(course, "admin", ["access:services!service=efs-quota"])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "schemathesis.cli", "run", url(course, "openapi.json")),
        *("--url", url(course, "").rstrip("/")),
        *("--header", f"Authorization: token {token}"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--max-time", "15"),
        # The proxy answers TRACE and odd paths by itself; tokens are tried above.
        *("--exclude-checks", "unsupported_method,ignored_auth"),
        *("--seed", "1", "--no-color", "--continue-on-failure", "--no-shrink"),
        *("--generation-database", "none", "--suppress-health-check", "all"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, out.decode()[-8000:]
