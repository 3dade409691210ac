"""Judging: which state follows from a record, and when a home is due to be measured."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.judge import active_at_reap, judge, why_measure
from jupyterhub_efs_quota.quota.record import Record, State

from ..conftest import NOW
from .strategies import moments, records

SECOND = timedelta(seconds=1)


def state(now=NOW, grace_secs=0.0, **fields):
    return judge(Record("homer", **fields), now, grace_secs).quota_state.value


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"quota_bytes": 100, "actual_bytes": 0}, "ok"),
        ({"quota_bytes": 100, "actual_bytes": 90}, "ok"),
        ({"quota_bytes": 100, "actual_bytes": 91}, "nearing-limit"),
        ({"quota_bytes": 100, "actual_bytes": 100}, "nearing-limit"),
        ({"quota_bytes": 100, "actual_bytes": 101}, "lockout"),
        ({"quota_bytes": 100, "actual_bytes": 101, "lockout_enabled": False}, "violation"),
        ({"quota_bytes": 100, "actual_bytes": 50, "warn_fraction": 0.5}, "ok"),
        ({"quota_bytes": 100, "actual_bytes": 51, "warn_fraction": 0.5}, "nearing-limit"),
        ({"quota_bytes": 100, "actual_bytes": 100, "warn_fraction": 1.0}, "ok"),
        ({"quota_bytes": 0, "actual_bytes": 0}, "ok"),
        ({"quota_bytes": 0, "actual_bytes": 1}, "lockout"),
        ({"quota_bytes": 0}, "ok"),
        ({}, "ok"),
        ({"timed_out": True}, "timed-out"),
        ({"timed_out": True, "quota_bytes": 100, "actual_bytes": 95}, "timed-out"),
        ({"timed_out": True, "quota_bytes": 100, "actual_bytes": 101}, "lockout"),
        ({"quota_files": 10, "usage_files": 9}, "ok"),
        ({"quota_files": 10, "usage_files": 10}, "nearing-limit"),
        ({"quota_files": 10, "usage_files": 11}, "lockout"),
        ({"quota_files": 10, "usage_files": 11, "lockout_enabled": False}, "violation"),
        ({"quota_files": 0, "usage_files": 11}, "ok"),
        ({"usage_files": 11}, "ok"),
    ],
)
def test_states_are_judged_in_order_and_strictly(fields, expected):
    assert state(**fields) == expected


@given(records, moments)
def test_judging_is_done_once(record, now):
    judged = judge(record, now, 60)
    assert judge(judged, now, 60) == judged


@given(records, moments, st.floats(0, 1e6))
def test_a_lockout_is_always_over_and_never_without_its_switch(record, now, grace_secs):
    judged = judge(record, now, grace_secs)
    if judged.quota_state is State.LOCKOUT:
        assert record.over
        assert record.lockout_enabled
    if record.over:
        assert judged.quota_state in (State.LOCKOUT, State.VIOLATION)
        assert judged.over_since is not None
    else:
        assert judged.over_since is None


@given(records, moments)
def test_judging_changes_nothing_but_what_it_judges(record, now):
    judged = judge(record, now)
    assert (
        replace(
            judged,
            quota_state=record.quota_state,
            fraction_used=record.fraction_used,
            over_since=record.over_since,
            full_at=record.full_at,
            full_in=record.full_in,
        )
        == record
    )


def test_the_fraction_is_not_rounded_and_a_quota_of_nothing_divides_nothing():
    assert judge(Record("h", quota_bytes=3, actual_bytes=1), NOW).fraction_used == 1 / 3
    assert judge(Record("h", quota_bytes=0, actual_bytes=7), NOW).fraction_used == 7.0
    assert judge(Record("h", quota_bytes=5), NOW).fraction_used == 0.0


OVER = {"quota_bytes": 100, "actual_bytes": 101}


def test_grace_makes_it_a_violation_until_it_has_passed():
    since = {"over_since": NOW, **OVER}
    assert state(NOW, 60, **since) == "violation"
    assert state(NOW + 59 * SECOND, 60, **since) == "violation"
    assert state(NOW + 60 * SECOND, 60, **since) == "lockout"
    assert state(NOW, 0, **since) == "lockout"


def test_grace_begins_when_the_user_first_went_over():
    first = judge(Record("homer", **OVER), NOW, 60)
    again = judge(first, NOW + 30 * SECOND, 60)
    assert again.over_since == NOW
    assert judge(again, NOW + 61 * SECOND, 60).quota_state is State.LOCKOUT


def test_the_next_time_over_has_its_own_grace():
    record = judge(Record("homer", over_since=NOW, **OVER), NOW + 61 * SECOND, 60)
    assert record.quota_state is State.LOCKOUT
    record = judge(replace(record, actual_bytes=50), NOW + 70 * SECOND, 60)
    assert record.over_since is None
    record = judge(replace(record, actual_bytes=101), NOW + 80 * SECOND, 60)
    assert record.quota_state is State.VIOLATION


def test_a_clock_set_back_lifts_no_lockout():
    locked = judge(Record("homer", **OVER), NOW, 0)
    assert judge(locked, NOW - timedelta(days=1), 0).quota_state is State.LOCKOUT


def test_a_clock_set_back_makes_no_grace_longer_than_it_is():
    wrong = judge(Record("homer", **OVER), NOW + timedelta(days=365), 60)
    right = judge(wrong, NOW, 60)
    assert right.quota_state is State.VIOLATION
    assert judge(right, NOW + 60 * SECOND, 60).quota_state is State.LOCKOUT


WEEK = 604800.0
RECENT = Record(
    "homer",
    actual_bytes=5,
    last_activity=NOW - timedelta(hours=2),
    started=NOW - timedelta(hours=1),
    stopped=NOW - timedelta(minutes=59),
)


def due(now=NOW, **fields):
    return why_measure(replace(RECENT, **fields), now, WEEK)


def test_a_recent_measurement_is_not_repeated():
    assert due() is None
    assert due(last_activity=None) is None
    assert due(last_activity=RECENT.stopped) is None


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"actual_bytes": -1}, "never measured"),
        ({"started": None}, "never measured"),
        ({"quota_state": State.LOCKOUT}, "over its quota"),
        ({"quota_state": State.VIOLATION}, "over its quota"),
        ({"started": NOW + SECOND, "stopped": NOW + SECOND}, "a clock was set back"),
        ({"stopped": NOW + SECOND}, "a clock was set back"),
        ({"stopped": None}, "did not finish"),
        ({"stopped": NOW - timedelta(hours=3)}, "did not finish"),
        ({"last_activity": NOW}, "active since"),
        ({"last_activity": RECENT.stopped + timedelta(microseconds=1)}, "active since"),
    ],
)
def test_a_home_is_measured_when(fields, why):
    assert why in due(**fields)


def test_a_measurement_is_stale_by_whole_days_too():
    # The predecessor looked at the seconds within a day, and never found one stale.
    def stale(**age):
        began = NOW - timedelta(**age)
        return due(started=began, stopped=began, last_activity=None)

    assert stale(days=7) is None
    assert "stale" in stale(days=7, seconds=1)
    assert "stale" in stale(days=30)
    assert stale(days=6, hours=23, minutes=59) is None


def reap(idle, period=300.0):
    record = Record("homer", reaper_time=NOW, last_activity=NOW - idle)
    return active_at_reap(record, period)


def test_active_at_reap_is_activity_within_the_last_period():
    assert reap(timedelta(0)) == 1
    assert reap(299 * SECOND) == 1
    assert reap(300 * SECOND) == 0
    assert reap(timedelta(days=3, seconds=100)) == 0
    assert reap(-1.375 * SECOND) == 0


def test_a_user_who_was_never_active_is_not_active_at_reap():
    assert active_at_reap(Record("homer", reaper_time=NOW), 300) == 0
    assert active_at_reap(Record("homer", last_activity=NOW), 300) == 0
