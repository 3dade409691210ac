"""Times as somebody at a terminal writes and reads them: in the zone of their machine."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone

from ..errors import SettingsError

_AWAY = re.compile(r"([+-])(\d{1,5})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_ALLOWED = "write 2026-12-24, 2026-12-24 18:00, 2026-12-24T18:00:00Z, +30d, +2w or +12h"


def parse(text: str, name: str, now: datetime, *, ends: bool) -> datetime:
    """A time that was given as `--NAME`. Raises SettingsError.

    Without a zone it is one of this machine's zone. A date alone is the whole day: its end
    where something ends then (`ends`), else its beginning.
    """
    away = _AWAY.fullmatch(text.strip())
    try:
        if away is not None:
            step = timedelta(**{_UNITS[away[3]]: int(away[2])})
            return now + step if away[1] == "+" else now - step
        return _read(text.strip(), ends=ends)
    except (ValueError, OverflowError, OSError):
        raise SettingsError(f"--{name} {text!r} is no time: {_ALLOWED}.") from None


def _read(text: str, *, ends: bool) -> datetime:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        day = date.fromisoformat(text)
        day += timedelta(days=1) if ends else timedelta()
        return datetime.combine(day, time()).astimezone()
    # Python 3.10 does not know what Z means.
    moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    return moment if moment.tzinfo else moment.astimezone()


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
