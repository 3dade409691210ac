"""What a check found: plain data, printed by `show.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Status(str, Enum):
    """How it stands with what was looked at, from good to bad."""

    OK = "ok"
    NOT_LOOKED_AT = "not looked at"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it stands, and the line that mends it."""

    what: str
    status: Status
    said: str
    mend: str = ""
    check: str = ""


def ok(what: str, said: str) -> Finding:
    """It is as it should be."""
    return Finding(what, Status.OK, said)


def warning(what: str, said: str, mend: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(what, Status.WARNING, said, mend)


def wrong(what: str, said: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(what, Status.WRONG, said, mend)


def not_looked_at(what: str, said: str, mend: str = "") -> Finding:
    """It cannot be seen from here: `mend` says from where."""
    return Finding(what, Status.NOT_LOOKED_AT, said, mend)


def exit_status(findings: Iterable[Finding]) -> int:
    """0 if nothing is amiss, 1 for warnings only, 2 if something is wrong."""
    found = {finding.status for finding in findings}
    return 2 if Status.WRONG in found else int(Status.WARNING in found)
