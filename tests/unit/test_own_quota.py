"""A quota of a user's own: until when, why, and what comes then."""

from datetime import timedelta

import pytest

from jupyterhub_efs_quota.quota.limits import Limit, Limits
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.users.explain import WouldChange, explain
from jupyterhub_efs_quota.users.own_quota import Then, own_quota

from ..conftest import NOW

SOON = NOW + timedelta(days=3)


def lent(**fields):
    values = {"quota_bytes": 50, "actual_bytes": 30, "quota_until": SOON, "quota_reason": " why "}
    return Record("homer", quota_source="hand", started=NOW, stopped=NOW, **{**values, **fields})


def test_the_end_the_reason_and_what_the_settings_give_then():
    own = own_quota(lent(), Limit(40, 9, "group:course"), NOW, 0)
    assert (own.reason, own.until, own.ended) == ("why", SOON, False)
    assert own.then == Then(40, 9, "group:course", State.OK, 0, 0)


@pytest.mark.parametrize(
    ("fields", "limit", "state", "excess"),
    [
        ({}, Limit(20), State.LOCKOUT, (10, 0)),
        ({"usage_files": 9}, Limit(40, 4), State.LOCKOUT, (0, 5)),
        ({"usage_files": 9}, Limit(20, 4), State.LOCKOUT, (10, 5)),
        ({"lockout_enabled": False}, Limit(20), State.VIOLATION, (10, 0)),
    ],
)
def test_who_is_over_after_the_end_is_told_by_how_much(fields, limit, state, excess):
    then = own_quota(lent(**fields), limit, NOW, 0).then
    assert (then.state, (then.excess_bytes, then.excess_files)) == (state, excess)


def test_with_a_time_of_grace_nobody_is_locked_out_at_the_end():
    assert own_quota(lent(), Limit(20), NOW, 3600).then.state is State.VIOLATION


def test_an_end_that_has_come_and_was_not_seen_by_a_loop_yet_has_come():
    own = own_quota(lent(quota_until=NOW - timedelta(hours=1)), Limit(20), NOW, 0)
    assert own.ended and own.then.excess_bytes == 10


def test_where_it_is_not_known_what_comes_the_end_and_the_reason_are_told_all_the_same():
    own = own_quota(lent(), None, NOW, 0)
    assert (own.until, own.reason, own.then) == (SOON, "why", None)


def test_a_reason_without_an_end_is_told():
    own = own_quota(lent(quota_until=None), Limit(20), NOW, 0)
    assert (own.until, own.ended, own.reason, own.then) == (None, False, "why", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"quota_until": None, "quota_reason": None},
        {"quota_until": None, "quota_reason": "  "},
        {"quota_enabled": False},
    ],
)
def test_of_all_other_quotas_there_is_nothing_to_say(fields):
    assert own_quota(lent(**fields), Limit(20), NOW, 0) is None


def test_who_was_never_measured_is_not_told_to_be_over():
    never = Record("homer", quota_bytes=50, quota_source="hand", quota_until=SOON)
    assert own_quota(never, Limit(0), NOW, 0).then.excess_bytes == 0


def test_it_says_of_the_end_what_the_explanation_says():
    limits = Limits(default_bytes=20)
    (turn,) = [
        turn
        for turn in explain(lent(), (), limits, NOW).would_change
        if turn.change is WouldChange.QUOTA_ENDS
    ]
    then = own_quota(lent(), limits.limit_for("homer", ()), NOW, 0).then
    assert (turn.bytes, turn.state, turn.time) == (then.bytes, then.state, SOON)
