"""File systems that count for themselves: asked instead of walking.

Called in a worker process, by two doors: `count` for a counter that the settings name,
`count_or_walk` for `meter = "auto"`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ...errors import CannotCount, MeasureError
from ...quota.usage import Usage
from ..empty import empty_home
from ..meters import ALLOCATED, APPARENT, COUNTERS
from ..task import Task
from .btrfs import Btrfs
from .cephfs import CephFS
from .counter import Counter
from .lustre import Lustre, LustreUser
from .open_home import OpenHome, open_home
from .project import ProjectQuota
from .zfs import ZFS, ZFSUser

# A counter answers at once or not at all; a walk that follows needs the rest of the time.
_PATIENCE_SECS = 30.0

# Where more than one could count, `auto` takes the first that is `sure`.
_COUNTERS: tuple[Counter, ...] = (
    CephFS(),
    ProjectQuota("xfs"),
    ProjectQuota("ext4"),
    Btrfs(),
    Lustre(),
    LustreUser(),
    ZFS(),
    ZFSUser(),
)


def count(task: Task) -> Usage:
    """Measure one home with the counter that its task names. Raises MeasureError."""
    counter = next(counter for counter in _COUNTERS if counter.name == task.meter)
    empty = empty_home(task.home, counter.name)
    if empty is not None:
        return empty
    try:
        with open_home(task.home) as home:
            if home.mount.kind not in counter.kinds:
                raise CannotCount(
                    f"It is on {home.mount.kind}, not on {counter.kinds[0]}: is it mounted?"
                )
            return _ask(counter, home, task)
    except CannotCount as reason:
        raise MeasureError(
            f"meter = {task.meter!r} cannot count {task.home!r}: {reason} "
            "Or set meter = 'auto', which walks such homes."
        ) from None


def count_or_walk(task: Task, walk: Callable[[Task], Usage]) -> Usage:
    """Measure one home with the counter of its file system if that can tell, else by a walk.

    What a counter finds over the limit is walked too, and the walk's number is the one
    that counts: nobody is locked out on the word of a counter. Raises MeasureError.
    """
    began = time.monotonic()
    why = ""
    try:
        usage = _by_best_counter(task)
        if not _over(task, usage):
            return usage
    except CannotCount as reason:
        why = str(reason)
    left = max(0.0, task.deadline_secs - (time.monotonic() - began))
    return replace(walk(replace(task, deadline_secs=left)), why_walked=why)


def _by_best_counter(task: Task) -> Usage:
    with open_home(task.home) as home:
        kind = home.mount.kind
        for counter in _COUNTERS:
            if counter.sure and kind in counter.kinds:
                if task.limit is not None and task.limit.files and not COUNTERS[counter.name].files:
                    raise CannotCount(
                        f"The counter of {kind} does not tell files from folders,"
                        " and there is a limit on files."
                    )
                return _ask(counter, home, task)
        raise CannotCount(f"Homes on {kind} have no counter that could be asked.")


def _ask(counter: Counter, home: OpenHome, task: Task) -> Usage:
    amiss = COUNTERS[counter.name].amiss(
        ALLOCATED if task.allocated else APPARENT,
        cross_mounts=task.cross_mounts,
        skip=task.skip,
    )
    if amiss is not None:
        raise CannotCount(f"The counter of {home.mount.kind} does not serve: {amiss}.")
    # Somebody waits for what they have deleted to count where the walk may stop early.
    secs = min(_PATIENCE_SECS, task.deadline_secs / 2)
    try:
        usage = counter.count(home, secs=secs, fresh=task.ceiling is not None)
    except OSError as error:
        raise CannotCount(f"Its counter cannot be asked: {error.strerror}.") from None
    return replace(usage, changed=home.changed, meter=counter.name)


def _over(task: Task, usage: Usage) -> bool:
    if task.limit is None:
        return False
    return task.limit.passed(usage.bytes or 0, usage.allocated or 0, usage.files or 0)
