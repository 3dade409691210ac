"""One change of quota for many users: what would come of it for each. Pure.

Shown before it is done. `quotas.py` carries out a line of it only if it still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from ..board import Row
from ..errors import CannotChange, WishError
from ..hub.client import HubUser
from ..quota.limits import Limit
from ..quota.record import Record, State
from ..quota.sizes import MOST
from ..quota.standing import word
from .change import Change, Wish, reset_quota, set_quota


class How(str, Enum):
    """How quotas are changed."""

    SET = "set"
    ADD = "add"
    RESET = "reset"


@dataclass(frozen=True)
class Many:
    """What is wished for each of many users.

    For SET what the quota is to be, for ADD by how many percent of its bytes it is to grow;
    RESET gives what the settings give. Of `wish`, the end and the reason hold for all.
    """

    how: How
    wish: Wish
    percent: int = 0


class Standing(NamedTuple):
    """What is shown of a record: the quota, and the state under it."""

    bytes: int
    files: int
    until: datetime | None
    state: State
    enforced: bool

    @property
    def word(self) -> str:
        """The state in a word, or that there is no quota."""
        return word(self.state, enforced=self.enforced)

    @property
    def locked(self) -> bool:
        """Whether they are locked out."""
        return self.enforced and self.state is State.LOCKOUT


class Line(NamedTuple):
    """What would become of one user's quota. `used` is None for who was never measured."""

    name: str
    used: int | None
    before: Standing
    after: Standing

    @property
    def locks(self) -> bool:
        """Whether it locks them out."""
        return self.after.locked and not self.before.locked

    @property
    def unlocks(self) -> bool:
        """Whether it ends their lockout."""
        return self.before.locked and not self.after.locked


@dataclass(frozen=True)
class LeftOut:
    """A user whose quota is not changed, and why, in a sentence."""

    name: str
    why: str


@dataclass(frozen=True)
class Plan:
    """What would change, who is left out, and for how many all stays as it is."""

    many: Many
    lines: tuple[Line, ...]
    left_out: tuple[LeftOut, ...] = ()
    as_before: int = 0

    @property
    def locks(self) -> int:
        """How many it locks out."""
        return sum(line.locks for line in self.lines)

    @property
    def unlocks(self) -> int:
        """How many lockouts it ends."""
        return sum(line.unlocks for line in self.lines)


def make_plan(
    rows: Iterable[Row],
    many: Many,
    limit_of: Callable[[HubUser], Limit],
    now: datetime,
    grace_secs: float,
) -> Plan:
    """What would come of a change for some users. `limit_of` may raise CannotChange."""
    lines, left_out, as_before = [], [], 0
    for row in rows:
        name = row.user.name
        if row.record is None:
            left_out.append(LeftOut(name, "There is no record yet: the monitor makes it."))
            continue
        try:
            limit = limit_of(row.user) if many.how is How.RESET else None
            after = changed(row.record, many, limit, now, grace_secs)
        except (CannotChange, WishError) as error:
            left_out.append(LeftOut(name, str(error)))
            continue
        if Change(row.record, after).changed:
            lines.append(line_of(row.record, after))
        else:
            as_before += 1
    lines.sort(key=lambda line: (not line.locks, not line.unlocks, line.name))
    return Plan(many, tuple(lines), tuple(left_out), as_before)


def changed(
    record: Record, many: Many, limit: Limit | None, now: datetime, grace_secs: float
) -> Record:
    """A record under the change, judged. Raises WishError."""
    if limit is not None:
        return reset_quota(record, limit, now, grace_secs)
    wish = many.wish
    if many.how is How.ADD:
        size = record.quota_bytes * (100 + many.percent) // 100
        if size > MOST:
            raise WishError("The quota would be larger than any store.")
        wish = Wish(size, None, wish.until, wish.reason)
    return set_quota(record, wish, now, grace_secs)


def line_of(before: Record, after: Record) -> Line:
    """What a plan shows of a change."""
    used = before.actual_bytes if before.measured else None
    return Line(before.user, used, _standing(before), _standing(after))


def still_holds(line: Line, before: Record, after: Record) -> bool:
    """Whether a change is the one that was shown."""
    return (line.before, line.after) == (_standing(before), _standing(after))


def _standing(record: Record) -> Standing:
    return Standing(
        record.quota_bytes,
        record.quota_files or 0,
        record.quota_until,
        record.quota_state,
        record.quota_enabled,
    )
