"""Another default quota: against counting one user after the other."""

from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.overview.what_if import Defaults, stops
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.quota.sizes import GIB, MOST, TIB

from ..conftest import NOW

sizes = st.integers(0, 5000)
some_records = st.lists(
    st.builds(
        lambda size, quota, source, enabled: Record(
            "u",
            quota_bytes=quota,
            quota_source=source,
            quota_enabled=enabled,
            **({} if size is None else {"actual_bytes": size, "started": NOW}),
        ),
        st.none() | sizes,
        sizes,
        st.sampled_from(["default", "default", "group:a", "user", "hand", None]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=40,
)


@given(some_records, sizes)
def test_each_figure_is_what_one_counts_by_hand(records, quota):
    having = [r for r in records if r.quota_source == "default" and r.quota_enabled]
    over = [r for r in having if r.measured and r.actual_bytes > quota]
    found = Defaults(records).what_if(quota)
    assert found.users == len(having)
    assert found.over == len(over)
    assert found.newly == sum(r.actual_bytes <= r.quota_bytes for r in over)
    assert found.freed == sum(r.quota_bytes < r.actual_bytes <= quota for r in having if r.measured)
    assert found.excess_bytes == sum(r.actual_bytes - quota for r in over)
    assert found.promised_bytes == len(having) * quota


@given(some_records, st.lists(sizes, min_size=2, max_size=5))
def test_a_larger_default_never_puts_more_users_over_it(records, quotas):
    found = [Defaults(records).what_if(quota) for quota in sorted(quotas)]
    for smaller, larger in zip(found, found[1:], strict=False):
        assert smaller.over >= larger.over
        assert smaller.excess_bytes >= larger.excess_bytes


@given(st.integers(0, MOST), st.integers(0, MOST))
def test_the_slider_rises_has_the_default_that_holds_and_reaches_all_homes(default, most):
    found = stops(default, most)
    assert found == sorted(set(found)) and default in found
    assert len(found) < 200
    assert all(0 <= stop <= MOST for stop in found)
    assert found[-1] >= min(most, 800 * 1024**5)


def test_the_slider_stops_at_round_sizes():
    found = stops(200 * GIB, 3 * TIB)
    assert {100 * GIB, 150 * GIB, 200 * GIB, 250 * GIB, TIB, 12 * TIB} <= set(found)
    assert found[0] == 4 * GIB
    assert len(found) < 50


def test_what_the_page_holds_for_the_slider_is_small_whatever_the_number_of_users():
    records = [
        Record("u", actual_bytes=n * GIB, quota_source="default", started=NOW)
        for n in range(10_000)
    ]
    steps = Defaults(records).steps(200 * GIB)
    assert len(str([list(vars(step).values()) for step in steps])) < 10_000
