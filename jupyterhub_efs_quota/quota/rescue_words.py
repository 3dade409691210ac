"""The sentences about rescues, for users, logs and records. Pure."""

from __future__ import annotations

from datetime import datetime

from .record import Record
from .rescue import Admission, End, Terms
from .sizes import format_size

BECAUSE = {
    End.OVER: "its time is over",
    End.GROWN: "the home grew in it",
    End.BACK: "the user is back under the quota",
}


def started(until: datetime, now: datetime) -> str:
    """What the user reads while the server starts."""
    return (
        f"You are over your storage quota, so this is a rescue server: for {_span(until, now)},"
        f" until {_time(until)}. Delete what you can do without, then restart your server. It is"
        " stopped if your storage grows."
    )


def refused(admission: Admission) -> str:
    """Why a server does not start as a rescue."""
    if admission.other is not None:
        which = f"your server “{admission.other}”" if admission.other else "your default server"
        return f"You have a rescue server already: {which}. Use or stop that one."
    assert admission.next is not None
    record = admission.record
    until = "" if record.rescue_until is None else f" at {_time(record.rescue_until)}"
    return f"Your rescue ended{until}. The next one can begin at {_time(admission.next)}."


def why_ended(end: End, record: Record, terms: Terms) -> str:
    """Why a rescue server is stopped, for the record of what was done."""
    if end is not End.GROWN:
        return f"A rescue is ended: {BECAUSE[end]}."
    began, now = record.rescue_bytes or 0, record.actual_bytes
    if now > began + terms.growth_bytes:
        sizes = f"{format_size(began)} to {format_size(now)}"
    else:
        sizes = f"{record.rescue_files or 0:,} to {record.usage_files or 0:,} files"
    return f"A rescue is ended: the home grew in it from {sizes}."


def in_log(user: str, end: End) -> str:
    """The line in the log about it."""
    return f"Ending the rescue of {user}: {BECAUSE[end]}."


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _span(until: datetime, now: datetime) -> str:
    minutes = max(1, round((until - now).total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    hours, left = divmod(minutes, 60)
    return f"{hours} hours" + (f" and {left} minutes" if left else "")
