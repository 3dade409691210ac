"""Lustre: what it has counted under the home's project id, or for the home's owner.

Its servers keep the figures, and `lfs quota` tells them.
"""

from __future__ import annotations

import re

from ...errors import CannotCount
from ...quota.usage import Usage
from .command import answer_of
from .counter import Counter
from .open_home import OpenHome
from .owner import only_owner
from .project_id import own_project

_KIB = 1024


class Lustre(Counter):
    """By project (Lustre 2.10 and newer)."""

    name = "lustre"
    kinds = ("lustre",)

    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """What is counted under the home's project id. Raises CannotCount."""
        return _quota(home, "-p", own_project(home), secs)


class LustreUser(Counter):
    """By user, for homes without projects whose owners have nothing else there."""

    name = "lustre-user"
    kinds = ("lustre",)
    sure = False

    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """What is counted for the home's owner. Raises CannotCount."""
        return _quota(home, "-u", only_owner(home), secs)


def _quota(home: OpenHome, whose: str, number: int, secs: float) -> Usage:
    point = home.mount.point
    output = answer_of("lfs", "quota", "-q", whose, str(number), "--", point, secs=secs)
    return Usage(allocated=parse_quota(output, point))


def parse_quota(output: str, point: str) -> int:
    """The space used, in bytes, as `lfs quota` tells it for a mount point. Raises CannotCount.

    A row is the mount point (with a line of its own if it is long), the kibibytes used,
    two limits, the grace time, and the same for files. A star marks what is over a limit;
    brackets what some server did not tell.
    """
    row = re.search(rf"^\s*{re.escape(point)}\s+(\S+)(?:\s+\S+){{7}}\s*$", output, re.MULTILINE)
    if row is None:
        raise CannotCount(
            "lfs quota prints no figures: is quota on (`lctl get_param osd-*.*.quota*`)?"
        )
    used = re.fullmatch(r"(\d+)\*?", row[1])
    if used is None:
        raise CannotCount("lfs quota says that some servers do not answer: look at `lfs df`.")
    return int(used[1]) * _KIB
