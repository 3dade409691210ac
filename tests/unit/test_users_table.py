"""The table of users: what is filtered, how it is sorted, what a page holds."""

from datetime import timedelta

import pytest

from jupyterhub_efs_quota.board import Row
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.users.table import SORTS, Wanted, table

from ..conftest import NOW


def row(name, groups=(), active=None, **fields):
    fields = {"actual_bytes": 1, "started": NOW, "stopped": NOW, **fields}
    return Row(HubUser(name, groups=groups, last_activity=active), Record(name, **fields))


ROWS = [
    row("cleo", ("course",), NOW, actual_bytes=30, usage_files=1, quota_state=State.LOCKOUT),
    row("Anna", ("course", "staff"), actual_bytes=10, fraction_used=0.5, usage_files=9),
    row(
        "bert",
        (),
        NOW - timedelta(9),
        actual_bytes=10,
        quota_state=State.TIMED_OUT,
        stopped=NOW - timedelta(1),
    ),
    Row(HubUser("new", groups=None)),
]


def names(page):
    return [each.user.name for each in page.rows]


def test_a_part_of_the_name_is_found_whatever_its_case():
    assert names(table(ROWS, Wanted(q="AN"))) == ["Anna"]


def test_only_users_in_the_state_are_found_and_nobody_without_a_record():
    assert names(table(ROWS, Wanted(state="lockout"))) == ["cleo"]
    assert names(table(ROWS, Wanted(state="ok"))) == ["Anna"]


def test_only_members_of_the_group_are_found_and_nobody_whose_groups_are_not_known():
    page = table(ROWS, Wanted(group="course"))
    assert (names(page), page.total) == (["Anna", "cleo"], 2)


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_a_table_can_be_sorted_both_ways_by_each_of_its_columns(sort):
    growth = {"Anna": 5, "cleo": -7}
    up, down = (
        names(table(ROWS, Wanted(sort=sort, descending=descending), growth))
        for descending in (False, True)
    )
    assert sorted(up) == sorted(down) == ["Anna", "bert", "cleo", "new"]
    known = {
        "name": ["Anna", "bert", "cleo", "new"],
        "size": ["Anna", "bert", "cleo"],
        "files": ["cleo", "Anna"],
        "fraction": ["bert", "cleo", "Anna"],
        "state": ["Anna", "bert", "cleo"],
        "growth": ["cleo", "Anna"],
        "activity": ["bert", "cleo"],
        "measured": ["bert", "Anna", "cleo"],
    }[sort]
    assert up[: len(known)] == known


def test_who_has_no_value_comes_last_from_the_largest_down_too():
    assert names(table(ROWS, Wanted(sort="files", descending=True))) == [
        "Anna",
        "cleo",
        "bert",
        "new",
    ]


def test_equals_stand_in_the_order_of_their_names_both_ways():
    up = names(table(ROWS, Wanted(sort="size")))
    down = names(table(ROWS, Wanted(sort="size", descending=True)))
    assert up == ["Anna", "bert", "cleo", "new"]
    assert down == ["cleo", "Anna", "bert", "new"]


def test_a_page_is_cut_out_of_all_that_are_found_and_says_how_many_these_are():
    page = table(ROWS, Wanted(offset=1, limit=2))
    assert (names(page), page.total) == (["bert", "cleo"], 4)
    assert names(table(ROWS, Wanted(offset=9))) == []
