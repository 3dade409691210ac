"""A site whose homes are on a small file system that is really full, for the tests of rescues.

As root: it mounts one. Users' servers are JupyterLab.
"""

import json
import os
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyterhub_efs_quota.control.store import ControlStore

from ..conftest import fill_up, processes
from .site import ADMIN_TOKEN, BEGIN, Site

MIB = 1024 * 1024
QUOTA = 12 * MIB

USERS = ("alice", "homer", "lisa", "bart")
SERVERS = """
import sys
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{"OF_THE_SITE": "yes"}}
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
c.SimpleLocalProcessSpawner.home_dir_template = "{tmp}/users/{{username}}"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = False
c.Authenticator.allowed_users = {{"alice", "homer", "lisa", "bart"}}
c.JupyterHub.load_roles.append(
    {{"name": "servers", "services": ["tests"], "scopes": ["access:servers", "servers"]}}
)
"""
END = """
from jupyterhub_efs_quota import setup
setup(
    c,
    url="http://127.0.0.1:{service}",
    quota_control="{tmp}/quota-control",
    home_root="{tmp}/users",
    home_path="{{home_root}}/{{username}}",
    default_quota={quota},
    log_format="console",
    history_url="sqlite:///{tmp}/history.sqlite",
    allow_delete=True,
    on_lockout="{on_lockout}",
    rescue_measure_secs=1,
    rescue_growth="1Mi",
    rescue_overrides={{"cpu_limit": 0.5}},
    reaper_period_secs=2,
    monitor_period_secs=2,
)
"""


class FullSite(Site):
    """A hub whose homes are on a small file system."""

    def __init__(self, tmp):
        super().__init__(tmp, begin=BEGIN + SERVERS, end="")
        self.values["quota"] = QUOTA
        self.store = ControlStore(self.control)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48m,mode=755", "tmpfs", str(self.homes)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.decode()}")

    def configure(self, on_lockout):
        end = END.format(**self.values, on_lockout=on_lockout)
        self.config = self.write(self.begin + end)

    def unmount(self):
        subprocess.run(["umount", "--lazy", str(self.homes)], check=True)

    def home(self, user):
        """An empty home, and no record of its user: as on the first day."""
        home = self.homes / user
        subprocess.run(["rm", "-rf", str(home), str(self.control / user)], check=True)
        home.mkdir()
        return home

    def full(self, user):
        """A home with junk, that fills the whole file system."""
        home = self.home(user)
        junk = home / ".cache" / "pip" / "wheels"
        junk.mkdir(parents=True)
        (junk / "large.whl").write_bytes(b"x" * 20 * MIB)
        config = home / ".jupyter"
        config.mkdir()
        # A trash in the home: what is deleted would free nothing, and need space itself.
        trash = {"FileContentsManager": {"delete_to_trash": True}}
        (config / "jupyter_server_config.json").write_text(json.dumps(trash))
        (home / "notebook.ipynb").write_text(NOTEBOOK)
        # Lab was here before: it has left its checkpoint, which a full home has no room for.
        (home / ".ipynb_checkpoints").mkdir()
        (home / ".ipynb_checkpoints" / "notebook-checkpoint.ipynb").write_text(NOTEBOOK)
        (home / "unopened.ipynb").write_text(NOTEBOOK)
        fill_up(home)
        assert os.statvfs(home).f_bavail == 0
        return home

    def record(self, user):
        return self.store.read(user)

    def locked(self, user):
        """Wait until the monitor has found a user over."""
        self.wait(lambda: (r := self.record(user)) and r.quota_state.value == "lockout")

    def spawn(self, user, server=""):
        path = (
            f"/hub/api/users/{user}/servers/{server}" if server else f"/hub/api/users/{user}/server"
        )
        self.ask(path, "POST")
        self.wait(lambda: self.servers(user).get(server, {}).get("ready"), 300)

    def get(self, path):
        """A page, as text."""
        request = Request(f"{self.url}{path}", headers={"Authorization": f"token {ADMIN_TOKEN}"})
        with urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def done(self, user, kind):
        """What was done to a user, of a kind: the history writes in its own time."""
        path = f"/services/efs-quota/api/users/{user}/changes"
        return self.wait(lambda: [e for e in self.ask(path)["items"] if e["kind"] == kind])

    def servers(self, user):
        return self.ask(f"/hub/api/users/{user}")["servers"]

    def stop_servers(self):
        for user in USERS:
            for server in self.servers(user):
                path = f"servers/{server}" if server else "server"
                self.ask(f"/hub/api/users/{user}/{path}", "DELETE")
        # Who is stopping still cannot start another one.
        self.wait(lambda: not any(self.servers(user) for user in USERS))

    def stop_server(self, user):
        self.ask(f"/hub/api/users/{user}/server", "DELETE")
        self.wait(lambda: not self.servers(user))

    def environment(self, user):
        """The environment of a user's server, as the kernel has it."""
        for pid in processes("jupyterhub.singleuser"):
            text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            found = dict(line.split("=", 1) for line in text.split("\0") if "=" in line)
            if found.get("JUPYTERHUB_USER") == user and str(self.tmp) in found.get("HOME", ""):
                return found
        raise AssertionError(f"{user} has no server")

    def edit(self, user, **fields):
        with self.store.held(user, wait_secs=30) as held:
            held.write(replace(held.read(), **fields))

    def refusal(self, user, server=""):
        with pytest.raises(HTTPError) as refused:
            self.spawn(user, server)
        assert refused.value.code == 403
        return json.loads(refused.value.read())["message"]

    async def run(self, user, code):
        """What a piece of Python prints in a kernel of the user's server."""
        base = f"/user/{user}/api/kernels"
        kernel = self.ask(base, "POST", {})["id"]
        url = f"{self.url}{base}/{kernel}/channels".replace("http", "ws", 1)
        socket = await websocket_connect(
            HTTPRequest(url, headers={"Authorization": f"token {ADMIN_TOKEN}"}, request_timeout=120)
        )
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3",
                  "username": "", "session": uuid.uuid4().hex}  # fmt: skip
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        await socket.write_message(json.dumps({**message, "channel": "shell"}))
        printed = ""
        while True:
            said = json.loads(await socket.read_message())
            if said["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            if said["msg_type"] == "stream":
                printed += said["content"]["text"]
            elif said["msg_type"] == "error":
                raise AssertionError(said["content"])
            elif said["msg_type"] == "execute_reply":
                break
        while "\n" not in printed:  # what was printed may come after the reply
            said = json.loads(await socket.read_message())
            printed += said["content"].get("text", "")
        socket.close()
        return printed.strip()


CELL = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
NOTEBOOK = json.dumps(
    {
        "cells": [{**CELL, "source": ""}],
        "metadata": {"kernelspec": KERNEL},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)
