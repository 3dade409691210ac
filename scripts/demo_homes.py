"""The demo's users: what their homes hold, and what is to be seen of each."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

MIB = 1024**2
QUOTA_MIB = 20
ADMIN = "admin"
# Somebody who has left: the hub does not know them, and their home is still there.
LEFT, LEFT_MIB = "frank", 12


@dataclass(frozen=True)
class DemoUser:
    """A user, who has to be in jupyterhub_config_example.py too.

    `state` is what the pages say after the first measurement. `control` is a control
    file as an administrator writes it by hand: keys that are missing take their defaults.
    `a_day_mib`: how fast the home grew in the weeks before the demo.
    """

    name: str
    holds_mib: int
    state: str
    what: str
    quota: str = f"{QUOTA_MIB} MiB"
    control: str = ""
    a_day_mib: float = 0.0


USERS = (
    DemoUser("alice", 5, "ok", "has a server, and leads the group research", a_day_mib=0.05),
    DemoUser(
        "bob", 19, "nearing-limit", "has a server, and is warned while it starts", a_day_mib=0.09
    ),
    DemoUser("carol", 30, "lockout", "is refused a server, and reads why", a_day_mib=0.6),
    DemoUser(
        "dave",
        30,
        "violation",
        "is over too, but nobody locks him out: he is warned",
        control="lockout_enabled: false\n",
    ),
    DemoUser(
        "erin",
        60,
        "no-quota",
        "is exempt, and sees everybody's storage: a role gives her that",
        quota="none",
        control="quota_enabled: false\n",
    ),
    DemoUser("grace", 60, "ok", "is in the group research, which may hold more", quota="2 TiB"),
    DemoUser(ADMIN, 1, "ok", "is the hub's administrator, and sees everybody's storage"),
)


@dataclass(frozen=True)
class DemoFile:
    """A file of every home: its share of what the home holds, and how old it is."""

    path: str
    percent: int
    days: int


FILES = (
    DemoFile("data/survey/answers-2025.parquet", 14, 400),
    DemoFile("data/survey/answers-2026.parquet", 12, 45),
    DemoFile("data/survey/photos.zip", 5, 380),
    DemoFile("data/sensors/north.csv", 9, 60),
    DemoFile("data/sensors/south.csv", 6, 60),
    DemoFile("data/old/dump-2023.csv", 9, 1100),
    DemoFile("models/small/checkpoint-03.pt", 7, 24),
    DemoFile("models/small/checkpoint-04.pt", 7, 20),
    DemoFile("models/large/checkpoint-01.pt", 8, 3),
    DemoFile(".cache/pip/http-v2/numpy", 5, 90),
    DemoFile(".conda/pkgs/mkl.conda", 6, 200),
    DemoFile(".local/share/Trash/files/talk.mp4", 3, 16),
    DemoFile("notebooks/analysis.ipynb", 2, 1),
    DemoFile("notebooks/.ipynb_checkpoints/analysis-checkpoint.ipynb", 1, 2),
    DemoFile("thesis/thesis.pdf", 2, 12),
    DemoFile("results/figures.tar.gz", 4, 5),
)


def make_homes(home_root: Path, least_days: int = 0) -> None:
    """Make the homes, of files that are at least so old."""
    for user in USERS:
        for file in FILES:
            if file.days >= least_days:
                size = user.holds_mib * MIB * file.percent // 100
                fill(home_root / user.name / file.path, size, file.days)
    fill(home_root / LEFT / "data" / "survey.parquet", LEFT_MIB * MIB, 300)


def make_control_files(quota_control: Path) -> None:
    """Make the control files of those who have one from the start."""
    for user in USERS:
        control = quota_control / user.name
        control.mkdir(parents=True)
        if user.control:
            (control / "quota.yaml").write_text(user.control)


def fill(file: Path, size: int, days: int = 0) -> None:
    """Make a file of that size and age, which takes no space: it is one hole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        opened.truncate(size)
    then = time.time() - days * 86400
    os.utime(file, (then, then))
