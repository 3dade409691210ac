"""What behaves as a test tells it: a hub that answers, a store that is slow or changes."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import tornado.httpserver
import tornado.web
from tornado.testing import bind_unused_port

from jupyterhub_efs_quota.hub import client
from jupyterhub_efs_quota.hub.client import HubClient


def a_user(name, **more):
    return {
        "name": name,
        "admin": False,
        "groups": [],
        "last_activity": None,
        "servers": {},
        **more,
    }


class ScriptedHub:
    """A hub that answers as it is told, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.answers = []
        self.users = []
        self.page_limit = 200

    def answer(self, status=200, body="", **headers):
        """The answer to the next request; without one, it lists `users` and stops servers."""
        self.answers.append((status, body, headers))

    async def respond(self, handler):
        self.asked.append(handler.request)
        if not self.answers:
            if handler.request.method == "DELETE":
                handler.set_status(204)
            else:
                self.list_users(handler)
            return
        status, body, headers = self.answers.pop(0)
        if status == "hang":
            await asyncio.sleep(30)
            return
        handler.set_status(status)
        for name, value in headers.items():
            handler.set_header(name.replace("_", "-"), value)
        if status == 204:
            handler.finish()
        else:
            handler.finish(body if isinstance(body, str) else json.dumps(body))

    def list_users(self, handler):
        offset = int(handler.get_argument("offset"))
        limit = min(int(handler.get_argument("limit")), self.page_limit)
        end = offset + limit
        following = {"offset": end, "limit": limit, "url": "http://elsewhere.invalid/"}
        handler.finish(
            {
                "items": self.users[offset:end],
                "_pagination": {
                    "offset": offset,
                    "limit": limit,
                    "total": len(self.users),
                    "next": following if end < len(self.users) else None,
                },
            }
        )


@pytest.fixture
async def hub(monkeypatch):
    """The hub's API at `hub.client`; waits between tries are noted, not waited for."""
    hub = ScriptedHub()

    class Handler(tornado.web.RequestHandler):
        async def get(self):
            await hub.respond(self)

        delete = get

    listening, port = bind_unused_port()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([(r".*", Handler)]))
    server.add_socket(listening)
    hub.waited = []
    real_sleep = asyncio.sleep

    async def sleep(secs):
        hub.waited.append(secs)
        await real_sleep(0)

    patched = type("asyncio", (), {"sleep": staticmethod(sleep)})
    monkeypatch.setattr(client, "asyncio", patched)
    hub.url = f"http://127.0.0.1:{port}/hub/api"
    hub.client = HubClient(hub.url, "secret")
    yield hub
    server.stop()
    await server.close_all_connections()


@pytest.fixture(scope="session")
def bad_store(tmp_path_factory):
    """A library that makes a process's store slow, or changes it at the worst moment."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("needs gcc")
    shim = tmp_path_factory.mktemp("store") / "bad_store.so"
    source = Path(__file__).parent / "bad_store.c"
    subprocess.run(
        [gcc, "-O1", "-shared", "-fPIC", str(source), "-o", str(shim), "-ldl"], check=True
    )
    return str(shim)
