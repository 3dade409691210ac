"""A site of its own: `jupyterhub -f FILE` with its proxy and our service, each a process.

As a stranger has it: the commands are run next to it, and nothing of it is in the tests.
"""

import json
import os
import signal
import subprocess
import sys
import time

import urllib.request
from contextlib import suppress
from pathlib import Path


from jupyterhub_efs_quota.configure import CUSTOM_SCOPES
from jupyterhub_efs_quota.homes import escape

from ..conftest import environment, fill
from ..ports import free_port

# What the tests do in the hub, they do with this.
ADMIN_TOKEN = "an-admin-token-of-the-tests"
POOR_TOKEN = "a-token-that-may-little"

BEGIN = """
import os
c.JupyterHub.bind_url = "http://127.0.0.1:{public}/base/"
c.JupyterHub.hub_port = {hub}
c.JupyterHub.db_url = "sqlite:///{tmp}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{tmp}/cookie_secret"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.pid_file = "{tmp}/proxy.pid"
if os.environ.get("CONFIGURABLE_HTTP_PROXY"):
    c.ConfigurableHTTPProxy.command = os.environ["CONFIGURABLE_HTTP_PROXY"].split()
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"root-of-the-hub"}}
c.Authenticator.allowed_users = {{"alice", "homer@example.org"}}
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.services = [
    {{"name": "tests", "api_token": "{token}"}},
    {{"name": "poor", "api_token": "{poor_token}"}},
]
c.JupyterHub.load_roles = [
    {{
        "name": "tests",
        "services": ["tests"],
        "scopes": ["admin:users", "admin:groups", "tokens", "access:services",
                   "custom:efs-quota:admin"],
    }},
    {{"name": "poor", "services": ["poor"],
      "scopes": ["list:users!user=alice", "read:users:activity", "read:servers",
                 "access:services", "custom:efs-quota:read!user=alice"]}},
]
c.JupyterHub.custom_scopes = {scopes}
"""
END = """
from jupyterhub_efs_quota import setup
setup(
    c,
    url="http://127.0.0.1:{service}",
    quota_control="{tmp}/quota-control",
    home_root="{tmp}/users",
    default_quota=10_000,
    log_format="console",
    history_url="sqlite:///{tmp}/history.sqlite",
)
"""


class Site:
    """A hub below a directory. `config` is its file, which a test may write anew."""

    def __init__(self, tmp: Path, begin: str = BEGIN, end: str = END):
        self.tmp = tmp
        self.homes, self.control = tmp / "users", tmp / "quota-control"
        for directory in (self.homes, self.control):
            directory.mkdir(parents=True)
        for user, size in (("alice", 12_000), ("homer@example.org", 100), ("root-of-the-hub", 1)):
            fill(self.homes / escape(user), size)
        self.values = {
            "tmp": tmp,
            "token": ADMIN_TOKEN,
            "poor_token": POOR_TOKEN,
            "scopes": CUSTOM_SCOPES,
            **{name: free_port() for name in ("public", "hub", "proxy", "service")},
        }
        self.begin, self.end = begin.format(**self.values), end.format(**self.values)
        self.config = self.write(self.begin + self.end)
        self.url = f"http://127.0.0.1:{self.values['public']}/base"
        self.process = None

    def write(self, text, name="jupyterhub_config.py"):
        """A file with a configuration, beside the one that the hub runs with."""
        path = self.tmp / name
        path.write_text(text)
        return path

    def start(self):
        log = (self.tmp / "hub.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(self.config)],
            cwd=self.tmp,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.wait(lambda: self.ask("/services/efs-quota/health")["status"] == "ok")

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            # What is left of its group: only what we started is in it.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def ask(self, path, method="GET", body=None, token=ADMIN_TOKEN):
        """An answer of the hub or the service, as JSON."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def wait(self, look, secs=120):
        """Wait until something is true, and does not fail."""
        end = time.monotonic() + secs
        while True:
            try:
                if value := look():
                    return value
            except (OSError, ValueError, KeyError):
                pass
            assert time.monotonic() < end, (self.tmp / "hub.log").read_text()[-4000:]
            assert self.process.poll() is None, (self.tmp / "hub.log").read_text()[-4000:]
            time.sleep(0.1)


class Ran:
    """A command that has ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"{self.code}\n{self.out}\n{self.err}"


def run(*arguments, timeout=120, **variables):
    """Run `jupyterhub-efs-quota`, as somebody at a terminal does, in a pipe."""
    return Ran(
        subprocess.run(
            [sys.executable, "-m", "jupyterhub_efs_quota", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment(**variables),
        )
    )
