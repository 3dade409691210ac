"""Users, quotas and what happened as JSON: what the API answers and commands print.

Times are RFC 3339 with their zone; null stands for what is not known, or never was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..board import Row
from ..history.events import STATE_CHANGED, Action, Run
from ..quota.ahead import Lock
from ..quota.record import COMMON_FIELDS, OWN_FIELDS, Record, format_time
from ..quota.rescue import why_ended
from ..quota.standing import share, standing
from .change import Change
from .own_quota import OwnQuota

if TYPE_CHECKING:  # the database is for who has one
    from ..history.happened import StateChange
    from ..history.reading import Point


def plain(value: Any) -> Any:
    """Data of ours as JSON has it: dataclasses are objects, times text."""
    if isinstance(value, datetime):
        return f"{format_time(value)}Z"
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def record_json(record: Record) -> dict[str, Any]:
    """A record: our own fields are there only when they are known."""
    shown = {name: plain(getattr(record, name)) for name in COMMON_FIELDS}
    for name in OWN_FIELDS:
        value = getattr(record, name)
        if value is not None:
            shown[name] = plain(value)
    return shown


def quota_json(record: Record) -> dict[str, Any]:
    """What a user may hold, and which rule gave it."""
    return {
        "bytes": record.quota_bytes,
        "files": record.quota_files or 0,
        "source": record.quota_source,
        "until": plain(record.quota_until),
        "reason": record.quota_reason,
    }


def rescue_json(record: Record) -> dict[str, Any] | None:
    """The rescue of this lockout, if there was one."""
    if record.rescue_until is None:
        return None
    return {
        "server": record.rescue_server or "",
        "until": plain(record.rescue_until),
        "back": plain(record.rescue_back),
        "ended": plain(why_ended(record)),
    }


def row_json(row: Row, growth: int | None = None) -> dict[str, Any]:
    """A user in a table."""
    return {**_user(row), "growth": growth}


def user_json(
    row: Row, *, lock: Lock | None = None, measuring: bool = False, own: OwnQuota | None = None
) -> dict[str, Any]:
    """One user, with all that there is to say; `own`: of a quota of their own."""
    return {
        **_user(row),
        "quota": None if row.record is None else quota_json(row.record),
        "quota_then": None if own is None else plain(own.then),
        "problems": [
            {"by": by, "kind": problem.kind, "text": problem.text}
            for by, problem in row.problems.items()
        ],
        "lock": plain(lock),
        "measuring": measuring,
    }


def change_json(change: Change, user: Mapping[str, Any]) -> dict[str, Any]:
    """What a change of a quota did; `user` is how they stand now, as JSON."""
    before = change.before
    return {
        "changed": change.changed,
        "quota_before": None if before is None else quota_json(before),
        "state_before": None if before is None else before.quota_state.value,
        "state_after": change.after.quota_state.value,
        "sentence": change.sentence,
        "user": user,
    }


def point_json(point: Point) -> dict[str, Any]:
    """A measurement of a series."""
    shown: dict[str, Any] = plain(point)
    return shown


def run_json(run: Run) -> dict[str, Any]:
    """A run of a job."""
    shown: dict[str, Any] = plain(run)
    return {"job": shown.pop("name"), **shown}


def happened_json(happened: Action | StateChange) -> dict[str, Any]:
    """A change of state, or something that was done."""
    if isinstance(happened, Action):
        shown: dict[str, Any] = plain(happened)
        for name in ("before", "after"):
            shown[name] = _quota_or_text(shown[name])
        return {**shown, "counted": None, "quota_bytes": None}
    nothing = dict.fromkeys(("server", "reason", "until"))
    return {"kind": STATE_CHANGED, **nothing, **plain(happened)}


def page_json(items: Sequence[Any], total: int, limit: int, offset: int) -> dict[str, Any]:
    """A part of a list."""
    return {"items": list(items), "total": total, "limit": limit, "offset": offset}


def _user(row: Row) -> dict[str, Any]:
    return {
        "name": row.user.name,
        "admin": row.user.admin,
        "groups": plain(row.user.groups),
        "servers": plain(row.user.servers),
        "record": None if row.record is None else record_json(row.record),
        "state": None if row.record is None else standing(row.record),
        "share": None if row.record is None else plain(share(row.record)),
        "problem": row.problem,
        "rescue": None if row.record is None else rescue_json(row.record),
    }


def _quota_or_text(text: str | None) -> Any:
    """A quota is on record as JSON, all else as it is."""
    if text is None or not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
