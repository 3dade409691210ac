"""The record: what is known about one user's quota, as it stands in quota.yaml.

The first 14 fields are those of the STScI EFS quota system, with its names and types,
so that its files and ours can be read by either.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from .sizes import GIB, MOST

NULL_TIME = "0001-01-01T01:01"
UNDEFINED_BYTES = -1
DEFAULT_QUOTA_BYTES = 200 * GIB


class State(str, Enum):
    """A user's state, from best to worst but for `timed-out`, which knows no usage."""

    OK = "ok"
    NEARING_LIMIT = "nearing-limit"
    VIOLATION = "violation"
    LOCKOUT = "lockout"
    TIMED_OUT = "timed-out"


@dataclass(frozen=True)
class Record:
    """One user's quota, usage and state.

    Times are UTC; None is the null time, "never". `actual_bytes` is -1 until the home
    has been measured. Everything after `timed_out` is ours and written only when known:

    - `configured_bytes`, `configured_files`: the limit that the settings last gave.
      A `quota_bytes` that differs from it was changed by hand.
    - `quota_until`: when a quota that was set for a time ends; `quota_reason`: why it was set.
    - `over_since`: when the user went over, which is the start of the grace time.
    - `full_at`: when the home is full, if it goes on growing as it does; see `ahead.py`.
      `full_in`: `files` where it is their number that reaches its limit, not the bytes.
    - `home`: the home's directory, where the spawner knows better than the mapping.
    - `rescue_…`: the rescue of this lockout, which `rescue.py` is about. Since when and until
      when; the server and when the hub started it, which tells it from a later one of that
      name; what the home held at its beginning; since when the user is back under the quota;
      and why it has ended.
    - `extra`: keys that we do not know, kept as they are.
    """

    user: str
    quota_bytes: int = DEFAULT_QUOTA_BYTES
    actual_bytes: int = UNDEFINED_BYTES
    fraction_used: float = 0.0
    warn_fraction: float = 0.9
    quota_enabled: bool = True
    lockout_enabled: bool = True
    last_activity: datetime | None = None
    reaper_time: datetime | None = None
    active_at_reap: int = 0
    started: datetime | None = None
    stopped: datetime | None = None
    quota_state: State = State.OK
    timed_out: bool = False

    usage_files: int | None = None
    quota_files: int | None = None
    allocated_bytes: int | None = None
    unreadable: int | None = None
    meter: str | None = None
    quota_source: str | None = None
    configured_bytes: int | None = None
    configured_files: int | None = None
    quota_until: datetime | None = None
    quota_reason: str | None = None
    over_since: datetime | None = None
    full_at: datetime | None = None
    full_in: str | None = None
    home: str | None = None
    rescue_began: datetime | None = None
    rescue_until: datetime | None = None
    rescue_server: str | None = None
    rescue_started: datetime | None = None
    rescue_bytes: int | None = None
    rescue_files: int | None = None
    rescue_back: datetime | None = None
    rescue_ended: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """Whether the home was ever measured."""
        return self.actual_bytes != UNDEFINED_BYTES and self.started is not None

    @property
    def over(self) -> bool:
        """Whether the usage is over the quota, in bytes or in files."""
        over_files = bool(self.quota_files) and (self.usage_files or 0) > (self.quota_files or 0)
        return self.actual_bytes > self.quota_bytes or over_files


if TYPE_CHECKING:
    # The names and types of fields are checked by it.
    from dataclasses import replace as replace  # noqa: PLC0414
else:

    def replace(record: Record, /, **changes: Any) -> Record:
        """As `dataclasses.replace`, in a tenth of the time: cycles judge ten thousand records.

        Raises TypeError for what is no field.
        """
        if not changes.keys() <= Record.__dataclass_fields__.keys():
            raise TypeError(f"A record has no fields {sorted(changes)}.")
        replaced = object.__new__(Record)
        # Not one by one: frozen, it would have to be asked 35 times.
        object.__setattr__(replaced, "__dict__", {**vars(record), **changes})
        return replaced


_FIELDS = tuple(f.name for f in fields(Record) if f.name != "extra")
COMMON_FIELDS = _FIELDS[:14]
OWN_FIELDS = _FIELDS[14:]


def from_mapping(mapping: Mapping[Any, Any]) -> Record:
    """The record in a loaded control file: missing keys take their defaults.

    Raises ValueError, naming the key, for a value of the wrong type or range.
    """
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in mapping.items():
        read = _READ.get(key) if isinstance(key, str) else None
        if read is None:
            extra[key] = value
        elif value is not None or key not in OWN_FIELDS:
            try:
                values[key] = read(value)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
    values.setdefault("user", "")
    return Record(**values, extra=extra)


def to_mapping(record: Record) -> dict[str, Any]:
    """The record as control files, log lines and the API have it, in construction order."""
    mapping: dict[str, Any] = {}
    for name in COMMON_FIELDS:
        value = getattr(record, name)
        mapping[name] = value if type(value) in _PLAIN else _write(value)
    for name in OWN_FIELDS:
        value = getattr(record, name)
        if value is not None:
            mapping[name] = value if type(value) in _PLAIN else _write(value)
    mapping.update(record.extra)
    return mapping


def format_time(time: datetime | None) -> str:
    """UTC, naive ISO with six fractional digits; the null time for None."""
    if time is None:
        return NULL_TIME
    if time.tzinfo is not timezone.utc:
        time = time.astimezone(timezone.utc)
    # A fixed width makes times compare as text, which readers of these files rely on.
    return time.isoformat(timespec="microseconds")[:_TIME_WIDTH]


_FRACTION = re.compile(r"\.(\d+)")
_TIME_WIDTH = len("2022-08-29T19:56:17.359858")


def parse_time(value: object) -> datetime | None:
    """A time as control files or the hub give it; None for the null time or null.

    Takes a trailing `Z`, an offset, any number of fractional digits, and what YAML
    makes of an unquoted time. Raises ValueError.
    """
    if value is None or value == NULL_TIME:
        return None
    if isinstance(value, str):
        if len(value) == _TIME_WIDTH:
            # The form in control files, of which a cycle reads tens of thousands.
            with contextlib.suppress(ValueError):
                time = datetime.fromisoformat(value)
                if time.tzinfo is None and time.year > 1:
                    return time.replace(tzinfo=timezone.utc)
        text = value.strip()
        if text[-1:] in "zZ":
            text = text[:-1] + "+00:00"
        # Before Python 3.11, fromisoformat takes 3 or 6 digits only; never more than 6.
        text = _FRACTION.sub(lambda m: "." + m[1][:6].ljust(6, "0"), text, count=1)
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{value!r} is not a time like 2022-08-29T19:56:17.359858") from None
    if not isinstance(value, datetime):
        raise ValueError(f"{value!r} is not a time like 2022-08-29T19:56:17.359858")
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    try:
        value = value.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"{value!r} is out of range") from None
    return None if value.year == 1 else value


# What needs no writing: most values, of ten thousand records at a time.
_PLAIN = frozenset({str, int, float, bool})


def _write(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return format_time(value)
    return value.value if isinstance(value, State) else value


def _whole(least: int) -> Any:
    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= MOST:
            raise ValueError(f"must be a whole number, {least} or more, not {_short(value)}")
        return value

    return read


def _number(value: object) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"must be a number, not {_short(value)}")
    return number


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fraction(value: object) -> float:
    number = _number(value)
    if number < 0:
        raise ValueError(f"must be 0 or more, not {value!r}")
    return number


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError(f"must be true or false, not {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def _name(value: object) -> str:
    # A user name that looks like a number, in a file that somebody wrote by hand.
    return str(value) if type(value) is int else _text(value)


def _state(value: object) -> State:
    try:
        return State(value)
    except ValueError:
        known = ", ".join(state.value for state in State)
        raise ValueError(f"must be one of {known}, not {value!r}") from None


_READ: dict[str, Any] = {
    "user": _name,
    "quota_bytes": _whole(0),
    "actual_bytes": _whole(UNDEFINED_BYTES),
    "fraction_used": _number,
    "warn_fraction": _fraction,
    "quota_enabled": _flag,
    "lockout_enabled": _flag,
    "last_activity": parse_time,
    "reaper_time": parse_time,
    "active_at_reap": _whole(0),
    "started": parse_time,
    "stopped": parse_time,
    "quota_state": _state,
    "timed_out": _flag,
    "usage_files": _whole(0),
    "quota_files": _whole(0),
    "allocated_bytes": _whole(0),
    "unreadable": _whole(0),
    "meter": _text,
    "quota_source": _text,
    "configured_bytes": _whole(0),
    "configured_files": _whole(0),
    "quota_until": parse_time,
    "quota_reason": _text,
    "over_since": parse_time,
    "full_at": parse_time,
    "full_in": _text,
    "home": _text,
    "rescue_began": parse_time,
    "rescue_until": parse_time,
    "rescue_server": _text,
    "rescue_started": parse_time,
    "rescue_bytes": _whole(0),
    "rescue_files": _whole(0),
    "rescue_back": parse_time,
    "rescue_ended": _text,
}
