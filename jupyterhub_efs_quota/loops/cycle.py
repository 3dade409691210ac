"""What the monitor's and the reaper's cycle have in common: users from the hub, in slices.

A store far away is read in a few threads at a time, since each call takes milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from ..activity.activity import Activity
from ..activity.timings import Timings, timings_of
from ..board import Board
from ..control.store import ControlStore
from ..errors import LockHeld, StoreError, kind_of
from ..history.recorder import Recorder
from ..homes import Homes
from ..hub.client import HubClient, HubUser
from ..logs import event
from ..metrics.counted import Counted
from ..offload import Offload
from ..openondemand import QuotaFile, quota_file
from ..quota.limits import Limits, settle
from ..quota.record import Record, replace
from ..remeasure import utcnow
from ..settings import EFSQuota

log = logging.getLogger(__name__)

T = TypeVar("T")
STORE_THREADS = 8
# Calls to the store that may be stuck before it is taken for dead.
_STORE_CALLS = 64
_PUBLISH_SECS = 60.0


@dataclass(frozen=True)
class Rooms:
    """The parts that a loop works with, made once."""

    settings: EFSQuota
    hub: HubClient
    store: ControlStore
    offload: Offload
    board: Board
    clock: Callable[[], datetime]
    history: Recorder = field(default_factory=Recorder)
    counted: Counted = field(default_factory=Counted)
    quota_file: QuotaFile | None = None
    timings: Timings = field(default_factory=Timings)

    @property
    def activity(self) -> Activity:
        """Where runs are told."""
        return Activity(self.history, self.counted, self.timings)

    @property
    def homes(self) -> Homes:
        """The home mapping."""
        return self.settings.homes()


def make_rooms(
    settings: EFSQuota,
    hub: HubClient,
    history: Recorder | None = None,
    board: Board | None = None,
) -> Rooms:
    """The parts for loops over the users of a hub."""
    store = ControlStore(settings.quota_control)
    board, history = board or Board(), history or Recorder()
    return Rooms(
        settings,
        hub,
        store,
        Offload(_STORE_CALLS),
        board,
        utcnow,
        history,
        quota_file=quota_file(settings),
        timings=timings_of(settings),
    )


async def publish(rooms: Rooms) -> None:
    """Write what others read of all users, at the end of a cycle, which it never fails."""
    if rooms.quota_file is None:
        return
    write, rows = rooms.quota_file.write, rooms.board.rows()
    try:
        await rooms.offload.run_within(_PUBLISH_SECS, write, rows, rooms.clock())
    except StoreError as error:
        log.error("The quotas for Open OnDemand are not written: %s", error)


async def over_all_users(
    rooms: Rooms, look: Callable[[HubUser], T | None]
) -> AsyncIterator[list[T]]:
    """Call `look` (blocking) for every user; yields the answers, page by page.

    Raises HubError, or StoreError where the control directory or the home root is missing.
    """

    def look_at(users: Sequence[HubUser]) -> tuple[list[T], bool]:
        """The answers, and whether most of the time went into waiting for the store."""
        began, worked = time.monotonic(), time.thread_time()
        answers = [answer for user in users if (answer := look(user)) is not None]
        worked, took = time.thread_time() - worked, time.monotonic() - began
        return answers, worked < took / 2

    await rooms.offload.run(_check, rooms)
    seen: set[str] = set()
    # Threads pay where calls block; elsewhere they only quarrel about the interpreter.
    threads = 1
    async for users in rooms.hub.pages():
        seen.update(user.name for user in users)
        slices = [users[n::threads] for n in range(threads)]
        looked = await asyncio.gather(*(rooms.offload.run(look_at, s) for s in slices if s))
        threads = STORE_THREADS if any(blocked for _, blocked in looked) else 1
        yield [answer for answers, _ in looked for answer in answers]
    rooms.board.keep_only(seen)
    rooms.history.listed(seen)


def _check(rooms: Rooms) -> None:
    rooms.store.check()
    if not rooms.homes.home_root.is_dir():
        raise StoreError(
            f"The home root {rooms.homes.home_root} is missing: mount it, or set home_root."
        )


def failed(
    rooms: Rooms, user: HubUser, error: Exception, subsystem: str, *, by: str | None = None
) -> None:
    """Log that one user could not be processed, and show it on the board (as `by`'s problem)."""
    if isinstance(error, LockHeld):
        message = f"Skipping {user.name} since it is already locked for monitoring."
        event(log, logging.DEBUG, message, subsystem=subsystem)
        return
    event(
        log,
        logging.ERROR,
        f"EXCEPTION: Quota processing failed for user {user.name}.",
        subsystem=subsystem,
        exc_info=True,
    )
    rooms.counted.error(subsystem, error)
    rooms.board.failed(user, str(error), by=by or subsystem, kind=kind_of(error))


def as_listed(
    record: Record, user: HubUser, limits: Limits, now: datetime, *, grandfather: bool
) -> Record:
    """The record with what the hub's list and the settings say about the user now."""
    if (record.user, record.last_activity) != (user.name, user.last_activity):
        record = replace(record, user=user.name, last_activity=user.last_activity)
    return settle(record, user.groups, limits, now, grandfather=grandfather)


def saved(rooms: Rooms, before: Record | None, after: Record, *, by: str) -> None:
    """A loop has saved a record: that a quota came to its end is an action on record."""
    if before is None or before.quota_until is None or after.quota_until is not None:
        return
    reason = f"The time of a quota set by hand has passed: {before.quota_until:%Y-%m-%d %H:%M} UTC."
    rooms.history.quota_changed(before, after, by=by, reason=reason)
