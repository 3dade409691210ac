"""Runs are told wherever they are to be told, and are found again."""

import socket
from datetime import datetime, timedelta, timezone

import pytest

from jupyterhub_efs_quota.activity.activity import Activity
from jupyterhub_efs_quota.activity.timings import Timings
from jupyterhub_efs_quota.errors import BadRun, HistoryError
from jupyterhub_efs_quota.history.opening import history_of
from jupyterhub_efs_quota.metrics.counted import MOST_JOBS, OTHER_JOBS, Counted
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import NOW
from .conftest import a_run

MINUTE = timedelta(minutes=1)


@pytest.fixture
def activity(history, udp):
    return Activity(history, Counted(), Timings("127.0.0.1", udp.port))


def stored(history, **wanted):
    assert history.flush()
    return history.job_runs("job", **wanted)


def test_a_success_is_given_back_as_it_is_stored_and_timed(activity, history, udp):
    run = activity.record_success("job", NOW - MINUTE, NOW, "store1", counts={"files": 5})
    assert (run.name, run.host, run.outcome) == ("job", "store1", "success")
    assert stored(history) == [run]
    assert udp.heard() == "script_activity,name=job:60000.000000|ms"


def test_the_host_is_this_one_unless_it_is_said(activity, history):
    run = activity.record_success("job", NOW, NOW)
    assert run.host == socket.gethostname()
    assert stored(history) == [run]


def test_a_failure_is_on_record_with_its_reason_in_a_line_and_is_not_timed(activity, history, udp):
    run = activity.record_failure("job", NOW, NOW + MINUTE, "The disk\n  is full.\n")
    assert (run.outcome, run.error) == ("failure", "The disk is full.")
    assert stored(history) == [run]
    assert udp.silent()


def test_a_job_that_is_skipped_is_timed_with_zero(activity, history, udp):
    run = activity.record_skipped("job", NOW)
    assert (run.outcome, run.started, run.completed) == ("skipped", NOW, NOW)
    assert stored(history) == [run]
    assert udp.heard() == "script_activity,name=job:0.000000|ms"


def test_a_time_of_another_zone_is_stored_in_utc(activity, history):
    east = timezone(timedelta(hours=9))
    run = activity.record_success("job", NOW.astimezone(east), (NOW + MINUTE).astimezone(east))
    assert run.started.tzinfo is timezone.utc
    assert stored(history) == [run]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"completed": NOW - timedelta(days=1)}, "before it started"),
        ({"started": datetime(2026, 1, 1)}, "needs its zone"),
        ({"completed": datetime(2027, 1, 1)}, "needs its zone"),
        ({"outcome": "fine"}, "success, failure, skipped, not 'fine'"),
        ({"name": ""}, "name of a job"),
        ({"name": "a\nb"}, "name of a job"),
        ({"name": "x" * 201}, "name of a job"),
        ({"name": "a #b"}, "name of a job"),
        ({"host": "a:b"}, "no colon"),
        ({"host": "*"}, "no colon"),
        ({"counts": {"files": -1}}, "'files' must be a whole number"),
        ({"counts": {"files": True}}, "'files' must be a whole number"),
        ({"counts": {"a\nb": 1}}, "name of a job"),
        ({"counts": {str(n): 1 for n in range(51)}}, "at most 50 counts"),
    ],
)
def test_a_run_that_cannot_be_is_refused_and_told_to_nobody(activity, history, udp, change, said):
    fields = {**a_run().__dict__, **change}
    with pytest.raises(BadRun, match=said):
        activity.ran(type(a_run())(**fields))
    assert stored(history) == []
    assert udp.silent()


def test_the_last_activity_is_the_success_that_began_last_on_any_host(activity, history):
    long = activity.record_success("job", NOW - 10 * MINUTE, NOW, "a")
    last = activity.record_success("job", NOW - 5 * MINUTE, NOW - 4 * MINUTE, "b")
    activity.record_failure("job", NOW, NOW, "no", "a")
    activity.record_skipped("job", NOW, "a")
    activity.record_success("other", NOW, NOW, "a")
    assert history.flush()
    assert activity.last_activity("job") == last
    assert activity.last_activity("never") is None
    assert last.completed < long.completed


def test_a_job_that_only_failed_has_no_last_activity(activity, history):
    activity.record_failure("job", NOW, NOW, "no")
    assert history.flush()
    assert activity.last_activity("job") is None


def test_runs_are_kept_for_as_many_days_as_the_settings_say(tmp_path, clock):
    settings = EFSQuota(history_url=f"sqlite:///{tmp_path}/x.sqlite", activity_days=7)
    assert history_of(settings, clock)._keep.runs_days == 7


def test_without_a_history_it_is_said_that_nothing_is_known():
    activity = Activity()
    assert activity.record_success("job", NOW, NOW).name == "job"
    with pytest.raises(HistoryError, match="history_url"):
        activity.last_activity("job")


def test_runs_of_a_job_are_found_by_host_outcome_and_when_they_completed(activity, history):
    for number in range(5):
        time = NOW - number * MINUTE
        activity.record_success("job", time - MINUTE, time, "ab"[number % 2])
    activity.record_failure("job", NOW, NOW, "no", "a")
    assert len(stored(history)) == 6
    assert len(stored(history, host="a", outcomes=("success",))) == 3
    since = NOW - 2 * MINUTE
    assert len(stored(history, outcomes=("success",), completed_since=since)) == 3
    newest = stored(history, limit=2)
    assert [run.started for run in newest] == [NOW, NOW - MINUTE]


def test_the_names_of_jobs_are_told_once_each_in_order(activity, history):
    for name in ("b", "a", "b", "ä", "c"):
        activity.record_success(name, NOW, NOW)
    assert history.flush()
    assert sorted(history.job_names()) == ["a", "b", "c", "ä"]
    assert history.job_names(2) == history.job_names()[:2]


def samples(counted, name):
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in counted.registry.collect()
        for sample in family.samples
        if sample.name == f"jupyterhub_efs_quota_{name}"
    }


def test_runs_are_counted_by_job_and_outcome_and_successes_are_timed():
    counted = Counted()
    counted.ran(a_run(secs=60))
    counted.ran(a_run(secs=30))
    counted.ran(a_run(outcome="failure"))
    runs = samples(counted, "job_runs_total")
    assert runs == {
        (("name", "job"), ("outcome", outcome)): value
        for outcome, value in {"success": 2, "failure": 1, "skipped": 0}.items()
    }
    assert samples(counted, "job_duration_seconds_sum") == {(("name", "job"),): 90}


def test_jobs_beyond_a_number_share_a_series():
    counted = Counted()
    for number in range(MOST_JOBS + 10):
        counted.ran(a_run(str(number)))
    counted.ran(a_run("0"))
    runs = samples(counted, "job_runs_total")
    assert len(runs) == 3 * (MOST_JOBS + 1)
    assert runs[("name", OTHER_JOBS), ("outcome", "success")] == 10
    assert runs[("name", "0"), ("outcome", "success")] == 2
