"""Histories in a file of SQLite, and in a PostgreSQL that the tests start."""

import pytest

from jupyterhub_efs_quota.history import history as module
from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.history import History
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW
from .postgres import Postgres, programs


@pytest.fixture(scope="session")
def postgres():
    if programs() is None:
        pytest.skip("there is no PostgreSQL here: install Debian's package postgresql")
    server = Postgres()
    yield server
    server.end()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.sqlite"
    return request.getfixturevalue("postgres").new()


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/history.sqlite"


@pytest.fixture
def database(url):
    opened = Database(whole_url(url))
    opened.open()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Gather, look and try again in moments."""
    monkeypatch.setattr(module, "GATHER_SECS", 0.01)
    monkeypatch.setattr(module, "TICK_SECS", 0.05)
    monkeypatch.setattr(module, "FAILURE_WAIT_SECS", 0.05)
    monkeypatch.setattr(module, "MOST_FAILURE_WAIT_SECS", 0.2)


@pytest.fixture
def start(tmp_path, clock):
    """Start a history on a database: `start(url)`."""
    started = []

    def begin(url, aside=tmp_path / "waiting", **options):
        history = History(whole_url(url), aside, clock, **options)
        history.start()
        started.append(history)
        return history

    yield begin
    for history in started:
        history.close()


@pytest.fixture
def history(start, url):
    return start(url)


def a_record(user="homer", size=100, quota=1000, state=State.OK, **fields):
    times = {"started": NOW, "stopped": NOW, **fields}
    return Record(
        user,
        quota_bytes=quota,
        actual_bytes=size,
        fraction_used=size / quota if quota else 0.0,
        quota_state=state,
        **times,
    )


def measure(history, time, user="homer", size=100, usage=None, **fields):
    """Have a history told of a measurement at a time."""
    usage = usage or Usage(bytes=size, allocated=size + 1, files=3, dirs=2)
    history.measured(a_record(user, size, **fields), usage, time, time, by="Monitor")
