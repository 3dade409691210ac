"""What the loops and pages tell of what happens: the interface, which keeps nothing by itself.

`History` keeps it. Where there is no database, and inside the hub, this stands in for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ..quota.record import Record
from ..quota.usage import Usage
from .events import Action, Fill, Run


@dataclass(frozen=True)
class Counts:
    """What became of the events of this process.

    `gaps` is how often the database was away; `lost` is what found no room meanwhile, or
    what no database takes.
    """

    written: int
    waiting: int
    lost: int
    gaps: int


class Recorder:
    """Takes what is to be put on record. No call waits for anything, or raises.

    `keeps_summaries`: whether it is worth while to sum up a home that is measured.
    """

    keeps_summaries = False

    def measured(
        self, record: Record, usage: Usage, started: datetime, stopped: datetime, *, by: str
    ) -> None:
        """A home was measured, and this is the user's record now."""

    def judged(self, record: Record, *, by: str) -> None:
        """A record was judged: what is other than it was is put on record as changes."""

    def quota_changed(
        self,
        before: Record,
        after: Record,
        *,
        by: str,
        reason: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Somebody gave a user another quota. Call it as soon as the file is written."""

    def stopped(self, user: str, server: str, reason: str, *, by: str) -> None:
        """A server was stopped; "" is the default one."""

    def refused(self, user: str, server: str, reason: str, *, by: str) -> None:
        """A server was not started."""

    def acted(self, action: Action) -> None:
        """Something else was done."""

    def ran(self, run: Run) -> None:
        """A job ran."""

    def filled(self, fill: Fill) -> None:
        """The volume of the homes was looked at."""

    def listed(self, names: Collection[str]) -> None:
        """These are all users that the hub has now."""

    def start(self) -> None:
        """Begin to keep what is told."""

    def close(self, secs: float = 8.0) -> None:
        """Write what is waiting, within that time, and end."""

    @property
    def trouble(self) -> str | None:
        """What is wrong, in a sentence; None if nothing is."""
        return None

    @property
    def counts(self) -> Counts | None:
        """What became of the events so far; None where none are kept."""
        return None
