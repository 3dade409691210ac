"""Whether a job runs as it should, by its runs."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.activity.checks import Often, Place, Recent, RunTime
from jupyterhub_efs_quota.activity.named import checks_of, place_of
from jupyterhub_efs_quota.history.events import Run

from ..conftest import NOW
from .conftest import a_run

JOB = Place("job", "h")
EXAMPLE = datetime(2007, 5, 23, 2, 30, tzinfo=timezone.utc)


def test_a_job_that_did_not_run_is_named_with_its_window_and_when_it_was_last_seen():
    name = "script-monitor-test"
    hour = timedelta(hours=1)
    run = Run(name, "localhost", EXAMPLE - 2.5 * hour, EXAMPLE - 1.5 * hour)
    check = Recent(Place(name, "localhost"), 60)
    text = (
        "The script 'script-monitor-test' didn't run on 'localhost' between"
        " 2007-05-23 01:30:00 and 2007-05-23 02:30:00"
    )
    assert check.failure([run], EXAMPLE) == f"{text} (last seen 2007-05-23 01:00:00)"
    assert check.failure([], EXAMPLE) == text
    elsewhere = Recent(Place(name, "elsewhere"), 60).failure([run], EXAMPLE)
    assert elsewhere == text.replace("localhost", "elsewhere")
    anywhere = Recent(Place(name), 60).failure([], EXAMPLE)
    assert anywhere == text.replace("'localhost'", "any host")


def test_times_are_said_in_utc_whatever_the_zone_of_now():
    now = EXAMPLE.astimezone(timezone(timedelta(hours=5)))
    assert "between 2007-05-23 01:30:00 and 2007-05-23 02:30:00" in Recent(JOB, 60).failure([], now)


@pytest.mark.parametrize(
    ("ago", "holds"), [(0, True), (60, True), (60.001, False), (-0.001, False), (30, True)]
)
def test_the_window_has_both_of_its_ends(ago, holds):
    assert (Recent(JOB, 60).failure([a_run(ago=ago)], NOW) is None) == holds


def test_neither_a_failure_nor_another_job_or_host_is_a_success():
    runs = [a_run(outcome="failure"), a_run("other"), a_run(host="other")]
    assert Recent(JOB, 60).failure(runs, NOW)
    assert Recent(Place("job"), 60).failure(runs, NOW) is None


def test_a_job_that_was_switched_off_gives_no_alarm():
    runs = [a_run(outcome="skipped", secs=0, ago=5), a_run(ago=5000)]
    assert Recent(JOB, 60).failure(runs, NOW) is None
    assert Often(JOB, 60, 3).failure(runs, NOW) is None
    assert Often(JOB, 60, 0, 56).failure(runs, NOW) is None


def test_too_few_runs_in_a_window_are_counted_out():
    runs = [a_run(ago=10), a_run(ago=50), a_run(ago=70)]
    assert Often(JOB, 60, 2).failure(runs, NOW) is None
    assert Often(JOB, 60, 3).failure(runs, NOW) == (
        "The script 'job' ran only 2 times on 'h' between 2026-11-22 11:00:00 and"
        " 2026-11-22 12:00:00, and should 3"
    )
    assert "only 1 time on" in Often(JOB, 60, 3).failure(runs[:1], NOW)


@pytest.mark.parametrize(
    ("ran", "between"),
    [
        ([10, 50], "11:10:00 and 2026-11-22 11:50:00"),
        ([41], "11:19:00 and 2026-11-22 12:00:00"),
        ([2], "11:00:00 and 2026-11-22 11:58:00"),
        ([], "11:00:00 and 2026-11-22 12:00:00"),
        ([20, 40], None),
        ([30, 30], None),
    ],
)
def test_a_gap_is_found_wherever_in_the_window_it_is(ran, between):
    text = Often(JOB, 60, 0, 30).failure([a_run(ago=ago) for ago in ran], NOW)
    if between is None:
        assert text is None
    else:
        assert text == (
            f"The script 'job' didn't run on 'h' between 2026-11-22 {between},"
            " and should at least every 30 minutes"
        )


def test_runs_that_are_too_short_or_too_long_on_average_are_told():
    runs = [a_run(ago=n, secs=secs) for n, secs in enumerate((10, 20, 30, 1000))]
    assert RunTime(JOB, 3, 20, 20).failure(runs, NOW) is None
    assert RunTime(JOB, 3, least_secs=21).failure(runs, NOW) == (
        "The last 3 runs of the script 'job' on 'h' took 20.0 seconds on average,"
        " and should at least 21"
    )
    assert (
        RunTime(JOB, 4, most_secs=100)
        .failure(runs, NOW)
        .endswith("took 265.0 seconds on average, and should at most 100")
    )


def test_only_successes_have_a_run_time_and_no_run_has_none():
    runs = [a_run(secs=9000, outcome="failure"), a_run(secs=0, outcome="skipped"), a_run(secs=10)]
    assert RunTime(JOB, 5, 9, 11).failure(runs, NOW) is None
    assert RunTime(JOB, 5, 9, 11, 1).failure([], NOW) is None


@pytest.mark.parametrize(
    ("newest", "odd"), [(100, False), (114.9, False), (115.1, True), (84.9, True), (5, True)]
)
def test_the_newest_run_is_odd_when_it_is_far_from_the_median(newest, odd):
    # The median is 100 and no run is usually far from it: a twentieth of it is the spread.
    runs = [a_run(ago=0, secs=newest)] + [a_run(ago=n, secs=100) for n in range(1, 8)]
    text = RunTime(JOB, 8, spreads=3).failure(runs, NOW)
    assert bool(text) == odd
    if odd:
        assert text == (
            f"The last run of the script 'job' on 'h' took {newest:.1f} seconds, and 100.0 is"
            " usual (by 5.0 more or less)"
        )


def test_a_job_whose_runs_are_all_over_the_place_may_go_on_so():
    runs = [a_run(ago=n, secs=secs) for n, secs in enumerate((300, 100, 200, 50, 400, 150))]
    assert RunTime(JOB, 6, spreads=3).failure(runs, NOW) is None


def test_of_too_few_runs_none_is_odd():
    runs = [a_run(ago=0, secs=1000), a_run(ago=1, secs=1), a_run(ago=2, secs=1)]
    assert RunTime(JOB, 3, spreads=1).failure(runs, NOW) is None


def test_a_trifle_is_not_odd():
    runs = [a_run(ago=0, secs=1.5)] + [a_run(ago=n, secs=0.5) for n in range(1, 8)]
    assert RunTime(JOB, 8, spreads=1).failure(runs, NOW) is None


some_runs = st.lists(
    st.builds(
        a_run,
        ago=st.floats(-10, 200),
        secs=st.floats(0, 1e5),
        outcome=st.sampled_from(["success", "failure", "skipped"]),
        host=st.sampled_from(["h", "other"]),
    )
)


@given(some_runs, st.randoms())
def test_the_order_in_which_runs_come_does_not_matter(runs, random):
    mixed = list(runs)
    random.shuffle(mixed)
    for check in (Recent(JOB, 60), Often(JOB, 120, 3, 40)):
        assert check.failure(runs, NOW) == check.failure(mixed, NOW)


@given(some_runs)
def test_what_holds_for_a_window_holds_for_a_longer_one(runs):
    if Recent(JOB, 30).failure(runs, NOW) is None:
        assert Recent(JOB, 60).failure(runs, NOW) is None
    if Often(JOB, 60, 2).failure(runs, NOW) is None:
        assert Often(JOB, 90, 2).failure(runs, NOW) is None


def test_a_named_check_may_ask_for_all_three_things():
    found = checks_of(
        {
            "backup": {
                "job": "nightly backup",
                "host": "store1",
                "recent_minutes": 1560,
                "window_minutes": 10080,
                "at_least": 6,
                "longest_gap_minutes": 2000,
                "last_runs": 10,
                "least_mean_secs": 60,
                "most_mean_secs": 7200,
                "most_spreads": 5,
            }
        }
    )
    place = Place("nightly backup", "store1")
    assert found == {
        "backup": (
            Recent(place, 1560),
            Often(place, 10080, 6, 2000),
            RunTime(place, 10, 60, 7200, 5),
        )
    }


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"recent_minutes": 5}, "job"),
        ({"job": ""}, "name of a job"),
        ({"job": "x"}, "asks for nothing"),
        ({"job": "x", "recent": 5}, "'recent' is none of job"),
        ({"job": "x", "recent_minutes": 0}, "recent_minutes must be a number above 0"),
        ({"job": "x", "recent_minutes": True}, "recent_minutes"),
        ({"job": "x", "recent_minutes": "5"}, "recent_minutes"),
        ({"job": "x", "recent_minutes": float("nan")}, "recent_minutes"),
        ({"job": "x", "recent_minutes": 1e300}, "recent_minutes"),
        ({"job": "x", "at_least": 5}, "need window_minutes"),
        ({"job": "x", "window_minutes": 5}, "window_minutes needs"),
        ({"job": "x", "window_minutes": 5, "at_least": 1.5}, "at_least must be a whole"),
        ({"job": "x", "last_runs": 5}, "go together"),
        ({"job": "x", "most_spreads": 5}, "go together"),
        ({"job": "x", "last_runs": 5, "most_mean_secs": float("inf")}, "most_mean_secs"),
        ({"job": "x", "last_runs": 5, "least_mean_secs": 2, "most_mean_secs": 1}, "above"),
        ({"job": "x", "host": "a:b", "recent_minutes": 5}, "name of a host"),
        ("recent", "a dictionary"),
    ],
)
def test_a_check_that_makes_no_sense_is_named_with_the_reason(check, said):
    with pytest.raises(ValueError, match=said) as raised:
        checks_of({"mine": check})
    assert "the check 'mine': " in str(raised.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [("a:b", Place("b", "a")), ("*:b c", Place("b c")), ("a:b:c", Place("b:c", "a"))],
)
def test_a_host_and_a_job_stand_in_one_word(text, place):
    assert place_of(text) == place
    assert str(place) == text


@pytest.mark.parametrize("text", ["x", "", ":", "a:", ":b", " a:b", "a:b\n"])
def test_what_is_no_host_and_job_is_said_so(text):
    with pytest.raises(ValueError) as raised:
        place_of(text)
    assert str(raised.value) == f"{text!r} is not in the format 'host:scriptname'"
