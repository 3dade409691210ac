"""What is put on record, as plain data, and as lines of text while the database is away.

Made by `History`, written by `writing.py`. Imports no database: the hook's chain has it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from typing import Any, TypeAlias

from ..quota.record import Record, from_mapping, to_mapping


class Outcome(str, Enum):
    """How a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    SKIPPED = "skipped"


class ActionKind(str, Enum):
    """What was done: to a user, or to a job."""

    STOPPED = "server-stopped"
    REFUSED = "spawn-refused"
    RESCUED = "spawn-rescued"
    QUOTA = "quota-changed"
    FREED = "space-freed"
    RESTORED = "files-restored"
    SWITCHED = "job-switched"


# What a change of state is called beside them.
STATE_CHANGED = "state-changed"

# A summary as it is stored: `packing.pack` and `unpack`.
Packed: TypeAlias = bytes


@dataclass(frozen=True)
class Measurement:
    """What one measurement of a home found, and the quota at that time.

    `bytes`, `allocated`, `files` and `dirs` are what was found, None where the meter cannot
    tell; `counted` is the usage on record afterwards, which a measurement that is not
    whole does not lower.
    """

    user: str
    started: datetime
    secs: float
    counted: int
    quota_bytes: int
    quota_files: int | None = None
    bytes: int | None = None
    allocated: int | None = None
    files: int | None = None
    dirs: int | None = None
    unreadable: int = 0
    complete: bool = True
    timed_out: bool = False
    meter: str = "walk"
    summary: Packed | None = None


@dataclass(frozen=True)
class Judged:
    """A user's record as it was judged by `by`; `before` is what this process knew till then.

    From the difference follow the changes of state and of quota. The database knows better
    than `before` what there was, unless what it knows is younger than this. `told`: who
    changed the quota is said by an action of its own.
    """

    user: str
    time: datetime
    by: str
    record: Record
    before: Record | None = None
    told: bool = False


@dataclass(frozen=True)
class Action:
    """Something done: by whom, to whom, from what to what, why, until when.

    `user` is None for what concerns nobody in particular.
    """

    kind: str
    user: str | None
    time: datetime
    by: str
    server: str | None = None
    before: str | None = None
    after: str | None = None
    reason: str | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Run:
    """One run of a job: a loop's cycle, a task, or something of the site's own."""

    name: str
    host: str
    started: datetime
    completed: datetime
    outcome: str = Outcome.SUCCESS.value
    error: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Fill:
    """How full the volume of the homes was: what is used, and what is still to be had.

    Numbers of files are None where the file system sets no limit to them.
    """

    time: datetime
    used: int
    free: int
    files_used: int | None = None
    files_free: int | None = None


# Made once: a cycle encodes 10,000.
_RECORD = json.JSONEncoder(default=str, skipkeys=True)
Event = Measurement | Judged | Action | Run | Fill
_KINDS: dict[str, type[Any]] = {
    "measurement": Measurement,
    "judged": Judged,
    "action": Action,
    "run": Run,
    "fill": Fill,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(event: Event) -> str:
    """An event as one line of JSON, without its end."""
    values = {f.name: getattr(event, f.name) for f in fields(event)}
    return json.dumps({"event": _NAMES[type(event)], **values}, default=_plain, skipkeys=True)


def decode(text: str) -> Event:
    """The event in a line. Raises ValueError if there is none."""
    try:
        values = json.loads(text, object_hook=_rich)
        event: Event = _KINDS[values.pop("event")](**values)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no event: {error}") from None
    return event


def record_text(record: Record) -> str:
    """A record as JSON."""
    return _RECORD.encode(to_mapping(record))


def load_record(text: str) -> Record:
    """The record in what `record_text` wrote. Raises ValueError."""
    return from_mapping(json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Record):
        return {"$record": record_text(value)}
    return str(value)


def _rich(values: dict[str, Any]) -> Any:
    if len(values) == 1:
        ((name, value),) = values.items()
        if name == "$time":
            return datetime.fromisoformat(value)
        if name == "$bytes":
            return base64.b64decode(value)
        if name == "$record":
            return load_record(value)
    return values
