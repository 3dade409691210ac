"""What a server is told of its user's storage, in environment variables.

Called by the spawn hook. For the user's own tools: a prompt, a notebook, a job's script.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ..quota.ahead import Foresight, expected_full
from ..quota.record import Record


def variables(record: Record, now: datetime, foresight: Foresight) -> dict[str, str]:
    """The variables for a record: only what is known."""
    told = {}
    if record.quota_enabled:
        told["STORAGE_QUOTA_BYTES"] = str(record.quota_bytes)
    if record.measured:
        told["STORAGE_USED_BYTES"] = str(record.actual_bytes)
        if record.stopped is not None:
            told["STORAGE_MEASURED_AT"] = _text(record.stopped)
    full, lock = expected_full(record, now), foresight.lock(record, now)
    if full is not None:
        told["STORAGE_FULL_AT"] = _text(full)
    if lock is not None:
        told["STORAGE_LOCKED_AT"] = _text(lock.at)
    return told


def _text(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def put_variables(spawner: Any, told: dict[str, str]) -> None:
    """Give a spawner these variables, but for those that the site or the user has set.

    What we gave the same spawner before is taken back: it may be used for a second try.
    """
    ours = getattr(spawner, "_efs_quota_variables", {})
    before = getattr(spawner, "environment", None) or {}
    kept = {name: value for name, value in before.items() if ours.get(name) != value}
    # What the site takes over from the hub's own environment is set by the site, too.
    taken = {*kept, *getattr(spawner, "env_keep", ())}
    added = {name: value for name, value in told.items() if name not in taken}
    if ours or added:
        # Another dictionary: this one may be the configuration, which all spawners share.
        spawner.environment = {**kept, **added}
        spawner._efs_quota_variables = added
