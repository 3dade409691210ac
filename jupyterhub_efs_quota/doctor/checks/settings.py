"""The settings: whether they make sense, and whether what runs has the same."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...settings import HANDED_OVER, EFSQuota, hand_over
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import Place

_WHAT = "settings"


def look(place: Place) -> Iterator[Finding]:
    """The settings by themselves, then next to what setup(c) and the service have."""
    if place.settings is None:
        mend = f"Correct that in {place.config_file}" if place.config_file else "Correct that"
        yield wrong(_WHAT, place.settings_error, mend)
        return
    yield _nested(place.settings) or ok(_WHAT, _given(place))
    yield from _after_setup(place)
    yield from _running(place)


def _given(place: Place) -> str:
    if place.config_file:
        return f"Those in {place.config_file} make sense."
    if HANDED_OVER in place.environment:
        return "Those that the hub hands over make sense."
    return "None are given: all have their defaults."


def _nested(settings: EFSQuota) -> Finding | None:
    control, homes = Path(settings.quota_control), Path(settings.home_root)
    if not (control.is_relative_to(homes) or homes.is_relative_to(control)):
        return None
    return warning(
        _WHAT,
        f"quota_control ({control}) and home_root ({homes}) are one inside the other: control"
        " files should be where no home can be.",
        f'c.EFSQuota.quota_control = "{homes.parent / "quota-control"}"',
    )


def _after_setup(place: Place) -> Iterator[Finding]:
    """What was changed after setup(c) had read it."""
    handed = (place.service or {}).get("environment", {}).get(HANDED_OVER)
    if handed is None or place.config is None:
        return
    try:
        changed = _differing(handed, hand_over(place.config))
    except SettingsError as error:
        yield wrong(_WHAT, str(error), f"Correct that in {place.file}")
        return
    if changed:
        yield wrong(
            _WHAT,
            f"{changed} in c.EFSQuota changed after setup(c): neither the service nor the spawn"
            " hook sees that.",
            f"Move `setup(c)` to the end of {place.file}",
        )


def _running(place: Place) -> Iterator[Finding]:
    what = "running service"
    if place.running is None:
        if place.service is None or "command" not in place.service:
            return
        yield not_looked_at(
            what,
            "No process here is the service that the hub starts, or it is another user's.",
            "Start the hub; run this on the hub's machine, as the hub's user or as root",
        )
        return
    handed = (place.service or {}).get("environment", {}).get(HANDED_OVER, "{}")
    changed = _differing(handed, place.running.environment.get(HANDED_OVER, "{}"))
    if changed:
        yield warning(
            what,
            f"It runs with another {changed} than {place.file} has now.",
            "Restart the hub",
        )
    elif place.running.uid != os.geteuid():
        name = user_name(place.running.uid)
        yield warning(
            what,
            f"It runs as {name}, and this as {user_name(os.geteuid())}: what may be read and"
            " written here may differ for it.",
            f"runuser -u {name} -- jupyterhub-efs-quota doctor --config={place.file}",
        )
    else:
        yield ok(what, f"Process {place.running.pid} has the same settings.")


def _differing(one: str, other: str) -> str:
    """The names of the settings that differ: never their values, which may be secret."""
    first, second = _values(one), _values(other)
    names = sorted({*first, *second})
    return ", ".join(name for name in names if first.get(name) != second.get(name))


def _values(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def user_name(number: int) -> str:
    """A system user, by name if there is one."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
