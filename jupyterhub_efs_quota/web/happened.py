"""What happened to a user, as their page tells it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup, escape

from ..history.events import Action, ActionKind
from ..history.happened import StateChange
from .words import name, number, size


@dataclass(frozen=True)
class Happening:
    """One thing: what, when, by whom, and why. `what` is safe to show as it is."""

    time: datetime
    what: Markup
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
        words = Markup("Quota {}, before {}")
        what = words.format(_quota(each.after), _quota(each.before))
    else:
        known = _WORDS.get(each.kind) or name(each.kind)
        of = each.server or each.after
        what = Markup("{}: {}").format(known, name(of)) if of else escape(known)
    return Happening(each.time, what, each.by, each.reason or "", each.until)


def _state(change: StateChange) -> Markup:
    was = f", before {name(change.before)}" if change.before else ""
    quota = size(change.quota_bytes)
    if change.counted < 0:
        return Markup("State {}{}: a quota of {}").format(name(change.after), was, quota)
    words = Markup("State {}{}: {} of {}")
    return words.format(name(change.after), was, size(change.counted), quota)


def _quota(text: str | None) -> Markup:
    """A quota as the history has it, in words."""
    try:
        told = json.loads(text or "")
        held, files = told["quota_bytes"], told.get("quota_files")
        if not isinstance(held, int):
            return Markup("unknown")
    except (ValueError, TypeError, KeyError, AttributeError):
        return Markup("unknown")
    limit = Markup()
    if isinstance(files, int) and files:
        limit = Markup(" and {} files").format(number(files))
    off = "" if told.get("enabled", True) else " (not enforced)"
    return Markup("{}{}{}").format(size(held), limit, off)
