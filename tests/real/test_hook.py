"""Spawns through a real hub: refused in a lockout, allowed otherwise."""

import asyncio
import sqlite3
import time
from datetime import timedelta

import pytest
from jupyterhub.tests.utils import add_user, api_request, auth_header, public_url
from jupyterhub.utils import make_ssl_context
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.web import HTTPError

from jupyterhub_efs_quota.hub.spawn import SpawnGate, make_hook, pre_spawn_hook
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.remeasure import utcnow
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import NOW, fill
from .conftest import QUOTA, SERVICE, until

pytestmark = pytest.mark.over_both

OVER = 5 * QUOTA
LOCKED = {
    "quota_bytes": QUOTA,
    "quota_source": "hand",
    "actual_bytes": OVER,
    "quota_state": State.LOCKOUT,
    "started": NOW,
    "stopped": NOW,
}


@pytest.fixture
def locked(user):
    """A user who is over, on disk and on record."""
    fill(user.home, OVER)
    user.write(**LOCKED)
    return user


@pytest.fixture
def gate(hub):
    """A gate under settings of its own, for the real spawners of the hub."""

    def make(**settings):
        given = {
            "quota_control": str(hub.efs / "quota-control"),
            "home_root": str(hub.efs / "users"),
            "default_quota": QUOTA,
        }
        return SpawnGate(EFSQuota(**{**given, **settings}))

    return make


def spawn(hub, user, server=""):
    path = f"users/{user.name}/servers/{server}" if server else f"users/{user.name}/server"
    return api_request(hub, path, method="post")


async def test_a_user_in_lockout_reads_why_on_the_page_of_the_refused_spawn(hub, locked):
    session = await hub.login(locked.name)
    page = await session.get(public_url(hub, path=f"hub/spawn/{locked.name}"))
    if page.status_code == 200:
        # The hub shows a page to wait on after a second, which a slow machine takes.
        while locked.orm.spawner.pending:
            await asyncio.sleep(0.05)
        page = await session.get(public_url(hub, path=f"hub/spawn-pending/{locked.name}"))
    else:
        assert page.status_code == 403
    assert "but are only permitted" in page.text
    assert "/services/efs-quota/" in page.text
    assert not locked.orm.spawner.active


async def test_a_user_in_lockout_reads_why_on_the_slow_path_too(hub, locked, monkeypatch):
    monkeypatch.setitem(hub.tornado_settings, "slow_spawn_timeout", 0)
    session = await hub.login(locked.name)
    await session.get(public_url(hub, path=f"hub/spawn/{locked.name}"))
    while locked.orm.spawner.pending:
        await asyncio.sleep(0.05)
    page = await session.get(public_url(hub, path=f"hub/spawn-pending/{locked.name}"))
    assert "but are only permitted" in page.text
    assert "/services/efs-quota/" in page.text


async def test_the_progress_of_a_refused_spawn_says_why_and_nothing_of_our_log(
    hub, locked, monkeypatch
):
    monkeypatch.setitem(hub.tornado_settings, "slow_spawn_timeout", 0)
    await spawn(hub, locked)
    while locked.orm.spawner.pending:
        await asyncio.sleep(0.05)
    progress = await hub.session().get(
        f"{public_url(hub, path='hub/api')}/users/{locked.name}/server/progress",
        headers=auth_header(hub.db, "admin"),
    )
    assert "but are only permitted" in progress.text
    assert "is in lockout" not in progress.text


async def test_the_api_answers_a_refused_spawn_with_403_and_the_reason(hub, locked):
    answer = await spawn(hub, locked)
    assert answer.status_code == 403
    assert "but are only permitted" in answer.json()["message"]


async def test_a_refusal_is_on_record_with_the_server_and_the_reason(hub, locked):
    await spawn(hub, locked, "gpu")

    def refusals():
        with sqlite3.connect(hub.efs / "history.sqlite") as database:
            return database.execute(
                "SELECT kind, server, by, reason FROM quota_actions JOIN quota_users u"
                " ON u.id = user_id WHERE u.name = ?",
                [locked.name],
            ).fetchall()

    ((kind, server, by, reason),) = await until(refusals)
    assert (kind, server, by) == ("spawn-refused", "gpu", "the spawn hook")
    assert "but are only permitted" in reason


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"server": ""}'])
async def test_only_the_hub_reports_refusals_and_in_their_form(hub, locked, body):
    service = hub._service_map[SERVICE]
    url = f"{service.url.rstrip('/')}{service.prefix}api/users/{locked.name}/refused"
    ssl = hub.internal_ssl and make_ssl_context(
        hub.internal_ssl_key, hub.internal_ssl_cert, cafile=hub.internal_ssl_ca
    )
    for token, status in (("wrong", 403), (service.api_token, 400)):
        answer = await AsyncHTTPClient().fetch(
            HTTPRequest(
                url,
                method="POST",
                body=body,
                headers={"Authorization": f"token {token}"},
                ssl_options=ssl or None,
            ),
            raise_error=False,
        )
        assert answer.code == status


async def test_named_servers_are_refused_in_a_lockout_too(hub, locked):
    assert (await spawn(hub, locked, "gpu")).status_code == 403


async def test_refusals_never_count_towards_the_limit_that_ends_the_hub(hub, locked):
    before = hub.tornado_settings.get("failure_count", 0)
    for _ in range(8):
        assert (await spawn(hub, locked)).status_code == 403
    assert hub.tornado_settings.get("failure_count", 0) <= max(before, 0)


async def test_a_user_who_has_deleted_enough_is_let_in_at_once(hub, user):
    fill(user.home, QUOTA // 2)
    user.write(**LOCKED)
    assert (await spawn(hub, user)).status_code in (201, 202)
    assert user.read().quota_state is State.OK
    assert user.read().actual_bytes == QUOTA // 2


async def test_a_lockout_that_still_holds_is_not_rewritten_by_a_spawn(hub, locked):
    before = locked.read()
    await spawn(hub, locked)
    assert locked.read() == before


async def test_a_user_without_a_control_file_is_let_in(hub, user):
    assert (await spawn(hub, user)).status_code in (201, 202)


@pytest.mark.parametrize("state", [State.OK, State.NEARING_LIMIT, State.VIOLATION, State.TIMED_OUT])
async def test_only_a_lockout_refuses_a_spawn(hub, user, state):
    user.write(**{**LOCKED, "quota_state": state})
    assert (await spawn(hub, user)).status_code in (201, 202)


async def test_a_disabled_quota_lets_a_user_in_whatever_the_state(hub, user):
    user.write(**LOCKED, quota_enabled=False)
    assert (await spawn(hub, user)).status_code in (201, 202)


async def test_a_user_near_the_limit_reads_so_in_the_progress_of_the_spawn(hub, user, gate):
    user.write(**{**LOCKED, "quota_state": State.NEARING_LIMIT})
    spawner = user.orm.spawner
    for _ in range(2):  # a spawner may be used again after a failed start
        await gate().check(spawner)
    events = [event async for event in spawner.progress()]
    told = [event for event in events if "logins may be disabled" in event.get("message", "")]
    assert len(told) == 1 and told[0] is events[0]
    assert len(events) > 1, "the spawner's own progress is lost"


@pytest.mark.parametrize("shown", [True, False])
async def test_every_user_reads_their_usage_in_the_progress_unless_the_site_wants_no_bar(
    hub, user, gate, shown
):
    user.write(**{**LOCKED, "quota_state": State.OK, "actual_bytes": 5_000})
    await gate(show_on_hub_pages=shown).check(user.orm.spawner)
    events = [event async for event in user.orm.spawner.progress()]
    told = [event for event in events if "4.9 KiB of 9.8 KiB used" in event.get("message", "")]
    assert told == ([events[0]] if shown else [])


async def test_who_is_in_the_grace_time_reads_in_the_progress_when_it_ends(hub, user, gate):
    since = utcnow() - timedelta(hours=1)
    user.write(**{**LOCKED, "quota_state": State.VIOLATION, "over_since": since})
    await gate(grace_secs=7200).check(user.orm.spawner)
    (first, *_) = [event async for event in user.orm.spawner.progress()]
    ends = since + timedelta(hours=2)
    assert f"at {ends:%Y-%m-%d %H:%M} UTC, your servers are stopped" in first["message"]


async def test_an_administrator_keeps_their_own_server(hub, locked, gate):
    locked.orm.admin = True
    await gate().check(locked.orm.spawner)
    with pytest.raises(HTTPError):
        await gate(admins_exempt=False).check(locked.orm.spawner)


async def test_a_broken_file_lets_in_or_refuses_as_the_site_has_set(hub, user, gate):
    user.write()
    hub.control.directory(user.name)
    with open(hub.control.path(user.name), "w") as file:
        file.write("quota_bytes: [")
    await gate().check(user.orm.spawner)
    with pytest.raises(HTTPError) as refused:
        await gate(on_error="refuse").check(user.orm.spawner)
    assert "cannot be checked" in refused.value.jupyterhub_message
    with open(hub.control.path(user.name)) as file:
        assert file.read() == "quota_bytes: [", "a broken file was overwritten"


async def test_no_message_of_a_refusal_carries_markup_from_a_user_name(hub, gate):
    name = "<img src=x onerror=alert(1)>"
    orm_user = add_user(hub.db, hub, name=name)
    from jupyterhub_efs_quota.quota.record import Record

    with hub.control.held(name, create=True) as held:
        held.write(Record(name, **LOCKED))
    try:
        with pytest.raises(HTTPError) as refused:
            await gate(verify_secs=0).check(orm_user.spawner)
        assert "<img" not in refused.value.jupyterhub_html_message
    finally:
        hub.users.delete(orm_user.id)


async def test_a_hub_without_the_homes_asks_the_service_whether_a_lockout_still_holds(
    hub, user, gate, tmp_path
):
    fill(user.home, QUOTA // 2)
    user.write(**LOCKED)
    (tmp_path / "elsewhere").mkdir()
    blind = gate(home_root=str(tmp_path / "elsewhere"))
    await blind.check(user.orm.spawner)
    assert user.read().quota_state is State.OK


async def test_a_hub_without_the_homes_still_refuses_who_is_over(hub, locked, gate, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(HTTPError):
        await gate(home_root=str(tmp_path / "elsewhere")).check(locked.orm.spawner)


async def test_the_record_stands_where_nobody_can_verify_it(hub, user, gate, tmp_path):
    fill(user.home, QUOTA // 2)
    user.write(**LOCKED)
    (tmp_path / "elsewhere").mkdir()
    alone = gate(home_root=str(tmp_path / "elsewhere"), service_name="no-such-service")
    with pytest.raises(HTTPError):
        await alone.check(user.orm.spawner)


@pytest.mark.parametrize("kind", ["sync", "async", "none"])
async def test_the_sites_own_hook_is_called_after_ours(hub, user, kind):
    called = []

    def sync_hook(spawner):
        called.append(spawner.user.name)

    async def async_hook(spawner):
        await asyncio.sleep(0)
        called.append(spawner.user.name)

    site = {"sync": sync_hook, "async": async_hook, "none": None}[kind]
    settings = EFSQuota(
        quota_control=str(hub.efs / "quota-control"), home_root=str(hub.efs / "users")
    )
    await make_hook(settings, site)(user.orm.spawner)
    assert called == ([] if kind == "none" else [user.name])


async def test_the_sites_own_hook_is_not_called_for_a_refused_spawn(hub, locked):
    settings = EFSQuota(
        quota_control=str(hub.efs / "quota-control"), home_root=str(hub.efs / "users")
    )
    with pytest.raises(HTTPError):
        await make_hook(settings, lambda spawner: pytest.fail("called"))(locked.orm.spawner)


async def test_the_hook_wired_by_hand_takes_its_settings_from_the_hubs_configuration(hub, locked):
    with pytest.raises(HTTPError):
        await pre_spawn_hook(locked.orm.spawner)


async def test_the_home_that_a_spawner_tells_is_what_the_service_measures(hub, user, gate):
    told = fill(hub.efs / "users" / "moved" / user.home.name, 77)
    spawner = user.orm.spawner
    spawner.home_dir = str(told)
    await gate().check(spawner)
    assert user.read().home == str(told)


async def test_a_home_outside_the_home_root_is_not_believed(hub, user, gate):
    spawner = user.orm.spawner
    spawner.home_dir = "/etc"
    await gate().check(spawner)
    assert user.read() is None


async def test_a_control_directory_that_is_not_mounted_is_an_error_and_no_new_user(
    hub, user, gate, tmp_path
):
    missing = str(tmp_path / "not-mounted")
    await gate(quota_control=missing).check(user.orm.spawner)
    with pytest.raises(HTTPError):
        await gate(quota_control=missing, on_error="refuse").check(user.orm.spawner)


async def test_a_spawner_that_fails_to_tell_the_home_does_not_open_the_gate(hub, locked, gate):
    class Odd:
        user, log = locked.orm.spawner.user, locked.orm.spawner.log
        handler = None

        @property
        def volume_mounts(self):
            raise KeyError("a template of the site's own")

    with pytest.raises(HTTPError):
        await gate().check(Odd())


async def test_a_store_that_hangs_holds_a_spawn_for_no_longer_than_the_time_limit(
    hub, user, gate, monkeypatch
):
    user.write(**LOCKED)
    slow = gate(hook_timeout=0.3)
    monkeypatch.setattr(slow, "_read", lambda user: time.sleep(2))
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    await slow.check(user.orm.spawner)
    ticking.cancel()
    assert ticks > 5, "the hub stood still meanwhile"


async def test_a_slow_password_database_neither_unlocks_nor_holds_a_spawn(
    hub, locked, gate, monkeypatch
):
    import jupyterhub_efs_quota.hub.spawn as spawn_module

    monkeypatch.setattr(spawn_module, "LEARN_SECS", 0.1)
    monkeypatch.setattr(spawn_module, "told_by", lambda spawner, root: "anything")
    monkeypatch.setattr(spawn_module, "directory", lambda told: time.sleep(1))
    with pytest.raises(HTTPError):
        await gate().check(locked.orm.spawner)


async def test_a_home_path_of_the_site_that_fails_neither_unlocks_nor_escapes(hub, locked, gate):
    def fails(user):
        raise KeyError(user)

    with pytest.raises(HTTPError):
        await gate(home_path=fails, service_name="none").check(locked.orm.spawner)


async def test_homes_that_hang_do_not_open_the_gate_for_others(hub, locked, gate, monkeypatch):
    monkeypatch.setattr("jupyterhub_efs_quota.hub.spawn.VERIFY_MARGIN_SECS", 0.1)
    stuck = gate(verify_secs=0.1, service_name="none")
    monkeypatch.setattr(
        "jupyterhub_efs_quota.remeasure.Remeasure._resolve", lambda *given: time.sleep(3)
    )
    refused = [stuck.check(locked.orm.spawner) for _ in range(70)]
    ends = await asyncio.gather(*refused, return_exceptions=True)
    assert [end for end in ends if not isinstance(end, HTTPError)] == []
