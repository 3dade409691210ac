"""What is to come for a user: the countdown of the grace time, the forecast, and who is told."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.hub.progress import progress_text
from jupyterhub_efs_quota.quota.ahead import (
    Foresight,
    Lock,
    expected_full,
    foretold,
    full_in_files,
    outlook,
)
from jupyterhub_efs_quota.quota.forecast import Amount, Outlook
from jupyterhub_efs_quota.quota.judge import judge
from jupyterhub_efs_quota.quota.limits import Limit, apply_limit, grandfathered, set_by_hand
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.times import ago, time_left

from ..conftest import NOW
from .strategies import moments, records

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACE = Foresight(grace_secs=2 * 86400)
GIB = 1024**3
WITHIN = Record(
    "homer",
    quota_bytes=20 * GIB,
    actual_bytes=12 * GIB,
    started=NOW - HOUR,
    stopped=NOW - HOUR,
)
OVER = replace(
    WITHIN, actual_bytes=21 * GIB, quota_state=State.VIOLATION, over_since=NOW - 30 * HOUR
)
GROWING = replace(WITHIN, full_at=NOW + 5 * DAY)


@dataclass(frozen=True)
class Point:
    started: object
    counted: int
    files: int | None = 3
    complete: bool = True


def weeks(a_day, last=12 * GIB, days=28):
    """The measurements of some weeks before now, the last of them a day ago."""
    return [Point(NOW - n * DAY, last - n * a_day) for n in range(days, 0, -1)]


def test_in_the_grace_time_the_lock_comes_to_the_second():
    since = NOW - timedelta(hours=30, seconds=17)
    lock = GRACE.lock(replace(OVER, over_since=since), NOW)
    assert lock == Lock(since + 2 * DAY, sure=True)


def test_when_the_countdown_says_so_the_judge_locks_and_not_before():
    lock = GRACE.lock(OVER, NOW)
    moment = timedelta(microseconds=1)
    assert judge(OVER, lock.at - moment, GRACE.grace_secs).quota_state is State.VIOLATION
    assert judge(OVER, lock.at, GRACE.grace_secs).quota_state is State.LOCKOUT


def test_a_grace_time_that_has_passed_is_now_and_no_time_in_the_past():
    assert GRACE.lock(replace(OVER, over_since=NOW - 9 * DAY), NOW) == Lock(NOW, sure=True)


def test_a_user_who_is_going_to_be_full_is_locked_a_grace_time_later():
    assert GRACE.lock(GROWING, NOW) == Lock(NOW + 7 * DAY, sure=False)


@pytest.mark.parametrize(
    "record",
    [
        WITHIN,
        replace(GROWING, stopped=NOW - 20 * DAY),
        replace(GROWING, stopped=None),
        *(replace(record, lockout_enabled=False) for record in (OVER, GROWING)),
        *(replace(record, quota_enabled=False) for record in (OVER, GROWING)),
        replace(OVER, quota_state=State.LOCKOUT),
    ],
)
def test_nobody_is_threatened_with_a_lock_that_does_not_come(record):
    assert GRACE.lock(record, NOW) is None


@given(records, moments, st.floats(0, 1e300), st.floats(0, 1e300))
def test_whatever_stands_in_a_file_what_is_to_come_lies_ahead(record, now, grace, soon):
    foresight = Foresight(grace, soon)
    lock, full = foresight.lock(record, now), foresight.full_soon(record, now)
    assert lock is None or lock.at >= now
    assert full is None or full >= now
    for exempt in (True, False):
        told = progress_text(record, now, foresight, always=True, exempt=exempt)
        assert told is None or told


def test_only_what_is_soon_is_told_and_nothing_where_the_site_wants_none():
    assert Foresight(soon_days=5).full_soon(GROWING, NOW) == GROWING.full_at
    assert Foresight(soon_days=4.9).full_soon(GROWING, NOW) is None
    assert Foresight(soon_days=0).full_soon(replace(GROWING, full_at=NOW), NOW) is None


def test_a_measurement_of_a_growing_home_foretells_the_day():
    record = replace(WITHIN, started=NOW, stopped=NOW)
    assert abs(foretold(record, weeks(GIB), NOW).full_at - (NOW + 8 * DAY)) < HOUR


def test_the_sooner_of_bytes_and_files_is_foretold():
    by_files = [replace(point, files=100 - n) for n, point in zip(range(28, 0, -1), weeks(GIB))]
    record = replace(WITHIN, started=NOW, usage_files=100, quota_files=103)
    told = foretold(record, by_files, NOW)
    assert abs(told.full_at - (NOW + 3 * DAY)) < HOUR
    assert told.full_in == "files" and full_in_files(told)
    told = foretold(replace(told, quota_files=1_000), by_files, NOW)
    assert abs(told.full_at - (NOW + 8 * DAY)) < HOUR
    assert told.full_in is None, "it is about bytes again"


@pytest.mark.parametrize(
    ("files_a_day", "quota_files", "expected"),
    [
        (0, 1_000, Outlook.NOT_GROWING),
        (1, 120_000, Outlook.FAR),
        (1, 103, Outlook.FULL),
        (1, 99, Outlook.OVER),
    ],
)
def test_of_a_home_that_grows_in_files_alone_is_told_what_becomes_of_the_files(
    files_a_day, quota_files, expected
):
    points = [
        replace(point, files=100 - files_a_day * n)
        for n, point in zip(range(28, 0, -1), weeks(0), strict=True)
    ]
    points.append(Point(NOW, 12 * GIB, 100))
    told = outlook(replace(WITHIN, quota_files=quota_files), points, NOW)
    assert told.outlook is expected
    of_bytes = expected is Outlook.NOT_GROWING
    assert told.amount is (Amount.BYTES if of_bytes else Amount.FILES)


def test_measurements_that_did_not_see_the_whole_home_say_nothing_of_its_growth():
    partial = [replace(point, complete=False) for point in weeks(GIB)]
    assert foretold(replace(WITHIN, started=NOW), partial, NOW).full_at is None


def test_a_home_that_grows_no_more_has_no_day_any_more():
    assert foretold(replace(GROWING, started=NOW), weeks(0), NOW).full_at is None


def test_what_was_foretold_stands_while_the_history_is_away_until_it_has_passed():
    assert foretold(GROWING, None, NOW).full_at == GROWING.full_at
    assert foretold(replace(GROWING, full_at=NOW - DAY), None, NOW).full_at is None


def test_who_is_over_has_no_day_any_more():
    over = replace(GROWING, actual_bytes=21 * GIB)
    assert judge(over, NOW).full_at is None
    assert judge(replace(over, full_in="files"), NOW).full_in is None
    assert foretold(over, weeks(GIB), NOW).full_at is None
    assert expected_full(over, NOW) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda record: set_by_hand(record, 50 * GIB, 0, until=None, reason=None),
        lambda record: apply_limit(record, Limit(50 * GIB)),
        lambda record: apply_limit(
            replace(record, quota_source="default", configured_bytes=GIB), Limit(GIB)
        ),
        grandfathered,
    ],
)
def test_a_day_that_was_foretold_of_another_quota_is_forgotten(change):
    changed = change(replace(GROWING, full_in="files"))
    assert changed.full_at is None and changed.full_in is None


def test_a_user_well_within_reads_a_line_unless_the_site_wants_none():
    def told(always):
        return progress_text(WITHIN, NOW, GRACE, always=always, exempt=False)

    assert told(True) == "Storage: 12.0 GiB of 20.0 GiB used, measured 1 hour ago."
    assert told(False) is None


def test_who_will_be_full_soon_reads_the_day_before_it_hurts():
    told = progress_text(GROWING, NOW, GRACE, always=False, exempt=False)
    assert told.endswith("used, measured 1 hour ago. At the present growth it is full about"
                         " 2026-11-27.")  # fmt: skip


def test_who_will_have_too_many_files_soon_reads_that_it_is_about_files():
    def told(record):
        return progress_text(record, NOW, GRACE, always=False, exempt=False)

    assert told(replace(GROWING, full_in="files")).endswith(
        "At the present growth it is full in files about 2026-11-27."
    )
    assert told(replace(GROWING, full_in="files", full_at=NOW)).endswith(
        "At the present growth it may be full in files by now."
    )
    # What is no word of ours says nothing.
    assert "in files" not in told(replace(GROWING, full_in="pages"))


def test_who_is_in_the_grace_time_reads_when_it_ends_after_the_sentence_that_sites_know():
    told = progress_text(OVER, NOW, GRACE, always=True, exempt=False)
    assert told.startswith("You are using   21.0G bytes but are only permitted")
    assert told.endswith(
        "In 18 hours, at 2026-11-23 06:00 UTC, your servers are stopped and you are locked"
        " out until there is space again."
    )


def test_an_administrator_who_keeps_servers_is_not_threatened():
    assert "stopped" not in progress_text(OVER, NOW, GRACE, always=True, exempt=True)


def test_nothing_is_said_of_a_home_that_was_not_measured_or_has_no_quota():
    for record in (Record("new"), replace(GROWING, quota_enabled=False)):
        assert progress_text(record, NOW, GRACE, always=True, exempt=False) is None


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(days=2, hours=3, minutes=59), "2 days and 3 hours"),
        (timedelta(days=1, minutes=5), "1 day"),
        (timedelta(hours=1, minutes=1), "1 hour and 1 minute"),
        (timedelta(minutes=2, seconds=59), "2 minutes"),
        (timedelta(seconds=59), ""),
        (timedelta(days=-3), ""),
    ],
)
def test_nobody_has_more_time_than_is_said(away, words):
    assert time_left(NOW + away, NOW) == words


def test_how_long_ago_is_told_in_one_unit():
    assert ago(NOW - timedelta(days=1, hours=5), NOW) == "1 day ago"
    assert ago(NOW + DAY, NOW) == "just now"
    assert ago(None, NOW) == ""
