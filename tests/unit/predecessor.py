"""The predecessor's way with a control file, in a few lines: what ours must agree with.

Written from the facts about it (formats and figures), to show that files go both ways:
it overlays a loaded file on its defaults, keeps unknown keys, judges, and writes in
place, block style, keys in alphabetical order.
"""

from datetime import datetime

import yaml

NULL_TIME = "0001-01-01T01:01"


def defaults(user):
    return {
        "user": user,
        "quota_bytes": 200 * 1024**3,
        "actual_bytes": -1,
        "fraction_used": 0.0,
        "warn_fraction": 0.9,
        "quota_enabled": True,
        "lockout_enabled": True,
        "last_activity": NULL_TIME,
        "reaper_time": NULL_TIME,
        "active_at_reap": 0,
        "started": NULL_TIME,
        "stopped": NULL_TIME,
        "quota_state": "ok",
        "timed_out": False,
    }


def load(path, user):
    return {**defaults(user), **yaml.safe_load(path.read_text())}


def save(path, record):
    path.write_text(yaml.dump(record))


def evaluate(record):
    actual, quota = record["actual_bytes"], record["quota_bytes"]
    record["fraction_used"] = actual / quota
    if actual > quota:
        record["quota_state"] = "lockout" if record["lockout_enabled"] else "violation"
    elif record["timed_out"]:
        record["quota_state"] = "timed-out"
    elif actual > quota * record["warn_fraction"]:
        record["quota_state"] = "nearing-limit"
    else:
        record["quota_state"] = "ok"


def due(record):
    """Its rule for measuring, times compared as text."""
    never = record["actual_bytes"] == -1 or record["started"] == NULL_TIME
    return never or record["last_activity"] > record["stopped"]


def check(record):
    """Every field has the type that its program works with."""
    for name, value in defaults("").items():
        assert type(record[name]) is type(value), (name, record[name])
    for name in ("last_activity", "reaper_time", "started", "stopped"):
        if record[name] != NULL_TIME:
            datetime.strptime(record[name], "%Y-%m-%dT%H:%M:%S.%f")
