"""What is to come for a user: when the home is full, and when they are locked out. Pure.

In the time of grace the lockout is a countdown, exact to the second; before that it is what
the growth of the last weeks foretells. Pages, API, commands and the spawn hook ask here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from .forecast import STALE, Amount, Forecast, Outlook, forecast
from .record import Record, State, replace

# Nothing is foretold beyond a year.
_EVER_DAYS = 10_000.0


class Measured(Protocol):
    """What a forecast needs of a measurement: those of the history have it."""

    @property
    def started(self) -> datetime:
        """When it began."""

    @property
    def counted(self) -> int:
        """The usage on record afterwards, in bytes."""

    @property
    def files(self) -> int | None:
        """How many files it found."""

    @property
    def complete(self) -> bool:
        """Whether it saw the whole home."""


@dataclass(frozen=True)
class Lock:
    """A lockout that is to come. `sure`: the time of grace runs; else the growth foretells it."""

    at: datetime
    sure: bool


@dataclass(frozen=True)
class Foresight:
    """What the settings say of it: the time of grace, and how soon is soon (0: nobody is told)."""

    grace_secs: float = 0.0
    soon_days: float = 14.0

    def lock(self, record: Record, now: datetime) -> Lock | None:
        """When the user is locked out if nothing is deleted; None where nothing says so.

        A time that has passed is now: the loops are about to see it.
        """
        if not record.quota_enabled or not record.lockout_enabled:
            return None
        if record.quota_state is State.LOCKOUT:
            return None
        over_since = min(record.over_since or now, now)
        since = over_since if record.over else expected_full(record, now)
        try:
            at = None if since is None else since + timedelta(seconds=self.grace_secs)
        except OverflowError:
            return None  # not in this age of the world
        return None if at is None else Lock(max(now, at), sure=record.over)

    def full_soon(self, record: Record, now: datetime) -> datetime | None:
        """When the home is full, by the record, if that is so soon that the user is told."""
        full_at = expected_full(record, now)
        if full_at is None or not self.soon_days:
            return None
        return full_at if full_at - now <= timedelta(days=min(self.soon_days, _EVER_DAYS)) else None


def expected_full(record: Record, now: datetime) -> datetime | None:
    """When the home is full, as the last measurement foretold it. What has passed is now."""
    if record.full_at is None or not record.quota_enabled or record.over:
        return None
    if record.stopped is None or now - record.stopped > STALE:
        return None
    return max(now, record.full_at)


def full_in_files(record: Record) -> bool:
    """Whether it is the number of files that was foretold to reach its limit first."""
    return record.full_in == Amount.FILES.value


def with_forecast(record: Record, expected: Forecast | None) -> Record:
    """The record with what is foretold of it; None: nothing."""
    if expected is None or expected.when is None:
        return replace(record, full_at=None, full_in=None)
    # Only what is not the usual takes a line of the file.
    in_files = expected.amount is Amount.FILES
    return replace(
        record, full_at=expected.when, full_in=expected.amount.value if in_files else None
    )


def foretold(record: Record, before: Iterable[Measured] | None, now: datetime) -> Record:
    """The record of a home that has just been measured, with the time when it is full.

    `before`: the measurements before this one. None, where they are not known: what was
    foretold stands until it has passed.
    """
    if record.over or before is None:
        stands = record.full_at is not None and record.full_at > now and not record.over
        return record if stands else with_forecast(record, None)
    here = _Here(record.started or now, record.actual_bytes, record.usage_files)
    return with_forecast(record, outlook(record, [*before, here], now))


@dataclass(frozen=True)
class _Here:
    """The measurement that was just made."""

    started: datetime
    counted: int
    files: int | None
    complete: bool = True


def outlook(record: Record, points: Iterable[Measured], now: datetime) -> Forecast:
    """What is to be expected: of bytes or of files, whichever is sooner full.

    Only measurements that saw the whole home say how it grows.
    """
    if not record.quota_enabled:
        return Forecast(Outlook.UNKNOWN)
    whole = [point for point in points if point.complete]
    bytes_ = forecast([(point.started, point.counted) for point in whole], record.quota_bytes, now)
    if not record.quota_files:
        return bytes_
    counted = [(point.started, point.files) for point in whole if point.files is not None]
    files = forecast(counted, record.quota_files, now)
    return min(bytes_, dataclasses.replace(files, amount=Amount.FILES), key=_soon)


# The sooner something is to be expected, the further ahead.
_ORDER = (Outlook.OVER, Outlook.FULL, Outlook.FAR, Outlook.NOT_GROWING, Outlook.UNKNOWN)


def _soon(expected: Forecast) -> tuple[int, float]:
    when = expected.when or expected.until
    return _ORDER.index(expected.outlook), when.timestamp() if when else 0.0
