"""The table as CSV: read again it is the same, and no cell is a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.board import Row
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.users.as_csv import HEADER, csv_row, csv_text

from ..conftest import NOW

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def read(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=4))
def test_what_is_read_again_is_what_was_written_but_for_an_apostrophe(rows):
    again = read(csv_text(rows))
    assert [[cell.removeprefix("'") for cell in row] for row in again] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]


@given(st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]), TEXTS)
def test_no_cell_of_text_begins_like_a_formula(begin, rest):
    ((cell,),) = read(csv_text([[begin + rest]]))
    assert cell == f"'{begin}{rest}"


def test_numbers_stay_numbers_below_zero_too():
    assert csv_text([["a", -5, 0.5, None]]) == '"a",-5,0.5,""\r\n'


def test_a_line_has_a_cell_for_each_column_whoever_the_user_is():
    record = Record(
        "homer", actual_bytes=5, quota_files=9, quota_until=NOW, started=NOW, stopped=NOW,
        quota_source="hand", unreadable=2, usage_files=3,
    )  # fmt: skip
    row = Row(HubUser("homer", groups=("a", "b"), servers=("", "gpu")), record)
    told = dict(zip(HEADER, csv_row(row, {"homer": -7}), strict=True))
    assert told["groups"] == "a; b" and told["servers"] == 2
    assert told["growth_30_days_bytes"] == -7 and told["used_bytes"] == 5
    assert told["quota_until"] == "2026-11-22T12:00:00.000000Z"
    bare = dict(zip(HEADER, csv_row(Row(HubUser("new", groups=None)), {}), strict=True))
    assert bare["name"] == "new" and bare["used_bytes"] is None and bare["measured"] is None


def test_a_user_who_was_never_measured_holds_nothing_that_is_known():
    told = dict(zip(HEADER, csv_row(Row(HubUser("new"), Record("new")), {}), strict=True))
    assert (told["used_bytes"], told["share"], told["measured"]) == (None, None, None)


@pytest.mark.parametrize("groups", [["course"], []])
def test_groups_that_the_visitor_may_not_know_are_not_in_it(groups):
    row = Row(HubUser("anna", groups=("course", "secret")), Record("anna"))
    assert "secret" not in csv_text([csv_row(row, {}, groups)])
