"""Who may read the metrics and the quotas for Open OnDemand, by both ways, of a real service."""

import asyncio
import json
import re

import pytest
from jupyterhub.tests.utils import add_user, public_url
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.quota.record import State

from ..conftest import NOW, fill
from ..ports import free_port
from ..unit.test_docs import metrics_in_documentation
from .conftest import QUOTA, SERVICE, hub_config, until

pytestmark = pytest.mark.over_both

METRICS = f"services/{SERVICE}/metrics"
QUOTAS = f"services/{SERVICE}/api/open-ondemand/quotas"
READ = "custom:efs-quota:read"


@pytest.fixture
async def asked(hub):
    """Ask the service for a page with a token that has these scopes; the answer."""
    made = []

    async def ask(path, *scopes, kind="token"):
        name = f"reader-{len(made)}"
        user = add_user(hub.db, hub, name=name)
        made.append(user)
        given = {}
        if scopes:
            role = hub_role(hub, name, scopes)
            user.orm_user.roles.append(role)
            hub.db.commit()
            token = user.orm_user.new_api_token(scopes=list(scopes))
            given = {"headers": {"Authorization": f"{kind} {token}"}}
        session = hub.session()
        return await session.get(public_url(hub, path=path), allow_redirects=False, **given)

    yield ask
    for user in made:
        hub.users.delete(user.id)


def hub_role(hub, name, scopes):
    from jupyterhub import orm, roles

    roles.create_role(hub.db, {"name": name, "scopes": list(scopes)})
    return orm.Role.find(hub.db, name=name)


@pytest.mark.parametrize("path", [METRICS, QUOTAS])
async def test_without_a_token_nothing_is_told_and_nobody_is_sent_to_a_login(asked, path):
    answer = await asked(path)
    assert answer.status_code == 403


@pytest.mark.parametrize("path", [METRICS, QUOTAS])
async def test_a_token_that_the_hub_does_not_know_is_told_nothing(hub, path):
    for header in ({"Authorization": "token nonsense"}, {"Authorization": "Basic Zm9vOmJhcg=="}):
        answer = await hub.session().get(public_url(hub, path=path), headers=header)
        assert answer.status_code == 403


@pytest.mark.parametrize("path", [METRICS, QUOTAS])
@pytest.mark.parametrize("who", ["user", "admin"])
async def test_a_browser_is_told_nothing_whoever_sits_before_it(hub, user, path, who):
    name = user.name if who == "user" else "admin"
    session = await hub.login(name)
    # Logged in at the service, too: its cookie is there.
    page = await session.get(public_url(hub, path=f"services/{SERVICE}/users"))
    assert page.status_code == (403 if who == "user" else 200)
    answer = await session.get(public_url(hub, path=path), allow_redirects=False)
    assert answer.status_code == 403


async def test_a_token_with_the_scope_of_the_hubs_own_metrics_reads_ours(hub, asked):
    for kind in ("token", "Bearer"):
        answer = await asked(METRICS, "read:metrics", kind=kind)
        assert answer.status_code == 200
        assert "jupyterhub_efs_quota_build_info" in answer.text
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    "scopes", [["list:users", "read:hub"], [READ], [f"access:services!service={SERVICE}"]]
)
async def test_a_token_without_the_scope_does_not_read_the_metrics(asked, scopes):
    assert (await asked(METRICS, *scopes)).status_code == 403


async def test_the_metrics_show_no_name_unless_the_site_wants_it(hub, user, asked):
    answer = await asked(METRICS, "read:metrics")
    assert user.name not in answer.text and "admin" not in answer.text
    assert "dirsize_" not in answer.text


async def users_in(answer):
    assert answer.status_code == 200
    made = json.loads(answer.text)
    assert made["version"] == 1
    return {one["user"] for one in made["quotas"]}


async def test_a_token_for_some_users_reads_the_quotas_of_these_only(asked):
    # The first cycle has seen the administrator.
    assert await users_in(await asked(QUOTAS, READ)) >= {"admin"}
    assert await users_in(await asked(QUOTAS, "custom:efs-quota:admin")) >= {"admin"}
    assert await users_in(await asked(QUOTAS, f"{READ}!user=admin")) == {"admin"}
    assert await users_in(await asked(QUOTAS, f"{READ}!user=nobody")) == set()
    assert (await asked(QUOTAS, "read:metrics")).status_code == 403


async def fetch(url):
    try:
        answer = await AsyncHTTPClient().fetch(url, request_timeout=20)
    except HTTPClientError as error:
        return error.code, ""
    return answer.code, answer.body.decode()


def with_homes(tmp_path, **settings):
    """A hub with two users' homes, whose service serves metrics on a port of its own."""
    for name in ("alice", "homer@stsci.edu"):
        fill(tmp_path / "users" / escape(name), 1234)
    port = free_port()
    c = hub_config(
        tmp_path, metrics_port=port, user_metrics="names", reaper_period_secs=1, **settings
    )
    c.JupyterHub.load_groups = {"lab": {"users": ["alice"]}}
    return c, f"http://127.0.0.1:{port}"


def people(hub):
    for name in ("alice", "homer@stsci.edu"):
        add_user(hub.db, hub, name=name)


async def test_the_port_of_its_own_tells_everything_that_the_documentation_names_and_no_more(
    hub_app, tmp_path
):
    c, url = with_homes(tmp_path, monitor_period_secs=1)
    hub = await hub_app(c)
    people(hub)

    async def text():
        return (await fetch(f"{url}/metrics"))[1]

    async def shows(line, there=True):
        for _ in range(300):
            shown = await text()
            if (line in shown) is there:
                return shown
            await asyncio.sleep(0.2)
        raise AssertionError(f"{line}: {there} did not come about")

    shown = await shows('dirsize_total_size_bytes{directory="homer-40stsci-2eedu"} 1234')
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", shown, re.MULTILINE))
    documented = metrics_in_documentation()
    assert kinds == {name: kind for name, (kind, _) in documented.items()}
    labels = {
        name: set(re.findall(r'(\w+)="', " ".join(lines_of(shown, name)))) - {"le"}
        for name in kinds
    }
    for name, (_, said) in documented.items():
        # Counters that have not begun have no labels yet.
        assert labels[name] in (said, set()), name
    assert labels["jupyterhub_efs_quota_cycles_total"] == {"loop", "outcome"}
    assert 'jupyterhub_efs_quota_users{state="ok"} 2.0' in shown
    # Nothing else is there, and nothing can be changed.
    for path in ("/", "/hub", f"/services/{SERVICE}/", "/metrics/x"):
        assert (await fetch(url + path))[0] == 404, path
    with pytest.raises(HTTPClientError) as refused:
        await AsyncHTTPClient().fetch(f"{url}/metrics", method="POST", body="")
    assert refused.value.code == 405
    # A user who is removed from the hub is gone with the next cycle.
    hub.users.delete(next(u for u in hub.users.values() if u.name == "alice").id)
    await shows('directory="alice"', there=False)


def lines_of(shown, name):
    return [
        line for line in shown.splitlines() if re.match(rf"{name}(_bucket|_sum|_count)?{{", line)
    ]


async def test_the_file_for_open_ondemand_is_there_after_a_cycle_and_a_group_has_its_token(
    hub_app, tmp_path
):
    file = tmp_path / "quota.json"
    c, _ = with_homes(tmp_path, monitor_period_secs=1, ood_quota_file=str(file))
    hub = await hub_app(c)
    people(hub)

    def users():
        if not file.exists():
            return set()
        return {one["user"] for one in json.loads(file.read_text())["quotas"]}

    await until(lambda: users() == {"alice", "homer@stsci.edu"}, secs=60)
    (one,) = [o for o in json.loads(file.read_text())["quotas"] if o["user"] == "alice"]
    assert one["path"] == str(tmp_path / "users" / "alice")
    assert (one["total_block_usage"], one["total_file_usage"]) == (2, 1)
    assert one["block_limit"] == -(-QUOTA // 1024)
    # A token for a group reads the figures of its members.
    scopes = [f"{READ}!group=lab"]
    role = hub_role(hub, "lab-lead", scopes)
    lead = add_user(hub.db, hub, name="lead")
    lead.orm_user.roles.append(role)
    hub.db.commit()
    token = lead.orm_user.new_api_token(scopes=scopes)
    answer = await hub.session().get(
        public_url(hub, path=QUOTAS), headers={"Authorization": f"token {token}"}
    )
    assert await users_in(answer) == {"alice"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"metrics_bind": "192.0.2.1"}, "There are no metrics at 192.0.2.1"),
        (
            {"user_metrics": "pseudonyms", "metrics_key_file": "/no/such/key"},
            "There are no metrics of single homes. c.EFSQuota.metrics_key_file: /no/such/key",
        ),
    ],
)
async def test_metrics_that_cannot_be_had_stop_no_enforcement_and_are_said(
    hub_app, tmp_path, settings, said
):
    given = {"metrics_port": free_port(), "reaper_period_secs": 1, **settings}
    hub = await hub_app(hub_config(tmp_path, **given))
    add_user(hub.db, hub, name="over")
    fill(tmp_path / "users" / "over", 5 * QUOTA)
    from jupyterhub_efs_quota.quota.record import Record

    with hub.control.held("over", create=True) as held:
        held.write(Record("over", actual_bytes=5 * QUOTA, started=NOW, stopped=NOW))
    await until(lambda: hub.control.read("over").quota_state is State.LOCKOUT, secs=40)
    session = await hub.login("admin")
    page = await session.get(public_url(hub, path=f"services/{SERVICE}/users"))
    assert said in page.text
