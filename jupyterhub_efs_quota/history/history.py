"""`History`: takes what happens without waiting, writes it in a thread, answers questions.

Made by `app.py` and the commands. Whatever becomes of the database, who tells something is
not held up: it waits in memory, then in a file, and is written when the database is back.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from ..errors import HistoryError
from ..quota.record import Record
from ..quota.summary import Summary
from ..quota.usage import Usage
from . import happened, reading, runs, surroundings, trees, writing
from .database import Database
from .events import Action, ActionKind, Event, Fill, Judged, Measurement, Run
from .happened import StateChange
from .packing import pack
from .pending import Pending, left_behind
from .queue import Queue
from .reading import Day, Latest, Page, Point
from .recorder import Counts, Recorder
from .surroundings import Gone
from .thinning import Keep, claim, thin
from .trees import Tree

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# Events are gathered for a moment, so that one transaction takes many.
GATHER_SECS = 0.2
# How often there is a look whether the file is still there, and what else is due.
TICK_SECS = 5.0
MOST_AT_ONCE = 1000
# After a failure: this long, then twice as long each time, up to the most.
FAILURE_WAIT_SECS = 1.0
MOST_FAILURE_WAIT_SECS = 60.0
# Who tries again and again is refused again and again: that is on record once in this time.
REFUSAL_EVERY = timedelta(minutes=1)
# What of a record makes it another one: not when it was looked at.
_STANDING = attrgetter(
    "quota_state", "actual_bytes", "usage_files", "quota_bytes", "quota_files", "quota_enabled",
    "lockout_enabled", "warn_fraction", "quota_source", "configured_bytes", "configured_files",
    "over_since", "timed_out", "home",
)  # fmt: skip


class History(Recorder):
    """The history in the database at `url`; what waits for it is put aside beside `aside`.

    `remembered` is called with the last good records of all users, once they are read.
    """

    keeps_summaries = True

    def __init__(
        self,
        url: URL,
        aside: Path,
        clock: Callable[[], datetime],
        keep: Keep | None = None,
        remembered: Callable[[list[Record]], None] | None = None,
    ) -> None:
        self._database = Database(url)
        self._aside = aside
        self._clock = clock
        self._keep = keep or Keep()
        self._remembered = remembered
        self._writer = uuid.uuid4().hex
        self._queue = Queue()
        self._pending = Pending(aside, self._writer)
        self._standing: dict[str, tuple[Record, Any]] = {}
        self._refused: dict[str, datetime] = {}
        self._names: Collection[str] | None = None
        self._trouble: str | None = None
        self._full: str | None = None
        self._failures = self._gaps = self._written = self._unwritable = self._put_aside_count = 0
        self._try_at = 0.0
        self._thinning: Iterator[int] | None = None
        self._look_at_thinning = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)

    # What is told.

    def measured(
        self, record: Record, usage: Usage, started: datetime, stopped: datetime, *, by: str
    ) -> None:
        """A home was measured, and this is the user's record now. Not on the event loop."""
        measurement = Measurement(
            record.user,
            started,
            max(0.0, (stopped - started).total_seconds()),
            counted=record.actual_bytes,
            quota_bytes=record.quota_bytes,
            quota_files=record.quota_files or None,
            bytes=usage.bytes,
            allocated=usage.allocated,
            files=usage.files,
            dirs=usage.dirs,
            unreadable=usage.hidden,
            complete=usage.complete,
            timed_out=usage.timed_out,
            meter=usage.meter,
            summary=None if usage.summary is None else pack(usage.summary),
        )
        self._put(measurement, self._judgement(record, by, stopped))

    def judged(self, record: Record, *, by: str) -> None:
        """A record was judged: what is other than it was is put on record as changes."""
        known = self._standing.get(record.user)
        if known is None or known[1] != _STANDING(record):
            self._put(self._judgement(record, by, self._clock()))

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
        now = self._clock()
        action = Action(
            ActionKind.QUOTA.value,
            after.user,
            now,
            by,
            before=writing.quota_text(writing.quota_of(before)),
            after=writing.quota_text(writing.quota_of(after)),
            reason=reason,
            until=until,
        )
        self._put(action, self._judgement(after, by, now, told=True))

    def stopped(self, user: str, server: str, reason: str, *, by: str) -> None:
        """A server was stopped; "" is the default one."""
        kind = ActionKind.STOPPED.value
        self._put(Action(kind, user, self._clock(), by, server, reason=reason))

    def refused(self, user: str, server: str, reason: str, *, by: str) -> None:
        """A server was not started; on record once a minute for a user."""
        now = self._clock()
        last = self._refused.get(user)
        if last is not None and now - last < REFUSAL_EVERY:
            return
        if len(self._refused) > MOST_AT_ONCE:
            self._refused = {k: v for k, v in self._refused.items() if now - v < REFUSAL_EVERY}
        self._refused[user] = now
        self._put(Action(ActionKind.REFUSED.value, user, now, by, server, reason=reason))

    def acted(self, action: Action) -> None:
        """Something else was done."""
        self._put(action)

    def ran(self, run: Run) -> None:
        """A job ran."""
        self._put(run)

    def filled(self, fill: Fill) -> None:
        """The volume of the homes was looked at."""
        self._put(fill)

    def listed(self, names: Collection[str]) -> None:
        """These are all users that the hub has now."""
        self._names = names

    # What is asked: blocking, so off the event loop. All raise HistoryError.

    def latest(self, user: str) -> Latest | None:
        """How a user stands."""
        return self._ask(reading.one_latest, user)

    def table(self, **wanted: Any) -> Page[Latest]:
        """A part of the table of all users: see `reading.table`."""
        return self._ask(reading.table, **wanted)

    def series(
        self, user: str, since: datetime, until: datetime, points: int | None = None
    ) -> list[Point]:
        """A user's measurements in a time, thinned out to so many: see `reading.series`."""
        return self._ask(reading.series, user, since, until, points)

    def daily(self, user: str, since: datetime, until: datetime) -> list[Day]:
        """Of each day the last measurement that saw the whole home: see `reading.daily`."""
        return self._ask(reading.daily, user, since, until)

    def growth(self) -> dict[str, int | None]:
        """By how many bytes the usage of each user grew in 30 days."""
        return self._ask(reading.growth)

    def runs(self, **wanted: Any) -> Page[Run]:
        """Runs of jobs, the newest first: see `runs.all_runs`."""
        return self._ask(runs.all_runs, **wanted)

    def job_runs(self, name: str, **wanted: Any) -> list[Run]:
        """The last runs of a job, the newest first: see `runs.job_runs`."""
        return self._ask(runs.job_runs, name, **wanted)

    def job_names(self, most: int | None = None) -> list[str]:
        """The names of all jobs that have runs on record, or the first of them."""
        return self._ask(runs.job_names, most)

    def began(self) -> datetime | None:
        """Since when runs are on record; None where nothing is."""
        return self._ask(runs.began)

    def trees(self, after: int, most: int) -> list[Tree]:
        """What is known of so many homes, a part of all: see `trees.trees`."""
        return self._ask(trees.trees, after, most)

    def state_changes(self, **wanted: Any) -> Page[StateChange]:
        """Changes of state, the newest first: see `happened.changes_of_state`."""
        return self._ask(happened.changes_of_state, **wanted)

    def actions(self, **wanted: Any) -> Page[Action]:
        """What was done, the newest first: see `happened.all_actions`."""
        return self._ask(happened.all_actions, **wanted)

    def happened(self, **wanted: Any) -> Page[StateChange | Action]:
        """Changes of state and what was done together: see `happened.happened`."""
        return self._ask(happened.happened, **wanted)

    def summary(self, user: str, before: datetime | None = None) -> tuple[datetime, Summary] | None:
        """The last summary of a user's home, and when that measurement began."""
        return self._ask(reading.summary, user, before)

    def summary_near(
        self, user: str, time: datetime, before: datetime
    ) -> tuple[datetime, Summary] | None:
        """Of the summaries begun before a time, the one nearest to another, and when it began."""
        return self._ask(reading.summary_near, user, time, before)

    def fills(self, since: datetime) -> list[Fill]:
        """How full the volume of the homes was since a time, in order."""
        return self._ask(surroundings.fills, since)

    def gone(self) -> list[Gone]:
        """The users whom the hub has no more, and what they held last."""
        return self._ask(surroundings.gone)

    def record(self, user: str) -> Record | None:
        """The last good record of a user."""
        return self._ask(reading.record, user)

    # How it does.

    @property
    def trouble(self) -> str | None:
        """What is wrong with the database now, in a sentence; None if nothing is."""
        return self._trouble

    @property
    def counts(self) -> Counts:
        """What became of the events so far."""
        lost = self._queue.lost + self._unwritable
        waiting = len(self._queue) + self._put_aside_count
        return Counts(self._written, waiting, lost, self._gaps)

    def start(self) -> None:
        """Open the database and begin to write, in a thread: nothing is waited for."""
        self._thread.start()

    def flush(self, secs: float = 10.0) -> bool:
        """Wait until all that was told is written; whether it is."""
        end = time.monotonic() + secs
        while self._behind():
            if time.monotonic() > end:
                return False
            self._queue.wake()
            time.sleep(0.02)
        return True

    def close(self, secs: float = 8.0) -> None:
        """Write what is waiting, or put it aside, and end."""
        self._ending.set()
        self._queue.wake()
        if self._thread.ident is not None:
            self._thread.join(secs)

    # The thread.

    def _put(self, *events: Event) -> None:
        self._queue.put(*events)

    def _behind(self) -> bool:
        names = self._names is not None
        return bool(names or self._trouble or self.counts.waiting or not self._database.is_open)

    def _judgement(self, record: Record, by: str, now: datetime, *, told: bool = False) -> Judged:
        known = self._standing.get(record.user)
        self._standing[record.user] = (record, _STANDING(record))
        return Judged(record.user, now, by, record, known[0] if known else None, told)

    def _ask(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            with self._database.reading() as connection:
                return question(connection, *args, **kwargs)
        except SQLAlchemyError as error:
            raise HistoryError(
                f"The history database {self._database.where} cannot be read: {_short(error)}."
            ) from None

    def _work(self) -> None:
        while not self._ending.is_set():
            self._turn()
            if self._thinning is None or self._trouble:
                self._rest()
        self._turn(last=True)
        self._pending.close()
        self._database.close()

    def _rest(self) -> None:
        if self._trouble is None:
            self._queue.wait(TICK_SECS)
        self._ending.wait(GATHER_SECS)

    def _turn(self, *, last: bool = False) -> None:
        """Do what is to be done now. Nothing that fails ends the thread."""
        try:
            # At the end nobody waits for a database that was away a moment ago.
            if (last and self._trouble is None) or (not last and self._is_time()):
                self._keep_up()
        except Exception as error:
            self._failed(error)
        try:
            if self._trouble is not None:
                self._put_aside()
        except Exception as error:
            if self._full is None:
                self._full = str(error)
                log.error("Events of the history wait in memory only: %s", error)

    def _is_time(self) -> bool:
        return time.monotonic() >= self._try_at

    def _keep_up(self) -> None:
        self._open()
        if self._trouble is not None:
            # There may be nothing to write by which one would see that it is still away.
            self._ask(reading.answers)
        self._drain(self._pending)
        while events := self._queue.first(MOST_AT_ONCE):
            self._write(self._writer, events)
            self._queue.done(events)
        if self._names is not None:
            names = self._names
            with self._database.writing() as connection:
                writing.listed(connection, names, self._clock())
            if self._names is names:
                self._names = None
        self._recovered()
        if not self._ending.is_set():
            self._thin()

    def _open(self) -> None:
        if self._database.replaced():
            log.warning(
                "The history database %s was removed or replaced while it was open:"
                " what is found there now is used.",
                self._database.where,
            )
            self._database.abandon()
        if self._database.is_open:
            return
        self._database.open()
        # Another database may not know what this one was told.
        self._standing.clear()
        with left_behind(self._aside, self._writer) as found:
            for pending in found:
                self._drain(pending)
        remembered, self._remembered = self._remembered, None
        if remembered is not None:
            remembered(self._ask(reading.last_records))
        with self._database.writing() as connection:
            writing.begin(connection, self._clock())

    def _drain(self, pending: Pending) -> None:
        while not pending.empty:
            events, place = pending.batch(MOST_AT_ONCE)
            self._write(pending.writer, events)
            pending.done(place)
        if pending is self._pending:
            self._put_aside_count = 0

    def _write(self, writer: str, events: Sequence[tuple[int, Event]]) -> None:
        try:
            with self._database.writing() as connection:
                writing.write(connection, writer, events)
        except Exception as error:
            if not _unwritable(error):
                raise
            if len(events) > 1:
                for one in events:
                    self._write(writer, [one])
                return
            self._unwritable += 1
            log.error("An event is not written into the history, %s: %r", _short(error), events)
            return
        self._written += len(events)

    def _put_aside(self) -> None:
        while events := self._queue.first(MOST_AT_ONCE):
            self._pending.append(events)
            self._put_aside_count += len(events)
            self._queue.done(events)
        self._full = None

    def _thin(self) -> None:
        if self._thinning is None:
            if time.monotonic() >= self._look_at_thinning:
                self._look_at_thinning = time.monotonic() + 3600
                if claim(self._database, self._clock()):
                    self._thinning = thin(self._database, self._clock(), self._keep)
            return
        began = time.monotonic()
        if next(self._thinning, None) is None:
            self._thinning = None
        # Half of the time is left to others.
        self._queue.pause(min(time.monotonic() - began, 1.0))

    def _failed(self, error: Exception) -> None:
        self._thinning = None
        wait = min(FAILURE_WAIT_SECS * 2 ** min(self._failures, 8), MOST_FAILURE_WAIT_SECS)
        self._try_at = time.monotonic() + wait
        self._gaps += self._failures == 0
        self._failures += 1
        said = self._sentence(error)
        if said != self._trouble:
            log.error("%s", said)
        self._trouble = said
        if self._database.path is not None and not _passing(error):
            self._database.close()

    def _recovered(self) -> None:
        if self._trouble is not None:
            lost = self.counts.lost
            log.info(
                "The history database %s is written again, with what had waited%s.",
                self._database.where, f"; {lost} events are lost in all" if lost else "",
            )  # fmt: skip
        self._trouble, self._failures, self._try_at = None, 0, 0.0

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, HistoryError):
            return str(error)
        advice = "See that it answers."
        if self._database.path is not None:
            advice = "Look at it and its disk."
        if "malformed" in str(error) or "not a database" in str(error):
            advice = "It is damaged: move it away, with the -wal file beside it, or restore a copy."
        if "full" in str(error):
            advice = "Make room on its disk."
        return (
            f"The history database {self._database.where} cannot be used: {_short(error)}."
            f" {advice} Meanwhile the history waits in {self._pending.path}."
        )


def _unwritable(error: Exception) -> bool:
    """Whether it is the event's fault, and not that of the database."""
    if isinstance(error, DBAPIError):
        return isinstance(error, (DataError, IntegrityError))
    return isinstance(error, (StatementError, ValueError, TypeError, OverflowError, LookupError))


def _passing(error: Exception) -> bool:
    """Whether the file of SQLite is as it should be, and may be read meanwhile."""
    return "full" in str(error) or "locked" in str(error)


def _short(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(cause).__name__
