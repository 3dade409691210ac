"""Rescues, decided: who gets one, how long, and when it is over."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota import rescue
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.rescue import (
    START_SECS,
    End,
    Phase,
    Server,
    Spawning,
    Terms,
    admit,
    decide,
    follow,
    is_rescue,
    measuring_due,
    standing,
)
from jupyterhub_efs_quota.quota.rescue_words import refused, started, why_ended

from ..conftest import NOW
from .strategies import moments, records, spans

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
TERMS = Terms(secs=3600, pause_secs=7200, growth_bytes=100, growth_files=10, back_secs=600)
OVER = Record(
    "homer",
    quota_bytes=1000,
    actual_bytes=1500,
    quota_state=State.LOCKOUT,
    started=NOW - HOUR,
    stopped=NOW - HOUR,
)
DEFAULT, GPU = Server("", NOW), Server("gpu", NOW)
terms = st.builds(
    Terms,
    secs=st.floats(1, 1e6),
    pause_secs=st.floats(0, 1e6),
    growth_bytes=st.integers(0, 2**40),
    growth_files=st.integers(0, 10**6),
    back_secs=st.floats(0, 1e5),
)


def begun(server=DEFAULT, record=OVER, now=NOW):
    """The record of a rescue that begins."""
    admission = admit(record, Spawning(server, []), now, TERMS)
    assert admission.granted
    return admission.record


def measured(record, now, size, files=None):
    return replace(record, started=now, stopped=now, actual_bytes=size, usage_files=files)


def test_a_rescue_begins_at_once_and_ends_after_its_time():
    record = begun()
    assert (record.rescue_began, record.rescue_until) == (NOW, NOW + HOUR)
    assert (record.rescue_server, record.rescue_started) == ("", NOW)
    assert decide(record, NOW + HOUR - SECOND, TERMS) is None
    assert decide(record, NOW + HOUR, TERMS) is End.OVER


@given(terms, st.lists(st.timedeltas(timedelta(0), 2 * HOUR), max_size=8))
def test_who_stops_and_starts_again_gains_no_time(some, waits):
    now = NOW
    first = admit(OVER, Spawning(DEFAULT, []), now, some).record
    record = first
    for wait in waits:
        now += wait
        again = admit(record, Spawning(Server("", now), []), now, some)
        if now < first.rescue_until:
            assert again.granted and again.record.rescue_until <= first.rescue_until
            record = again.record


@given(terms, spans)
def test_after_the_pause_there_is_another_rescue_and_never_before(some, later):
    record = admit(OVER, Spawning(DEFAULT, []), NOW, some).record
    over = record.rescue_until
    admission = admit(record, Spawning(DEFAULT, []), over + later, some)
    assert admission.granted is (later.total_seconds() >= some.pause_secs - 1e-6) or (
        abs(later.total_seconds() - some.pause_secs) < 1e-3
    )
    if not admission.granted:
        assert admit(record, Spawning(DEFAULT, []), admission.next, some).granted
        assert "The next one can begin at" in refused(admission)


def test_a_rescue_that_was_ended_early_has_its_pause_from_then_on():
    record = rescue.ended(begun(), End.GROWN, NOW + 60 * SECOND)
    assert not admit(record, Spawning(DEFAULT, []), NOW + 61 * SECOND, TERMS).granted
    then = NOW + 60 * SECOND + 2 * HOUR
    assert admit(record, Spawning(DEFAULT, []), then, TERMS).granted
    assert admit(record, Spawning(DEFAULT, []), then - SECOND, TERMS).next == then


def test_a_user_has_one_rescue_server_at_a_time():
    record = begun(GPU)
    second = admit(record, Spawning(DEFAULT, [GPU, DEFAULT]), NOW + SECOND, TERMS)
    assert not second.granted and second.other == "gpu"
    assert "“gpu”" in refused(second)
    assert admit(record, Spawning(GPU, [GPU]), NOW + SECOND, TERMS).granted
    # It runs no more, or another server has its name by now.
    assert admit(record, Spawning(DEFAULT, []), NOW + SECOND, TERMS).granted
    later = Server("gpu", NOW + 5 * SECOND)
    moved = admit(record, Spawning(DEFAULT, [later]), NOW + 6 * SECOND, TERMS)
    assert moved.granted and moved.record.rescue_server == ""


@pytest.mark.parametrize("secs", [-30, 0, 30])
def test_a_usual_server_of_the_same_name_is_no_rescue(secs):
    record = begun()
    assert is_rescue(record, DEFAULT)
    assert is_rescue(record, Server("", NOW + timedelta(seconds=secs))) is (secs == 0)
    assert not is_rescue(record, GPU)
    assert not is_rescue(OVER, DEFAULT)
    # A hub that does not tell when: by the name alone.
    assert is_rescue(record, Server(""))


def test_what_the_first_measurement_finds_is_what_a_home_may_not_outgrow():
    record = follow(begun(), [DEFAULT], NOW, TERMS)
    assert record.rescue_bytes is None, "an old number, after which they may have gone on writing"
    record = follow(measured(record, NOW + SECOND, 1800), [DEFAULT], NOW + SECOND, TERMS)
    assert record.rescue_bytes == 1800
    for size, end in ((1900, None), (1901, End.GROWN), (1100, None)):
        then = follow(measured(record, NOW + HOUR / 2, size), [DEFAULT], NOW + HOUR / 2, TERMS)
        assert then.rescue_bytes == 1800
        assert decide(then, NOW + HOUR / 2, TERMS) is end


def test_a_measurement_that_is_not_whole_is_not_what_a_home_is_held_to():
    record = replace(measured(begun(), NOW + SECOND, 1800), timed_out=True)
    assert follow(record, [DEFAULT], NOW + SECOND, TERMS).rescue_bytes is None
    going_on = replace(begun(), started=NOW + SECOND)  # and stopped before the rescue
    assert follow(going_on, [DEFAULT], NOW + SECOND, TERMS).rescue_bytes is None


def test_files_count_where_there_is_a_limit_on_them():
    limited = replace(OVER, quota_files=50, usage_files=60)
    record = follow(measured(begun(record=limited), NOW, 500, 60), [DEFAULT], NOW, TERMS)
    assert decide(replace(record, usage_files=70), NOW, TERMS) is None
    grown = replace(record, usage_files=71)
    assert decide(grown, NOW, TERMS) is End.GROWN
    assert "from 60 to 71 files" in why_ended(End.GROWN, grown, TERMS)
    assert decide(replace(grown, quota_files=None), NOW, TERMS) is None


@pytest.mark.parametrize(
    "back",
    [
        {"quota_state": State.OK},
        {"quota_state": State.NEARING_LIMIT},
        {"quota_state": State.VIOLATION, "lockout_enabled": False},
        {"quota_enabled": False},
    ],
)
def test_who_is_back_has_a_while_to_restart_and_is_then_stopped(back):
    record = follow(replace(begun(), **back), [DEFAULT], NOW + SECOND, TERMS)
    assert record.rescue_back == NOW + SECOND
    assert decide(record, NOW + 600 * SECOND, TERMS) is None
    assert decide(record, NOW + 601 * SECOND, TERMS) is End.BACK
    # Back only now, at the very end of the time: not stopped in the middle of a word.
    late = follow(replace(begun(), **back), [DEFAULT], NOW + HOUR + SECOND, TERMS)
    assert decide(late, NOW + HOUR + SECOND, TERMS) is None


def test_who_is_over_again_goes_on_with_the_rescue_that_they_had():
    record = follow(replace(begun(), quota_state=State.OK), [DEFAULT], NOW + SECOND, TERMS)
    record = follow(replace(record, quota_state=State.LOCKOUT), [DEFAULT], NOW + HOUR / 2, TERMS)
    assert record.rescue_back is None
    assert decide(record, NOW + HOUR / 2, TERMS) is None
    assert decide(record, NOW + HOUR, TERMS) is End.OVER


def test_an_administrator_by_now_is_told_to_restart():
    record = follow(begun(), [DEFAULT], NOW, TERMS, exempt=True)
    assert decide(record, NOW + 600 * SECOND, TERMS) is End.BACK


def test_a_rescue_is_forgotten_when_its_user_is_back_and_its_server_gone():
    record = replace(begun(), quota_state=State.OK)
    soon, later = NOW + SECOND, NOW + timedelta(seconds=START_SECS + 1)
    assert follow(record, [], soon, TERMS).rescue_until, "it may be starting"
    assert follow(record, [DEFAULT], later, TERMS).rescue_until
    forgotten = follow(record, [Server("", later)], later, TERMS)
    assert forgotten == rescue.without(record) == replace(OVER, quota_state=State.OK)
    locked = replace(record, quota_state=State.LOCKOUT)
    assert follow(locked, [], later, TERMS) == locked, "the time would begin anew"
    over = follow(locked, [], NOW + 2 * HOUR, TERMS)
    assert over == replace(locked, rescue_ended="over")


def test_where_no_rescue_is_offered_any_more_none_is_spared():
    assert follow(begun(), [DEFAULT], NOW, None) == OVER


def test_a_new_lockout_after_cleaning_up_has_a_rescue_of_its_own():
    record = rescue.ended(replace(begun(), rescue_back=NOW), End.BACK, NOW + SECOND)
    again = replace(record, quota_state=State.LOCKOUT)
    assert admit(again, Spawning(DEFAULT, []), NOW + 2 * SECOND, TERMS).granted


def test_a_server_that_could_not_be_stopped_is_stopped_again():
    record = rescue.ended(begun(), End.GROWN, NOW + SECOND)
    assert decide(record, NOW + 2 * SECOND, TERMS) is End.GROWN
    odd = replace(record, rescue_ended="a word of a later version")
    assert decide(odd, NOW + 2 * SECOND, TERMS) is End.OVER


def test_a_rescue_of_the_future_is_none_since_a_clock_was_set_back():
    record = begun(now=NOW + 100 * HOUR)
    assert admit(record, Spawning(DEFAULT, []), NOW, TERMS).record.rescue_until == NOW + HOUR
    assert follow(record, [DEFAULT], NOW, TERMS) == OVER


@given(records, terms, moments, st.booleans(), st.text(max_size=5))
def test_whatever_a_file_holds_nothing_is_spared_for_longer_than_a_rescue(
    record, some, now, runs, name
):
    server = Server(name, record.rescue_started)
    record = follow(record, [server] if runs else [], now, some)
    assert follow(record, [server] if runs else [], now, some) == record
    if decide_or_none(record, now, some) is None and rescue.locked(record):
        assume(record.rescue_until is not None)
        assert now < record.rescue_until
    standing(record, now, some)
    measuring_due(record, now, 300)
    admission = admit(record, Spawning(server, []), now, some)
    if admission.granted:
        assert admission.record.rescue_until <= now + timedelta(seconds=some.secs)
        assert admission.record.rescue_server == name
        assert decide_or_none(admission.record, now, some) in (None, End.GROWN)
    else:
        assert refused(admission)


def decide_or_none(record, now, some):
    return decide(record, now, some) if rescue.begun(record, now) else End.OVER


def test_the_page_of_a_user_knows_where_they_are():
    assert standing(OVER, NOW, None) is None
    assert standing(OVER, NOW, TERMS).phase is Phase.OFFERED
    assert standing(replace(OVER, quota_state=State.OK), NOW, TERMS) is None
    on = standing(begun(GPU), NOW + SECOND, TERMS)
    assert (on.phase, on.until, on.server) == (Phase.ON, NOW + HOUR, "gpu")
    back = standing(replace(begun(), quota_state=State.OK, rescue_back=NOW), NOW, TERMS)
    assert (back.phase, back.until) == (Phase.BACK, NOW + 600 * SECOND)
    pause = standing(begun(), NOW + HOUR, TERMS)
    assert (pause.phase, pause.ended, pause.next) == (Phase.PAUSE, End.OVER, NOW + 3 * HOUR)
    grown = standing(rescue.ended(begun(), End.GROWN, NOW), NOW, TERMS)
    assert (grown.phase, grown.ended) == (Phase.PAUSE, End.GROWN)


def test_a_home_is_measured_when_a_rescue_begins_and_then_every_few_minutes():
    record = begun()
    assert measuring_due(record, NOW, 300), "what it held before is not what it holds now"
    record = measured(record, NOW + SECOND, 1500)
    assert not measuring_due(record, NOW + 300 * SECOND, 300)
    assert measuring_due(record, NOW + 301 * SECOND, 300)
    assert measuring_due(replace(record, started=None), NOW, 300)


def test_the_words_say_how_long_and_what_grew():
    assert "for 60 minutes, until 2026-11-22 13:00 UTC" in started(NOW + HOUR, NOW)
    assert "for 1 minute," in started(NOW + SECOND, NOW)
    assert "for 2 hours and 30 minutes" in started(NOW + 2.5 * HOUR, NOW)
    grown = replace(begun(), rescue_bytes=1500, actual_bytes=2_048_000)
    assert "from 1.5 KiB to 2.0 MiB" in why_ended(End.GROWN, grown, TERMS)
    assert "its time is over" in why_ended(End.OVER, grown, TERMS)
