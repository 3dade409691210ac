"""The pages in this process: all of them, but for the hub, which says who a token is of."""

from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import pytest
from bs4 import BeautifulSoup
from jupyterhub.services.auth import HubOAuth
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.settings import EFSQuota
from jupyterhub_efs_quota.users.quotas import Quotas
from jupyterhub_efs_quota.web.application import load_templates, make_application
from jupyterhub_efs_quota.web.parts import Parts

from ..conftest import NOW
from ..history.conftest import quick, sqlite_url, start  # noqa: F401

# Compiled once: most of the time of a test would be that.
TEMPLATES = load_templates()
PREFIX = "/services/efs-quota/"
ACCESS = "access:services!service=efs-quota"
# Each visitor by a token of their name.
SCOPES = {
    "admin": [],
    "support": ["custom:efs-quota:read"],
    "teacher": ["custom:efs-quota:manage!group=course"],
    "looker": ["custom:efs-quota:read!group=course"],
    "mentor": ["custom:efs-quota:manage!user=anna"],
    "anna": [],
    "carl": [],
}
GIB = 2**30


def model_of(name):
    """What the hub answers about a visitor's token."""
    if name not in SCOPES:
        return None
    return {
        "kind": "user",
        "name": name,
        "admin": name == "admin",
        "groups": ["course"] if name == "anna" else [],
        "scopes": [ACCESS, f"custom:efs-quota:read!user={name}", *SCOPES[name]],
    }


@dataclass
class Pages:
    """The pages, and what is behind them."""

    url: str
    parts: Parts
    put: object
    history: object
    client: AsyncHTTPClient = field(default_factory=lambda: AsyncHTTPClient(force_instance=True))

    async def get(self, path, who):
        return await self._fetch(path, who)

    async def post(self, path, who, **fields):
        return await self._fetch(path, who, method="POST", body=urlencode(fields, doseq=True))

    async def page(self, path, who):
        """A page as it is parsed; it has to be there."""
        answer = await self.get(path, who)
        assert answer.code == 200, answer.body.decode()
        return parsed(answer)

    async def follow(self, answer, who):
        """The page to which an answer leads."""
        assert answer.code == 303, parsed(answer).find("main").text
        location = answer.headers["Location"]
        assert location.startswith(PREFIX)
        return await self.page(location.removeprefix(PREFIX), who)

    async def _fetch(self, path, who, **more):
        return await self.client.fetch(
            f"{self.url}{path}",
            headers={"Authorization": f"token {who}"},
            raise_error=False,
            request_timeout=40,
            follow_redirects=False,
            **more,
        )


def parsed(answer):
    return BeautifulSoup(answer.body, "html.parser")


@pytest.fixture
def settings(efs):
    return EFSQuota(
        quota_control=str(efs / "quota-control"),
        home_root=str(efs / "users"),
        default_quota="10Gi",
        group_quotas={"course": "20Gi"},
    )


@pytest.fixture
def history(start, sqlite_url):  # noqa: F811
    """A history; a test that is about none asks for `no_history`."""
    return start(sqlite_url)


@pytest.fixture
def no_history():
    return Recorder()


@pytest.fixture
def make_pages(rooms, write, monkeypatch):
    """Serve pages: `make_pages(history)`, and of which parts else."""
    servers = []
    for name, value in (
        ("API_TOKEN", "secret"),
        ("CLIENT_ID", "service-efs-quota"),
        ("SERVICE_PREFIX", PREFIX),
        ("SERVICE_NAME", "efs-quota"),
        ("OAUTH_ACCESS_SCOPES", f'["access:services", "{ACCESS}"]'),
    ):
        monkeypatch.setenv(f"JUPYTERHUB_{name}", value)
    HubOAuth.clear_instance()
    # These are read from the environment when it is imported.
    HubOAuth.instance(base_url=PREFIX)

    async def user_for_token(self, token, use_cache=True, session_id="", *, sync=True):
        return model_of(token)

    monkeypatch.setattr(HubOAuth, "user_for_token", user_for_token)

    def put(name, groups=(), **fields):
        """A user who is on record and on the board."""
        values = {"quota_bytes": 10 * GIB, "quota_source": "hand", "actual_bytes": GIB}
        values |= {"fraction_used": 0.1, "started": NOW, "stopped": NOW, **fields}
        record = write(name, **values)
        rooms.board.saw(HubUser(name, groups=groups), record, by="Reaper")
        return record

    def make(history, **more):
        given = dict(
            board=rooms.board,
            store=rooms.store,
            offload=rooms.offload,
            remeasure=None,
            templates=TEMPLATES,
            trouble=list,
            clock=rooms.clock,
            menu_text="Storage",
            counted=rooms.counted,
            exposition=None,
            directories=None,
            history=history,
            quotas=Quotas(rooms.settings, rooms.store, rooms.clock, history, rooms.board),
        )
        parts = Parts(**{**given, **more})
        server = HTTPServer(make_application(parts, PREFIX, api_token="secret", verify_secs=1))
        listening, port = bind_unused_port()
        server.add_socket(listening)
        servers.append(server)
        return Pages(f"http://127.0.0.1:{port}{PREFIX}", parts, put, history)

    yield make
    for server in servers:
        server.stop()
    HubOAuth.clear_instance()


@pytest.fixture
async def pages(make_pages, history):
    """The pages of a hub with a course of two, and two others."""
    pages = make_pages(history)
    pages.put("anna", ("course", "secret-club"), actual_bytes=5 * GIB, fraction_used=0.5)
    pages.put("bert", ("course",), actual_bytes=2 * GIB, fraction_used=0.2)
    pages.put("carl", ("other",))
    pages.put("dora", ("other",), actual_bytes=8 * GIB, fraction_used=0.8)
    return pages


def path_of(answer):
    return urlsplit(answer.headers["Location"]).path
