"""Times in words, for people: how long ago, how long until. Pure."""

from __future__ import annotations

from datetime import datetime, timezone

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago a time was: `3 hours ago`, `just now`; nothing for never."""
    if then is None:
        return ""
    parts = _parts(now, then)
    return f"{parts[0]} ago" if parts else "just now"


def time_left(then: datetime, now: datetime) -> str:
    """How long it is until a time, in two units: `2 days and 3 hours`; nothing if it is now.

    Rounded down: nobody has more time than is said.
    """
    return " and ".join(_parts(then, now)[:2])


def minute(time: datetime) -> str:
    """A time to the minute: `2026-12-24 18:00 UTC`."""
    return f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def date_of(time: datetime) -> str:
    """The day of a time, in UTC: `2026-12-24`."""
    return f"{time.astimezone(timezone.utc):%Y-%m-%d}"


def _parts(later: datetime, earlier: datetime) -> list[str]:
    secs = max(0, int((later - earlier).total_seconds()))
    parts = []
    for unit, length in _UNITS:
        count, secs = divmod(secs, length)
        # After the first unit comes the next one only: no days and minutes.
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
        elif parts:
            break
    return parts
