"""The demo's users: what their homes hold, and what is to be seen of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIB = 1024**2
QUOTA_MIB = 20
ADMIN = "admin"


@dataclass(frozen=True)
class DemoUser:
    """A user, who has to be in jupyterhub_config_example.py too.

    `state` is what the pages say after the first measurement. `control` is a control
    file as an administrator writes it by hand: keys that are missing take their defaults.
    """

    name: str
    holds_mib: int
    state: str
    what: str
    quota: str = f"{QUOTA_MIB} MiB"
    control: str = ""


USERS = (
    DemoUser("alice", 5, "ok", "has a server"),
    DemoUser("bob", 19, "nearing-limit", "has a server, and is warned while it starts"),
    DemoUser("carol", 30, "lockout", "is refused a server, and reads why"),
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
        "no quota",
        "is exempt, and sees everybody's storage: a role gives her that",
        quota="none",
        control="quota_enabled: false\n",
    ),
    DemoUser("grace", 60, "ok", "is in the group research, which may hold more", quota="2 TiB"),
    DemoUser(ADMIN, 1, "ok", "is the hub's administrator, and sees everybody's storage"),
)


def make_homes(home_root: Path, quota_control: Path) -> None:
    """Make the homes, and the control files of those who have one from the start."""
    for user in USERS:
        fill(home_root / user.name / "data", user.holds_mib)
        control = quota_control / user.name
        control.mkdir(parents=True)
        if user.control:
            (control / "quota.yaml").write_text(user.control)


def fill(file: Path, mib: int) -> None:
    """Make a file of that size, which takes no space: it is one hole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        opened.truncate(mib * MIB)
