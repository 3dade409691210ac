"""The service's own jobs: how often each runs, and what is asked of it without a word of the site.

Read by `overview.py`, and so by whatever shows the checks: the page, the API, the metrics and
the commands.
"""

from __future__ import annotations

from ..loops.limbo import PERIOD_SECS as LIMBO_PERIOD_SECS
from ..loops.rescue import period_secs as rescue_period_secs
from ..settings import EFSQuota
from .checks import Check, Place, Recent
from .named import checks_of
from .names import LIMBO, MONITOR, REAPER, RESCUE

# What the check is called: in the row of its job nothing more needs to be said.
RECENT = "recent"
# A cycle may take longer than its period, and one may fail.
_PERIODS = 3
# Loops that run all the time are busy now and then.
_LEAST_MINUTES = 15.0


def periods(settings: EFSQuota) -> dict[str, float]:
    """From one cycle to the next, in seconds, of the loops that run under these settings."""
    found = {MONITOR: settings.monitor_period_secs, REAPER: settings.reaper_period_secs}
    if settings.on_lockout == "rescue":
        found[RESCUE] = rescue_period_secs(settings)
    if settings.allow_delete:
        found[LIMBO] = LIMBO_PERIOD_SECS
    return found


def checks_in_force(settings: EFSQuota) -> dict[str, tuple[Check, ...]]:
    """The checks of the settings, and one of each own loop that none of these is about.

    Of the loop over rescues nothing is asked: it runs only while somebody is in a rescue.
    """
    found = checks_of(settings.activity_checks)
    named = {check.place.job for some in found.values() for check in some}
    own = tuple(
        Recent(Place(job), _minutes(secs), patient=True)
        for job, secs in periods(settings).items()
        if job not in named and job != RESCUE
    )
    return {**found, RECENT: (*found.get(RECENT, ()), *own)} if own else found


def _minutes(period_secs: float) -> float:
    return max(_PERIODS * period_secs / 60, _LEAST_MINUTES)
