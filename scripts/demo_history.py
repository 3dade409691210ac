"""The demo's past: what its homes held in the weeks before, as if they had been measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from demo_homes import LEFT, LEFT_MIB, MIB, QUOTA_MIB, USERS, DemoUser

from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Fill, Measurement
from jupyterhub_efs_quota.history.packing import pack
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.writing import write_events
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import walk
from jupyterhub_efs_quota.overview.volume import read_fill

DAYS, A_DAY = 42, 3
# So fast the volume grew, in parts of what is free on it.
_PART_A_DAY = 0.004
WEEK = timedelta(days=7)


def remember_weeks(database: Path, homes: Path) -> None:
    """Write it into the history, before the service begins.

    The homes are to be as they were a week ago: what changed since is seen by that.
    """
    now = datetime.now(timezone.utc)
    opened = Database(whole_url(f"sqlite:///{database}"))
    opened.open()
    with opened.writing() as connection:
        for user in USERS:
            write_events(connection, list(_past(user, homes / user.name, now)))
        write_events(connection, [_of_who_left(now)])
        write_events(connection, list(_fills(homes, now)))
    opened.close()


def _past(user: DemoUser, home: Path, now: datetime) -> Iterator[Measurement]:
    usage = walk(Task(str(home), 60, rules=Rules(now=int((now - WEEK).timestamp()))))
    assert usage.summary is not None
    for number in range(DAYS * A_DAY, 0, -1):
        time = now - timedelta(days=number / A_DAY)
        held = int(_held_mib(user, number / A_DAY) * MIB)
        of_last_week = abs(now - WEEK - time) < timedelta(hours=1)
        yield Measurement(
            user.name,
            time,
            0.4,
            counted=held,
            quota_bytes=QUOTA_MIB * MIB,
            bytes=held,
            files=max(3, (usage.files or 0) - number // 30),
            dirs=usage.dirs,
            summary=pack(usage.summary) if of_last_week else None,
        )


def _of_who_left(now: datetime) -> Measurement:
    held = LEFT_MIB * MIB
    return Measurement(LEFT, now - timedelta(days=40), 0.2, held, QUOTA_MIB * MIB, bytes=held)


def _fills(homes: Path, now: datetime) -> Iterator[Fill]:
    last = read_fill(homes, now)
    for number in range(DAYS * A_DAY, 0, -1):
        less = min(last.used, int(last.free * _PART_A_DAY * number / A_DAY))
        time = now - timedelta(days=number / A_DAY)
        yield Fill(time, last.used - less, last.free + less)


def _held_mib(user: DemoUser, days_ago: float) -> float:
    """Growing, with the small ups and downs of each week."""
    wave = 0.02 * user.holds_mib * math.sin(days_ago * 2 * math.pi / 7)
    return max(0.5, user.holds_mib - user.a_day_mib * days_ago + wave)
