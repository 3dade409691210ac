"""Times as people write them, in a form or at a terminal. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo

_AWAY = re.compile(r"([+-])(\d{1,5})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
ALLOWED = "write 2026-12-24, 2026-12-24 18:00, 2026-12-24T18:00:00Z, +30d, +2w or +12h"


def read_time(text: str, now: datetime, *, ends: bool, zone: tzinfo | None) -> datetime:
    """The time in a text. Raises ValueError.

    Without a zone it is one of `zone`; None is that of this machine. A date alone is the whole
    day: its end where something ends then (`ends`), else its beginning.
    """
    away = _AWAY.fullmatch(text.strip())
    try:
        if away is not None:
            step = timedelta(**{_UNITS[away[3]]: int(away[2])})
            return now + step if away[1] == "+" else now - step
        return _read(text.strip(), zone, ends=ends)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time: {ALLOWED}") from None


def _read(text: str, zone: tzinfo | None, *, ends: bool) -> datetime:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        day = date.fromisoformat(text)
        day += timedelta(days=1) if ends else timedelta()
        return _in_zone(datetime.combine(day, time()), zone)
    # Python 3.10 does not know what Z means.
    moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    return moment if moment.tzinfo else _in_zone(moment, zone)


def _in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
