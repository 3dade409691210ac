"""How a user stands, in a word and as a share: for tables, sums, filters and metrics alike. Pure.

The state on record is that of the last judgement, and of no meaning for who has no quota.
"""

from __future__ import annotations

from dataclasses import dataclass

from .forecast import Amount
from .record import Record, State

NO_QUOTA = "no-quota"
# All there are, the worst first.
STANDINGS = (
    *(State.LOCKOUT.value, State.VIOLATION.value, State.TIMED_OUT.value),
    *(State.NEARING_LIMIT.value, State.OK.value, NO_QUOTA),
)


@dataclass(frozen=True)
class Share:
    """How much of a quota is used, 1.0 being all of it: of bytes or of files."""

    fraction: float
    of: Amount = Amount.BYTES


def standing(record: Record) -> str:
    """The state in a word, or that there is no quota: one of STANDINGS."""
    return word(record.quota_state, enforced=record.quota_enabled)


def word(state: State, *, enforced: bool) -> str:
    """The same, of a state and whether the quota is enforced."""
    return state.value if enforced else NO_QUOTA


def share(record: Record) -> Share | None:
    """The larger of the shares of bytes and of files; None without a quota or a measurement."""
    if not record.quota_enabled or not record.measured:
        return None
    if record.quota_files and record.usage_files is not None:
        of_files = record.usage_files / record.quota_files
        if of_files > record.fraction_used:
            return Share(of_files, Amount.FILES)
    return Share(record.fraction_used)
