"""What a monitor and a reaper cycle cost: CPU seconds and peak memory, by number of users.

Run: python bench/cycles.py [USERS ...]     (default: 1000 10000)

Each cycle is the real command, `monitor --once` or `reaper --once`, in a process of its
own, against a stand-in for the hub's user list in another. None of the users needs to be
measured, so this is the cost of the bookkeeping alone. Log lines are written to a file.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.quota.record import Record, parse_time

ACTIVITY, MEASURED = "2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000"


def make_store(root, users):
    """Control files and empty homes of users who were measured after they were active."""
    store = ControlStore(root / "control")
    for name in ("control", "users"):
        (root / name).mkdir()
    for user in users:
        (root / "users" / user).mkdir()
        with store.held(user, create=True) as held:
            measured = parse_time(MEASURED)
            held.write(
                Record(
                    user,
                    actual_bytes=123456789,
                    last_activity=parse_time(ACTIVITY),
                    started=measured,
                    stopped=measured,
                    usage_files=1234,
                    allocated_bytes=123456789,
                    unreadable=0,
                    meter="walk",
                )
            )


def serve_users(users):
    """The hub's GET /users, page by page; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlsplit(self.path).query)
            offset, limit = int(query["offset"][0]), int(query["limit"][0])
            following = {"offset": offset + limit} if offset + limit < len(users) else None
            items = [
                {
                    "name": user,
                    "admin": False,
                    "groups": [],
                    "last_activity": ACTIVITY,
                    "servers": {},
                }
                for user in users[offset : offset + limit]
            ]
            body = json.dumps({"items": items, "_pagination": {"next": following}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def run(command, root, url):
    """CPU seconds of our own and of the kernel for us, and peak MiB, of one cycle."""
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *[sys.executable, "-m", "jupyterhub_efs_quota", command, "--once"],
                f"--hub-url={url}",
                "--api-token=x",
                f"--efs-quota-control={root / 'control'}",
                f"--home-root={root / 'users'}",
                "--stale-quota-secs=1e12",
            ],
            stdout=log,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
    assert status == 0, "the cycle failed"
    return used.ru_utime, used.ru_stime, used.ru_maxrss / 1024


def main():
    counts = [int(count) for count in sys.argv[1:]] or [1000, 10000]
    print(
        f"{'users':>7} {'loop':8} {'CPU s':>6} {'own':>6} {'kernel':>6}"
        f" {'ms/user':>8} {'peak MiB':>9}"
    )
    for count in counts:
        users = [f"user{n:06d}" for n in range(count)]
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            make_store(root, users)
            url = serve_users(users)
            for loop in ("monitor", "reaper"):
                # The first run adopts the records (limits of the settings); the second is the rule.
                run(loop, root, url)
                own, kernel, peak = run(loop, root, url)
                cpu = own + kernel
                print(
                    f"{count:7} {loop:8} {cpu:6.2f} {own:6.2f} {kernel:6.2f}"
                    f" {cpu / count * 1000:8.3f} {peak:9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
