"""A quota of a user's own: why they have it, when it ends, and what comes then. Pure.

For pages, API and commands alike; `explain.py` tells the same among all that would change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..quota.judge import judge
from ..quota.limits import Limit, reset
from ..quota.record import Record, State


@dataclass(frozen=True)
class Then:
    """The quota after the end, and how the user stands then with what the home holds now.

    `excess_bytes` and `excess_files`: by how much they are over it.
    """

    bytes: int
    files: int
    source: str | None
    state: State
    excess_bytes: int
    excess_files: int


@dataclass(frozen=True)
class OwnQuota:
    """What there is to say of it. `until`: None if it has no end; `ended`: that has come.

    `then` is None where it has no end, or where it is not known what the settings give.
    """

    reason: str
    until: datetime | None
    ended: bool
    then: Then | None


def own_quota(
    record: Record, limit: Limit | None, now: datetime, grace_secs: float
) -> OwnQuota | None:
    """What there is to say of a quota that has an end or a reason; None of all others."""
    until, reason = record.quota_until, record.quota_reason or ""
    if not record.quota_enabled or (until is None and not reason.strip()):
        return None
    if until is None or limit is None:
        then = None
    else:
        then = _then(after_end(record, limit, max(now, until), grace_secs))
    return OwnQuota(reason.strip(), until, until is not None and until <= now, then)


def after_end(record: Record, limit: Limit, end: datetime, grace_secs: float) -> Record:
    """The record under what the settings give, judged at the end with what the home holds now."""
    return judge(reset(record, limit), end, grace_secs)


def _then(after: Record) -> Then:
    files = after.quota_files or 0
    return Then(
        after.quota_bytes,
        files,
        after.quota_source,
        after.quota_state,
        max(0, after.actual_bytes - after.quota_bytes),
        max(0, (after.usage_files or 0) - files) if files else 0,
    )
