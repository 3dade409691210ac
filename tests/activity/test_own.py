"""The service's own jobs have their periods, and a check each that nobody has to write."""

import importlib
import pkgutil
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota import loops
from jupyterhub_efs_quota.activity.as_json import job_json
from jupyterhub_efs_quota.activity.checks import Recent
from jupyterhub_efs_quota.activity.jobs import jobs_of
from jupyterhub_efs_quota.activity.names import OWN_JOBS
from jupyterhub_efs_quota.activity.own import checks_in_force, periods
from jupyterhub_efs_quota.metrics.jobs import families
from jupyterhub_efs_quota.overview.overview import job_line
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import until
from .conftest import a_run

MINUTE = timedelta(minutes=1)


def test_every_loop_that_puts_runs_on_record_is_ours_alone():
    modules = [
        importlib.import_module(f"{loops.__name__}.{module.name}")
        for module in pkgutil.iter_modules(loops.__path__)
    ]
    names = {module.NAME.lower() for module in modules if hasattr(module, "NAME")}
    assert names == set(OWN_JOBS)


def asked(settings):
    """The minutes of the checks of each job."""
    checks = [check for some in checks_in_force(settings).values() for check in some]
    return {check.place.job: check.minutes for check in checks if isinstance(check, Recent)}


def test_each_own_loop_is_asked_for_a_success_in_three_of_its_periods():
    settings = EFSQuota(monitor_period_secs=7200, reaper_period_secs=600)
    assert asked(settings) == {"monitor": 360, "reaper": 30}
    settings.allow_delete = True
    assert asked(settings)["limbo"] == 180
    # That loop rests while nobody is in a rescue.
    settings.on_lockout = "rescue"
    assert "rescue" not in asked(settings)


def test_a_loop_that_runs_all_the_time_is_not_missed_after_a_few_seconds():
    assert asked(EFSQuota(reaper_period_secs=1))["reaper"] == 15


def test_what_the_site_asks_of_a_loop_goes_before_what_we_do():
    mine = {"recent": {"job": "reaper", "recent_minutes": 3}}
    assert asked(EFSQuota(activity_checks=mine)) == {"monitor": 720, "reaper": 3}
    mine = {"often": {"job": "monitor", "window_minutes": 60, "at_least": 2}}
    assert asked(EFSQuota(activity_checks=mine)) == {"reaper": 15}


def test_the_periods_of_all_loops_are_known():
    settings = EFSQuota(allow_delete=True, on_lockout="rescue", rescue_measure_secs=30)
    assert periods(settings) == {"monitor": 14400, "reaper": 300, "rescue": 30, "limbo": 3600}
    assert set(periods(EFSQuota())) == {"monitor", "reaper"}


# --- On a history ------------------------------------------------------------------------


@pytest.fixture
def history(start, url):
    return start(url)


@pytest.fixture
def jobs(rooms, history, settings):
    settings.monitor_period_secs, settings.reaper_period_secs = 3600, 300
    assert history.flush(20) and until(history.began)
    return jobs_of(replace(rooms, history=history))


def look(jobs):
    assert jobs.activity.history.flush(20)
    return {job.name: job for job in jobs.overview.look()}


def red(jobs):
    found = look(jobs).values()
    return {job.name for job in found if any(verdict.text for verdict in job.verdicts)}


def test_right_after_the_first_start_nothing_is_missed_and_later_it_is(jobs, clock):
    assert red(jobs) == set()
    assert set(look(jobs)) == {"monitor", "reaper"}
    clock.forward(minutes=16)
    assert red(jobs) == {"reaper"}
    clock.forward(hours=3)
    assert red(jobs) == {"monitor", "reaper"}


def test_a_loop_that_fails_from_the_start_is_missed_though_it_was_tried(jobs, clock):
    jobs.activity.ran(a_run("reaper", ago=0, outcome="failure", error="no"))
    clock.forward(minutes=16)
    assert red(jobs) == {"reaper"}


def test_a_restart_gives_a_loop_that_stands_no_new_time(start, jobs, clock, url, rooms):
    jobs.activity.ran(a_run("reaper", ago=0))
    clock.forward(minutes=20)
    again = start(url)
    assert again.flush(20)
    assert "reaper" in red(jobs_of(replace(rooms, history=again)))


def test_a_history_of_an_earlier_version_is_as_old_as_its_first_run(jobs, history, clock):
    jobs.activity.ran(a_run("backup", ago=16))
    assert history.flush(20)
    assert history.began() == clock() - 17 * MINUTE
    assert red(jobs) == {"reaper"}


def test_whoever_asks_is_told_the_same(jobs, clock):
    clock.forward(minutes=16)
    found = look(jobs)
    (checked,) = job_json(found["reaper"])["checks"]
    assert (checked["check"], checked["holds"]) == ("recent", False)
    assert job_line(found["reaper"]).wrong == [checked["text"]]
    (holds,) = [one for one in families(jobs.overview.jobs) if one.name.endswith("check_holds")]
    assert {(s.labels["name"], s.labels["check"], s.value) for s in holds.samples} == {
        ("monitor", "recent", 1),
        ("reaper", "recent", 0),
    }


def test_a_loop_that_is_switched_off_is_not_missed(jobs, clock):
    jobs.turn("reaper", on=False, by="admin")
    clock.forward(minutes=16)
    assert red(jobs) == set()


def test_the_next_run_of_limbo_is_known_after_its_first(rooms, history, settings, clock):
    settings.allow_delete = True
    jobs = jobs_of(replace(rooms, history=history))
    jobs.activity.ran(a_run("limbo", ago=10, secs=0))
    assert look(jobs)["limbo"].due == clock() + 50 * MINUTE


def test_the_next_run_of_rescue_is_told_only_while_somebody_is_in_one(
    rooms, history, settings, clock
):
    settings.on_lockout = "rescue"
    jobs = jobs_of(replace(rooms, history=history))
    jobs.activity.ran(a_run("rescue", ago=0, secs=0))
    assert look(jobs)["rescue"].due == clock() + MINUTE
    clock.forward(minutes=10)
    assert look(jobs)["rescue"].due is None
