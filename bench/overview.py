"""What pages take at 10,000 users, over HTTP: of the administrator, a group's lead and a user.

    python -m bench.overview /a/directory                   SQLite, in a file there
    python -m bench.overview postgresql://user@host/name    PostgreSQL, an empty database

Options: --users 10000 --rows 10000000, and --keep to leave the database there: it is then
used by the next run. The service's pages run in this process with a board as the loops fill
it; a stand-in for the hub takes the name of a visitor for their token. Each line is the median
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
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from jupyterhub.services.auth import HubOAuth
from sqlalchemy import func, select
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
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
from jupyterhub_efs_quota.history.packing import pack
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.tables import measurements, number_of
from jupyterhub_efs_quota.history.writing import write_events
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.metrics.counted import Counted
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.overview.survey import Surroundings, Unclaimed
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.summary import Folder, LargeFile, Summary, Sums
from jupyterhub_efs_quota.settings import EFSQuota
from jupyterhub_efs_quota.users.quotas import Quotas
from jupyterhub_efs_quota.web.application import load_templates, make_application
from jupyterhub_efs_quota.web.parts import Parts

from .history import GIB, NOW, cycle, fill, write

PREFIX = "/services/efs-quota/"
SOMEBODY = "user-05000@example.org"
# Who asks for what; a lead leads 6,666 users, a third of all are in another group.
PATHS = (
    ("admin", "overview"),
    ("admin", "overview?months=12&quota=50&unit=GiB"),
    ("admin", "overview/what-if?quota=50&unit=GiB"),
    ("admin", "overview/settings"),
    ("admin", "api/overview"),
    ("admin", "users"),
    ("admin", "users?sort=-growth"),
    ("admin", "users?state=lockout"),
    ("admin", "api/users?sort=-growth"),
    ("admin", f"users/{quote(SOMEBODY)}"),
    ("lead", "users"),
    ("lead", "users?sort=-growth"),
    ("lead", f"users/{quote(SOMEBODY)}"),
    (SOMEBODY, ""),
)
# A change of the quota of all who are shown: what would come of it, and the page of that.
CHANGE = {"all": "1", "how": "add", "percent": "10", "reason": "a bench"}
TIMES, WANTED_MS = 10, 300
_TOKEN = "x"  # noqa: S105 - of nothing
_SCOPES = {"admin": "custom:efs-quota:admin", "lead": "custom:efs-quota:manage!group=students"}


class User(web.RequestHandler):
    """The hub's answer about a token: it is that of whom it names."""

    def get(self) -> None:
        """Who it is, and what they may."""
        name = self.request.headers["Authorization"].split()[-1]
        own = f"custom:efs-quota:read!user={name}"
        self.write(
            {
                "kind": "user",
                "name": name,
                "admin": name == "admin",
                "groups": [],
                "scopes": ["access:services", _SCOPES.get(name, own)],
            }
        )


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
    packed = pack(_summary(64))
    of_one = [
        replace(event, summary=packed, started=NOW - timedelta(days=days), user=SOMEBODY)
        for days in (7, 0)
        for _, event in cycle(names[:1], NOW)[:1]
    ]
    with database.writing() as connection:
        surroundings.write_fills(connection, fills)
        write_events(connection, [*refused, *of_one])


def _summary(width: int) -> Summary:
    """Of a home of several hundred folders, as many as a summary holds."""
    held = Sums(GIB, GIB, 100)
    folders = [Folder("", Sums(width * width * GIB, width * width * GIB, 1000), width, 5)]
    for outer in range(width):
        folders.append(Folder(f"folder {outer}", Sums(8 * GIB, 8 * GIB, 800), 8, 5))
        folders += [Folder(f"folder {outer}/{inner}", held, 0, 5) for inner in range(8)]
    largest = tuple(LargeFile(f"folder 1/{n}/file {n}.h5", GIB, GIB, 5) for n in range(100))
    ages = {"ages_days": (30, 365), "modified": (held,) * 3, "accessed": (held,) * 3}
    types = {f"type {n}": held for n in range(20)}
    return Summary(
        number_of(NOW) // 1_000_000,
        tuple(folders),
        types=types,
        largest=largest,
        junk={},
        junk_places=(),
        **ages,
    )


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
    store = ControlStore(place)
    return Parts(
        board=board(names),
        store=store,
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
        quotas=Quotas(settings, store, lambda: NOW, history),
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
    here = f"http://127.0.0.1:{port}"
    for who, path in PATHS:
        await _measure(f"{here}{PREFIX}{path}", who, path or "My storage")
    for who in ("admin", "lead"):
        plan = await _measure(f"{here}{PREFIX}quotas", who, "preview of a change for all", CHANGE)
        if plan is not None:
            await _measure(f"{here}{plan}", who, "the page of that preview")


async def _measure(
    url: str, who: str, path: str, form: Mapping[str, str] | None = None
) -> str | None:
    """Ask ten times, and print; where the last answer led to, if anywhere."""
    client, took, worked = AsyncHTTPClient(), [], []
    wanted = {"method": "GET"} if form is None else {"method": "POST", "body": urlencode(form)}
    request = HTTPRequest(
        url, headers={"Authorization": f"token {who}"}, follow_redirects=False, **wanted
    )
    for _ in range(TIMES):
        began, computed = time.perf_counter(), time.process_time()
        answer = await client.fetch(request, raise_error=False)
        took.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - computed) * 1000)
        if answer.code not in (200, 303):
            print(f"{who}, {path}: {answer.code}")
            return None
    median = statistics.median(took)
    print(
        f"{who}, {path}: {median:.0f} ms, at most {max(took):.0f} ms"
        f" ({statistics.median(worked):.0f} ms of computing), {len(answer.body) / 1024:.0f} KiB"
        f"{'' if median < WANTED_MS else f'; more than {WANTED_MS} ms'}",
        flush=True,
    )
    return answer.headers.get("Location")


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
    if SOMEBODY not in names:
        names[0] = SOMEBODY
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
