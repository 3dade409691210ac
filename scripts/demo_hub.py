"""A real JupyterHub with storage quotas, on this machine, for as long as one looks at it.

Run by `./scripts/demo`, which installs what it needs. The hub's configuration is
jupyterhub_config_example.py; what the demo has for itself (ports, folders, passwords,
small quotas, short periods) it gets by command line and environment.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import requests
from demo_history import remember_weeks
from demo_homes import ADMIN, QUOTA_MIB, USERS, make_control_files, make_homes
from demo_visit import DemoError, look_around, until

from jupyterhub_efs_quota.control.store import ControlStore

ROOT = Path(__file__).resolve().parent.parent
READY_SECS = 60
# The hub gives its servers some seconds each to end.
HUB_STOP_SECS = 30
LAST_WORDS_SECS = 6


class Demo:
    """One hub with all that belongs to it, in a folder of its own."""

    def __init__(self, state: Path) -> None:
        self.folder = state / f"run-{os.getpid()}"
        self.log = self.folder / "jupyterhub.log"
        self.homes = self.folder / "efs" / "users"
        self._control = self.folder / "efs" / "quota-control"
        public, hub, proxy, service = free_ports(4)
        self.url = f"http://127.0.0.1:{public}"
        self._hub_url = f"http://127.0.0.1:{hub}"
        self._proxy_url = f"http://127.0.0.1:{proxy}"
        self._service_url = f"http://127.0.0.1:{service}"
        # New ones each time: whoever logs in runs programs as you.
        user_password, admin_password = secrets.token_hex(6), secrets.token_hex(16)
        self.passwords = {user.name: user_password for user in USERS} | {ADMIN: admin_password}
        self._hub: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the homes and start the hub."""
        self.folder.mkdir(parents=True, mode=0o700)
        make_control_files(self._control)
        make_homes(self.homes, least_days=7)
        remember_weeks(self.folder / "efs-quota.sqlite", self.homes)
        make_homes(self.homes)
        command = [
            *(sys.executable, "-m", "jupyterhub"),
            f"--config={ROOT / 'jupyterhub_config_example.py'}",
            f"--JupyterHub.bind_url={self.url}",
            f"--JupyterHub.hub_bind_url={self._hub_url}",
            f"--ConfigurableHTTPProxy.api_url={self._proxy_url}",
        ]
        proxy = shlex.split(os.environ.get("CONFIGURABLE_HTTP_PROXY", ""))
        command += [f"--ConfigurableHTTPProxy.command={word}" for word in proxy]
        if os.geteuid() == 0:
            command.append("--Spawner.args=--allow-root")
        with self.log.open("wb") as log:
            self._hub = subprocess.Popen(
                command,
                # The hub keeps its database, its cookie secret and the proxy's pid here.
                cwd=self.folder,
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C is ours to handle: we stop the hub, and the hub the rest.
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        settings = {
            "url": self._service_url,
            "quota_control": str(self._control),
            "home_root": str(self.homes),
            "default_quota": f"{QUOTA_MIB}Mi",
            "monitor_period_secs": 10,
            "reaper_period_secs": 5,
            "stale_quota_secs": 5,
            "allow_delete": True,
            "log_format": "console",
        }
        return {
            "DEMO_SETTINGS": json.dumps(settings),
            "HUB_HOMES": f"{self.homes}/{{username}}",
            "HUB_USER_PASSWORD": self.passwords[USERS[0].name],
            "HUB_ADMIN_PASSWORD": self.passwords[ADMIN],
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def wait_until_measured(self) -> None:
        """Wait for the hub to answer and for the first cycle of the monitor."""
        until(self._answers, "the hub", READY_SECS)
        until(self._measured, "the first measurement of all homes", READY_SECS)

    def _answers(self) -> bool:
        self.check()
        with requests.Session() as session:
            session.trust_env = False
            with suppress(requests.ConnectionError):
                return session.get(f"{self.url}/hub/health", timeout=10).ok
        return False

    def _measured(self) -> bool:
        self.check()
        store = ControlStore(self._control)
        records = [store.read(user.name) for user in USERS]
        return all(
            record is not None and (record.stopped is not None or not record.quota_enabled)
            for record in records
        )

    def check(self) -> None:
        """Raise DemoError if the hub has ended by itself."""
        if self._hub is not None and self._hub.poll() is not None:
            raise DemoError(f"the hub has ended by itself, with status {self._hub.returncode}")

    def stop(self) -> list[str]:
        """Stop everything; the command lines of what did not end by itself and was killed."""
        if self._hub is None:
            return []
        self._hub.terminate()
        try:
            self._hub.wait(HUB_STOP_SECS)
            end = time.monotonic() + LAST_WORDS_SECS
            while descendants() and time.monotonic() < end:
                time.sleep(0.1)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass
        killed = []
        while left := descendants():
            for pid in left:
                with suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    os.kill(pid, signal.SIGKILL)
                    killed.append(b" ".join(words).decode(errors="replace").strip())
            time.sleep(0.1)
        return killed


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends: none is lost from sight."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def descendants() -> list[int]:
    """The processes that we started, and those that they started, which still run."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sorted(ours - {os.getpid()})


def remove_old_runs(state: Path) -> None:
    """Remove the folders of demos that run no more."""
    for folder in state.glob("run-*"):
        if not Path("/proc", folder.name.partition("-")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)


def show(demo: Demo) -> None:
    """Say where to look, and what there is to see."""
    print(f"\nJupyterHub with storage quotas is up:  {demo.url}\n")
    line = "  {:<7} {:>7} {:>7}  {:<14} {}"
    print(line.format("user", "holds", "of", "state", "what happens"))
    for user in USERS:
        print(line.format(user.name, f"{user.holds_mib} MiB", user.quota, user.state, user.what))
    print(f"""
Password of {ADMIN}: {demo.passwords[ADMIN]}
Password of all others: {demo.passwords[USERS[0].name]}

Try:
  - log in as carol, start a server, read the refusal, open her storage from there;
  - delete some files of hers, and start the server again:
      rm -r {shlex.quote(str(demo.homes / "carol" / "data"))}
  - log in as alice and store too much, in a terminal of her JupyterLab: within half a
    minute her server is stopped
      head -c 30M /dev/zero > more
  - log in as admin (in a private window): Services > Storage > All users.

The log: {demo.log}
Ctrl-C stops everything.""")
    sys.stdout.flush()


def run(demo: Demo, *, once: bool) -> str | None:
    """Run the demo until it has been looked at or interrupted; what went wrong, if anything."""
    try:
        print("Starting the hub ...", flush=True)
        demo.start()
        demo.wait_until_measured()
        if once:
            look_around(demo.url, demo.homes, demo.passwords)
            return None
        show(demo)
        while True:
            demo.check()
            time.sleep(0.5)
    except (DemoError, requests.RequestException) as error:
        return f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        return "interrupted" if once else None


def main() -> int:
    """Run the demo; the exit status."""
    parser = argparse.ArgumentParser(
        prog="./scripts/demo",
        description="A real JupyterHub with storage quotas, on this machine, to try it.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="see by itself that a spawn is refused and another allowed, and stop",
    )
    parser.add_argument("--state", type=Path, default=ROOT / ".demo", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    remove_old_runs(asked.state)
    demo = Demo(asked.state.resolve())
    try:
        failure = run(demo, once=asked.once)
        print("Stopping ...", flush=True)
    finally:
        # Even if there is nobody left to print to.
        killed = demo.stop()
    if asked.once and killed:
        failure = failure or f"these did not stop by themselves: {'; '.join(killed)}"
    if failure:
        print(f"FAILED: {failure}\nThe last lines of {demo.log}:", file=sys.stderr)
        print("\n".join(demo.log.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)
        return 1
    shutil.rmtree(demo.folder, ignore_errors=True)
    print("Everything is stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
