"""Measuring: which walk there is, and whether the meter of the settings works on real homes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ...errors import MeasureError
from ...measure.meters import AUTO, WALK
from ...measure.task import Task
from ...measure.walk.engine import COMPILED, engine
from ...measure.walk.handles import allow_handles
from ...measure.workers.worker import measure
from ...words.figures import counted
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import Place

_WHAT = "meter"
_HOMES = 3
_SECS_EACH = 3.0


def look(place: Place) -> Iterator[Finding]:
    """The engine of the walk, then the meter on a few homes."""
    if place.settings is None:
        return
    meter = place.settings.meter
    if meter in (AUTO, WALK):
        yield _engine()
    if place.settings.dask_scheduler:
        yield not_looked_at(_WHAT, "Homes are measured on a Dask cluster.", "See its dashboard")
        return
    root = Path(place.settings.home_root)
    try:
        with os.scandir(root) as entries:
            homes = [e.path for e in islice(filter(_is_home, entries), _HOMES)]
    except OSError as error:
        yield not_looked_at(_WHAT, f"{root} cannot be read: {error.strerror}.")
        return
    if not homes:
        yield not_looked_at(_WHAT, f"There is no home in {root}.")
        return
    allow_handles()
    yield _measure(place, homes)


def _is_home(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _engine() -> Finding:
    if engine() == COMPILED:
        return ok("walk", "The compiled walk is built.")
    return warning(
        "walk",
        "The compiled walk was not built: the one in Python takes three times as long.",
        "apt-get install gcc python3-dev; install jupyterhub-efs-quota again",
    )


def _measure(place: Place, homes: list[str]) -> Finding:
    assert place.settings is not None
    settings = place.settings
    files = hidden = 0
    for home in homes:
        task = Task(
            home,
            _SECS_EACH,
            meter=settings.meter,
            cross_mounts=settings.cross_mounts,
            skip=tuple(settings.skip_directories),
            allocated=settings.size_basis == "allocated",
        )
        try:
            usage = measure(task)
        except MeasureError as error:
            return wrong(_WHAT, str(error), 'c.EFSQuota.meter = "walk"  # or mend what it says')
        files += usage.files or 0
        hidden += usage.hidden
    if hidden:
        return wrong(
            _WHAT,
            f"{counted(hidden, 'entry', 'entries')} in {counted(len(homes), 'home')} could not be"
            " read: usage is counted too low.",
            "Run the service as root, and export NFS homes to it with no_root_squash",
        )
    return ok(
        _WHAT,
        f"{settings.meter!r} works: {counted(files, 'file')} in {counted(len(homes), 'home')}.",
    )
