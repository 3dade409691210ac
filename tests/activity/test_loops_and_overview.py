"""Loops ask the switch before each cycle; all jobs are seen as they stand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.activity.jobs import jobs_of
from jupyterhub_efs_quota.activity.names import OWN_JOBS
from jupyterhub_efs_quota.activity.overview import next_due
from jupyterhub_efs_quota.activity.switches import switches_of
from jupyterhub_efs_quota.activity.timings import Timings
from jupyterhub_efs_quota.errors import BadRun, StoreError
from jupyterhub_efs_quota.history.events import Outcome
from jupyterhub_efs_quota.loops import record_run
from jupyterhub_efs_quota.loops.counts import Counts
from jupyterhub_efs_quota.loops.record_run import recorded
from jupyterhub_efs_quota.metrics.counted import Counted

from ..conftest import NOW
from .conftest import a_run

MINUTE = timedelta(minutes=1)


class Work:
    """Counts its cycles."""

    def __init__(self):
        self.counts = Counts()
        self.cycles = 0

    async def run_once(self):
        self.cycles += 1
        return ["done"]


@pytest.fixture
def history(start, sqlite_url):
    return start(sqlite_url)


@pytest.fixture
def told(rooms, history, udp):
    """Rooms that tell runs to a history and a StatsD."""
    return replace(
        rooms, history=history, counted=Counted(), timings=Timings("127.0.0.1", udp.port)
    )


def switch(rooms, *, on):
    switches_of(rooms.settings).turn("monitor", on=on, by="admin", now=NOW)


async def test_a_loop_that_is_switched_off_does_nothing_and_says_so_with_a_zero_timing(
    told, history, udp
):
    work = Work()
    cycle = recorded(told, "Monitor", work)
    switch(told, on=False)
    assert await cycle() is Outcome.SKIPPED
    assert work.cycles == 0
    assert udp.heard() == "script_activity,name=monitor:0.000000|ms"
    switch(told, on=True)
    assert await cycle() == ["done"]
    assert work.cycles == 1
    assert udp.heard() == "script_activity,name=monitor:0.000000|ms"  # the clock stands
    assert history.flush()
    assert [run.outcome for run in history.job_runs("monitor")] == ["success", "skipped"]


async def test_another_job_that_is_switched_off_stops_no_loop(told):
    switch(told, on=False)
    work = Work()
    await recorded(told, "Reaper", work)()
    assert work.cycles == 1


async def test_a_store_that_hangs_switches_nothing_off(told, monkeypatch):
    monkeypatch.setattr(record_run, "SWITCH_SECS", 0.05)

    async def hangs(*_args):
        raise StoreError("The store did not answer.")

    monkeypatch.setattr(told.offload, "run_within", hangs)
    work = Work()
    await recorded(told, "Monitor", work)()
    assert work.cycles == 1


async def test_a_skipped_cycle_is_counted_as_such_and_keeps_alerts_quiet(told):
    switch(told, on=False)
    await told.counted.cycles_of("Monitor", recorded(told, "Monitor", Work()))()
    value = told.counted.registry.get_sample_value
    labels = {"loop": "Monitor"}
    prefix = "jupyterhub_efs_quota_"
    assert value(f"{prefix}cycles_total", {**labels, "outcome": "skipped"}) == 1
    assert value(f"{prefix}cycles_total", {**labels, "outcome": "success"}) == 0
    assert value(f"{prefix}cycle_duration_seconds_count", labels) in (None, 0)
    assert value(f"{prefix}last_success_timestamp_seconds", labels) > 0


def test_a_clock_that_is_set_back_meanwhile_makes_no_run_that_cannot_be(told, history, clock):
    run = a_run()
    told.activity.ran(replace(run, completed=max(run.started, run.started - MINUTE)))
    assert history.flush()
    assert len(history.job_runs("job")) == 1


def test_a_job_is_due_after_its_period_or_as_usual():
    runs = [a_run(ago=ago) for ago in (5, 64, 130, 190, 3000)]
    assert next_due(runs, 600) == runs[0].started + 10 * MINUTE
    usual = runs[0].started + timedelta(minutes=(60 + 66) / 2)
    assert next_due(runs) == usual
    assert next_due(runs[:3]) is None
    assert next_due([], 600) is None


@pytest.fixture
def jobs(told, settings):
    settings.activity_checks = {
        "often": {"job": "backup", "recent_minutes": 60},
        "never": {"job": "ghost", "recent_minutes": 60},
    }
    return jobs_of(told)


def test_all_jobs_are_seen_those_that_only_a_check_or_the_switch_knows_too(jobs, history):
    for ago in (10, 70):
        jobs.activity.ran(a_run("backup", ago=ago))
    jobs.activity.ran(a_run("backup", ago=1, outcome="failure", error="no"))
    jobs.turn("idle", on=False, by="admin")
    assert history.flush()
    backup, ghost, idle, *own = jobs.overview.look()
    assert jobs.overview.jobs == (backup, ghost, idle, *own)
    assert [job.name for job in own] == ["monitor", "reaper"]
    assert (backup.name, ghost.name, idle.name) == ("backup", "ghost", "idle")
    assert backup.runs[0].outcome == "failure"
    assert backup.success.completed == NOW - 10 * MINUTE
    assert [verdict.text for verdict in backup.verdicts] == [None]
    assert ghost.verdicts[0].text.startswith("The script 'ghost' didn't run on any host")
    assert idle.off and idle.note == "by admin, 2026-11-22 12:00 UTC"
    assert not backup.off


def test_a_check_of_a_job_that_is_off_says_nothing(jobs, history):
    jobs.turn("ghost", on=False, by="admin")
    assert history.flush()
    (ghost,) = [job for job in jobs.overview.look() if job.name == "ghost"]
    (verdict,) = ghost.verdicts
    assert verdict.off and verdict.text is None


def test_the_last_success_is_found_behind_many_failures(jobs, history):
    success = jobs.activity.ran(a_run("backup", ago=1000))
    for ago in range(50):
        jobs.activity.ran(a_run("backup", ago=ago, outcome="failure", error="no"))
    assert history.flush()
    assert jobs.overview.look()[0].success == success


def test_who_switched_a_job_is_an_action_on_record_once(jobs, history):
    assert jobs.turn("backup", on=False, by="admin", reason="a new disk")
    assert not jobs.turn("backup", on=False, by="other")
    assert jobs.turn("backup", on=True, by="other")
    assert history.flush()
    on, off = history.actions(kind="job-switched").rows
    assert (off.by, off.before, off.after, off.reason, off.user) == (
        *("admin", "backup is on", "backup is off", "a new disk"),
        None,
    )
    assert (on.by, on.before, on.after, on.reason) == (
        *("other", "backup is off", "backup is on"),
        None,
    )


def test_nobody_else_reports_our_own_jobs_or_the_future(jobs):
    for name in OWN_JOBS:
        with pytest.raises(BadRun, match="service itself"):
            jobs.reported(a_run(name))
    with pytest.raises(BadRun, match="future"):
        jobs.reported(a_run("backup", ago=-6))
    assert jobs.reported(a_run("backup", ago=-4)).name == "backup"
