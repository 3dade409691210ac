"""A rescue: in a lockout, the user's own server all the same, for a while, to delete with.

Who gets one, what becomes of it, and when it is over. Pure: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from .record import Record, State, replace

# So long a server may take to start: till then it is not missed.
START_SECS = 600.0
# The clocks of two machines may differ by so much.
_SKEW = timedelta(minutes=1)
# The hub stores the start of a server, and tells it, to the microsecond or the second.
_SAME_START = timedelta(seconds=1)


class End(str, Enum):
    """Why a rescue ended: its time is over, the home grew, or the user is back."""

    OVER = "over"
    GROWN = "grown"
    BACK = "back"


@dataclass(frozen=True)
class Terms:
    """What a rescue may be.

    `growth_bytes`, `growth_files`: how much a home may grow in it. `pause_secs`: from its end
    to the next one of the same lockout. `back_secs`: how long the server goes on when the user
    is back under the quota.
    """

    secs: float = 3600.0
    pause_secs: float = 86400.0
    growth_bytes: int = 100 * 1024 * 1024
    growth_files: int = 10_000
    back_secs: float = 600.0


@dataclass(frozen=True)
class Server:
    """A server of a user: its name, "" for the default one, and when the hub started it."""

    name: str
    started: datetime | None = None


@dataclass(frozen=True)
class Spawning:
    """A server that is to start, and all of its user's that run or start."""

    server: Server
    running: Sequence[Server] = ()


@dataclass(frozen=True)
class Admission:
    """Whether a server may start as a rescue; then `record` is to be written.

    `other`: the rescue server that runs already. `next`: when another rescue may begin.
    """

    record: Record
    granted: bool = False
    other: str | None = None
    next: datetime | None = None


class Phase(str, Enum):
    """Where a lockout is with its rescue."""

    OFFERED = "offered"
    ON = "on"
    BACK = "back"
    PAUSE = "pause"


@dataclass(frozen=True)
class Standing:
    """How a user stands with a rescue.

    `until`: when it ends; in the pause, when it ended. `next`: when the next may begin.
    """

    phase: Phase
    until: datetime | None = None
    server: str = ""
    ended: End | None = None
    next: datetime | None = None


def locked(record: Record, *, exempt: bool = False) -> bool:
    """Whether the record locks its user out; `exempt`: an administrator, who keeps servers."""
    return record.quota_enabled and record.quota_state is State.LOCKOUT and not exempt


def is_rescue(record: Record, server: Server) -> bool:
    """Whether this server is the one that was started as a rescue, and not a later one."""
    if record.rescue_server is None or server.name != record.rescue_server:
        return False
    if server.started is None or record.rescue_started is None:
        return True
    return abs(server.started - record.rescue_started) < _SAME_START


def why_ended(record: Record) -> End | None:
    """Why the rescue was ended, if it was."""
    try:
        return None if record.rescue_ended is None else End(record.rescue_ended)
    except ValueError:
        return End.OVER  # a word of another version's, or of a hand's


def begun(record: Record, now: datetime) -> bool:
    """Whether this lockout has, or had, a rescue. One of the future is none: a clock was set."""
    began = record.rescue_began
    return began is not None and record.rescue_until is not None and began <= now + _SKEW


def going_on(record: Record, now: datetime) -> bool:
    """Whether a rescue server may run now."""
    return (
        begun(record, now)
        and record.rescue_ended is None
        and record.rescue_until is not None
        and now < record.rescue_until
    )


def admit(record: Record, spawning: Spawning, now: datetime, terms: Terms) -> Admission:
    """Whether a locked user's server may start as a rescue.

    The time runs from the first rescue of a lockout: who stops and starts again gains nothing.
    """
    server = spawning.server
    if going_on(record, now):
        for each in spawning.running:
            if each.name != server.name and is_rescue(record, each):
                return Admission(record, other=each.name)
        latest = now + timedelta(seconds=terms.secs)
        until = min(record.rescue_until or latest, latest)
        again = replace(record, rescue_until=until, rescue_back=None)
        return Admission(_with_server(again, server), granted=True)
    then = next_rescue(record, now, terms)
    if then is not None:
        return Admission(record, next=then)
    fresh = replace(
        without(record), rescue_began=now, rescue_until=now + timedelta(seconds=terms.secs)
    )
    return Admission(_with_server(fresh, server), granted=True)


def next_rescue(record: Record, now: datetime, terms: Terms) -> datetime | None:
    """When another rescue may begin, after one that is over; None: at any time."""
    if not begun(record, now) or record.rescue_until is None:
        return None
    if why_ended(record) is End.BACK:
        return None  # they had cleaned up: this is another lockout
    then = record.rescue_until + timedelta(seconds=terms.pause_secs)
    return then if now < then else None


def decide(record: Record, now: datetime, terms: Terms) -> End | None:
    """Why the server that runs as a rescue is to be ended now; None: leave it alone.

    `follow` goes before: it says in the record since when the user is back.
    """
    before = why_ended(record)
    if before is not None:
        return before  # it should have been by now: once more
    if record.rescue_back is not None:
        back_secs = (now - record.rescue_back).total_seconds()
        return End.BACK if back_secs >= terms.back_secs else None
    if not going_on(record, now):
        return End.OVER
    return End.GROWN if has_grown(record, terms) else None


def has_grown(record: Record, terms: Terms) -> bool:
    """Whether a home holds more than at the beginning of the rescue, beyond a trifle."""
    began = record.rescue_bytes
    if began is not None and record.actual_bytes > began + terms.growth_bytes:
        return True
    if record.rescue_files is None or not record.quota_files:
        return False
    return (record.usage_files or 0) > record.rescue_files + terms.growth_files


def follow(
    record: Record,
    running: Iterable[Server],
    now: datetime,
    terms: Terms | None,
    *,
    exempt: bool = False,
) -> Record:
    """The record with its rescue kept up: judge it before.

    What the first measurement since the beginning found is what the home may not outgrow. An
    older one would not do: the user may have gone on writing after it. A rescue whose server
    is gone is forgotten once its user is not locked out, and so is any where none is offered.
    """
    if record.rescue_began is None and record.rescue_until is None:
        return record
    if terms is None or not begun(record, now):
        return without(record)
    if record.rescue_bytes is None and _measured_since(record):
        record = replace(
            record, rescue_bytes=max(record.actual_bytes, 0), rescue_files=record.usage_files
        )
    runs = any(is_rescue(record, server) for server in running)
    if locked(record, exempt=exempt):
        if record.rescue_ended is None and not runs and not going_on(record, now):
            record = replace(record, rescue_ended=End.OVER.value)
        return replace(record, rescue_back=None) if record.rescue_back else record
    if not runs and (now - _last_start(record, now)).total_seconds() > START_SECS:
        return without(record)
    return record if record.rescue_back else replace(record, rescue_back=now)


def ended(record: Record, why: End, now: datetime) -> Record:
    """The record when its rescue server is ended."""
    until = now if record.rescue_until is None else min(record.rescue_until, now)
    return replace(record, rescue_until=until, rescue_ended=why.value)


def without(record: Record) -> Record:
    """The record without any rescue."""
    return replace(
        record,
        rescue_began=None,
        rescue_until=None,
        rescue_server=None,
        rescue_started=None,
        rescue_bytes=None,
        rescue_files=None,
        rescue_back=None,
        rescue_ended=None,
    )


def standing(record: Record, now: datetime, terms: Terms | None) -> Standing | None:
    """How a user stands with a rescue; None: there is nothing to say of any."""
    if terms is None:
        return None
    server, until = record.rescue_server or "", record.rescue_until
    if not locked(record):
        back = record.rescue_back
        if back is None or record.rescue_ended is not None or not begun(record, now):
            return None
        return Standing(Phase.BACK, back + timedelta(seconds=terms.back_secs), server)
    if going_on(record, now):
        return Standing(Phase.ON, until, server)
    then = next_rescue(record, now, terms)
    if then is None:
        return Standing(Phase.OFFERED)
    return Standing(Phase.PAUSE, until, server, why_ended(record) or End.OVER, then)


def measuring_due(record: Record, now: datetime, measure_secs: float) -> bool:
    """Whether the home of a user in a rescue is to be measured now."""
    if record.started is None or record.stopped is None or record.started > now:
        return True
    if record.rescue_began is not None and record.started < record.rescue_began:
        return True
    return (now - record.started).total_seconds() >= measure_secs


def _with_server(record: Record, server: Server) -> Record:
    return replace(record, rescue_server=server.name, rescue_started=server.started)


def _measured_since(record: Record) -> bool:
    """Whether a whole measurement began and ended since the rescue began."""
    began, started, stopped = record.rescue_began, record.started, record.stopped
    if began is None or started is None or stopped is None or record.timed_out:
        return False
    return began <= started <= stopped and record.measured


def _last_start(record: Record, now: datetime) -> datetime:
    return record.rescue_started or record.rescue_began or now
