"""The jobs as the service has them: told, looked at, switched. Made by `app.py` for the pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ..errors import BadRun
from ..history.events import Action, ActionKind, Run
from ..loops.cycle import Rooms
from .activity import Activity
from .names import OWN_JOBS
from .overview import Overview, overview_of
from .switches import Switches, switches_of

# So far a machine's clock may be ahead of ours.
_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Jobs:
    """`activity` takes runs, `overview` says how all jobs stand, `switches` which are off."""

    activity: Activity
    overview: Overview
    switches: Switches
    rooms: Rooms

    def reported(self, run: Run) -> Run:
        """Take a run that somebody else reports; as it is stored. Raises BadRun."""
        if run.name in OWN_JOBS:
            raise BadRun(f"{run.name!r} is a job of the service itself: choose another name.")
        if run.completed > self.rooms.clock() + _AHEAD:
            raise BadRun(
                f"A run cannot have completed in the future ({run.completed}):"
                " look at the clock of that machine."
            )
        return self.activity.ran(run)

    def turn(self, name: str, *, on: bool, by: str, reason: str = "") -> bool:
        """Switch a job on or off; whether that changed anything. Blocking.

        Raises BadRun or StoreError.
        """
        now = self.rooms.clock()
        changed = self.switches.turn(name, on=on, by=by, now=now, reason=reason)
        if changed:
            states = ("off", "on") if on else ("on", "off")
            before, after = (f"{name} is {state}" for state in states)
            kind = ActionKind.SWITCHED.value
            self.rooms.history.acted(
                Action(kind, None, now, by, before=before, after=after, reason=reason or None)
            )
        return changed


def jobs_of(rooms: Rooms) -> Jobs:
    """The jobs that the settings speak of, and all others."""
    overview = overview_of(rooms.settings, rooms.history, rooms.clock)
    return Jobs(rooms.activity, overview, switches_of(rooms.settings), rooms)
