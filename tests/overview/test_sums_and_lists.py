"""Sums over all users, and who is named: each list against a plain count of the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.board import Row
from jupyterhub_efs_quota.errors import BrokenFile, HOME_MISSING
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.overview.lists import (
    dormant,
    fastest,
    homeless,
    largest,
    never_active,
)
from jupyterhub_efs_quota.overview.overview import Past, Seen, overview
from jupyterhub_efs_quota.overview.survey import Surroundings, Unclaimed
from jupyterhub_efs_quota.overview.totals import totals
from jupyterhub_efs_quota.overview.wanted import Wanted
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.users.table import Wanted as OfTable
from jupyterhub_efs_quota.users.table import table

from ..conftest import NOW
from .conftest import DAY, a_row

some_rows = st.lists(
    st.builds(
        lambda size, state, enabled, active, homeless: (size, state, enabled, active, homeless),
        st.none() | st.integers(0, 10**6),
        st.sampled_from(State),
        st.booleans(),
        st.none() | st.integers(0, 800),
        st.booleans(),
    ),
    max_size=30,
).map(
    lambda found: [
        a_row(
            f"u{number:02}",
            size,
            active=None if days is None else NOW - days * DAY,
            problem=HOME_MISSING if missing else None,
            quota_state=state,
            quota_enabled=enabled,
        )
        for number, (size, state, enabled, days, missing) in enumerate(found)
    ]
)


@given(some_rows)
def test_each_number_of_users_in_a_state_is_that_of_the_table_it_links_to(rows):
    for state, count in totals(rows).states.items():
        assert table(rows, OfTable(state=state)).total == count
    assert sum(totals(rows).states.values()) == len(rows)


@given(some_rows)
def test_who_was_not_measured_or_has_no_quota_is_in_no_sum(rows):
    found = totals([*rows, Row(HubUser("new"))])
    measured = [row.record for row in rows if row.record.measured]
    assert (found.users, found.unseen) == (len(rows) + 1, 1)
    assert (found.measured, found.bytes) == (
        len(measured),
        sum(record.actual_bytes for record in measured),
    )
    assert found.quota_bytes == 1000 * sum(row.record.quota_enabled for row in rows)


@given(some_rows, st.integers(1, 5))
def test_the_first_are_those_of_the_table_sorted_so_and_the_sums_are_those_of_all(rows, top):
    found = largest(rows, top)
    holds = [row for row in rows if row.record.measured and row.record.actual_bytes]
    page = table(holds, OfTable(sort="size", descending=True, limit=top))
    assert [each.name for each in found.users] == [row.user.name for row in page.rows]
    assert (found.total, found.bytes) == (page.total, totals(rows).bytes)


@given(some_rows, st.integers(1, 30))
def test_dormant_is_who_holds_something_and_was_away_for_longer(rows, months):
    found = dormant(rows, NOW, months, 100)
    since = NOW - timedelta(days=30 * months)
    away = [
        row
        for row in rows
        if row.record.actual_bytes > 0
        and row.user.last_activity is not None
        and row.user.last_activity < since
    ]
    assert {each.name for each in found.users} == {row.user.name for row in away}
    assert found.bytes == sum(row.record.actual_bytes for row in away)


@given(some_rows)
def test_of_who_was_never_active_nobody_says_that_they_are_dormant(rows):
    found = never_active(rows, 100)
    unseen = [r for r in rows if r.user.last_activity is None and r.record.actual_bytes > 0]
    assert {each.name for each in found.users} == {row.user.name for row in unseen}
    assert all(each.active for each in dormant(rows, NOW, 1, 100).users)


def test_before_the_hub_was_asked_the_record_says_when_somebody_was_active():
    rows = [a_row("homer", 5, active=None, last_activity=NOW)]
    assert dormant(rows, NOW + 31 * DAY, 1, 10).total == 1
    assert never_active(rows, 10).total == 0


def test_the_fastest_are_those_who_grew_and_nobody_who_shrank_or_is_unknown():
    rows = [a_row(name, 100) for name in ("a", "b", "c", "d")]
    found = fastest(rows, {"a": 5, "b": 50, "c": -7, "gone": 900}, 1)
    assert [(each.name, each.growth) for each in found.users] == [("b", 50)]
    assert (found.total, found.growth) == (2, 55)


def test_of_those_without_a_home_who_was_active_last_comes_first():
    rows = [
        a_row("never", active=None, problem=HOME_MISSING),
        a_row("long", active=NOW - DAY, problem=HOME_MISSING),
        a_row("now", problem=HOME_MISSING),
        a_row("broken", problem="broken-file"),
    ]
    found = homeless(rows, 2)
    assert [each.name for each in found.users] == ["now", "long"]
    assert found.total == 3


def whole(rows=(), surroundings=None, past=None, wanted=Wanted(), **more):
    seen = {
        "rows": list(rows),
        "complete": True,
        "surroundings": surroundings,
        "fill": None,
        "fill_problem": None,
        "jobs": None,
        "trouble": [],
        **more,
    }
    return overview(Seen(**seen), past or Past(), 1000, wanted, NOW)


def test_errors_are_all_that_is_wrong_but_a_home_that_is_missing():
    found = whole([a_row("a", problem=HOME_MISSING), a_row("b", problem="broken-file")]).errors
    assert ([each.user for each in found.users], found.total) == (["b"], 1)


def test_the_folders_of_nobody_that_held_the_most_come_first():
    strays = [Unclaimed("a"), Unclaimed("b", "bert", 5, NOW), Unclaimed("c", "carl", 50, NOW)]
    surroundings = Surroundings(NOW, None, None, strays)
    found = whole(surroundings=surroundings, wanted=Wanted(top=2)).unclaimed
    assert [each.folder for each in found.folders] == ["c", "b"]
    assert (found.total, found.bytes) == (3, 55)
    assert whole(surroundings=Surroundings(NOW, None, None, None)).unclaimed is None


@pytest.mark.parametrize(("quota", "over"), [(None, 1), (10, 2)])
def test_the_default_that_holds_is_tried_out_unless_another_is_given(quota, over):
    rows = [a_row("a", 2000), a_row("b", 500)]
    found = whole(rows, wanted=Wanted(quota=quota))
    assert found.what_if.over == over
    assert found.default_quota == 1000
