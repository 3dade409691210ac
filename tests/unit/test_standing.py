"""How a user stands: one word for everything that counts and filters, and the larger share."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.board import Row
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.metrics.users import families
from jupyterhub_efs_quota.overview.totals import totals
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.forecast import Amount
from jupyterhub_efs_quota.quota.standing import NO_QUOTA, STANDINGS, Share, share, standing
from jupyterhub_efs_quota.users.as_csv import HEADER, csv_row, csv_text
from jupyterhub_efs_quota.users.as_json import row_json
from jupyterhub_efs_quota.users.table import Wanted, table
from jupyterhub_efs_quota.web.show import TONES, usage_view

from ..conftest import NOW

people = st.lists(st.tuples(st.sampled_from(State), st.booleans()), max_size=12).map(
    lambda found: [
        Row(HubUser(f"u{number:02}"), Record("u", quota_state=state, quota_enabled=enabled))
        for number, (state, enabled) in enumerate(found)
    ]
)


@given(people)
def test_sums_table_csv_api_metrics_and_pages_count_alike_in_each_state(rows):
    told = csv.DictReader(
        io.StringIO(csv_text([HEADER, *(csv_row(row, {}) for row in rows)]), newline="")
    )
    in_csv = [row["state"] for row in told]
    in_api = [row_json(row)["state"] for row in rows]
    on_pages = [usage_view(row.record, NOW).state for row in rows]
    metric = next(each for each in families(rows, NOW) if each.name.endswith("_users"))
    measured = {sample.labels["state"]: sample.value for sample in metric.samples}
    for state, count in totals(rows).states.items():
        assert table(rows, Wanted(state=state)).total == count
        assert in_csv.count(state) == in_api.count(state) == on_pages.count(state) == count
        assert measured[state] == count
    assert sum(totals(rows).states.values()) == len(rows)


def test_every_state_is_a_standing_and_each_has_a_colour():
    assert set(STANDINGS) == {*(state.value for state in State), NO_QUOTA} == set(TONES)


def test_who_has_no_quota_is_in_no_state_that_an_old_record_tells():
    exempt = Record("homer", quota_enabled=False, quota_state=State.LOCKOUT)
    assert standing(exempt) == "no-quota"


def used(**fields):
    return Record("homer", started=NOW, **{"actual_bytes": 3, "fraction_used": 0.3, **fields})


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (used(), Share(0.3)),
        (used(usage_files=900), Share(0.3)),
        (used(usage_files=900, quota_files=1000), Share(0.9, Amount.FILES)),
        (used(usage_files=100, quota_files=1000), Share(0.3)),
        (used(usage_files=None, quota_files=1000), Share(0.3)),
        (used(usage_files=900, quota_files=1000, quota_enabled=False), None),
        (Record("homer", quota_files=1000, usage_files=900), None),
    ],
)
def test_the_share_is_the_larger_of_the_two_and_says_of_which(record, expected):
    assert share(record) == expected


def test_the_table_sorts_by_the_share_that_it_shows():
    rows = [
        Row(HubUser("by-files"), used(usage_files=1200, quota_files=1000)),
        Row(HubUser("by-bytes"), used(fraction_used=0.9)),
        Row(HubUser("exempt"), used(fraction_used=5.0, quota_enabled=False)),
    ]
    page = table(rows, Wanted(sort="fraction", descending=True))
    assert [row.user.name for row in page.rows] == ["by-files", "by-bytes", "exempt"]


def test_who_is_locked_out_by_files_is_not_shown_a_small_share_of_bytes():
    record = used(usage_files=1200, quota_files=1000, quota_state=State.LOCKOUT)
    view = usage_view(record, NOW)
    assert (view.shown_percent, view.percent, view.of_files) == ("120 %", 100, True)
    assert row_json(Row(HubUser("homer"), record))["share"] == {"fraction": 1.2, "of": "files"}
    told = dict(zip(HEADER, csv_row(Row(HubUser("homer"), record), {}), strict=True))
    assert (told["share"], told["share_of"]) == (1.2, "files")
    assert row_json(Row(HubUser("homer"), record))["record"]["fraction_used"] == 0.3
