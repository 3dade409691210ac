"""The overview as JSON: what the API answers, and `overview --json` prints."""

from __future__ import annotations

from typing import Any

from ..users.as_json import happened_json, plain
from .overview import Happened, Overview


def overview_json(found: Overview) -> dict[str, Any]:
    """All of it."""
    shown: dict[str, Any] = plain(found)
    for name in ("refused", "stopped"):
        shown[name] = _happened(getattr(found, name))
    return shown


def _happened(happened: Happened) -> dict[str, Any]:
    return {"last": [happened_json(each) for each in happened.last], "total": happened.total}
