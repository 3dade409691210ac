"""What a scan may do to a record: nothing that locks or unlocks anybody.

Pure: the times are arguments. A scan is hours old and may be a part of one, so it only
saves the measurement of homes that are within their quota by the record and by the scan.
All others are measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from .judge import distrusted, judge, record_usage
from .record import Record, State
from .usage import Usage


class Advice(Enum):
    """What to do about a home that may be in a scan."""

    TAKE = "take what the scan says"
    LEAVE = "the record is newer than the scan"
    MEASURE = "measure it"


@dataclass(frozen=True)
class Scan:
    """A scan's word about one home: what it holds, and from when that is."""

    usage: Usage
    taken: datetime


def weigh(
    record: Record, scan: Scan, now: datetime, *, allocated: bool = False, grace_secs: float = 0
) -> tuple[Advice, Record]:
    """What to do, and the record that follows if it is to be taken.

    Measured and judged by the scan's own time: what was done since is not in it.
    """
    if record.over or record.quota_state in {State.LOCKOUT, State.VIOLATION}:
        return Advice.MEASURE, record
    if record.stopped is not None and record.measured:
        finished = record.started is not None and record.started <= record.stopped <= now
        if not finished:
            return Advice.MEASURE, record
        if record.stopped >= scan.taken:
            return Advice.LEAVE, record
    size = scan.usage.allocated if allocated else scan.usage.bytes
    if size is None or distrusted(record, scan.usage, size) is not None:
        return Advice.MEASURE, record
    taken = record_usage(
        record, scan.usage, started=scan.taken, stopped=scan.taken, allocated=allocated
    )
    taken = judge(taken, now, grace_secs)
    return (Advice.MEASURE, record) if taken.over else (Advice.TAKE, taken)
