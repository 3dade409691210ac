"""What a user reads first in the progress of a spawn: how they stand, and what is to come. Pure.

Called by the spawn hook, with the record that it has read; asks nothing and nobody.
"""

from __future__ import annotations

from datetime import datetime

from ..quota.ahead import Foresight, full_in_files
from ..quota.messages import checked
from ..quota.record import Record, State
from ..quota.sizes import format_size
from ..quota.times import ago, date_of, minute, time_left


def progress_text(
    record: Record, now: datetime, foresight: Foresight, *, always: bool, exempt: bool
) -> str | None:
    """The text; None where there is nothing to say.

    `always`: say how they stand to those who are well within their quota, too. `exempt`: the
    user keeps their servers in a lockout, as an administrator.
    """
    if not record.quota_enabled:
        return None
    coming = _coming(record, now, foresight, exempt=exempt)
    if record.quota_state is not State.OK:
        # The sentence that sites know; what is to come stands after it.
        stands = checked(record)[1]
    else:
        stands = _usage(record, now) if record.measured and (always or coming) else ""
    return f"{stands} {coming}".strip() or None


def _usage(record: Record, now: datetime) -> str:
    used, quota = format_size(record.actual_bytes), format_size(record.quota_bytes)
    measured = f", measured {ago(record.stopped, now)}" if record.stopped else ""
    return f"Storage: {used} of {quota} used{measured}."


def _coming(record: Record, now: datetime, foresight: Foresight, *, exempt: bool) -> str:
    lock = None if exempt else foresight.lock(record, now)
    if lock is not None and lock.sure:
        left = time_left(lock.at, now)
        if not left:
            return "Your servers are about to be stopped, and you to be locked out."
        return (
            f"In {left}, at {minute(lock.at)}, your servers are stopped and you are locked"
            " out until there is space again."
        )
    full = foresight.full_soon(record, now)
    if full is None:
        return ""
    what = "full in files" if full_in_files(record) else "full"
    return (
        f"At the present growth it is {what} about {date_of(full)}."
        if full > now
        else f"At the present growth it may be {what} by now."
    )
