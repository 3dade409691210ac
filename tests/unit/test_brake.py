"""The brake: on when the store gets slow, off when it is well, and never by chance."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.measure.workers.brake import (
    ALWAYS_WELL_SECS,
    FEWEST_ANSWERS,
    FORGET_SECS,
    LEAST_CALLS_PER_SEC,
    LEAST_SHARE,
    RECOVER_SECS,
    Brake,
    Reading,
    after,
    lower,
    shares,
)

BRAKE_AT = 3.0
USUAL = 0.005


class Store:
    """Walks on a store, second by second: `threads` calls wait at a time, unless braked."""

    def __init__(self, brake=None, threads=100, walks=4):
        self.brake = brake or Brake()
        self.threads = threads
        self.walks = walks
        self.rate = 0.0

    def answers_in(self, latency, secs=1, share=1.0):
        """Let time pass. `share`: of the calls, those that are not answered from memory."""
        for _ in range(secs):
            took = latency() if callable(latency) else latency
            calls = self.threads / took
            if self.brake.limit is not None:
                calls = min(calls, self.brake.limit)
            self.rate = calls
            answers = int(calls * share / 16)
            reading = Reading(1.0, self.walks, int(calls), answers, answers * took)
            self.brake = after(self.brake, reading, BRAKE_AT)
        return self

    @property
    def braked(self):
        return self.brake.limit is not None


@pytest.fixture
def store():
    return Store().answers_in(USUAL, 60)


def test_a_store_that_is_well_is_never_braked(store):
    assert not store.braked
    assert store.brake.usual_secs == pytest.approx(USUAL)
    assert store.brake.full_rate == pytest.approx(20_000)


def test_a_store_that_gets_slow_is_asked_less_within_seconds(store):
    store.answers_in(4 * USUAL, 5)
    assert store.braked
    by_itself = 100 / (4 * USUAL)
    assert store.rate < 0.7 * by_itself
    store.answers_in(4 * USUAL, 10)
    assert store.rate < 0.3 * by_itself


def test_the_brake_lets_go_when_the_store_is_well_again(store):
    store.answers_in(4 * USUAL, 10)
    store.answers_in(USUAL, int(RECOVER_SECS) + 5)
    assert not store.braked
    store.answers_in(USUAL)
    assert store.rate == pytest.approx(20_000)


def test_walks_go_on_however_slow_the_store_is(store):
    store.answers_in(50 * USUAL, 60)
    assert store.brake.limit >= LEAST_SHARE * 20_000
    few = Store(threads=1).answers_in(1.0, 200)
    few.answers_in(10.0, 60)
    assert few.brake.limit is None or few.brake.limit >= LEAST_CALLS_PER_SEC * few.walks


def test_a_store_that_is_somewhat_slow_is_left_as_it_is(store):
    store.answers_in(4 * USUAL, 5)
    before = store.brake.limit
    store.answers_in(2.5 * USUAL, 60)
    assert store.brake.limit == pytest.approx(before, rel=0.7)
    between = store.brake.limit
    store.answers_in(2.5 * USUAL, 60)
    assert store.brake.limit == between


def test_walks_that_slow_the_store_themselves_settle_at_a_rate_that_it_bears():
    """A store for 4000 calls a second: more only stand in its queue."""
    store = Store(threads=8).answers_in(0.002, 60)
    store.threads = 256
    limits = []
    for _ in range(120):
        offered = 256 / 0.002 if store.brake.limit is None else store.brake.limit
        store.answers_in(0.002 if offered < 4000 else 256 / 4000)
        limits.append(store.brake.limit)
    rates = [min(limit or math.inf, 4000) for limit in limits[30:]]
    assert sum(rates) / len(rates) > 0.6 * 4000


def test_what_memory_answers_neither_brakes_nor_hides_a_slow_store(store):
    """A page that the system still has takes a microsecond, and is no answer of the store."""
    store.answers_in(USUAL, 20, share=0.0)
    assert not store.braked
    assert store.brake.usual_secs == pytest.approx(USUAL)
    store.answers_in(4 * USUAL, 10, share=0.1)
    assert store.braked


@pytest.mark.parametrize("quick", [0.00012, 0.0003])
def test_a_quick_store_is_never_slow_enough(quick):
    """Noise makes a disk ten times as slow as usual, and still as quick as need be."""
    store = Store().answers_in(quick / 5, 60)
    store.answers_in(min(10 * quick / 5, ALWAYS_WELL_SECS), 60)
    assert not store.braked


@given(st.integers(0, 2**32))
def test_chance_does_not_brake(seed):
    """Answers of one store differ by much; their mean over a second does not."""
    chance = random.Random(seed)
    store = Store()
    for _ in range(300):
        store.answers_in(lambda: sum(chance.expovariate(1 / USUAL) for _ in range(30)) / 30)
        assert not store.braked


def test_a_few_answers_decide_nothing(store):
    reading = Reading(1.0, 4, 3, FEWEST_ANSWERS - 1, 10.0)
    assert after(store.brake, reading, BRAKE_AT) == store.brake
    new = after(Brake(), Reading(1.0, 4, 100, 20, 0.1), BRAKE_AT)
    assert after(new, Reading(1.0, 4, 100, 20, 2.0), BRAKE_AT).limit is None


def test_a_store_that_hangs_does_not_count_as_well_again(store):
    store.answers_in(4 * USUAL, 10)
    braked = store.brake
    for _ in range(100):
        assert after(braked, Reading(1.0, 4, 0, 0, 0.0), BRAKE_AT) == braked


def test_braked_walks_that_only_read_from_memory_get_their_speed_back(store):
    store.answers_in(4 * USUAL, 10)
    store.answers_in(0.00001, int(RECOVER_SECS) + 5, share=0.0)
    assert not store.braked


def test_what_is_usual_is_learnt_again_in_time(store):
    """A store that was moved to slower disks is not slow for ever."""
    store.answers_in(4 * USUAL, int(FORGET_SECS / 4))
    assert store.braked
    store.answers_in(4 * USUAL, int(FORGET_SECS * 2.5))
    assert not store.braked


def test_one_odd_moment_does_not_change_what_is_usual(store):
    store.answers_in(USUAL / 5)
    assert store.brake.usual_secs > 0.6 * USUAL
    store.answers_in(USUAL, 20)
    assert not store.braked


@given(
    st.floats(0, 1e6),
    st.lists(st.floats(0, 1e6) | st.just(math.inf), min_size=1, max_size=20),
)
def test_calls_are_shared_out_fairly(calls, wanted):
    given_out = shares(calls, wanted)
    assert sum(given_out) <= calls
    for mine, want in zip(given_out, wanted):
        assert 0 <= mine <= want
        # Whoever got less than they want got no less than anybody else.
        if mine <= want - 1:
            assert all(mine >= other - 1 for other in given_out)
    if sum(wanted) >= calls:
        assert sum(given_out) > calls - len(wanted)


def test_no_budget_and_no_brake_is_no_limit():
    assert lower(0, None) is None
    assert lower(100, None) == 100
    assert lower(0, 50.0) == 50
    assert lower(100, 50.0) == 50
    assert lower(40, 50.0) == 40
