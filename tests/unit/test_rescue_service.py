"""A hub that may not write the control files: the service begins rescues for it."""

import json
import subprocess
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from jupyterhub_efs_quota.hub.spawn import SpawnGate
from jupyterhub_efs_quota.loops.rescue import Rescues
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.remeasure import utcnow
from jupyterhub_efs_quota.settings import EFSQuota
from jupyterhub_efs_quota.web.rescue import BeginRescue, RescueBegan

from ..conftest import NOW, Remembers, as_root, come_about
from .test_rescue_hook import OURS, QUOTA, homer, locked  # noqa: F401

HOUR = timedelta(hours=1)
TOKEN = "the-services-own"


@pytest.fixture
def rooms(rooms):
    # The hub's hook has a clock of its own.
    return replace(rooms, clock=utcnow)


@pytest.fixture
async def service(rooms, remeasure):
    """The service's routes for the hub, over real HTTP; with rescues as the settings have them."""
    rooms.settings.on_lockout = "rescue"
    history = Remembers()
    parts = SimpleNamespace(
        rescues=Rescues(rooms, remeasure), store=rooms.store, offload=rooms.offload,
        clock=utcnow, board=rooms.board, history=history, failed=lambda error: None,
    )  # fmt: skip
    given = {"parts": parts, "api_token": TOKEN, "budget_secs": 3}
    socket, port = bind_unused_port()
    app = web.Application(
        [
            (r"/s/api/users/([^/]+)/rescue", BeginRescue, given),
            (r"/s/api/users/([^/]+)/rescued", RescueBegan, given),
        ]
    )
    server = HTTPServer(app)
    server.add_socket(socket)

    async def post(what, body, token=TOKEN):
        answer = await AsyncHTTPClient().fetch(
            HTTPRequest(
                f"http://127.0.0.1:{port}/s/api/users/homer/{what}",
                method="POST",
                body=body if isinstance(body, bytes) else json.dumps(body).encode(),
                headers={"Authorization": f"token {token}"},
            ),
            raise_error=False,
        )
        return answer.code, json.loads(answer.body) if answer.code == 200 else None

    yield SimpleNamespace(
        url=f"http://127.0.0.1:{port}", prefix="/s/", api_token=TOKEN, href="/s/", post=post,
        history=history, rescues=parts.rescues,
    )  # fmt: skip
    await parts.rescues.wait(30)
    server.stop()


@pytest.fixture
def gate(settings, service, homer):  # noqa: F811
    """A gate of a hub that has this service, with a control directory of its own choice."""
    homer.settings["app"] = SimpleNamespace(_service_map={"efs-quota": service}, internal_ssl=False)

    def make(control):
        return SpawnGate(
            EFSQuota(
                quota_control=str(control),
                home_root=settings.home_root,
                default_quota=QUOTA,
                on_lockout="rescue",
                verify_secs=0,
            )
        )

    return make


@pytest.fixture
def read_only(efs):
    """The control directory, as a hub sees it that may only read it."""
    seen = efs / "as-the-hub-sees-it"
    seen.mkdir()
    ran = subprocess.run(
        ["mount", "--bind", efs / "quota-control", seen], capture_output=True, check=False
    )
    if ran.returncode:
        pytest.skip(f"cannot mount here: {ran.stderr.decode()}")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(seen)], check=True)
    yield seen
    subprocess.run(["umount", "--lazy", str(seen)], check=True)


@as_root
async def test_a_hub_that_may_only_read_has_the_service_begin_a_rescue(
    gate, service, read_only, homer, locked, store  # noqa: F811
):  # fmt: skip
    locked()
    one = homer.spawner(server="gpu")
    await gate(read_only).check(one)
    assert set(one.environment) >= OURS
    record = store.read("homer")
    assert record.rescue_server == "gpu"
    assert abs(record.rescue_until - utcnow() - HOUR) < timedelta(minutes=5)
    started = one.orm_spawner.started.replace(tzinfo=NOW.tzinfo)
    assert record.rescue_started == started, "it would not be known for a rescue"
    (action,) = service.history.actions
    assert (action.kind, action.server) == ("spawn-rescued", "gpu")


@as_root
async def test_what_the_service_refuses_is_refused_with_its_words(
    gate, service, read_only, homer, locked, store  # noqa: F811
):  # fmt: skip
    from tornado.web import HTTPError

    over = utcnow() - timedelta(minutes=1)
    locked(rescue_began=over - HOUR, rescue_until=over, rescue_server="")
    with pytest.raises(HTTPError) as refused:
        await gate(read_only).check(homer.spawner())
    assert "The next one can begin at" in refused.value.jupyterhub_message


@as_root
async def test_who_is_not_locked_out_any_more_gets_a_usual_server(
    gate, service, read_only, homer, locked, store, monkeypatch  # noqa: F811
):  # fmt: skip
    stale = locked()
    locked(quota_state=State.OK, actual_bytes=10)
    opened = gate(read_only)
    monkeypatch.setattr(opened, "_read", lambda user: stale)
    one = homer.spawner()
    await opened.check(one)
    assert not OURS & set(one.environment)


async def test_a_rescue_that_the_hub_wrote_itself_is_on_record_and_measured(
    gate, service, homer, locked, store, efs  # noqa: F811
):  # fmt: skip
    locked()
    await gate(efs / "quota-control").check(homer.spawner())
    await come_about(lambda: service.history.actions)
    (action,) = service.history.actions
    assert (action.kind, action.user, action.server) == ("spawn-rescued", "homer", "")
    assert action.until == store.read("homer").rescue_until
    await service.rescues.wait(30)
    assert store.read("homer").started != NOW


SERVER = {"name": "", "started": "2026-11-22T12:00:00+00:00"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        {"server": SERVER, "running": 1},
        {"server": {"name": 1, "started": None}, "running": []},
        {"server": {"name": "", "started": "yesterday"}, "running": []},
    ],
)
async def test_only_the_hub_begins_rescues_and_in_their_form(service, locked, store, body):  # noqa: F811
    before = locked()
    assert (await service.post("rescue", body, token="wrong"))[0] == 403
    assert (await service.post("rescue", body))[0] == 400
    assert (await service.post("rescued", body, token=""))[0] == 403
    assert store.read("homer") == before


async def test_a_service_that_offers_none_begins_none(service, locked, store):  # noqa: F811
    before = locked()
    service.rescues.terms = None
    code, _ = await service.post("rescue", {"server": SERVER, "running": []})
    assert code == 409 and store.read("homer") == before


async def test_a_rescue_that_is_not_in_the_file_is_not_on_record(service, locked):  # noqa: F811
    locked()
    assert (await service.post("rescued", {"server": SERVER}))[0] == 404
    assert service.history.actions == []
