"""How many calls a second all walks together may make: the budget, and the brake.

Pure: `governor.py` calls it with what it has seen.

The brake compares how long the store takes to answer now with what is usual for it. It does
not ask whose fault a slow answer is: when our own walks are what fills the store's queue,
going slower empties it, and a store whose queue is full does no less for that; when others
are at work, they are to go first. A first walk begins with two calls at a time, so what is
usual is learnt from a store that is hardly asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

# A mean of fewer answers says nothing; what is usual is known after so many.
FEWEST_ANSWERS = 8
TRUSTED_ANSWERS = 100
# A store that answers within this time is well, whatever is usual for it.
ALWAYS_WELL_SECS = 0.001
# How much of what is new counts: of the time now, and of what is quicker than usual.
_NEW_SHARE, _QUICKER_SHARE = 0.5, 0.3
# What is usual doubles in so long, if the store is slower all the time: it then is so.
FORGET_SECS = 3600.0
_CUT = 0.7
_KEPT_RATE = 0.98
# From the least to the full rate in about this time.
RECOVER_SECS = 20.0
# However slow the store: a part of the full rate, and so much for each walk.
LEAST_SHARE, LEAST_CALLS_PER_SEC = 0.05, 20.0


@dataclass(frozen=True)
class Reading:
    """What all walks together did within some time."""

    secs: float
    walks: int
    calls: int
    answers: int
    answers_secs: float


@dataclass(frozen=True)
class Brake:
    """What is known of the store, and how hard the brake is on.

    `usual_secs`: how long an answer takes when all is well, from `answers` of them.
    `now_secs`: how long it takes now. `full_rate`: calls a second when all was well.
    `limit`: calls a second that are allowed; None: the brake is off.
    """

    usual_secs: float = 0.0
    answers: int = 0
    now_secs: float = 0.0
    full_rate: float = 0.0
    limit: float | None = None

    def slower(self, times: float) -> bool:
        """Whether an answer takes more than that many times as long as usual."""
        known = self.answers >= TRUSTED_ANSWERS
        return known and self.now_secs > max(times * self.usual_secs, ALWAYS_WELL_SECS)


def after(brake: Brake, reading: Reading, brake_at: float) -> Brake:
    """The brake after a reading; `brake_at`: how many times as slow as usual is too slow."""
    rate = reading.calls / reading.secs
    if reading.answers < FEWEST_ANSWERS:
        # Memory answers: no store is asked, so there is nobody to be spared. Where no call
        # comes to its end, the store hangs: then nothing is changed.
        return _eased(brake, reading.secs) if reading.calls >= FEWEST_ANSWERS else brake
    brake = _learnt(brake, reading)
    if brake.slower(brake_at):
        return _cut(brake, rate, reading.walks)
    if brake.limit is None:
        # Of a minute: at its end a cycle has little to ask.
        return replace(brake, full_rate=max(rate, _KEPT_RATE * brake.full_rate))
    # In between it stays as it is, so that it does not swing to and fro.
    return brake if brake.slower((1 + brake_at) / 2) else _eased(brake, reading.secs)


def _learnt(brake: Brake, reading: Reading) -> Brake:
    took = reading.answers_secs / reading.answers
    usual = brake.usual_secs
    if not brake.answers:
        return replace(brake, usual_secs=took, now_secs=took, answers=reading.answers)
    if took < usual:
        usual += _QUICKER_SHARE * (took - usual)
    else:
        usual = min(took, usual * 2 ** (reading.secs / FORGET_SECS))
    now = brake.now_secs + _NEW_SHARE * (took - brake.now_secs)
    return replace(brake, usual_secs=usual, now_secs=now, answers=brake.answers + reading.answers)


def _cut(brake: Brake, rate: float, walks: int) -> Brake:
    # A store that is slow makes us slow, so the full rate is that of before.
    full = max(brake.full_rate, rate)
    least = max(LEAST_SHARE * full, LEAST_CALLS_PER_SEC * walks)
    now = rate if brake.limit is None else min(rate, brake.limit)
    return replace(brake, limit=max(least, _CUT * now), full_rate=full)


def _eased(brake: Brake, secs: float) -> Brake:
    if brake.limit is None:
        return brake
    limit = brake.limit + brake.full_rate * secs / RECOVER_SECS
    return replace(brake, limit=limit if limit < brake.full_rate else None)


def lower(budget: float, limit: float | None) -> float | None:
    """The lower of a budget (0: none) and a limit (None: none)."""
    rates = [rate for rate in (budget or None, limit) if rate is not None]
    return min(rates, default=None)


def shares(calls: float, wanted: Sequence[float]) -> list[int]:
    """Share calls out evenly, but to nobody more than they want."""
    given = [0] * len(wanted)
    left, waiting = calls, len(wanted)
    for index in sorted(range(len(wanted)), key=lambda index: wanted[index]):
        given[index] = math.floor(min(wanted[index], left / waiting))
        left -= given[index]
        waiting -= 1
    return given
