"""Histories as those of the history's own tests, and a real StatsD."""

import socket
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.history.events import Run

from ..conftest import NOW
from ..history.conftest import (  # noqa: F401
    history,
    postgres,
    quick,
    sqlite_url,
    start,
    url,
)


class Udp:
    """A StatsD that keeps what it hears."""

    def __init__(self, family=socket.AF_INET, host="127.0.0.1"):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(20)
        self.port = self.socket.getsockname()[1]

    def heard(self):
        """The next packet; fails if none comes."""
        return self.socket.recv(10_000).decode()

    def silent(self):
        """Whether nothing has come."""
        self.socket.settimeout(0.2)
        try:
            self.socket.recv(10_000)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def udp():
    listener = Udp()
    yield listener
    listener.socket.close()


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def a_run(name="job", *, ago=0, secs=60, outcome="success", host="h", **fields):
    """A run that was completed so many minutes ago."""
    completed = NOW - timedelta(minutes=ago)
    return Run(name, host, completed - timedelta(seconds=secs), completed, outcome, **fields)
