"""What administrators' pages take: the overview, its API and the table of users, over HTTP.

    python -m bench.overview /a/directory                   SQLite, in a file there
    python -m bench.overview postgresql://user@host/name    PostgreSQL, an empty database

Options: --users 10000 --rows 10000000, and --keep to leave the database there: it is then
used by the next run. The service's pages run in this process with a board as the loops fill
it; a stand-in for the hub says that the visitor is an administrator. Each line is the median
of ten requests and the longest, the client included, the processor's time beside it, and the
size of the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from jupyterhub.services.auth import HubOAuth
from sqlalchemy import func, select
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.directories import Directories
from jupyterhub_efs_quota.errors import HOME_MISSING
from jupyterhub_efs_quota.history import surroundings
from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Action, Fill
from jupyterhub_efs_quota.history.history import History
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.tables import measurements
from jupyterhub_efs_quota.history.writing import write_events
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.metrics.counted import Counted
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.overview.survey import Surroundings, Unclaimed
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.settings import EFSQuota
from jupyterhub_efs_quota.web.application import load_templates, make_application
from jupyterhub_efs_quota.web.parts import Parts

from .history import GIB, NOW, cycle, fill, write

PREFIX = "/services/efs-quota/"
PATHS = (
    "overview",
    "overview?months=12&quota=50&unit=GiB",
    "overview/what-if?quota=50&unit=GiB",
    "overview/settings",
    "api/overview",
    "users",
    "users?sort=-growth",
    "users?state=lockout",
    "api/users?sort=-growth",
)
TIMES, WANTED_MS = 10, 300
_TOKEN = "x"  # noqa: S105 - of nothing


class User(web.RequestHandler):
    """The hub's answer about any token."""

    def get(self) -> None:
        """It is an administrator's."""
        scopes = ["access:services", "custom:efs-quota:admin"]
        self.write({"kind": "user", "name": "admin", "admin": True, "groups": [], "scopes": scopes})


def prepare(database: Database, names: list[str], rows: int) -> None:
    """Fill in measurements, a cycle, fills of the volume, and refusals; once."""
    with database.reading() as connection:
        if connection.scalar(select(func.count()).select_from(measurements)):
            return
    fill(database, names, rows)
    write(database, "a", cycle(names, NOW))
    fills = [Fill(NOW - timedelta(hours=4 * n), (9000 - n) * GIB, n * GIB) for n in range(1200)]
    refused = [
        Action("spawn-refused", names[n % len(names)], NOW - timedelta(minutes=n), "hook", "", None)
        for n in range(100_000)
    ]
    with database.writing() as connection:
        surroundings.write_fills(connection, fills)
        write_events(connection, refused)


def board(names: list[str]) -> Board:
    """Users as the loops saw them: some in lockout, some without a home, some long away."""
    states, found = list(State), Board()
    for number, name in enumerate(names):
        size = number * 7919 % (300 * GIB)
        user = HubUser(
            name,
            groups=("students",) if number % 3 else ("staff",),
            last_activity=NOW - timedelta(days=number % 700),
        )
        record = Record(
            name,
            actual_bytes=size,
            fraction_used=size / (200 * GIB),
            quota_source="default" if number % 5 else "user",
            quota_state=states[number % len(states)],
            usage_files=number,
            started=NOW,
            stopped=NOW,
        )
        found.saw(user, record, by="Monitor")
        if number % 50 == 0:
            found.failed(user, "The home does not exist.", by="Monitor", kind=HOME_MISSING)
    found.complete = True
    strays = [Unclaimed(f"gone-{number}", f"gone{number}", number, NOW) for number in range(1000)]
    found.surroundings = Surroundings(NOW, Path("/"), None, strays)
    return found


def parts(names: list[str], history: History, place: Path) -> Parts:
    """The service as its pages see it."""
    settings = EFSQuota(quota_control=str(place), home_root="/efs/users")
    return Parts(
        board=board(names),
        store=ControlStore(place),
        offload=Offload(16),
        remeasure=None,
        templates=load_templates(),
        trouble=list,
        clock=lambda: NOW,
        menu_text="Storage",
        counted=Counted(),
        exposition=None,  # type: ignore[arg-type]  # no metrics are asked for
        directories=Directories(settings.homes()),
        history=history,
        settings=settings,
    )


def serve(application: web.Application) -> int:
    """Serve it on a port of this machine."""
    listening, port = bind_unused_port()
    HTTPServer(application).add_socket(listening)
    return port


async def measure(pages: Parts) -> None:
    """Ask for each page, and print how long it took."""
    hub = serve(web.Application([("/hub/api/user", User)]))
    os.environ.update(
        JUPYTERHUB_API_URL=f"http://127.0.0.1:{hub}/hub/api",
        JUPYTERHUB_API_TOKEN=_TOKEN,
        JUPYTERHUB_CLIENT_ID="service-efs-quota",
        JUPYTERHUB_SERVICE_PREFIX=PREFIX,
        JUPYTERHUB_OAUTH_ACCESS_SCOPES='["access:services"]',
    )
    # Its own default is what the environment was when the hub's module was imported.
    HubOAuth.instance(base_url=PREFIX, cache_max_age=60)
    port = serve(make_application(pages, PREFIX, api_token=_TOKEN, verify_secs=1))
    for path in PATHS:
        await _measure(f"http://127.0.0.1:{port}{PREFIX}{path}", path)


async def _measure(url: str, path: str) -> None:
    client, took, worked, size = AsyncHTTPClient(), [], [], 0
    for _ in range(TIMES):
        began, computed = time.perf_counter(), time.process_time()
        answer = await client.fetch(url, headers={"Authorization": "token x"}, raise_error=False)
        took.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - computed) * 1000)
        size = len(answer.body)
        if answer.code != 200:
            print(f"{path}: {answer.code}")
            return
    median = statistics.median(took)
    print(
        f"{path}: {median:.0f} ms, at most {max(took):.0f} ms"
        f" ({statistics.median(worked):.0f} ms of computing), {size / 1024:.0f} KiB"
        f"{'' if median < WANTED_MS else f'; more than {WANTED_MS} ms'}",
        flush=True,
    )


def main() -> None:
    """Make the database, unless it is there, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    url = asked.where if "://" in asked.where else f"sqlite:///{asked.where}/bench-overview.sqlite"
    names = [f"user-{number:05}@example.org" for number in range(asked.users)]
    database = Database(whole_url(url))
    database.open()
    prepare(database, names, asked.rows)
    database.close()
    with tempfile.TemporaryDirectory() as place:
        history = History(whole_url(url), Path(place, "waiting"), lambda: NOW)
        history.start()
        history.flush(60)
        asyncio.run(measure(parts(names, history, Path(place))))
        history.close()
    if database.path is not None and not asked.keep:
        for name in ("", "-wal", "-shm"):
            Path(f"{database.path}{name}").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
