"""Judging: record -> state, and what a measurement or a moment in time does to a record.

Pure: the time is an argument, nothing is read or written.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from .limits import HAND, grandfathered
from .record import UNDEFINED_BYTES, Record, State, replace
from .usage import Usage


def judge(record: Record, now: datetime, grace_secs: float = 0) -> Record:
    """The record with its state, fraction and `over_since` worked out afresh.

    Over the quota comes before timed out, timed out before nearing it; all comparisons
    are strict. In the first `grace_secs` of being over it is a violation, not a lockout.
    """
    # A quota of 0 is a quota of nothing: any byte is over it, and none divides by it.
    fraction = max(record.actual_bytes, 0) / max(record.quota_bytes, 1)
    # Never in the future: a clock set back would lift lockouts, or lengthen the grace.
    over_since = min(record.over_since or now, now) if record.over else None
    if over_since is not None:
        in_grace = (now - over_since).total_seconds() < grace_secs
        state = State.LOCKOUT if record.lockout_enabled and not in_grace else State.VIOLATION
    elif record.timed_out:
        state = State.TIMED_OUT
    elif record.actual_bytes > record.quota_bytes * record.warn_fraction or (
        record.quota_files and (record.usage_files or 0) > record.quota_files * record.warn_fraction
    ):
        state = State.NEARING_LIMIT
    else:
        state = State.OK
    return replace(
        record,
        fraction_used=fraction,
        over_since=over_since,
        quota_state=state,
        # What was foretold has come.
        full_at=None if over_since is not None else record.full_at,
        full_in=None if over_since is not None else record.full_in,
    )


def why_measure(record: Record, now: datetime, stale_quota_secs: float) -> str | None:
    """Why a home is due to be measured, in words; None when its record is recent enough."""
    if not record.measured or record.started is None:
        return "never measured"
    if record.quota_state in (State.LOCKOUT, State.VIOLATION):
        return "over its quota"
    if max(record.started, record.stopped or record.started) > now:
        return "measured in the future: a clock was set back"
    if record.stopped is None or record.started > record.stopped:
        return "the last measurement did not finish"
    if record.last_activity is not None and record.last_activity > record.stopped:
        return "active since the last measurement"
    if (now - record.started).total_seconds() > stale_quota_secs:
        return "the last measurement is stale"
    return None


def active_at_reap(record: Record, period_secs: float) -> int:
    """1 if the user was active within the period before `reaper_time`, else 0."""
    if record.reaper_time is None or record.last_activity is None:
        return 0
    idle = record.reaper_time - record.last_activity
    return int(timedelta(0) <= idle < timedelta(seconds=period_secs))


def record_usage(
    record: Record,
    usage: Usage,
    *,
    started: datetime,
    stopped: datetime,
    allocated: bool = False,
    grandfather: bool = False,
) -> Record:
    """The record after a measurement; `judge` it next.

    `allocated`: the quota is judged by the space allocated, not by the apparent size.
    A measurement that is not whole never lowers a number: one that timed out or stopped
    early, one that found nothing in a home from which nothing was removed (an empty mount
    point), one that was kept out of more than the last one was (a folder made unreadable to
    hide what is in it), and one under which folders were moved. It raises one only where it
    proves that the user is over.
    """
    size = usage.allocated if allocated else usage.bytes
    if size is None:
        size = usage.bytes if usage.bytes is not None else UNDEFINED_BYTES
    doubt = distrusted(record, usage, size)
    record = replace(
        record, started=started, stopped=stopped, timed_out=usage.timed_out, meter=usage.meter
    )
    first = record.actual_bytes == UNDEFINED_BYTES and record.quota_source != HAND
    if doubt:
        if first and grandfather:
            # What they may keep is what they have, which a lower bound does not tell.
            return record
        over = replace(record, actual_bytes=size, usage_files=usage.files).over
        # A lower bound counts where it proves something: over the quota, or kept out
        # of a part of a home that is larger than what we knew.
        if not over and (not usage.complete or size <= record.actual_bytes):
            return record
        return replace(
            record,
            actual_bytes=max(record.actual_bytes, size),
            usage_files=max(record.usage_files or 0, usage.files or 0) or record.usage_files,
        )
    record = replace(
        record,
        actual_bytes=size,
        # A meter that knows no number of files says nothing about the one on record.
        usage_files=record.usage_files if usage.files is None else usage.files,
        allocated_bytes=usage.allocated,
        unreadable=usage.hidden,
    )
    return grandfathered(record) if grandfather and first and record.over else record


def _emptied(record: Record, usage: Usage) -> bool:
    """Whether an empty home was emptied since it was measured.

    Removing the last entry changes the directory. The mount point that shows where a home
    is not mounted did not change.
    """
    if usage.changed is None or record.stopped is None:
        return False
    return usage.changed > record.stopped.timestamp()


def distrusted(record: Record, usage: Usage, size: int) -> str | None:
    """Why a measurement may not lower a number, in words; None for a whole one."""
    if usage.timed_out:
        return "the measurement timed out"
    if usage.proven_over:
        return "the measurement stopped as soon as the home was proven over its limit"
    if size == UNDEFINED_BYTES:
        return "the measurement brought no number"
    if record.actual_bytes > 0 and usage.empty and not _emptied(record, usage):
        return "the home is empty though nothing was removed from it: as one not mounted"
    if size < record.actual_bytes and usage.hidden > (record.unreadable or 0):
        return f"{usage.hidden} entries could not be read"
    if size < record.actual_bytes and usage.lost_dirs:
        # Whoever renames a folder all the time must not have it counted for nothing.
        return f"{usage.lost_dirs} folders were moved or removed meanwhile"
    return None
