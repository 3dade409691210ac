"""The checks that the settings name, and those of a command line: text -> checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import BadRun
from .checks import Check, Often, Place, Recent, RunTime
from .names import checked_host, checked_name

_KEYS = (
    "job",
    "host",
    "recent_minutes",
    "window_minutes",
    "at_least",
    "longest_gap_minutes",
    "last_runs",
    "least_mean_secs",
    "most_mean_secs",
    "most_spreads",
)
_MOST_MINUTES, _MOST_RUNS = 10 * 366 * 24 * 60, 1000


def checks_of(named: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Check, ...]]:
    """The checks in `activity_checks`, by their names. Raises ValueError, naming what is wrong."""
    found = {}
    for name, wanted in named.items():
        try:
            found[checked_name(name)] = _checks(wanted)
        except (BadRun, ValueError) as error:
            raise ValueError(f"the check {name!r}: {error}") from None
    return found


def place_of(text: str) -> Place:
    """What `HOST:NAME` means; `*` is any host. Raises ValueError."""
    host, colon, job = text.partition(":")
    try:
        if not colon:
            raise BadRun("no colon")
        return Place(checked_name(job), None if host == "*" else checked_host(host))
    except BadRun:
        raise ValueError(f"{text!r} is not in the format 'host:scriptname'") from None


def _checks(wanted: Mapping[str, Any]) -> tuple[Check, ...]:
    if not isinstance(wanted, Mapping):
        raise ValueError("it should be a dictionary with at least 'job'")
    unknown = next((key for key in wanted if key not in _KEYS), None)
    if unknown is not None:
        raise ValueError(f"{unknown!r} is none of {', '.join(_KEYS)}")
    host = wanted.get("host")
    place = Place(checked_name(wanted.get("job")), None if host is None else checked_host(host))
    made = (make(place, wanted) for make in (_recent, _often, _run_time))
    found = tuple(check for check in made if check is not None)
    if not found:
        raise ValueError("it asks for nothing: give recent_minutes, window_minutes or last_runs")
    return found


def _recent(place: Place, wanted: Mapping[str, Any]) -> Check | None:
    minutes = _number(wanted, "recent_minutes", _MOST_MINUTES)
    return None if minutes is None else Recent(place, minutes)


def _often(place: Place, wanted: Mapping[str, Any]) -> Check | None:
    minutes = _number(wanted, "window_minutes", _MOST_MINUTES)
    least = _whole(wanted, "at_least", _MOST_RUNS * 1000)
    gap = _number(wanted, "longest_gap_minutes", _MOST_MINUTES)
    if minutes is None:
        if least is not None or gap is not None:
            raise ValueError("at_least and longest_gap_minutes need window_minutes")
        return None
    if least is None and gap is None:
        raise ValueError("window_minutes needs at_least or longest_gap_minutes")
    return Often(place, minutes, least or 0, gap)


def _run_time(place: Place, wanted: Mapping[str, Any]) -> Check | None:
    runs = _whole(wanted, "last_runs", _MOST_RUNS)
    least = _number(wanted, "least_mean_secs", math.inf)
    most = _number(wanted, "most_mean_secs", math.inf)
    spreads = _number(wanted, "most_spreads", math.inf)
    asked = [each for each in (least, most, spreads) if each is not None]
    if bool(asked) != (runs is not None):
        raise ValueError(
            "last_runs and one of least_mean_secs, most_mean_secs and most_spreads go together"
        )
    if runs is None:
        return None
    if least is not None and most is not None and least > most:
        raise ValueError("least_mean_secs is above most_mean_secs")
    return RunTime(place, runs, least, most, spreads)


def _number(wanted: Mapping[str, Any], key: str, most: float) -> float | None:
    value = wanted.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        bound = f" and at most {most:g}" if math.isfinite(most) else ""
        raise ValueError(f"{key} must be a number above 0{bound}, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{key} must be a number, not {value!r}")
    return float(value)


def _whole(wanted: Mapping[str, Any], key: str, most: int) -> int | None:
    number = _number(wanted, key, most)
    if number is None:
        return None
    if not number.is_integer():
        raise ValueError(f"{key} must be a whole number, not {wanted[key]!r}")
    return int(number)
