"""A record as the pages show it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..quota.forecast import Amount
from ..quota.record import Record, State
from ..quota.rescue import going_on
from ..quota.standing import NO_QUOTA, Share, share, standing
from ..quota.times import ago
from ..words.figures import percent


@dataclass(frozen=True)
class UsageView:
    """What a page shows of one record; None for what is not known, or does not apply.

    `percent` is 0 to 100 for the bar, `shown_percent` what is said beside it, `of_files`
    whether these are the share of files, as the larger one. `tone` is the colour's name in the
    hub's style sheet. `left` and `left_files` are below 0 for who is over; `exempt`: there is
    no quota. `rescue`: until when a rescue goes on.
    """

    used: int | None
    quota: int | None
    percent: int
    shown_percent: str
    of_files: bool
    files: int | None
    file_limit: int | None
    state: str
    tone: str
    meaning: str
    age: str
    measured: datetime | None
    unreadable: int
    left: int | None
    left_files: int | None
    exempt: bool
    locked_out: bool
    rescue: datetime | None = None


# The colour of each state in the hub's style sheet.
TONES = {
    State.OK.value: "success",
    State.NEARING_LIMIT.value: "warning",
    State.TIMED_OUT.value: "warning",
    State.VIOLATION.value: "danger",
    State.LOCKOUT.value: "danger",
    NO_QUOTA: "secondary",
}
_MEANINGS = {
    State.OK: "You are within your quota.",
    State.NEARING_LIMIT: "You are close to your quota. Free some space before you run over it:"
    " then your servers would be stopped and could not be started.",
    State.VIOLATION: "You are over your quota. Free some space soon.",
    State.LOCKOUT: "You are over your quota, so your servers are stopped and cannot be started"
    " until there is space again. Once something is deleted, press “Measure again”, or just"
    " start your server: your storage is then looked at anew.",
    State.TIMED_OUT: "Your storage took too long to measure, so your usage is not known and"
    " may be high.",
}
_KEEPS_SERVERS = "You are over your quota. As an administrator you keep your servers all the same."
_EXEMPT = "Your storage has no quota. Please be considerate."


def usage_view(record: Record, now: datetime, *, keeps_servers: bool = False) -> UsageView:
    """A record in words and figures; `keeps_servers`: an administrator, in a lockout too."""
    used = share(record) or Share(0.0)
    exempt = not record.quota_enabled
    meaning = _EXEMPT if exempt else _MEANINGS[record.quota_state]
    if keeps_servers and record.quota_state is State.LOCKOUT and not exempt:
        meaning = _KEEPS_SERVERS
    if not record.measured and not exempt and record.quota_state is State.OK:
        meaning = "Your storage has not been measured yet."
    counts = record.measured and not exempt
    return UsageView(
        used=record.actual_bytes if record.measured else None,
        quota=None if exempt else record.quota_bytes,
        percent=min(100, round(used.fraction * 100)),
        shown_percent=percent(used.fraction),
        of_files=used.of is Amount.FILES,
        files=record.usage_files,
        file_limit=None if exempt else record.quota_files or None,
        state=standing(record),
        tone=TONES[standing(record)],
        meaning=meaning,
        age=ago(record.stopped, now),
        measured=record.stopped,
        unreadable=record.unreadable or 0,
        left=record.quota_bytes - record.actual_bytes if counts else None,
        left_files=_left_files(record) if counts else None,
        exempt=exempt,
        locked_out=record.quota_state is State.LOCKOUT and not exempt and not keeps_servers,
        rescue=record.rescue_until if going_on(record, now) else None,
    )


def _left_files(record: Record) -> int | None:
    return record.quota_files - (record.usage_files or 0) if record.quota_files else None
