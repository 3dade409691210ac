"""What all tests share: settings, control directories and records built for real."""

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.settings import EFSQuota

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)


class Clock:
    """The one thing that is mocked: the time."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, **by):
        self.now += timedelta(**by)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def efs(tmp_path):
    """A shared store: a control directory and a home root."""
    (tmp_path / "quota-control").mkdir()
    (tmp_path / "users").mkdir()
    return tmp_path


@pytest.fixture
def settings(efs):
    return EFSQuota(quota_control=str(efs / "quota-control"), home_root=str(efs / "users"))


@pytest.fixture
def store(settings):
    return ControlStore(settings.quota_control)


def fill(home: Path, size: int, name: str = "data") -> Path:
    """A home with one file of that apparent size, which takes no space."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / name).open("wb") as file:
        file.truncate(size)
    return home


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
