"""Times as somebody at a terminal writes and reads them: in the zone of their machine."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ..errors import SettingsError
from ..users.when import read_time


def parse(text: str, name: str, now: datetime, *, ends: bool) -> datetime:
    """A time that was given as `--NAME`, as `read_time` reads it. Raises SettingsError.

    Without a zone it is one of this machine's zone.
    """
    try:
        return read_time(text, now, ends=ends, zone=None)
    except ValueError as error:
        raise SettingsError(f"--{name} {error}.") from None


def to_api(moment: datetime) -> str:
    """As the API takes it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(text: str | None, *, missing: str = "never") -> str:
    """A time of the API in the zone of this machine: `2026-12-24 18:00 CET`."""
    if text is None:
        return missing
    moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def secs_between(started: str, completed: str) -> float:
    """How long something took, by the API's times."""
    first, last = (
        datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text)) for text in (started, completed)
    )
    return (last - first).total_seconds()
