"""Explanations: which rule gave the quota, why the state, what would change it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.judge import judge
from jupyterhub_efs_quota.quota.limits import Limits, apply_limit, set_by_hand, settle
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.sizes import GIB
from jupyterhub_efs_quota.users.as_json import plain
from jupyterhub_efs_quota.users.explain import Cause, WouldChange, explain

from ..conftest import NOW
from .strategies import moments, records

LIMITS = Limits(
    default_bytes=10 * GIB,
    default_files=1000,
    group_bytes={"course": 20 * GIB, "lab": 50 * GIB, "other": 99 * GIB},
    group_files={"lab": 0},
    user_bytes={"anna": 5 * GIB},
)


def a_record(user="homer", groups=(), limits=LIMITS, grace_secs=0, **fields):
    """A record as the loops leave it."""
    fields = {"actual_bytes": GIB, "usage_files": 10, "started": NOW, "stopped": NOW, **fields}
    record = apply_limit(Record(user, **fields), limits.limit_for(user, groups))
    return judge(record, NOW, grace_secs)


def by_rule(explanation):
    return {rule.rule: rule for rule in explanation.rules}


def turns(explanation):
    return [turn.change for turn in explanation.would_change]


def test_every_rule_that_says_something_is_told_with_what_it_gives():
    groups = ("course", "lab", "unknown")
    explained = explain(a_record(groups=groups), groups, LIMITS, NOW)
    rules = by_rule(explained)
    assert list(rules) == ["default", "group:course", "group:lab"]
    assert (rules["group:course"].bytes, rules["group:course"].files) == (20 * GIB, None)
    assert "20.0 GiB" in rules["group:course"].sentence
    assert "no limit on files" in rules["group:lab"].sentence


def test_the_highest_of_the_groups_gives_the_quota():
    groups = ("course", "lab")
    explained = explain(a_record(groups=groups), groups, LIMITS, NOW)
    assert explained.quota.source == "group:lab"
    assert {rule.rule: rule.gives for rule in explained.rules} == {
        "default": (),
        "group:course": (),
        "group:lab": ("bytes", "files"),
    }


def test_bytes_and_files_may_be_given_by_different_rules():
    explained = explain(a_record("anna"), (), LIMITS, NOW)
    assert {rule.rule: rule.gives for rule in explained.rules} == {
        "default": ("files",),
        "user": ("bytes",),
    }


def test_what_is_set_by_hand_is_told_with_its_end_and_reason_and_gives_all():
    until = NOW + timedelta(days=3)
    record = set_by_hand(a_record(), 2 * GIB, 5, until=until, reason="A project")
    explained = explain(record, (), LIMITS, NOW)
    assert explained.rules[-1].gives == ("bytes", "files")
    assert all(not rule.gives for rule in explained.rules[:-1])
    assert (explained.quota.until, explained.quota.reason) == (until, "A project")
    assert "set by hand" in explained.quota.sentence and "A project" in explained.quota.sentence
    (end,) = [turn for turn in explained.would_change if turn.change is WouldChange.QUOTA_ENDS]
    assert (end.time, end.bytes, end.files, end.state) == (until, 10 * GIB, 1000, State.OK)


@pytest.mark.parametrize(
    ("fields", "grace_secs", "causes"),
    [
        ({"actual_bytes": 11 * GIB}, 0, [Cause.OVER_BYTES]),
        ({"usage_files": 1001}, 0, [Cause.OVER_FILES]),
        (
            {"actual_bytes": 11 * GIB, "usage_files": 1001},
            0,
            [Cause.OVER_BYTES, Cause.OVER_FILES],
        ),
        (
            {"actual_bytes": 11 * GIB, "lockout_enabled": False},
            0,
            [Cause.OVER_BYTES, Cause.LOCKOUT_DISABLED],
        ),
        ({"actual_bytes": 11 * GIB}, 3600, [Cause.OVER_BYTES, Cause.IN_GRACE]),
        ({"actual_bytes": int(9.5 * GIB)}, 0, [Cause.NEARING_BYTES]),
        ({"usage_files": 950}, 0, [Cause.NEARING_FILES]),
        ({"timed_out": True}, 0, [Cause.TIMED_OUT]),
        ({"quota_enabled": False, "actual_bytes": 11 * GIB}, 0, [Cause.NO_QUOTA]),
        ({"actual_bytes": -1, "started": None, "usage_files": None}, 0, [Cause.NOT_MEASURED]),
        ({}, 0, [Cause.WITHIN]),
    ],
)
def test_each_state_has_its_causes_each_with_a_sentence(fields, grace_secs, causes):
    explained = explain(a_record(grace_secs=grace_secs, **fields), (), LIMITS, NOW, grace_secs)
    assert list(explained.state.causes) == causes
    assert explained.state.sentence.count(". ") >= len(causes)


def test_who_is_over_is_told_how_much_to_delete_to_be_let_in_and_to_be_in_peace():
    explained = explain(a_record(actual_bytes=11 * GIB), (), LIMITS, NOW)
    free = [turn for turn in explained.would_change if turn.change is WouldChange.FREE_SPACE]
    assert [(turn.bytes, turn.state) for turn in free] == [
        (GIB, State.NEARING_LIMIT),
        (2 * GIB, State.OK),
    ]
    (larger,) = [t for t in explained.would_change if t.change is WouldChange.LARGER_QUOTA]
    assert (larger.bytes, larger.state) == (11 * GIB, State.NEARING_LIMIT)
    assert WouldChange.MEASURE in turns(explained)


def test_who_is_within_the_quota_is_told_how_much_more_makes_a_difference():
    explained = explain(a_record(), (), LIMITS, NOW)
    more = [turn for turn in explained.would_change if turn.change is WouldChange.USE_MORE]
    assert [(turn.bytes, turn.files, turn.state) for turn in more] == [
        (8 * GIB + 1, None, State.NEARING_LIMIT),
        (None, 891, State.NEARING_LIMIT),
        (9 * GIB + 1, None, State.LOCKOUT),
        (None, 991, State.LOCKOUT),
    ]


def test_the_end_of_the_grace_is_told():
    explained = explain(a_record(actual_bytes=11 * GIB, grace_secs=60), (), LIMITS, NOW, 60)
    (end,) = [turn for turn in explained.would_change if turn.change is WouldChange.GRACE_ENDS]
    assert (end.time, end.state) == (NOW + timedelta(minutes=1), State.LOCKOUT)


def test_what_the_next_loop_makes_of_changed_settings_is_told():
    record = a_record(actual_bytes=6 * GIB)
    explained = explain(record, (), replace(LIMITS, default_bytes=5 * GIB), NOW)
    (loop,) = [turn for turn in explained.would_change if turn.change is WouldChange.NEXT_LOOP]
    assert (loop.bytes, loop.state) == (5 * GIB, State.LOCKOUT)


def test_nothing_changes_the_state_of_who_has_no_quota():
    assert explain(a_record(quota_enabled=False), (), LIMITS, NOW).would_change == ()


@given(records, moments, st.sampled_from([None, (), ("course", "lab")]), st.sampled_from([0, 3600]))
def test_every_record_can_be_explained_and_what_is_said_to_follow_does(
    record, now, groups, grace_secs
):
    record = judge(settle(record, groups, LIMITS, now), now, grace_secs)
    explained = explain(record, groups, LIMITS, now, grace_secs)
    assert plain(explained)["state"]["state"] == record.quota_state.value
    for turn in explained.would_change:
        if turn.change is WouldChange.FREE_SPACE:
            size, files = record.actual_bytes - (turn.bytes or 0), record.usage_files
            files = None if files is None else files - (turn.files or 0)
            after = replace(record, actual_bytes=size, usage_files=files, timed_out=False)
            after = judge(after, now, grace_secs)
            assert not after.over and after.quota_state is turn.state
        if turn.change is WouldChange.LARGER_QUOTA:
            after = replace(record, quota_bytes=turn.bytes, quota_files=turn.files)
            assert not after.over
        if turn.change is WouldChange.USE_MORE:
            assert (turn.bytes or turn.files) > 0
            assert turn.state is not State.OK


@pytest.mark.parametrize(
    ("full_in", "words"), [(None, "the home is full about"), ("files", "is full in files about")]
)
def test_who_grows_is_told_the_day_and_whether_it_is_about_files(full_in, words):
    record = a_record(full_at=NOW + timedelta(days=5), full_in=full_in)
    record = replace(record, full_at=NOW + timedelta(days=5), full_in=full_in)
    explained = explain(record, (), LIMITS, NOW, 3600)
    (turn,) = [turn for turn in explained.would_change if turn.change is WouldChange.GROWTH]
    assert words in turn.sentence and "2026-11-27" in turn.sentence
    # In the grace time first.
    assert turn.state is State.VIOLATION
