"""Who gets which limit: default < group < user < a hand edit."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.limits import Limit, Limits, apply_limit, set_by_hand, settle
from jupyterhub_efs_quota.quota.record import DEFAULT_QUOTA_BYTES, Record
from jupyterhub_efs_quota.quota.sizes import GIB

from ..conftest import NOW
from .strategies import records

LIMITS = Limits(
    default_bytes=10,
    default_files=100,
    group_bytes={"small": 5, "big": 20, "large": 20},
    group_files={"big": 200, "free": 0, "small": 50},
    user_bytes={"homer": 1},
    user_files={"homer": 7, "marge": 0},
)


@pytest.mark.parametrize(
    "user, groups, limit",
    [
        ("bart", [], Limit(10, 100, "default")),
        ("bart", ["nobody"], Limit(10, 100, "default")),
        ("bart", ["small"], Limit(5, 50, "group:small")),
        ("bart", ["small", "big"], Limit(20, 200, "group:big")),
        ("bart", ["big", "large"], Limit(20, 200, "group:large")),
        ("bart", ["large", "big"], Limit(20, 200, "group:large")),
        ("bart", ["big", "free"], Limit(20, 0, "group:big")),
        ("homer", ["big"], Limit(1, 7, "user")),
        ("marge", ["small"], Limit(5, 0, "group:small")),
    ],
)
def test_the_users_own_limit_goes_before_the_highest_group_and_the_default(user, groups, limit):
    assert LIMITS.limit_for(user, groups) == limit


def test_without_settings_everybody_has_200_gib():
    assert Limits().limit_for("homer", ["a"]) == Limit(200 * GIB, 0, "default")


@pytest.mark.parametrize(
    "limits, user, depends",
    [
        (LIMITS, "bart", True),
        (LIMITS, "homer", False),
        (LIMITS, "marge", True),
        (Limits(group_files={"a": 1}), "homer", True),
        (Limits(user_bytes={"homer": 5}), "bart", False),
        (Limits(), "homer", False),
    ],
)
def test_it_is_known_whose_limit_depends_on_groups(limits, user, depends):
    assert limits.by_group(user) is depends


NEW = Limit(10 * GIB, 100, "default")


def test_a_new_user_gets_the_limit_of_the_settings():
    record = apply_limit(Record("homer"), NEW)
    assert (record.quota_bytes, record.quota_files) == (10 * GIB, 100)
    assert record.quota_source == "default"


@given(records, st.builds(Limit, st.integers(0, 2**60), st.integers(0, 10**9), st.just("default")))
def test_a_limit_is_applied_once(record, limit):
    once = apply_limit(record, limit)
    assert apply_limit(once, limit) == once


def test_a_new_setting_reaches_those_who_had_the_old_one():
    record = apply_limit(apply_limit(Record("homer"), NEW), Limit(3 * GIB, 0, "group:a"))
    assert (record.quota_bytes, record.quota_files) == (3 * GIB, None)
    assert record.quota_source == "group:a"


def test_a_hand_edit_wins_over_every_setting():
    record = replace(apply_limit(Record("homer"), NEW), quota_bytes=7)
    for limit in (NEW, Limit(3, 3, "user")):
        record = apply_limit(record, limit)
        assert (record.quota_bytes, record.quota_source) == (7, "hand")


def test_a_hand_edit_of_the_limit_on_files_wins_too():
    record = apply_limit(replace(apply_limit(Record("homer"), NEW), quota_files=9), NEW)
    assert (record.quota_files, record.quota_source) == (9, "hand")


def test_taking_the_limit_on_files_out_by_hand_is_a_hand_edit():
    record = apply_limit(replace(apply_limit(Record("homer"), NEW), quota_files=None), NEW)
    assert (record.quota_files, record.quota_source) == (None, "hand")


def test_an_administrator_resets_a_hand_edit_by_another_source():
    by_hand = apply_limit(replace(apply_limit(Record("homer"), NEW), quota_bytes=7), NEW)
    record = apply_limit(replace(by_hand, quota_source="default"), NEW)
    assert (record.quota_bytes, record.quota_source) == (10 * GIB, "default")


def test_a_file_of_the_predecessor_with_its_default_follows_the_settings():
    record = apply_limit(Record("homer", quota_bytes=DEFAULT_QUOTA_BYTES, actual_bytes=5), NEW)
    assert record.quota_bytes == 10 * GIB


def test_a_file_of_the_predecessor_with_another_limit_was_edited_by_hand():
    record = apply_limit(Record("homer", quota_bytes=21474836), NEW)
    assert (record.quota_bytes, record.quota_source) == (21474836, "hand")


def test_who_is_over_at_first_sight_keeps_what_they_have():
    old = Record("homer", actual_bytes=12 * GIB + 5, usage_files=1234)
    record = apply_limit(old, NEW, grandfather=True)
    assert (record.quota_bytes, record.quota_files) == (13 * GIB, 2000)
    assert record.quota_source == "grandfathered"
    assert not record.over


def test_only_what_is_over_is_grandfathered():
    record = apply_limit(Record("homer", actual_bytes=GIB, usage_files=500), NEW, grandfather=True)
    assert (record.quota_bytes, record.quota_files) == (10 * GIB, 1000)


def test_a_grandfathered_limit_stays():
    record = apply_limit(Record("homer", actual_bytes=12 * GIB), NEW, grandfather=True)
    assert apply_limit(record, Limit(GIB, 0, "user")) == record


def test_a_grandfathered_limit_can_be_reset():
    record = apply_limit(Record("homer", actual_bytes=12 * GIB), NEW, grandfather=True)
    record = apply_limit(replace(record, quota_source="default"), NEW, grandfather=True)
    assert record.quota_bytes == 10 * GIB


def test_nobody_is_grandfathered_later():
    record = apply_limit(Record("homer", actual_bytes=5), NEW, grandfather=True)
    record = apply_limit(replace(record, actual_bytes=12 * GIB), NEW, grandfather=True)
    assert record.quota_bytes == 10 * GIB


def test_who_is_over_is_not_grandfathered_without_the_setting():
    record = apply_limit(Record("homer", actual_bytes=12 * GIB), NEW)
    assert record.over


def for_a_time(until):
    record = apply_limit(Record("homer"), NEW)
    return set_by_hand(record, 99 * GIB, 7, until=until, reason="Thesis")


def test_a_quota_set_by_hand_wins_until_its_end_and_is_forgotten_then():
    limits = Limits(default_bytes=5 * GIB)
    record = for_a_time(NOW)
    assert settle(record, (), limits, NOW - timedelta(microseconds=1)) == record
    after = settle(record, (), limits, NOW)
    assert (after.quota_bytes, after.quota_files, after.quota_source) == (5 * GIB, None, "default")
    assert (after.quota_until, after.quota_reason) == (None, None)
    assert settle(after, (), limits, NOW) == after


def test_a_quota_that_has_ended_stays_while_the_groups_are_not_known():
    limits = Limits(group_bytes={"course": GIB})
    assert settle(for_a_time(NOW), None, limits, NOW) == for_a_time(NOW)
    assert settle(for_a_time(NOW), ("course",), limits, NOW).quota_bytes == GIB


def test_who_has_no_quota_is_left_alone_whatever_has_ended():
    record = replace(for_a_time(NOW), quota_enabled=False)
    assert settle(record, (), Limits(), NOW) == record
