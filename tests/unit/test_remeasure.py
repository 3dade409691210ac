"""One home: measured now, judged, recorded; and nothing lost whatever happens meanwhile."""

import asyncio
import os
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.errors import (
    BrokenFile,
    HomeError,
    LockHeld,
    MeasureError,
    StoreError,
)
from jupyterhub_efs_quota.measure.workers.order import Priority, Wish
from jupyterhub_efs_quota.measure.workers.spread import Spread
from jupyterhub_efs_quota.measure.task import Ceiling
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW, come_about, fill

EARLIER = NOW - timedelta(days=1)


class Meter:
    """Stands in for the workers where a test needs to decide what is found, or when."""

    def __init__(self, usage=None, meanwhile=None):
        self.usage = usage or Usage(500, 4096, files=3, dirs=1)
        self.meanwhile = meanwhile
        self.tasks = []

    async def measure(self, task):
        self.tasks.append(task)
        if self.meanwhile is not None:
            self.meanwhile()
        if isinstance(self.usage, Exception):
            raise self.usage
        return self.usage


@pytest.fixture
def meter(remeasure):
    meter = Meter()
    remeasure._workers = meter
    return meter


async def test_a_home_is_measured_judged_and_recorded(remeasure, store, write, home_of, log_lines):
    home_of("homer@x", 5000)
    write("homer@x", quota_bytes=4000)
    record = await remeasure.measure("homer@x")
    assert record == store.read("homer@x")
    assert (record.actual_bytes, record.usage_files, record.unreadable) == (5000, 1, 0)
    assert (record.quota_state, record.meter) == (State.LOCKOUT, "walk")
    assert record.started == record.stopped == record.over_since == NOW
    (line,) = log_lines.lines
    assert line["message"] == "Updated quota for homer@x using    4.9K of    3.9K bytes."
    assert (line["subsystem"], line["status"]) == ("Monitor", "INFO")
    assert (line["user"], line["actual_bytes"], line["meter"]) == ("homer@x", 5000, "walk")


async def test_others_see_that_a_measurement_goes_on(remeasure, store, write, home_of, meter):
    home_of("homer")
    write("homer", actual_bytes=7, quota_bytes=1000, started=EARLIER, stopped=EARLIER)
    seen = []
    meter.meanwhile = lambda: seen.append(store.read("homer"))
    await remeasure.measure("homer")
    assert (seen[0].started, seen[0].stopped, seen[0].actual_bytes) == (NOW, EARLIER, 7)


async def test_the_record_is_free_for_others_during_a_measurement(
    remeasure, store, write, home_of, meter
):
    home_of("homer")
    write("homer", quota_bytes=1000)
    meter.meanwhile = lambda: write("homer", quota_bytes=10, started=NOW, extra={"note": "x"})
    record = await remeasure.measure("homer")
    assert (record.quota_bytes, record.extra) == (10, {"note": "x"})
    assert record.quota_state is State.LOCKOUT


async def test_a_home_is_measured_by_one_at_a_time(remeasure, write, home_of, meter):
    home_of("homer")
    write("homer")
    again = []

    async def measure(task):
        with pytest.raises(LockHeld):
            again.append(await remeasure.measure("homer"))
        return meter.usage

    meter.measure = measure
    await remeasure.measure("homer")
    assert again == []
    meter.measure = Meter().measure
    assert (await remeasure.measure("homer")).actual_bytes == 500


async def test_what_another_monitor_has_just_measured_is_not_measured_again(
    remeasure, write, home_of, meter
):
    home_of("homer")
    planned = write("homer", actual_bytes=5, started=EARLIER, stopped=EARLIER)
    write("homer", actual_bytes=6, started=NOW, stopped=NOW)
    assert await remeasure.measure("homer", planned=planned) is None
    assert meter.tasks == []


async def test_what_another_monitor_was_at_when_we_planned_is_not_measured_again(
    remeasure, write, home_of, meter
):
    home_of("homer")
    planned = write("homer", actual_bytes=5, started=NOW, stopped=EARLIER)
    write("homer", actual_bytes=6, started=NOW, stopped=NOW)
    assert await remeasure.measure("homer", planned=planned) is None
    assert meter.tasks == []


async def test_what_another_monitor_died_at_is_measured(remeasure, write, home_of, meter):
    home_of("homer")
    planned = write("homer", actual_bytes=5, started=EARLIER)
    assert (await remeasure.measure("homer", planned=planned)).actual_bytes == 500


@pytest.mark.parametrize("failure", [MeasureError("no"), asyncio.CancelledError()])
async def test_a_measurement_that_failed_leaves_the_record_as_it_was(
    remeasure, store, write, home_of, meter, failure
):
    home_of("homer")
    before = write("homer", actual_bytes=5, started=EARLIER, stopped=EARLIER)

    async def fails(task):
        raise failure

    meter.measure = fails
    with pytest.raises(type(failure)):
        await remeasure.measure("homer")
    assert store.read("homer") == before
    with store.measuring("homer"):
        pass


async def test_a_failed_measurement_does_not_undo_what_others_did_meanwhile(
    remeasure, store, write, home_of, meter
):
    home_of("homer")
    write("homer", actual_bytes=5, started=EARLIER)
    later = NOW + timedelta(hours=1)
    meter.meanwhile = lambda: write("homer", actual_bytes=9, started=later)
    meter.usage = MeasureError("no")
    with pytest.raises(MeasureError):
        await remeasure.measure("homer")
    assert store.read("homer") == Record("homer", actual_bytes=9, started=later)


async def test_a_shorter_measurement_that_began_later_knows_better(
    remeasure, store, write, home_of, meter, log_lines
):
    # A long walk counted what its user deleted since, and what a verification did not.
    home_of("homer")
    write("homer", actual_bytes=900, quota_bytes=100, quota_state=State.LOCKOUT)
    later = NOW + timedelta(minutes=5)
    meter.meanwhile = lambda: write(
        "homer", actual_bytes=50, quota_bytes=100, started=later, stopped=later
    )
    record = await remeasure.measure("homer")
    assert (record.actual_bytes, record.quota_state) == (50, State.OK)
    assert store.read("homer") == record


@pytest.mark.parametrize("content", ["", "user: [", "- 1\n"])
async def test_a_file_broken_meanwhile_is_not_overwritten(
    remeasure, store, write, home_of, meter, content, log_lines
):
    home_of("homer")
    write("homer")
    meter.meanwhile = lambda: store.path("homer").write_text(content)
    with pytest.raises(BrokenFile):
        await remeasure.measure("homer")
    assert store.path("homer").read_text() == content
    assert [status for status, _ in log_lines.said()] == ["WARN"]


async def test_a_broken_file_is_not_measured_for(remeasure, store, write, home_of, meter):
    home_of("homer")
    write("homer")
    store.path("homer").write_text("- 1\n")
    with pytest.raises(BrokenFile):
        await remeasure.measure("homer")
    assert meter.tasks == []
    assert store.path("homer").read_text() == "- 1\n"


async def test_a_user_without_a_file_is_told(remeasure, home_of, meter):
    home_of("homer")
    with pytest.raises(StoreError, match="There is no .*quota.yaml yet"):
        await remeasure.measure("homer")


async def test_a_file_removed_meanwhile_stays_removed(remeasure, store, write, home_of, meter):
    home_of("homer")
    write("homer", quota_bytes=1000)
    meter.meanwhile = lambda: store.path("homer").unlink()
    with pytest.raises(StoreError, match="was removed meanwhile"):
        await remeasure.measure("homer")
    assert store.read("homer") is None


@pytest.mark.parametrize(
    "kind, error",
    [
        ("missing", FileNotFoundError),
        ("file", HomeError),
        ("link out", HomeError),
        ("link to nothing", FileNotFoundError),
        ("loop", HomeError),
    ],
)
async def test_a_home_that_cannot_be_measured_leaves_the_record_as_it_was(
    remeasure, store, write, efs, meter, kind, error
):
    home = efs / "users" / "homer"
    if kind == "file":
        home.write_text("x")
    elif kind == "link out":
        home.symlink_to(efs)
    elif kind == "link to nothing":
        home.symlink_to("nowhere")
    elif kind == "loop":
        home.symlink_to("homer")
    before = write("homer", actual_bytes=5, started=EARLIER, stopped=EARLIER)
    with pytest.raises(error):
        await remeasure.measure("homer")
    assert store.read("homer") == before
    assert meter.tasks == []


async def test_a_home_that_goes_away_meanwhile_leaves_the_record_as_it_was(
    remeasure, store, write, home_of, meter, workers
):
    home = home_of("homer")
    before = write("homer", actual_bytes=5, started=EARLIER, stopped=EARLIER)

    async def measure(task):
        shutil.rmtree(home)
        return await workers.measure(task)

    meter.measure = measure
    with pytest.raises(MeasureError, match="cannot be opened"):
        await remeasure.measure("homer")
    assert store.read("homer") == before


async def test_a_home_swapped_for_a_link_meanwhile_is_not_followed(
    remeasure, store, write, home_of, meter, workers, efs
):
    home = home_of("homer")
    before = write("homer", actual_bytes=5, started=EARLIER, stopped=EARLIER)

    async def measure(task):
        shutil.rmtree(home)
        home.symlink_to(efs)
        return await workers.measure(task)

    meter.measure = measure
    with pytest.raises(MeasureError, match="cannot be opened"):
        await remeasure.measure("homer")
    assert store.read("homer") == before


async def test_a_home_that_is_a_link_below_the_root_is_measured_where_it_leads(
    remeasure, write, efs
):
    fill(efs / "users" / "disk-2" / "h", 700)
    (efs / "users" / "homer").symlink_to("disk-2/h")
    write("homer")
    assert (await remeasure.measure("homer")).actual_bytes == 700


async def test_the_home_on_record_is_measured_where_there_is_one(remeasure, write, efs, home_of):
    home_of("homer", 5)
    told = fill(efs / "users" / "told", 700)
    write("homer", home=str(told))
    assert (await remeasure.measure("homer")).actual_bytes == 700


async def test_the_settings_go_with_the_task(remeasure, rooms, write, home_of, meter):
    home = home_of("homer")
    write("homer")
    rooms.settings.trait_values()
    rooms.settings.meter = "du"
    rooms.settings.cross_mounts = True
    rooms.settings.skip_directories = ["x"]
    rooms.settings.size_basis = "allocated"
    rooms.settings.du_timeout_secs = 77
    record = await remeasure.measure("homer")
    (task,) = meter.tasks
    assert (task.home, task.meter, task.cross_mounts) == (str(home), "du", True)
    assert (task.skip, task.allocated, task.deadline_secs) == (("x",), True, 77)
    assert task.ceiling is None
    assert record.actual_bytes == 4096


async def test_the_limit_goes_with_the_task_for_a_walk_to_confirm(
    remeasure, rooms, write, home_of, meter
):
    home_of("homer")
    record = write("homer", quota_bytes=300, quota_files=20, actual_bytes=400)
    rooms.settings.size_basis = "allocated"
    await remeasure.measure("homer")
    await remeasure.verify(record, 3.0)
    limit = Ceiling(300, 20, allocated=True)
    assert [(task.ceiling, task.limit) for task in meter.tasks] == [(None, limit), (limit, limit)]


async def test_why_a_counter_was_not_asked_is_said_once_for_all_homes(
    remeasure, write, home_of, meter, log_lines
):
    for user in ("homer", "marge", "bart"):
        home_of(user)
        write(user)
        why = "It has no project id." if user != "bart" else "It is no subvolume."
        meter.usage = Usage(5, files=1, dirs=1, why_walked=why)
        await remeasure.measure(user)
    said = [line["message"] for line in log_lines.lines if "walked" in line["message"]]
    assert said == [
        "The home of homer is walked, as all are of which this is true: It has no project id.",
        "The home of bart is walked, as all are of which this is true: It is no subvolume.",
    ]


async def test_what_a_counter_says_is_recorded_and_keeps_the_number_of_files(
    remeasure, rooms, write, home_of, meter
):
    rooms.settings.size_basis = "allocated"
    home_of("homer")
    write("homer", actual_bytes=9000, usage_files=7, unreadable=2)
    meter.usage = Usage(allocated=4096, meter="xfs", changed=0.0)
    record = await remeasure.measure("homer")
    assert (record.actual_bytes, record.allocated_bytes, record.meter) == (4096, 4096, "xfs")
    assert (record.usage_files, record.unreadable) == (7, 0)


async def test_a_time_out_is_recorded_and_keeps_the_number(remeasure, store, write, home_of, meter):
    home_of("homer")
    write("homer", actual_bytes=50, quota_bytes=1000)
    meter.usage = Usage(60, files=1, timed_out=True)
    record = await remeasure.measure("homer")
    assert (record.actual_bytes, record.timed_out) == (50, True)
    assert record.quota_state is State.TIMED_OUT
    assert record.stopped == NOW


async def test_a_number_that_is_kept_out_of_doubt_is_said(
    remeasure, write, home_of, meter, log_lines
):
    home_of("homer")
    write("homer", actual_bytes=5000, quota_bytes=1000)
    meter.usage = Usage(5, files=1, dirs=1, unreadable=2, unreadable_names=("a\\n: Denied",))
    await remeasure.measure("homer")
    assert log_lines.said("WARN") == [
        ("WARN", "Quota for homer keeps its old number: 2 entries could not be read."),
        ("WARN", "2 entries in the home of homer could not be read: a\\n: Denied"),
    ]


async def test_a_grace_time_begins_with_the_measurement(remeasure, rooms, write, home_of, meter):
    rooms.settings.grace_secs = 60
    home_of("homer")
    write("homer", quota_bytes=100)
    record = await remeasure.measure("homer")
    assert (record.quota_state, record.over_since) == (State.VIOLATION, NOW)


async def test_a_user_who_is_over_at_first_sight_is_grandfathered(
    remeasure, rooms, write, home_of, meter
):
    rooms.settings.grandfather = True
    home_of("homer")
    write("homer", quota_bytes=100, quota_source="default", configured_bytes=100)
    record = await remeasure.measure("homer")
    assert (record.quota_bytes, record.quota_source) == (2**30, "grandfathered")


async def test_a_full_disk_at_the_end_of_a_measurement_is_told_and_loses_no_record(
    remeasure, store, write, home_of, meter, monkeypatch, log_lines
):
    import errno

    home_of("homer")
    write("homer", actual_bytes=5, quota_bytes=100, started=EARLIER, stopped=EARLIER)

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    meter.meanwhile = lambda: monkeypatch.setattr(
        "jupyterhub_efs_quota.control.store.os.write", full
    )
    with pytest.raises(StoreError, match="No space left"):
        await remeasure.measure("homer")
    monkeypatch.undo()
    record = store.read("homer")
    assert (record.actual_bytes, record.started, record.stopped) == (5, NOW, EARLIER)
    assert "stays on record as begun" in log_lines.said("WARN")[0][1]


LOCKED = dict(quota_bytes=1000, actual_bytes=5000, quota_state=State.LOCKOUT, started=EARLIER)


async def test_verifying_a_home_that_shrank_unlocks_its_user(remeasure, store, write, home_of):
    home_of("homer", 10)
    record = await remeasure.verify(write("homer", **LOCKED), 60)
    assert (record.quota_state, record.actual_bytes) == (State.OK, 10)
    assert store.read("homer") == record


async def test_verifying_stops_as_soon_as_it_is_proven(remeasure, store, write, home_of, meter):
    home_of("homer", 10)
    before = write("homer", quota_files=7, **LOCKED)
    meter.usage = Usage(1001, 0, files=3, dirs=1, proven_over=True)
    assert await remeasure.verify(before, 2.5) is before
    assert store.read("homer") == before
    (task,) = meter.tasks
    assert task.deadline_secs == 2.5
    assert (task.ceiling.bytes, task.ceiling.files, task.ceiling.allocated) == (1000, 7, False)


@pytest.mark.parametrize(
    "usage",
    [
        Usage(5, files=1, timed_out=True),
        Usage(timed_out=True, meter="du"),
        Usage(0, 0, files=0, dirs=1),
        Usage(5, files=1, dirs=2, unreadable=1),
    ],
)
async def test_doubt_unlocks_nobody(remeasure, store, write, home_of, meter, usage):
    home_of("homer", 10)
    meter.usage = usage
    record = await remeasure.verify(write("homer", **LOCKED), 60)
    assert record.quota_state is State.LOCKOUT
    assert store.read("homer").actual_bytes == 5000


async def test_verifying_a_home_that_cannot_be_measured_raises(remeasure, write, meter):
    with pytest.raises(FileNotFoundError):
        await remeasure.verify(write("homer", **LOCKED), 60)


async def test_verifying_judges_by_the_record_as_it_is_now(remeasure, store, write, home_of, meter):
    home_of("homer", 10)
    asked = write("homer", **LOCKED)
    meter.meanwhile = lambda: write("homer", **{**LOCKED, "quota_bytes": 100})
    record = await remeasure.verify(asked, 60)
    assert (record.actual_bytes, record.quota_state) == (500, State.LOCKOUT)


async def test_verifying_creates_no_record(remeasure, store, home_of, meter):
    home_of("homer", 10)
    asked = replace(Record("homer"), **LOCKED)
    store.directory("homer").mkdir()
    assert await remeasure.verify(asked, 60) == asked
    assert store.read("homer") is None


async def test_a_spawn_s_check_does_not_wait_for_the_monitor(
    remeasure, write, home_of, meter, settings
):
    """All places are taken by homes that take an hour."""
    for name in ("large", "larger", "homer"):
        home_of(name)
        write(name, quota_bytes=10, actual_bytes=1000)
    go_on = asyncio.Event()

    async def measure(task):
        if task.ceiling is None:
            await go_on.wait()
        return Usage(5, 4096, files=3, dirs=1)

    meter.measure = measure
    monitor = [asyncio.create_task(remeasure.measure(name)) for name in ("large", "larger")]
    await asyncio.sleep(0.1)
    record = write("homer", quota_bytes=10, actual_bytes=1000, quota_state=State.LOCKOUT)
    verified = await asyncio.wait_for(remeasure.verify(record, 1.0), 5)
    assert verified.quota_state is State.OK
    assert not any(task.done() for task in monitor)
    go_on.set()
    await asyncio.gather(*monitor)


async def test_homes_are_begun_in_the_order_of_their_wishes(remeasure, write, home_of, meter):
    remeasure._spread = Spread(1)
    for name in ("first", "routine", "locked"):
        home_of(name)
        write(name)
    go_on = asyncio.Event()
    begun = []

    async def measure(task):
        begun.append(os.path.basename(task.home))
        await go_on.wait()
        return meter.usage

    meter.measure = measure
    wishes = {"routine": Wish(), "locked": Wish(Priority.LOCKED)}
    tasks = [asyncio.create_task(remeasure.measure("first"))]
    await come_about(lambda: begun)
    for name, wish in wishes.items():
        tasks.append(asyncio.create_task(remeasure.measure(name, wish=wish)))
    await asyncio.sleep(0.1)
    assert begun == ["first"]
    # One that waits is not yet begun: another monitor may take it.
    assert (await asyncio.to_thread(remeasure._store.read, "routine")).started is None
    go_on.set()
    await asyncio.gather(*tasks)
    assert begun[1:] == ["locked", "routine"]
