"""Every route of the service, walked by every kind of visitor.

The list of routes is the application's own: a route without a line in ROUTES below fails the
test. A line says, for one method, what each visitor is answered.
"""

from types import SimpleNamespace

import pytest
from jupyterhub.tests.utils import add_user, find_user, public_url

from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.web.application import make_application
from jupyterhub_efs_quota.web.plotly import find_plotly

from ..conftest import NOW, fill
from ..conftest import come_about as until
from .conftest import QUOTA, hub_config, start_hub, stop_hub

PREFIX = "/services/efs-quota/"
SERVICES = {
    "reader": ["access:services!service=efs-quota", "custom:efs-quota:read"],
    "manager": ["custom:efs-quota:manage"],
    "reporter": ["custom:efs-quota:report"],
    "scraper": ["read:metrics"],
    "stranger": ["list:users"],
}
# Who comes. anna's data is what is asked for wherever a path names a user.
VISITORS = {
    "nobody": "neither a cookie nor a token",
    "anna": "a user, in a browser",
    "other": "another user, in a browser",
    "lead": "who leads anna's group: custom:efs-quota:manage!group=course, in a browser",
    "watcher": "who may look at anna's group: custom:efs-quota:read!group=course, in a browser",
    "admin": "an administrator of the hub, in a browser",
    "forger": "anna's browser, sent here by another site: her cookie without the XSRF token",
    "forged-lead": "the same of the lead's browser",
    "forged-admin": "the same of an administrator's browser",
    "token": "a token of anna that opens the pages",
    "poor": "a token of anna that does not",
    "garbage": "a token that the hub does not know",
    **{name: f"a service with {' and '.join(scopes)}" for name, scopes in SERVICES.items()},
    "hub": "the hub itself, with the service's own token",
}
BROWSERS = ("anna", "other", "lead", "watcher", "admin")
# Whose cookie comes without the XSRF token, by the visitor.
FORGED = {"forger": "anna", "forged-lead": "lead", "forged-admin": "admin"}
# Of whom nothing proves who they are, or that they mean it.
UNPROVEN = ("nobody", "garbage", *FORGED)


def line(method, path, everybody=None, *, body=None, form=None, **statuses):
    """What each visitor is answered: `everybody`, and those who are named."""
    expected = {**dict.fromkeys(VISITORS, everybody), **statuses}
    missing = [name for name, status in expected.items() if status is None]
    assert not missing and set(expected) == set(VISITORS), (method, path, missing)
    return SimpleNamespace(method=method, path=path, body=body, form=form, expected=expected)


def each(status, *names):
    return dict.fromkeys(names, status)


# To the hub's login; a token that is not good enough is no login either.
LOGIN = each(302, *UNPROVEN)
# A token without the scope to open the pages is refused by the hub's own code, as every
# service's is that was not given it.
SHUT = each(403, "poor", "manager", "reporter", "scraper", "stranger", "hub")
# A page of the visitor's own. `reader` is a service, which has no storage.
OWN_PAGE = {**LOGIN, **SHUT, **each(200, *BROWSERS, "token"), "reader": 404}
ADMIN_PAGE = {
    **LOGIN, **SHUT, **each(403, *BROWSERS, "token", "reader"), "admin": 200,
}  # fmt: skip
NO_XSRF = each(403, *UNPROVEN)
# The table of users and what belongs to it: for those who look after somebody.
LOOK_AFTER = ("lead", "watcher", "admin", "reader")
PEOPLE = {**LOGIN, **SHUT, **each(403, "anna", "other", "token"), **each(200, *LOOK_AFTER)}
# A link changes nothing: it leads to the page.
NO_LINK = {**LOGIN, **SHUT, **each(302, *BROWSERS, "token", "reader")}
# What is done to anna by who manages her, and by nobody else.
LEAD_FORM = {
    **NO_XSRF, **SHUT, **each(403, "anna", "token", "watcher", "reader"), "other": 404,
    **each(303, "lead", "admin"),
}  # fmt: skip
# The scripts of pages ask with the XSRF token.
OWN_SCRIPT = {**OWN_PAGE, **each(403, *UNPROVEN)}


def form(path, status, *, admin_only=False, **sent):
    """A form of a page: who opens the page may send it, if the XSRF token is in it."""
    let_in = each(status, "admin") if admin_only else each(status, *BROWSERS, "token")
    refused = each(403, *BROWSERS, "token", "reader") if admin_only else {"reader": 404}
    unknown = each(403, *UNPROVEN)
    return line("post", path, form=sent, **{**unknown, **SHUT, **refused, **let_in})


# The API: who it does not know is told so, and who may not look gets nothing.
UNKNOWN = each(401, *UNPROVEN)
NOTHING = each(403, "poor", "scraper", "stranger", "hub")
OF_ANNA = {
    **UNKNOWN, **NOTHING, **each(200, "anna", "token", "lead", "watcher", "admin", "reader",
    "manager"), **each(404, "other", "reporter"),
}  # fmt: skip
LISTS = {**OF_ANNA, **each(200, "other", "reporter")}
MANAGED = {**OF_ANNA, **each(403, "anna", "token", "watcher", "reader")}
ALL_ONLY = {**LISTS, **each(403, "anna", "token", "other", "lead", "watcher", "reporter")}
OWN_API = {
    **UNKNOWN, **NOTHING, **each(403, "reader", "manager", "reporter"),
    **each(200, "anna", "other", "lead", "watcher", "admin", "token"),
}  # fmt: skip
RUN = {
    "job": "walk",
    "host": "here",
    "started": "2026-11-22T12:00:00Z",
    "completed": "2026-11-22T12:00:01Z",
}

ROUTES = {
    "": [line("get", "", **OWN_PAGE)],
    "measure": [
        line("get", "measure", **{**OWN_PAGE, **each(302, *BROWSERS, "token", "reader")}),
        form("measure", 303),
    ],
    "measuring": [line("get", "measuring", **OWN_SCRIPT)],
    "bar": [line("get", "bar", **OWN_PAGE)],
    "free": [line("get", "free", **OWN_PAGE)],
    "free/confirm": [form("free/confirm", 200, pick="data")],
    "free/delete": [form("free/delete", 303, pick="no%20such", how="aside")],
    "free/limbo": [form("free/limbo", 303, how="back")],
    "free/stop": [form("free/stop", 303)],
    "free/receipt": [line("get", "free/receipt", **OWN_PAGE)],
    "users": [line("get", "users", **PEOPLE)],
    "users\\.csv": [line("get", "users.csv", **PEOPLE)],
    "users/([^/]+)": [
        line("get", "users/anna", **{**PEOPLE, **each(302, "anna", "token"), "other": 404}),
    ],
    "users/([^/]+)/quota": [
        line("get", "users/anna/quota", **NO_LINK),
        # Who is let in reads what is wrong in a form that says nothing.
        line("post", "users/anna/quota", **{**LEAD_FORM, **each(400, "lead", "admin")}),
    ],
    "users/([^/]+)/measure": [
        line("get", "users/anna/measure", **NO_LINK),
        line("post", "users/anna/measure", **LEAD_FORM),
    ],
    "users/([^/]+)/measuring": [
        line("get", "users/anna/measuring", **{**LEAD_FORM, **each(200, "lead", "admin")}),
    ],
    "quotas": [
        line("get", "quotas", **NO_LINK),
        line("post", "quotas", **{**PEOPLE, **NO_XSRF, **each(400, *LOOK_AFTER)}),
    ],
    "quotas/([^/]+)": [
        line("get", "quotas/no-such", **{**PEOPLE, **each(404, *LOOK_AFTER)}),
        line("post", "quotas/no-such", **{**PEOPLE, **NO_XSRF, **each(404, *LOOK_AFTER)}),
    ],
    "overview": [line("get", "overview", **ADMIN_PAGE)],
    "overview/what-if": [
        line(
            "get",
            "overview/what-if?quota=10&unit=GiB",
            **{**ADMIN_PAGE, **each(403, *UNPROVEN)},
        ),
    ],  # fmt: skip
    "overview/settings": [line("get", "overview/settings", **ADMIN_PAGE)],
    "jobs": [line("get", "jobs", **ADMIN_PAGE)],
    "jobs/switch": [form("jobs/switch", 303, admin_only=True, job="walk", on="true")],
    "health": [line("get", "health", 200)],
    "metrics": [line("get", "metrics", 403, scraper=200)],
    "api/open-ondemand/quotas": [
        line("get", "api/open-ondemand/quotas", 403, **each(200, "reader", "manager")),
    ],
    "api/users/([^/]+)/verify": [line("post", "api/users/anna/verify", 403, hub=200)],
    "api/users/([^/]+)/refused": [
        line("post", "api/users/anna/refused", 403, hub=204, body={"server": "", "reason": "x"}),
    ],
    "api/overview": [
        line(
            "get",
            "api/overview",
            **{
                **UNKNOWN,
                **NOTHING,
                **each(403, *BROWSERS, "token", "reader", "manager", "reporter"),
                "admin": 200,
            },
        ),
    ],  # fmt: skip
    "api/users/([^/]+)/rescue": [line("post", "api/users/anna/rescue", 403, hub=400)],
    "api/users/([^/]+)/rescued": [line("post", "api/users/anna/rescued", 403, hub=400)],
    "api/users": [line("get", "api/users", **LISTS)],
    "api/users/([^/]+)": [line("get", "api/users/anna", **OF_ANNA)],
    "api/users/([^/]+)/explain": [line("get", "api/users/anna/explain", **OF_ANNA)],
    "api/users/([^/]+)/history": [line("get", "api/users/anna/history", **OF_ANNA)],
    "api/users/([^/]+)/changes": [line("get", "api/users/anna/changes", **OF_ANNA)],
    "api/users/([^/]+)/measure": [
        line("post", "api/users/anna/measure?wait=60", **{**MANAGED, **each(200, "anna", "token")}),
    ],
    "api/users/([^/]+)/quota": [
        line("put", "api/users/anna/quota", body={"bytes": QUOTA}, **MANAGED),
        line("delete", "api/users/anna/quota", **MANAGED),
    ],
    "api/changes": [line("get", "api/changes", **LISTS)],
    "api/runs": [
        line("get", "api/runs", **ALL_ONLY),
        line(
            "post",
            "api/runs",
            body=RUN,
            **{**ALL_ONLY, **each(403, "reader", "manager"), **each(201, "reporter", "admin")},
        ),
    ],  # fmt: skip
    "api/jobs": [line("get", "api/jobs", **ALL_ONLY)],
    "api/jobs/switch": [
        line("get", "api/jobs/switch?job=walk", **{**ALL_ONLY, "reporter": 200}),
        line(
            "put",
            "api/jobs/switch",
            body={"job": "walk", "on": True},
            **{**ALL_ONLY, **each(403, "reader", "manager")},
        ),
    ],  # fmt: skip
    "api/free": [
        line("get", "api/free", **OWN_API),
        line("post", "api/free", body={"do": "stop"}, **OWN_API),
    ],
    "api/free/list": [line("get", "api/free/list", **OWN_API)],
    "api/openapi.json": [line("get", "api/openapi.json", 200)],
    "api/openapi.yaml": [line("get", "api/openapi.yaml", 200)],
    "api(/.*)?": [line("get", "api/no/such", 404)],
    # Without the state of a login that has begun there is none to be ended.
    "oauth_callback": [line("get", "oauth_callback", 400)],
    "static/(.*)": [line("get", "static/efs-quota.css", 200)],
    "plotly-([0-9a-f]+)\\.js": [line("get", f"plotly-{find_plotly().name}.js", 200)],
}
METHODS = ("get", "post", "put", "patch", "delete")


def routes_of_the_application():
    """The patterns of all routes, below the prefix."""
    application = make_application(None, PREFIX, api_token="", verify_secs=1)
    patterns = {rule.matcher.regex.pattern for rule in application.wildcard_router.rules}
    found = {pattern.rstrip("$").removeprefix(PREFIX) for pattern in patterns}
    return found - {PREFIX.rstrip("/")}  # that one leads to the pages, with its slash


@pytest.fixture(scope="module")
async def course(tmp_path_factory):
    """A hub with anna in a course, its lead, who watches it, somebody else, and services."""
    tmp = tmp_path_factory.mktemp("walked")
    config = hub_config(tmp, reaper_period_secs=1)
    c = config.JupyterHub
    leads = {"leads": "manage", "watchers": "read"}
    c.load_groups = {
        "course": {"users": ["anna"]},
        "leads": {"users": ["lead"]},
        "watchers": {"users": ["watcher"]},
    }
    for group, level in leads.items():
        scopes = [f"custom:efs-quota:{level}!group=course"]
        c.load_roles.append({"name": f"of-{group}", "groups": [group], "scopes": scopes})
    for name, scopes in SERVICES.items():
        c.services.append({"name": name, "api_token": f"token-of-{name}"})
        c.load_roles.append({"name": f"service-{name}", "services": [name], "scopes": scopes})
    for name in ("admin", *BROWSERS):
        fill(tmp / "users" / escape(name), 100)
    hub = await start_hub(config, tmp)
    try:
        for name in BROWSERS:
            add_user(hub.db, hub, name=name)
            with hub.control.held(name, create=True) as held:
                held.write(Record(name, actual_bytes=100, started=NOW, stopped=NOW))
        yield hub
    finally:
        await stop_hub(hub)


def url(hub, path):
    return public_url(hub, path=f"services/efs-quota/{path}")


async def browser(hub, name):
    """A session that has been at the page, and the XSRF token that it got there."""
    session = await hub.login(name)
    answer = await session.get(url(hub, ""))
    assert answer.status_code == 200, answer.text
    xsrf = next(c.value for c in session.cookies if c.name == "_xsrf" and "efs-quota" in c.path)
    return session, {"X-XSRFToken": xsrf}


@pytest.fixture(scope="module")
async def visitors(course):
    """Each visitor's session and headers."""
    anna = find_user(course.db, "anna")
    tokens = {
        "token": anna.new_api_token(scopes=["access:services!service=efs-quota"]),
        "poor": anna.new_api_token(scopes=["users:activity!user"]),
        "garbage": "0123456789abcdef",
        "hub": course._service_map["efs-quota"].api_token,
        **{name: f"token-of-{name}" for name in SERVICES},
    }
    found = {name: await browser(course, name) for name in BROWSERS}
    found["nobody"] = (course.session(), {})
    # As a browser says it of a script or a form of another site.
    elsewhere = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}
    for name, whose in FORGED.items():
        found[name] = ((await browser(course, whose))[0], elsewhere)
    for name, token in tokens.items():
        found[name] = (course.session(), {"Authorization": f"token {token}"})
    assert set(found) == set(VISITORS)

    async def seen():
        answer = await course.session().get(
            url(course, "api/users"), headers={"Authorization": "token token-of-reader"}
        )
        rows = answer.json()["items"]
        return any(row["name"] == "anna" and row["groups"] == ["course"] for row in rows)

    while not await seen():  # a loop tells who is in a group
        pass
    return found


async def sent(hub, visitor, method, path, body=None, form=None):
    session, headers = visitor
    more = {"json": body} if body is not None else {"data": form or {}} if method != "get" else {}
    answer = await session.request(
        method, url(hub, path), headers=headers, allow_redirects=False, **more
    )
    return answer.status_code


def test_every_route_of_the_application_has_a_line_here_and_no_other_has():
    assert routes_of_the_application() == set(ROUTES)


def test_no_route_that_changes_anything_takes_a_cookie_without_its_xsrf_token():
    changing = [line for lines in ROUTES.values() for line in lines if line.method != "get"]
    assert {line.method for line in changing} == {"post", "put", "delete"}
    for each_line in changing:
        refused = {each_line.expected[name] for name in FORGED}
        assert refused <= {401, 403}, each_line.path
        assert 200 <= max(each_line.expected.values()), each_line.path


async def test_a_plan_of_an_administrator_is_not_carried_out_without_the_xsrf_token(
    course, visitors
):
    session, headers = visitors["admin"]
    wish = {"user": "anna", "how": "set", "size": "5Gi", "reason": "More"}
    answer = await session.post(
        url(course, "quotas"), data=wish, headers=headers, allow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    plan = answer.headers["Location"].partition("efs-quota/")[2]
    before = course.control.read("anna").quota_bytes
    for name in FORGED:
        assert await sent(course, visitors[name], "post", plan) == 403, name
    assert course.control.read("anna").quota_bytes == before
    # It is a plan that can be carried out.
    assert await sent(course, visitors["admin"], "post", plan) == 303
    assert course.control.read("anna").quota_bytes == 5 * 2**30


async def test_a_job_is_not_switched_without_the_xsrf_token(course, visitors):
    path, off = "api/jobs/switch", {"job": "of-the-site", "on": False, "reason": "x"}
    for name in FORGED:
        assert await sent(course, visitors[name], "put", path, off) == 401, name

    async def is_on():
        session, headers = visitors["reporter"]
        answer = await session.get(url(course, f"{path}?job=of-the-site"), headers=headers)
        return answer.json()["on"]

    assert await is_on()
    assert await sent(course, visitors["admin"], "put", path, off) == 200
    assert not await is_on()


@pytest.mark.parametrize("route", ROUTES)
async def test_every_visitor_is_answered_as_they_may_be(course, visitors, route):
    wrong = []
    for asked in ROUTES[route]:
        for name, expected in asked.expected.items():
            got = await sent(
                course, visitors[name], asked.method, asked.path, asked.body, asked.form
            )
            if got != expected:
                wrong.append(f"{asked.method} {asked.path} by {name}: {got}, not {expected}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("route", ROUTES)
async def test_a_method_that_is_not_in_the_table_does_nothing_for_anybody(course, visitors, route):
    there = {asked.method for asked in ROUTES[route]}
    path = ROUTES[route][0].path
    for method in METHODS:
        for name in ("nobody", "admin", "manager"):
            if method not in there:
                got = await sent(course, visitors[name], method, path)
                assert got >= 300, f"{method} {path} by {name}: {got}"
