"""Rows of users as the board has them, and the pages in this process, with a stand-in hub."""

import json
from datetime import timedelta

import pytest
from jupyterhub.services.auth import HubOAuth
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from jupyterhub_efs_quota.board import Problem, Row
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.web.application import load_templates, make_application
from jupyterhub_efs_quota.web.parts import Parts

from ..conftest import NOW

PREFIX = "/services/efs-quota/"
DAY = timedelta(days=1)


def a_row(name, size=None, *, active=NOW, problem=None, **fields):
    """A user who was measured, if a size is given."""
    times = {} if size is None else {"actual_bytes": size, "started": NOW, "stopped": NOW}
    record = Record(name, **{"quota_source": "default", "quota_bytes": 1000, **times, **fields})
    problems = {} if problem is None else {"Monitor": Problem(f"{name}: {problem}", problem)}
    return Row(HubUser(name, last_activity=active), record, problems)


# Who asks, by their token.
VISITORS = {
    "admin": {"admin": True, "scopes": ["access:services"]},
    "scoped": {"scopes": ["access:services", "custom:efs-quota:admin"]},
    "reader": {"scopes": ["access:services", "custom:efs-quota:read"]},
    "user": {"scopes": ["access:services"]},
}


class User(web.RequestHandler):
    """The hub's answer about a token."""

    def get(self):
        name = self.request.headers["Authorization"].partition(" ")[2]
        if name not in VISITORS:
            raise web.HTTPError(403)
        self.write({"kind": "user", "name": name, "admin": False, "groups": [], **VISITORS[name]})


@pytest.fixture
async def stand_in_hub(monkeypatch):
    """A hub that knows whose tokens the names of VISITORS are, for the pages to ask."""
    sock, port = bind_unused_port()
    server = HTTPServer(web.Application([(r"/hub/api/user", User)]))
    server.add_socket(sock)
    for name, value in {
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{port}/hub/api",
        "JUPYTERHUB_API_TOKEN": "x",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "service-efs-quota",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_NAME": "efs-quota",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(["access:services"]),
    }.items():
        monkeypatch.setenv(name, value)
    HubOAuth.clear_instance()
    # Its own default is what the environment was when the hub's module was imported.
    HubOAuth.instance(base_url=PREFIX)
    yield
    HubOAuth.clear_instance()
    server.stop()


@pytest.fixture
def make_parts(rooms, settings):
    """The service as its pages see it."""

    def make(**more):
        return Parts(
            **{
                "board": rooms.board,
                "store": rooms.store,
                "offload": rooms.offload,
                "remeasure": None,
                "templates": load_templates(),
                "trouble": list,
                "clock": rooms.clock,
                "menu_text": "Storage",
                "counted": rooms.counted,
                "exposition": None,
                "directories": None,
                "settings": settings,
                **more,
            }
        )

    return make


@pytest.fixture
async def get(stand_in_hub, make_parts):
    """Ask for a page as a visitor; the answer, whatever its status."""
    servers = []

    async def get(path, who="admin", **more):
        sock, port = bind_unused_port()
        application = make_application(make_parts(**more), PREFIX, api_token="x", verify_secs=1)
        servers.append(HTTPServer(application))
        servers[-1].add_socket(sock)
        return await AsyncHTTPClient().fetch(
            f"http://127.0.0.1:{port}{PREFIX}{path}",
            headers={"Authorization": f"token {who}"},
            raise_error=False,
            follow_redirects=False,
        )

    yield get
    for server in servers:
        server.stop()
