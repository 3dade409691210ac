"""The forecast: when a usage that grows is full, and when nothing can be said."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.forecast import Outlook, forecast

from ..conftest import NOW

DAY = timedelta(days=1)
GIB = 1024**3


def line(days, a_day, last=100 * GIB, until=NOW):
    """A usage that grows evenly and ends at `last`."""
    return [(until - n * DAY, last - n * a_day) for n in range(days)]


amounts = st.integers(0, 2**60)
points = st.lists(
    st.tuples(st.floats(-400, 30).map(lambda days: NOW + days * DAY), amounts), max_size=40
)


@given(
    days=st.integers(7, 60),
    a_day=st.integers(1, GIB),
    left_days=st.integers(0, 20),
)
def test_an_even_growth_is_full_on_the_very_day(days, a_day, left_days):
    found = forecast(line(days, a_day), 100 * GIB + left_days * a_day, NOW)
    assert found.outlook is Outlook.FULL
    assert abs(found.when - (NOW + left_days * DAY)) < timedelta(minutes=1)
    assert found.a_day == pytest.approx(a_day)


@given(st.sets(st.integers(1, 27), max_size=3), amounts)
def test_a_few_odd_days_do_not_bend_the_forecast(odd, amount):
    even = line(28, GIB)
    bent = [(time, amount if n in odd else size) for n, (time, size) in enumerate(even)]
    found = forecast(bent, 110 * GIB, NOW)
    assert found.outlook is Outlook.FULL
    assert abs(found.when - (NOW + 10 * DAY)) < 2.5 * DAY


@given(points, amounts)
def test_whatever_was_measured_what_is_foretold_lies_ahead(found, limit):
    told = forecast(found, limit, NOW)
    assert (told.when is not None) == (told.outlook is Outlook.FULL)
    assert told.when is None or NOW <= told.when <= NOW + 365 * DAY
    assert told.outlook is not Outlook.FULL or told.a_day > 0


@given(st.permutations(line(12, GIB)))
def test_the_order_of_the_measurements_does_not_matter(shuffled):
    assert forecast(shuffled, 105 * GIB, NOW) == forecast(line(12, GIB), 105 * GIB, NOW)


@given(points, amounts, st.integers(0, 2**58))
def test_a_larger_quota_is_never_full_earlier(found, limit, more):
    small, large = forecast(found, limit, NOW), forecast(found, limit + more, NOW)
    if small.when and large.when:
        assert small.when <= large.when
    assert not (large.outlook is Outlook.OVER and small.outlook is not Outlook.OVER)


@given(points, amounts, st.integers(1, 2**20))
def test_the_unit_does_not_matter(found, limit, times):
    in_bytes = forecast(found, limit, NOW)
    in_parts = forecast([(t, n * times) for t, n in found], limit * times, NOW)
    assert in_parts.outlook is in_bytes.outlook
    if in_bytes.when:
        assert abs(in_parts.when - in_bytes.when) < timedelta(hours=1)


@pytest.mark.parametrize(
    "found",
    [
        [],
        line(4, GIB),  # too few days
        line(6, GIB),  # too short a time
        [(NOW - n * timedelta(hours=1), 100 * GIB - n) for n in range(100)],
        line(20, GIB, until=NOW - 15 * DAY),  # too long ago
    ],
)
def test_too_little_is_known_to_foretell_anything(found):
    assert forecast(found, 200 * GIB, NOW).outlook is Outlook.UNKNOWN


def test_a_usage_that_stays_or_shrinks_is_not_growing():
    assert forecast(line(20, 0), 200 * GIB, NOW).outlook is Outlook.NOT_GROWING
    assert forecast(line(20, -GIB), 200 * GIB, NOW).outlook is Outlook.NOT_GROWING


def test_a_usage_that_goes_up_and_down_is_not_growing():
    wave = [(NOW - n * DAY, (100 + 10 * (n % 2)) * GIB) for n in range(20)]
    assert forecast(wave, 200 * GIB, NOW).outlook is Outlook.NOT_GROWING


def test_one_large_file_that_came_yesterday_is_no_growth():
    step = [(NOW, 100 * GIB), *((NOW - n * DAY, 20 * GIB) for n in range(1, 30))]
    assert forecast(step, 200 * GIB, NOW).outlook is Outlook.NOT_GROWING


def test_what_is_over_its_quota_is_not_foretold():
    assert forecast(line(20, GIB), 99 * GIB, NOW).outlook is Outlook.OVER


def test_nothing_is_foretold_further_ahead_than_the_past_allows():
    found = forecast(line(10, GIB), 1000 * GIB, NOW)
    assert found.outlook is Outlook.FAR
    assert found.until == NOW + 36 * DAY


def test_a_day_that_has_passed_since_the_last_measurement_is_not_foretold():
    found = forecast(line(20, GIB, until=NOW - 10 * DAY), 103 * GIB, NOW)
    assert found.when == NOW


def test_measurements_of_a_clock_that_runs_ahead_are_left_out():
    ahead = [(NOW + 3 * DAY, 10**15), *line(20, GIB)]
    assert forecast(ahead, 110 * GIB, NOW) == forecast(line(20, GIB), 110 * GIB, NOW)
