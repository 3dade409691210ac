"""How a user stands, in a word and as a share: for tables, sums, filters and metrics alike. Pure.

The state on record is that of the last judgement, and of no meaning for who has no quota.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .record import Record, State

NO_QUOTA = "no-quota"
# All there are, the worst first.
STANDINGS = (
    *(State.LOCKOUT.value, State.VIOLATION.value, State.TIMED_OUT.value),
    *(State.NEARING_LIMIT.value, State.OK.value, NO_QUOTA),
)


class Of(str, Enum):
    """What a share is one of."""

    BYTES = "bytes"
    FILES = "files"


@dataclass(frozen=True)
class Share:
    """How much of a quota is used, 1.0 being all of it: of bytes or of files."""

    fraction: float
    of: Of = Of.BYTES


def standing(record: Record) -> str:
    """The state in a word, or that there is no quota: one of STANDINGS."""
    return record.quota_state.value if record.quota_enabled else NO_QUOTA


def share(record: Record) -> Share | None:
    """The larger of the shares of bytes and of files; None without a quota or a measurement."""
    if not record.quota_enabled or not record.measured:
        return None
    if record.quota_files and record.usage_files is not None:
        of_files = record.usage_files / record.quota_files
        if of_files > record.fraction_used:
            return Share(of_files, Of.FILES)
    return Share(record.fraction_used)
