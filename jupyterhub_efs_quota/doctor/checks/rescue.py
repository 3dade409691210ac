"""Rescues: whether the hub's spawner can start a server in a lockout as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...settings import EFSQuota
from .. import hub_app
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import HUB_MACHINE, Place

_WHAT = "rescue"


def look(place: Place) -> Iterator[Finding]:
    """The overrides, containers that are used again, and where rescue servers write."""
    settings = place.settings
    if settings is None or settings.on_lockout != "rescue":
        return
    if place.config is None:
        yield not_looked_at(_WHAT, "The hub's configuration is not seen from here.", HUB_MACHINE)
        return
    spawner = place.app.spawner_class
    found = [*_overrides(settings, spawner), *_kept(place, spawner), *_in_homes(settings, spawner)]
    yield from found
    if not found:
        minutes = settings.rescue_secs / 60
        yield ok(_WHAT, f"Users in lockout get their server for {minutes:g} minutes, to delete.")


def _overrides(settings: EFSQuota, spawner: type) -> Iterator[Finding]:
    known = spawner.class_traits()  # type: ignore[attr-defined]
    unknown = [name for name in settings.rescue_overrides if name not in known]
    if unknown:
        yield wrong(
            _WHAT,
            f"{spawner.__name__} has no setting {', '.join(map(repr, unknown))}: rescue servers"
            " start without.",
            f"Correct c.EFSQuota.rescue_overrides; {spawner.__name__}'s documentation has them",
        )


def _kept(place: Place, spawner: type) -> Iterator[Finding]:
    """Containers that stay when a server stops: the next server has the old environment."""
    names = {kind.__name__ for kind in spawner.mro()}
    if "DockerSpawner" not in names or place.config is None:
        return
    removed = next((bool(v) for _, v in hub_app.values(place.config, spawner, "remove")), False)
    if not removed:
        yield wrong(
            _WHAT,
            f"{spawner.__name__} starts a user's last container again, as it was: a rescue has"
            " nothing of one, or the next usual server is one.",
            f"c.{spawner.__name__}.remove = True",
        )


def _in_homes(settings: EFSQuota, spawner: type) -> Iterator[Finding]:
    """Only servers on this machine see the homes where we do."""
    if "LocalProcessSpawner" not in {kind.__name__ for kind in spawner.mro()}:
        return
    if Path(settings.rescue_directory).is_relative_to(settings.home_root):
        yield warning(
            _WHAT,
            f"rescue_directory ({settings.rescue_directory}) lies where the homes are, which may"
            " be full.",
            'c.EFSQuota.rescue_directory = "/tmp"',
        )
