"""Why a user has this quota and this state, and what would change them. Pure.

Each answer is data with a sentence. `rules.py` says what each rule gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from ..quota.ahead import Foresight, expected_full, full_in_files
from ..quota.judge import judge
from ..quota.limits import Limits, settle
from ..quota.record import Record, State, replace
from ..words.sentence import Day, Moment, Number, Part, Sentence, Size, joined, sentence
from .change import amount
from .own_quota import after_end
from .rules import Rule, Ruled, rules_of, which_rule


class Cause(str, Enum):
    """What led to a state."""

    NO_QUOTA = "no-quota"
    NOT_MEASURED = "not-measured"
    OVER_BYTES = "over-bytes"
    OVER_FILES = "over-files"
    NEARING_BYTES = "nearing-bytes"
    NEARING_FILES = "nearing-files"
    IN_GRACE = "in-grace"
    LOCKOUT_DISABLED = "lockout-disabled"
    TIMED_OUT = "timed-out"
    WITHIN = "within"


class WouldChange(str, Enum):
    """What can change how a user stands."""

    FREE_SPACE = "free-space"
    LARGER_QUOTA = "larger-quota"
    USE_MORE = "use-more"
    MEASURE = "measure"
    GRACE_ENDS = "grace-ends"
    GROWTH = "growth"
    QUOTA_ENDS = "quota-ends"
    NEXT_LOOP = "next-loop"


@dataclass(frozen=True)
class Stands:
    """The state and what led to it; `used_bytes` is None for who was never measured."""

    state: State
    causes: tuple[Cause, ...]
    used_bytes: int | None
    used_files: int | None
    measured: datetime | None
    sentence: Sentence


@dataclass(frozen=True)
class Turn:
    """Something that would change the state or the quota: by how much, or when."""

    change: WouldChange
    sentence: Sentence
    bytes: int | None = None
    files: int | None = None
    time: datetime | None = None
    state: State | None = None


@dataclass(frozen=True)
class Explanation:
    """All of it, of one user."""

    name: str
    quota: Ruled
    rules: tuple[Rule, ...]
    state: Stands
    would_change: tuple[Turn, ...]


def explain(
    record: Record,
    groups: Collection[str] | None,
    limits: Limits,
    now: datetime,
    grace_secs: float = 0,
) -> Explanation:
    """Explain a record. `groups` is None where the hub does not tell them."""
    case = _Case(record, groups, limits, now, grace_secs)
    return Explanation(
        record.user,
        which_rule(record),
        tuple(rules_of(record, groups, limits)),
        _stands(case),
        tuple(_turns(case)) if record.quota_enabled else (),
    )


@dataclass(frozen=True)
class _Case:
    """What an explanation is made of."""

    record: Record
    groups: Collection[str] | None
    limits: Limits
    now: datetime
    grace_secs: float

    def state_if(self, **fields: object) -> State:
        """The state if the record were other in that."""
        return judge(replace(self.record, **fields), self.now, self.grace_secs).quota_state  # type: ignore[arg-type]

    @property
    def grace_end(self) -> datetime | None:
        """When the grace time of who is over ends; None if there is none that goes on."""
        lock = Foresight(self.grace_secs).lock(self.record, self.now)
        return lock.at if lock is not None and lock.sure and lock.at > self.now else None


def _stands(case: _Case) -> Stands:
    record = case.record
    causes = tuple(_causes(case))
    state = sentence("The state is {}.", record.quota_state.value)
    return Stands(
        record.quota_state,
        causes,
        record.actual_bytes if record.measured else None,
        record.usage_files,
        record.stopped if record.measured else None,
        joined(" ", [state, *(_cause_sentence(cause, case) for cause in causes)]),
    )


def _causes(case: _Case) -> Iterator[Cause]:
    record = case.record
    if not record.quota_enabled:
        yield Cause.NO_QUOTA
        return
    if not record.measured:
        yield Cause.NOT_MEASURED
    over = [
        (record.actual_bytes > record.quota_bytes, Cause.OVER_BYTES),
        (_files_over(record, 1.0), Cause.OVER_FILES),
    ]
    near = [
        (record.actual_bytes > record.quota_bytes * record.warn_fraction, Cause.NEARING_BYTES),
        (_files_over(record, record.warn_fraction), Cause.NEARING_FILES),
    ]
    if record.over:
        yield from (cause for true, cause in over if true)
        if not record.lockout_enabled:
            yield Cause.LOCKOUT_DISABLED
        elif case.grace_end is not None:
            yield Cause.IN_GRACE
    elif record.timed_out:
        yield Cause.TIMED_OUT
    elif any(true for true, _ in near):
        yield from (cause for true, cause in near if true)
    elif record.measured:
        yield Cause.WITHIN


def _files_over(record: Record, share: float) -> bool:
    return bool(record.quota_files) and (record.usage_files or 0) > (
        (record.quota_files or 0) * share
    )


_CAUSES = {
    Cause.NO_QUOTA: "No quota is enforced: quota_enabled is false in the control file.",
    Cause.NOT_MEASURED: "The home was never measured.",
    Cause.OVER_BYTES: "The home holds {used}, more than the quota of {quota}.",
    Cause.OVER_FILES: "It holds {files} files, more than the {most} allowed.",
    Cause.NEARING_BYTES: "The home holds {used}, more than {share} of the quota of {quota}.",
    Cause.NEARING_FILES: "It holds {files} files, more than {share} of the {most} allowed.",
    Cause.IN_GRACE: "The time of grace lasts until {grace_end}.",
    Cause.LOCKOUT_DISABLED: "Nobody is locked out for it: lockout_enabled is false.",
    Cause.TIMED_OUT: "The last measurement took too long and was given up.",
    Cause.WITHIN: "The home holds {used} of {quota}.",
}


def _cause_sentence(cause: Cause, case: _Case) -> Sentence:
    record = case.record
    return sentence(
        _CAUSES[cause],
        used=Size(record.actual_bytes),
        quota=Size(record.quota_bytes),
        files=Number(record.usage_files or 0),
        most=Number(record.quota_files or 0),
        share=f"{record.warn_fraction:.0%}",
        grace_end="" if case.grace_end is None else Moment(case.grace_end),
    )


def _turns(case: _Case) -> Iterator[Turn]:
    yield from _next_loop(case)
    if case.record.over:
        yield _free(case, 1.0)
        yield _larger(case)
    warns = case.record.measured and case.record.warn_fraction < 1
    if warns and _is_near(case.record):
        yield _free(case, case.record.warn_fraction)
    elif warns:
        yield from _more(case, case.record.warn_fraction)
    if case.record.measured and not case.record.over:
        yield from _more(case, 1.0)
    if not case.record.measured or case.record.timed_out or case.record.over:
        said = sentence("Measuring anew tells what the home holds now.")
        yield Turn(WouldChange.MEASURE, said)
    if case.grace_end is not None:
        end = Moment(case.grace_end)
        said = sentence("At {} the time of grace ends: then they are locked out.", end)
        yield Turn(WouldChange.GRACE_ENDS, said, time=case.grace_end, state=State.LOCKOUT)
    yield from _growth(case)
    yield from _quota_ends(case)


def _growth(case: _Case) -> Iterator[Turn]:
    """When the home is full, if it goes on growing as it does."""
    full = expected_full(case.record, case.now)
    if full is None:
        return
    record = case.record
    if full_in_files(record):
        state = case.state_if(usage_files=(record.quota_files or 0) + 1, over_since=None)
        words = "At the present growth the home is full in files about {}: then the state is {}."
    else:
        state = case.state_if(actual_bytes=record.quota_bytes + 1, over_since=None)
        words = "At the present growth the home is full about {}: then the state is {}."
    said = sentence(words, Day(full), state.value)
    yield Turn(WouldChange.GROWTH, said, time=full, state=state)


def _is_near(record: Record) -> bool:
    return record.actual_bytes > record.quota_bytes * record.warn_fraction or _files_over(
        record, record.warn_fraction
    )


def _free(case: _Case, share: float) -> Turn:
    """How much is to be deleted to be within a share of the quota."""
    record = case.record
    size, most = _part(record.quota_bytes, share), _part(record.quota_files or 0, share)
    too_much = max(0, record.actual_bytes - size)
    too_many = max(0, (record.usage_files or 0) - most) if record.quota_files else 0
    parts: list[Part] = [Size(too_much)] if too_much else []
    parts += [sentence("{} files", Number(too_many))] if too_many else []
    state = case.state_if(
        actual_bytes=record.actual_bytes - too_much,
        usage_files=None if record.usage_files is None else record.usage_files - too_many,
        timed_out=False,
    )
    said = sentence(
        "Deleting {} makes the state {}, once it is measured.",
        joined(" and ", parts),
        state.value,
    )
    return Turn(WouldChange.FREE_SPACE, said, too_much or None, too_many or None, state=state)


def _part(number: int, share: float) -> int:
    # The whole exactly: a float would round what is very large.
    return number if share == 1 else int(number * share)


def _larger(case: _Case) -> Turn:
    """The least quota with which the user would not be over."""
    record = case.record
    size = max(record.quota_bytes, record.actual_bytes)
    files = max(record.quota_files, record.usage_files or 0) if record.quota_files else None
    enough = replace(record, quota_bytes=size, quota_files=files)
    state = judge(enough, case.now, case.grace_secs).quota_state
    said = sentence(
        "A quota of {} or more makes the state {} at once.", amount(enough), state.value
    )
    return Turn(WouldChange.LARGER_QUOTA, said, size, files, state=state)


def _more(case: _Case, share: float) -> Iterator[Turn]:
    """How much more may be used till a share of the quota is passed."""
    record = case.record
    more = _part(record.quota_bytes, share) + 1 - record.actual_bytes
    state = case.state_if(actual_bytes=record.actual_bytes + more, over_since=None)
    said = sentence("{} more make the state {}.", Size(more), state.value)
    yield Turn(WouldChange.USE_MORE, said, bytes=more, state=state)
    if not record.quota_files or record.usage_files is None:
        return
    more = _part(record.quota_files, share) + 1 - record.usage_files
    state = case.state_if(usage_files=record.usage_files + more, over_since=None)
    said = sentence("{} more files make the state {}.", Number(more), state.value)
    yield Turn(WouldChange.USE_MORE, said, files=more, state=state)


def _next_loop(case: _Case) -> Iterator[Turn]:
    """What the next loop makes of the record: the settings or the file may be other by now."""
    record = case.record
    after = settle(record, case.groups, case.limits, case.now)
    after = judge(after, case.now, case.grace_secs)
    if (amount(after), after.quota_state) != (amount(record), record.quota_state):
        state = after.quota_state
        said = sentence(
            "The next loop makes the quota {} and the state {}.", amount(after), state.value
        )
        files = after.quota_files or 0
        yield Turn(WouldChange.NEXT_LOOP, said, after.quota_bytes, files, state=state)


def _quota_ends(case: _Case) -> Iterator[Turn]:
    record = case.record
    if record.quota_until is None or record.quota_until <= case.now:
        return
    if case.groups is None and case.limits.by_group(record.user):
        return
    limit = case.limits.limit_for(record.user, case.groups or ())
    after = after_end(record, limit, record.quota_until, case.grace_secs)
    said = sentence(
        "At {} the quota set by hand ends: then it is {}, and with what the home holds now the"
        " state is {}.",
        Moment(record.quota_until),
        amount(after),
        after.quota_state.value,
    )
    yield Turn(
        WouldChange.QUOTA_ENDS,
        said,
        after.quota_bytes,
        after.quota_files or 0,
        record.quota_until,
        after.quota_state,
    )
