"""A change of somebody's quota: from the record and the wish to the new record. Pure.

`quotas.py` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..errors import WishError
from ..quota.judge import judge
from ..quota.limits import Limit, reset, set_by_hand
from ..quota.record import Record, State
from ..words.sentence import Moment, Number, Sentence, Size, joined, sentence

LONGEST_REASON = 500


@dataclass(frozen=True)
class Wish:
    """What somebody wants a quota to be; None for bytes or files: as they are."""

    bytes: int | None = None
    files: int | None = None
    until: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Change:
    """A quota that was or is to be changed. `before` is None for who had no record."""

    before: Record | None
    after: Record

    @property
    def changed(self) -> bool:
        """Whether the quota is another one now, or lasts longer, or has another reason."""
        return self.before is None or _quota(self.before) != _quota(self.after)

    @property
    def sentence(self) -> Sentence:
        """What was done and how the user stands now, for whoever asked for it."""
        said = [self._done]
        if self.after.quota_until is not None:
            said.append(sentence("This ends at {}.", Moment(self.after.quota_until)))
        return joined(" ", [*said, self._standing])

    @property
    def _done(self) -> Sentence:
        user, now = self.after.user, amount(self.after)
        if not self.changed:
            return sentence("{} may hold {}, as before.", user, now)
        if self.before is None or amount(self.before) == now:
            return sentence("{} may hold {}.", user, now)
        return sentence("{} may hold {} now, and {} before.", user, now, amount(self.before))

    @property
    def _standing(self) -> str:
        before, state = self.before, self.after.quota_state
        if not self.after.quota_enabled:
            return "No quota is enforced for them."
        locked_before = before is not None and before.quota_state is State.LOCKOUT
        if state is State.LOCKOUT and not locked_before:
            return sentence(
                "They hold {}: this locks them out. Their servers are stopped at the reaper's next"
                " cycle, and cannot be started.",
                Size(self.after.actual_bytes),
            )
        if state is State.LOCKOUT:
            return "They are still locked out."
        if locked_before:
            return f"They are locked out no more: their state is {state.value}."
        return f"Their state is {state.value}."


def set_quota(record: Record, wish: Wish, now: datetime, grace_secs: float) -> Record:
    """The record under the quota that is wished for, judged. Raises WishError."""
    if wish.bytes is None and wish.files is None:
        raise WishError("Say how many bytes or files the quota is to be.")
    if wish.until is not None and wish.until <= now:
        raise WishError(
            f"The quota would end at {wish.until:%Y-%m-%d %H:%M} UTC, which is in the past."
        )
    files = record.quota_files or 0 if wish.files is None else wish.files
    size = record.quota_bytes if wish.bytes is None else wish.bytes
    changed = set_by_hand(record, size, files, until=wish.until, reason=wish.reason or None)
    return judge(changed, now, grace_secs)


def reset_quota(record: Record, limit: Limit, now: datetime, grace_secs: float) -> Record:
    """The record under what the settings give, judged."""
    return judge(reset(record, limit), now, grace_secs)


def amount(record: Record) -> Sentence:
    """What a user may hold, for people."""
    size = Size(record.quota_bytes)
    if not record.quota_files:
        return Sentence([size])
    return sentence("{} and {} files", size, Number(record.quota_files))


def _quota(record: Record) -> tuple[object, ...]:
    """Of a record, only the quota."""
    return (
        record.quota_bytes,
        record.quota_files or None,
        record.quota_source,
        record.quota_until,
        record.quota_reason,
    )
