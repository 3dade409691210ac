"""Events -> rows. Called by the one thread of `History` that writes, a batch a transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    func,
    select,
    type_coerce,
    update,
)

from ..quota.limits import GRANDFATHERED, HAND
from ..quota.record import Record
from .events import Action, ActionKind, Event, Fill, Judged, Measurement, Run, record_text
from .rows import Row, among, append, insert_new, pairs, upsert
from .surroundings import write_fills
from .tables import (
    BEGAN,
    MICROSECOND,
    actions,
    latest,
    marks,
    measurements,
    number_of,
    records,
    runs,
    state_changes,
    summaries,
    users,
    writers,
)

MONTH = timedelta(days=30)
_MOST_INTEGER = 2**63 - 1
_MOST_TEXT = 4000
_DAY = timedelta(days=1) // MICROSECOND
# The days from a Monday to that of 1970-01-01.
_TO_THURSDAY = 3


def write(connection: Connection, writer: str, events: Sequence[tuple[int, Event]]) -> None:
    """Write numbered events of one process, in order; those that are there already are not.

    Within a transaction of the caller's: the number of the last one is written with them.
    """
    known = connection.scalar(select(writers.c.last).where(writers.c.id == writer))
    fresh = [(number, event) for number, event in events if known is None or number > known]
    if not fresh:
        return
    write_events(connection, [event for _, event in fresh])
    last, seen = fresh[-1][0], _times(event for _, event in fresh)
    upsert(
        connection, writers, ["id"], [{"id": writer, "last": last, "seen": number_of(max(seen))}]
    )


def write_events(connection: Connection, events: Sequence[Event]) -> None:
    """Write events, in order."""
    names = {e.user for e in events if not isinstance(e, (Run, Fill)) and e.user}
    stored = user_ids(connection, {clean(name) for name in names})
    ids = {name: stored[clean(name)] for name in names}
    measured = [event for event in events if isinstance(event, Measurement)]
    judged = [event for event in events if isinstance(event, Judged)]
    _measured(connection, ids, measured)
    theirs = {ids[event.user] for event in measured} | {ids[event.user] for event in judged}
    known = _known(connection, sorted(theirs))
    standing = _judged(connection, ids, judged, known)
    _write_latest(connection, standing, _last_measured(connection, ids, measured, known))
    _acted(connection, ids, [event for event in events if isinstance(event, Action)])
    append(connection, runs, [_run(event) for event in events if isinstance(event, Run)])
    write_fills(connection, [event for event in events if isinstance(event, Fill)])


def listed(connection: Connection, names: Collection[str], now: datetime) -> None:
    """Mark who is gone from the hub, and who is back."""
    there = {clean(name) for name in names}
    found = connection.execute(select(users.c.id, users.c.name, users.c.gone)).all()
    gone = [row.id for row in found if row.name not in there and row.gone is None]
    back = [row.id for row in found if row.name in there and row.gone is not None]
    for ids, time in ((gone, now), (back, None)):
        if ids:
            these = among(connection, users.c.id, ids)
            connection.execute(update(users).where(these).values(gone=time))


def begin(connection: Connection, now: datetime) -> None:
    """Keep when this record began, unless that is known."""
    insert_new(connection, marks, [{"name": BEGAN, "time": number_of(now)}])


def user_ids(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The numbers of users, who get one if they have none."""
    ids = _known_ids(connection, sorted(names))
    missing = sorted(set(names) - ids.keys())
    if missing:
        insert_new(connection, users, [{"name": name} for name in missing])
        ids.update(_known_ids(connection, missing))
    return ids


def clean(text: str) -> str:
    """Text that any database takes: odd bytes of file names and NUL as escapes, not too long."""
    if not text.isascii() or "\0" in text:
        text = text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
    return text[:_MOST_TEXT]


def _known_ids(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    these = among(connection, users.c.name, names)
    rows = connection.execute(select(users.c.name, users.c.id).where(these))
    return {row.name: row.id for row in rows}


def _measured(
    connection: Connection, ids: Mapping[str, int], events: Sequence[Measurement]
) -> None:
    rows = [_measurement(ids[event.user], event) for event in events]
    # A user's home is measured once at a time: the same start is the same measurement.
    insert_new(connection, measurements, rows)
    newest: dict[tuple[int, int], Row] = {}
    for event in events:
        if event.summary is not None:
            user, week = ids[event.user], week_number(event.started)
            newest[user, week] = {
                "user_id": user,
                "week": week,
                "started": number_of(event.started),
                "data": event.summary,
            }
    kept = _in_order(newest)
    upsert(connection, summaries, ["user_id", "week"], kept, younger="started")


def week_number(time: datetime) -> int:
    """The number of a week (UTC), which goes up by one each Monday."""
    return (number_of(time) // _DAY + _TO_THURSDAY) // 7


def _measurement(user_id: int, event: Measurement) -> Row:
    return {
        "user_id": user_id,
        "started": number_of(event.started),
        "secs": event.secs,
        "counted": _whole(event.counted),
        "quota_bytes": _whole(event.quota_bytes),
        "quota_files": _whole(event.quota_files),
        "bytes": _whole(event.bytes),
        "allocated": _whole(event.allocated),
        "files": _whole(event.files),
        "dirs": _whole(event.dirs),
        "unreadable": _whole(event.unreadable),
        "complete": event.complete,
        "timed_out": event.timed_out,
        "meter": clean(event.meter),
    }


def _judged(
    connection: Connection,
    ids: Mapping[str, int],
    events: Sequence[Judged],
    known: Mapping[int, Row],
) -> dict[int, Row]:
    """Put what is new on record; how each user stands by the last judgement."""
    stands = dict(known)
    changed: list[Row] = []
    quotas: list[Action] = []
    whole: dict[int, Row] = {}
    rows: dict[int, Row] = {}
    for event in events:
        user = ids[event.user]
        row = _standing(user, event)
        before = stands.get(user)
        late = before is not None and before["seen"] > number_of(event.time)
        if late:
            # Another process has written since: what was new is what this one knew as old.
            before = None if event.before is None else _standing(user, event, event.before)
            if before is None:
                continue
        changed += _state_change(before, row, event)
        quotas += _quota_change(before, row, event)
        if not late:
            stands[user] = rows[user] = row
            whole[user] = {"user_id": user, "record": record_text(event.record)}
    append(connection, state_changes, changed)
    _acted(connection, ids, quotas)
    upsert(connection, records, ["user_id"], _in_order(whole))
    return rows


def _known(connection: Connection, user_ids: Sequence[int]) -> dict[int, Row]:
    """What is known of users: when they were seen and measured (as numbers), state and quota."""
    if not user_ids:
        return {}
    times, others = ("seen", "measured"), ("state", *_QUOTA)
    columns = [type_coerce(latest.c[name], BigInteger) for name in times]
    mine = select(latest.c.user_id, *columns, *(latest.c[name] for name in others))
    mine = mine.where(among(connection, latest.c.user_id, user_ids)).order_by(latest.c.user_id)
    # Held, so that another service does not put the same change on record.
    rows = connection.execute(mine.with_for_update())
    return {row[0]: dict(zip((*times, *others), row[1:], strict=True)) for row in rows}


def _standing(user_id: int, event: Judged, record: Record | None = None) -> Row:
    record = record or event.record
    return {
        "user_id": user_id,
        "seen": number_of(event.time),
        "state": record.quota_state.value,
        "counted": _whole(record.actual_bytes),
        "counted_files": _whole(record.usage_files),
        "quota_bytes": _whole(record.quota_bytes),
        "quota_files": _whole(record.quota_files or None),
        # JSON knows no infinity, and a quota of nothing is used without end.
        "fraction": min(record.fraction_used, 1e300),
        "source": None if record.quota_source is None else clean(record.quota_source),
        "enabled": record.quota_enabled,
        "lockout_enabled": record.lockout_enabled,
    }


def _state_change(known: Row | None, row: Row, event: Judged) -> list[Row]:
    before = None if known is None else known["state"]
    # Who is within the quota when first seen has not changed.
    if row["state"] == (before or "ok"):
        return []
    return [
        {
            "user_id": row["user_id"],
            "time": event.time,
            "before": before,
            "after": row["state"],
            "by": clean(event.by),
            "counted": row["counted"],
            "quota_bytes": row["quota_bytes"],
        }
    ]


_QUOTA = ("quota_bytes", "quota_files", "enabled", "lockout_enabled")
_BY = {HAND: "an edit by hand", GRANDFATHERED: "grandfathering"}


def _quota_change(known: Row | None, row: Row, event: Judged) -> list[Action]:
    if known is None or event.told:
        return []
    changed = [name for name in _QUOTA if known[name] != row[name]]
    if not changed:
        return []
    switched = {"enabled", "lockout_enabled"} & set(changed)
    return [
        Action(
            ActionKind.QUOTA.value,
            event.user,
            event.time,
            _BY[HAND] if switched else _BY.get(row["source"] or "", "the settings"),
            before=quota_text(known),
            after=quota_text(row),
            reason=row["source"],
        )
    ]


def quota_text(row: Mapping[str, Any]) -> str:
    """A quota as JSON: what the columns of an action from what to what hold."""
    return json.dumps({name: row[name] for name in _QUOTA})


def quota_of(record: Record) -> Row:
    """The quota in a record, as `quota_text` takes it."""
    return {
        "quota_bytes": record.quota_bytes,
        "quota_files": record.quota_files or None,
        "enabled": record.quota_enabled,
        "lockout_enabled": record.lockout_enabled,
    }


def _last_measured(
    connection: Connection,
    ids: Mapping[str, int],
    events: Sequence[Measurement],
    known: Mapping[int, Row],
) -> dict[int, Row]:
    """What the last measurement says of each user, unless a younger one is known."""
    newest: dict[int, tuple[int, Measurement]] = {}
    for event in events:
        user, started = ids[event.user], number_of(event.started)
        last = newest[user][0] if user in newest else known.get(user, {}).get("measured")
        if last is None or last <= started:
            newest[user] = started, event
    grown = _growth(connection, newest)
    return {
        user: {
            "measured": started,
            "secs": event.secs,
            "allocated": _whole(event.allocated),
            "dirs": _whole(event.dirs),
            "unreadable": _whole(event.unreadable),
            "complete": event.complete,
            "timed_out": event.timed_out,
            "month_growth": grown.get(user),
            # Of who is judged, the judgement says these.
            "seen": started,
            "counted": _whole(event.counted),
            "counted_files": _whole(event.files),
            "quota_bytes": _whole(event.quota_bytes),
            "quota_files": _whole(event.quota_files),
        }
        for user, (started, event) in newest.items()
    }


_MEASURED = (
    *("measured", "secs", "allocated", "dirs", "unreadable", "complete", "timed_out"),
    "month_growth",
)
# Who was measured and not judged yet is within the quota, as far as is known.
_UNJUDGED = {
    "state": "ok",
    "fraction": 0.0,
    "source": None,
    "enabled": True,
    "lockout_enabled": True,
}


def _write_latest(
    connection: Connection, standing: Mapping[int, Row], measured: Mapping[int, Row]
) -> None:
    """How users stand now, and what their last measurement says: mostly both are new."""
    both: dict[int, Row] = {}
    one: dict[int, Row] = {}
    other: dict[int, Row] = {}
    for user in standing.keys() | measured.keys():
        if user not in measured:
            one[user] = standing[user]
        elif user not in standing:
            other[user] = {"user_id": user, **_UNJUDGED, **measured[user]}
        else:
            both[user] = {**measured[user], **standing[user]}
    for rows, younger, columns in (
        (both, "seen", ()),
        (one, "seen", ()),
        (other, "measured", _MEASURED),
    ):
        upsert(connection, latest, ["user_id"], _in_order(rows), younger=younger, columns=columns)


def _growth(
    connection: Connection, newest: Mapping[int, tuple[int, Measurement]]
) -> dict[int, int]:
    """By how many bytes users grew in the 30 days before a measurement.

    Who is not known for so long: since the first measurement.
    """
    if not newest:
        return {}
    asked = pairs(connection, [(user, started) for user, (started, _) in newest.items()])
    mine = select(measurements.c.counted).where(
        measurements.c.user_id == asked.c.one, measurements.c.counted >= 0
    )
    ago = asked.c.other - MONTH // MICROSECOND
    before = mine.where(type_coerce(measurements.c.started, BigInteger) <= ago)
    before = before.order_by(measurements.c.started.desc()).limit(1)
    first = mine.order_by(measurements.c.started).limit(1)
    then = func.coalesce(before.scalar_subquery(), first.scalar_subquery())
    found = connection.execute(select(asked.c.one, then))
    return {
        user: _within(newest[user][1].counted) - counted
        for user, counted in found
        if counted is not None
    }


def _acted(connection: Connection, ids: Mapping[str, int], events: Sequence[Action]) -> None:
    rows = [
        {
            "time": event.time,
            "kind": clean(event.kind),
            "user_id": ids[event.user] if event.user else None,
            "by": clean(event.by),
            **{
                name: None if value is None else clean(value)
                for name, value in (
                    ("server", event.server),
                    ("before", event.before),
                    ("after", event.after),
                    ("reason", event.reason),
                )
            },
            "until": event.until,
        }
        for event in events
    ]
    append(connection, actions, rows)


def _run(event: Run) -> Row:
    return {
        "name": clean(event.name),
        "host": clean(event.host),
        "started": event.started,
        "completed": event.completed,
        "outcome": clean(event.outcome),
        "error": None if event.error is None else clean(event.error),
        "counts": clean(json.dumps(dict(event.counts))),
    }


def _whole(number: int | None) -> int | None:
    """A number that a column takes: a hand may have written any into a control file."""
    return None if number is None else _within(number)


def _within(number: int) -> int:
    return max(-_MOST_INTEGER, min(number, _MOST_INTEGER))


def _in_order(rows: Mapping[Any, Row]) -> list[Row]:
    # Two processes that write the same rows in the same order do not wait for each other.
    return [rows[key] for key in sorted(rows)]


def _times(events: Iterable[Event]) -> list[datetime]:
    return [
        event.started if isinstance(event, (Measurement, Run)) else event.time for event in events
    ]
