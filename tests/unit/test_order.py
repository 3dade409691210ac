"""Who is measured next: whoever somebody waits for; small beside large; everybody in the end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.measure.workers.order import (
    EXTRA,
    LARGE_FILES,
    LARGE_SECS,
    LONG_SECS,
    Priority,
    Running,
    Waiting,
    Wish,
    choose,
    expect_large,
)
from jupyterhub_efs_quota.quota.record import Record

from ..conftest import NOW

SPAWN, PERSON, LOCKED, ROUTINE = Priority

wishes = st.builds(Wish, st.sampled_from(Priority), st.booleans())
times = st.floats(0, 2 * LONG_SECS)
now = 2 * LONG_SECS
crowds = st.lists(st.builds(Waiting, wishes, times), max_size=12)


def chosen(waiting, running=(), most=4, at=0.0):
    choice = choose(waiting, running, most, at)
    return choice and (choice.waiting.wish.priority, choice.waiting.wish.large, choice.extra)


def wait(priority=ROUTINE, large=False, since=0.0):
    return Waiting(Wish(priority, large), since)


def run(priority=ROUTINE, large=False, since=0.0, extra=False):
    return Running(Wish(priority, large), since, extra)


@st.composite
def situations(draw):
    """What can come about: nobody runs who was not chosen."""
    most = draw(st.integers(1, 6))
    running = []
    for each in draw(st.lists(st.builds(Waiting, wishes, times), max_size=16)):
        choice = choose([each], running, most, each.since)
        if choice is not None:
            running.append(Running(each.wish, each.since, choice.extra))
    return draw(crowds), running, most


@given(situations())
def test_there_are_never_more_than_the_places_that_there_are(situation):
    waiting, running, most = situation
    waiting = list(waiting)
    while (choice := choose(waiting, running, most, now)) is not None:
        waiting.remove(choice.waiting)
        running = [*running, Running(choice.waiting.wish, now, choice.extra)]
    assert sum(not each.extra for each in running) <= most
    for kind in (SPAWN, PERSON):
        assert sum(each.extra and each.wish.priority is kind for each in running) <= EXTRA
    assert not any(each.extra and not each.wish.priority.waited_for for each in running)


@given(situations())
def test_whoever_is_waited_for_gets_a_place_though_all_are_taken(situation):
    waiting, running, most = situation
    for kind in (SPAWN, PERSON):
        taken = sum(each.extra and each.wish.priority is kind for each in running)
        if taken < EXTRA:
            assert choose([wait(kind)], running, most, now) is not None


@given(situations())
def test_a_place_that_is_free_is_not_left_empty_while_a_small_home_waits(situation):
    waiting, running, most = situation
    free = sum(not each.extra for each in running) < most
    if free and any(not each.wish.large for each in waiting):
        assert choose(waiting, running, most, now) is not None


@given(situations(), st.integers(2, 6))
def test_large_homes_never_take_the_last_place_from_small_ones(situation, most):
    waiting, running, _ = situation
    choice = choose(waiting, running, most, now)
    if choice is not None and choice.waiting.wish.large and not choice.extra:
        large = sum(each.large(now) for each in running if not each.extra)
        assert large + 1 <= most - 1


@given(st.lists(wishes, min_size=1, max_size=12), st.integers(1, 4))
def test_everybody_is_measured_in_the_end_however_many_come(all_wishes, most):
    """Each place is used for five minutes, and a new small home comes each time."""
    waiting = [Waiting(wish, float(n)) for n, wish in enumerate(all_wishes)]
    theirs = set(waiting)
    running, at = [], 100.0
    for turn in range(4 * len(theirs) + 8):
        waiting += [Waiting(Wish(LOCKED), at + n / 100) for n in range(most)]
        while (choice := choose(waiting, running, most, at)) is not None:
            waiting.remove(choice.waiting)
            theirs.discard(choice.waiting)
            running.append(Running(choice.waiting.wish, at, choice.extra))
        at += 300.0
        running = []
    assert not theirs


def test_a_spawn_goes_before_a_person_before_the_locked_before_routine():
    crowd = [wait(ROUTINE), wait(LOCKED), wait(PERSON), wait(SPAWN)]
    order = []
    while crowd:
        choice = choose(crowd, [], 1, 1.0)
        order.append(choice.waiting.wish.priority)
        crowd.remove(choice.waiting)
    assert order == [SPAWN, PERSON, LOCKED, ROUTINE]


def test_of_equals_the_first_goes_first():
    crowd = [wait(since=2.0), wait(since=1.0), wait(since=3.0)]
    assert choose(crowd, [], 1, 4.0).waiting.since == 1.0


def test_one_place_alone_is_for_small_homes_first():
    assert chosen([wait(large=True), wait(since=5.0)], most=1, at=6.0) == (ROUTINE, False, False)
    assert chosen([wait(large=True)], most=1) == (ROUTINE, True, False)


def test_with_several_places_one_large_home_goes_on_beside_the_small_ones():
    crowd = [wait(), wait(large=True, since=5.0)]
    assert chosen(crowd, most=2, at=6.0) == (ROUTINE, True, False)
    assert chosen(crowd, [run(large=True)], most=3, at=6.0) == (ROUTINE, False, False)


def test_a_large_home_that_has_waited_long_goes_before_small_ones_that_came_later():
    crowd = [wait(large=True), wait(since=LONG_SECS - 1)]
    assert chosen(crowd, [run(large=True)], most=3, at=LONG_SECS) == (ROUTINE, True, False)
    assert chosen(crowd, most=1, at=LONG_SECS) == (ROUTINE, True, False)


def test_a_home_that_turns_out_to_take_long_counts_as_large():
    crowd = [wait(large=True)]
    assert chosen(crowd, [run()], most=2, at=LARGE_SECS - 1) == (ROUTINE, True, False)
    assert chosen(crowd, [run()], most=2, at=LARGE_SECS) is None


def test_a_large_home_for_a_person_does_not_take_the_only_place_of_all_others():
    assert chosen([wait(PERSON, large=True)], most=1) == (PERSON, True, True)
    assert chosen([wait(PERSON, large=True)], [run(large=True)], most=2) == (PERSON, True, True)


def test_pages_leave_the_places_of_spawns_alone():
    pages = [run(PERSON, extra=True)] * EXTRA
    full = [run()] * 4 + pages
    assert chosen([wait(PERSON)], full) is None
    assert chosen([wait(PERSON), wait(SPAWN)], full) == (SPAWN, False, True)


@pytest.mark.parametrize(
    ("fields", "large"),
    [
        ({}, False),
        ({"started": NOW, "stopped": NOW + timedelta(seconds=LARGE_SECS)}, True),
        ({"started": NOW, "stopped": NOW + timedelta(seconds=LARGE_SECS - 1)}, False),
        ({"started": NOW}, False),
        ({"started": NOW, "stopped": NOW - timedelta(days=1)}, False),
        ({"usage_files": LARGE_FILES}, True),
        ({"usage_files": LARGE_FILES - 1}, False),
        ({"timed_out": True}, True),
    ],
)
def test_a_home_is_expected_to_take_as_long_as_the_last_time(fields, large):
    assert expect_large(replace(Record("homer"), **fields)) is large
