"""What happened to a user, as their page tells it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from ..history.events import Action, ActionKind
from ..history.reading import StateChange
from ..quota.sizes import format_size


@dataclass(frozen=True)
class Happening:
    """One thing: what, when, by whom, and why."""

    time: datetime
    what: str
    by: str
    why: str = ""
    until: datetime | None = None


_WORDS = {
    ActionKind.STOPPED.value: "Server stopped",
    ActionKind.REFUSED.value: "Server not started",
    ActionKind.RESCUED.value: "Server started to free space",
    ActionKind.FREED.value: "Space freed",
    ActionKind.RESTORED.value: "Files brought back",
}


def happening(each: Action | StateChange) -> Happening:
    """One thing in words."""
    if isinstance(each, StateChange):
        return Happening(each.time, _state(each), each.by)
    if each.kind == ActionKind.QUOTA.value:
        what = f"Quota {_quota(each.after)}, before {_quota(each.before)}"
    else:
        what = _WORDS.get(each.kind, each.kind)
        if each.server:
            what += f": {each.server}"
        elif each.after:
            what += f": {each.after}"
    return Happening(each.time, what, each.by, each.reason or "", each.until)


def _state(change: StateChange) -> str:
    was = f", before {change.before}" if change.before else ""
    held = f": {format_size(change.counted)} of " if change.counted >= 0 else ": a quota of "
    return f"State {change.after}{was}{held}{format_size(change.quota_bytes)}"


def _quota(text: str | None) -> str:
    """A quota as the history has it, in words."""
    try:
        told = json.loads(text or "")
        size, files = told["quota_bytes"], told.get("quota_files")
        if not isinstance(size, int):
            return "unknown"
    except (ValueError, TypeError, KeyError, AttributeError):
        return "unknown"
    limit = f" and {files:,} files" if isinstance(files, int) and files else ""
    off = "" if told.get("enabled", True) else " (not enforced)"
    return f"{format_size(size)}{limit}{off}"
