"""The monitor: who is measured, in which order, with which lines; one user's fault is one user's."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.errors import HubError, HubUnreachable, MeasureError, StoreError
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.sizes import GIB

from ..conftest import NOW, as_root, come_about, fill, fill_up, make_read_only
from .strategies import ODD_NAMES

HOUR = timedelta(hours=1)
# Measured an hour ago, and nothing to do since.
RECENT = dict(
    actual_bytes=100, started=NOW - HOUR, stopped=NOW - HOUR, last_activity=NOW - 2 * HOUR
)


@pytest.fixture
async def monitor(rooms, remeasure):
    return Monitor(rooms, remeasure)


async def cycle(monitor, log_lines):
    """One cycle: who was measured, and what was said."""
    log_lines.clear()
    plans = await monitor.run_once()
    return [plan.user.name for plan in plans], log_lines.said()


async def test_a_new_user_is_initialized_and_measured(monitor, listed, home_of, store, log_lines):
    home_of("homer@x", 5000)
    listed("homer@x")
    measured, said = await cycle(monitor, log_lines)
    assert measured == ["homer@x"]
    assert said == [
        ("INFO", "Initializing quota for user homer@x"),
        ("INFO", "Updated quota for homer@x using    4.9K of  200.0G bytes."),
    ]
    record = store.read("homer@x")
    assert (record.actual_bytes, record.started) == (5000, NOW)
    assert record.last_activity == NOW - 2 * HOUR
    assert {line["subsystem"] for line in log_lines.lines} == {"Monitor"}


async def test_a_home_that_is_missing_is_said_and_nothing_is_made(
    monitor, listed, efs, store, log_lines
):
    listed("homer")
    listed("never", last_activity=None)
    measured, said = await cycle(monitor, log_lines)
    home = efs / "users"
    assert measured == []
    assert said == [
        ("WARN", f"User homer home dir {home}/homer does not exist.  Skipping."),
        ("INFO", f"User never home dir {home}/never does not exist.  Skipping."),
    ]
    assert os.listdir(store.root) == []


async def test_a_disabled_user_is_left_alone_but_for_the_activity(
    monitor, listed, home_of, write, store, log_lines
):
    home_of("homer", 10**6)
    write("homer", quota_enabled=False, quota_bytes=5, actual_bytes=10)
    listed("homer", last_activity=NOW)
    measured, said = await cycle(monitor, log_lines)
    assert measured == []
    assert said == [("INFO", "Quota monitoring for user homer is disabled.  Skipping.")]
    assert store.read("homer") == Record(
        "homer", quota_enabled=False, quota_bytes=5, actual_bytes=10, last_activity=NOW
    )


async def test_a_recent_measurement_is_not_repeated(monitor, listed, home_of, write, log_lines):
    home_of("homer")
    write("homer", **RECENT)
    listed("homer")
    measured, said = await cycle(monitor, log_lines)
    assert measured == []
    assert said == [("INFO", "User homer quota sufficiently recent.  Skipping.")]


async def test_a_user_who_was_active_is_measured_and_the_activity_recorded(
    monitor, listed, home_of, write, store, log_lines
):
    home_of("homer")
    write("homer", **RECENT)
    listed("homer", last_activity=NOW)
    assert (await cycle(monitor, log_lines))[0] == ["homer"]
    assert store.read("homer").last_activity == NOW


async def test_the_activity_is_recorded_though_nothing_is_measured(
    monitor, listed, home_of, write, store, log_lines
):
    home_of("homer")
    write("homer", **RECENT)
    listed("homer", last_activity=NOW - 90 * timedelta(minutes=1))
    assert (await cycle(monitor, log_lines))[0] == []
    assert store.read("homer").last_activity == NOW - 90 * timedelta(minutes=1)


async def test_a_file_that_needs_no_change_is_not_written(
    monitor, listed, home_of, write, store, log_lines
):
    home_of("homer")
    write("homer", **RECENT)
    listed("homer")
    await cycle(monitor, log_lines)
    before = store.path("homer").stat()
    await cycle(monitor, log_lines)
    after = store.path("homer").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("lockout_enabled", [True, False])
async def test_who_is_over_is_measured_in_every_cycle(
    monitor, listed, home_of, write, store, log_lines, lockout_enabled
):
    home = home_of("homer", 5000)
    over = {**RECENT, "actual_bytes": 5000, "quota_bytes": 1000}
    write("homer", **over, lockout_enabled=lockout_enabled)
    listed("homer")
    for _ in range(2):
        assert (await cycle(monitor, log_lines))[0] == ["homer"]
        assert store.read("homer").quota_state in (State.LOCKOUT, State.VIOLATION)
    (home / "data").unlink()
    fill(home, 10)
    await cycle(monitor, log_lines)
    assert store.read("homer").quota_state is State.OK
    assert (await cycle(monitor, log_lines))[0] == []


async def test_a_measurement_that_did_not_finish_is_done_again(
    monitor, listed, home_of, write, log_lines
):
    home_of("homer")
    write("homer", **{**RECENT, "started": NOW - timedelta(minutes=1)})
    listed("homer")
    assert (await cycle(monitor, log_lines))[0] == ["homer"]


async def test_a_clock_that_was_set_back_is_set_right_by_a_measurement(
    monitor, listed, home_of, write, store, log_lines
):
    home_of("homer")
    future = NOW + timedelta(days=365)
    write("homer", actual_bytes=1, started=future, stopped=future, reaper_time=future)
    listed("homer")
    assert (await cycle(monitor, log_lines))[0] == ["homer"]
    record = store.read("homer")
    assert (record.started, record.stopped) == (NOW, NOW)
    assert (await cycle(monitor, log_lines))[0] == []


async def test_those_who_wait_for_it_come_first(monitor, listed, home_of, write, log_lines, rooms):
    rooms.settings.measure_concurrency = 1
    for name in ("idle", "at-work", "locked", "new", "idle-2"):
        home_of(name)
        listed(name, last_activity=NOW, servers=("",) if name == "at-work" else ())
        if name != "new":
            write(name, **RECENT)
    write("locked", **{**RECENT, "actual_bytes": 5000}, quota_bytes=1000)
    await cycle(monitor, log_lines)
    order = [m.split()[3] for _, m in log_lines.said() if m.startswith("Updated")]
    assert sorted(order[:3]) == ["at-work", "locked", "new"]
    assert sorted(order[3:]) == ["idle", "idle-2"]


async def test_users_of_all_pages_are_seen(monitor, listed, home_of, hub_users, store, log_lines):
    hub_users.page_size = 7
    for number in range(30):
        home_of(f"u{number}")
        listed(f"u{number}")
    measured, _ = await cycle(monitor, log_lines)
    assert len(measured) == len(set(measured)) == 30
    assert all(store.read(f"u{number}").actual_bytes == 100 for number in range(30))


@pytest.mark.parametrize("failure", [HubUnreachable("away"), HubError("nonsense")])
async def test_a_hub_that_fails_ends_the_cycle_and_not_the_records(
    monitor, listed, home_of, hub_users, store, log_lines, failure
):
    home_of("homer")
    listed("homer")
    hub_users.failure = failure
    with pytest.raises(HubError, match=str(failure)):
        await monitor.run_once()
    assert store.read("homer").actual_bytes == -1
    hub_users.failure = None
    assert (await cycle(monitor, log_lines))[0] == ["homer"]
    assert store.read("homer").actual_bytes == 100


@pytest.mark.parametrize("gone", ["quota-control", "users"])
async def test_a_store_that_is_not_mounted_ends_the_cycle_and_makes_nothing(
    monitor, listed, efs, gone
):
    listed("homer")
    (efs / gone).rmdir()
    with pytest.raises(StoreError, match=f"{efs}/{gone}"):
        await monitor.run_once()
    assert not (efs / gone).exists()


BROKEN = {
    "empty": lambda path: path.write_text(""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:70]),
    "no YAML": lambda path: path.write_text("user: ["),
    "another shape": lambda path: path.write_text("- 1\n"),
    "a wrong type": lambda path: path.write_text("quota_bytes: much\n"),
    "a tag": lambda path: path.write_text("!!python/object:os.system {}\n"),
    "no text": lambda path: path.write_bytes(b"\xff\n"),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
    "a link out": lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


def looks(path):
    """What stands at a path, without opening what must not be opened."""
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else path.stat().st_mode


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_is_left_as_it_is_and_the_others_go_on(
    monitor, rooms, listed, home_of, write, store, log_lines, spoil
):
    for name in ("bart", "homer", "lisa"):
        home_of(name)
        listed(name)
        write(name, quota_bytes=1000)
    spoil(store.path("homer"))
    before = looks(store.path("homer"))
    measured, said = await cycle(monitor, log_lines)
    assert measured == ["bart", "lisa"]
    assert ("ERROR", "EXCEPTION: Quota processing failed for user homer.") in said
    assert log_lines.lines[0].get("error.kind") in ("BrokenFile", None)
    assert looks(store.path("homer")) == before
    assert str(store.path("homer")) in rooms.board.get("homer").problem
    assert rooms.board.get("lisa").problem is None


async def test_the_last_good_record_stays_on_the_board_while_a_file_is_broken(
    monitor, rooms, listed, home_of, write, store, log_lines
):
    home_of("homer", 5000)
    listed("homer")
    write("homer", quota_bytes=1000)
    await cycle(monitor, log_lines)
    store.path("homer").write_text("")
    await cycle(monitor, log_lines)
    row = rooms.board.get("homer")
    assert row.record.quota_state is State.LOCKOUT
    assert "is empty" in row.problem


@pytest.mark.parametrize("kind", ["file", "link out", "loop"])
async def test_a_bad_home_is_told_and_the_others_go_on(
    monitor, listed, home_of, efs, store, log_lines, kind
):
    home_of("lisa")
    home = efs / "users" / "homer"
    if kind == "file":
        home.write_text("x")
    else:
        home.symlink_to(efs if kind == "link out" else "homer")
    for name in ("homer", "lisa"):
        listed(name)
    _, said = await cycle(monitor, log_lines)
    failures = [line for line in log_lines.lines if line["status"] == "ERROR"]
    if kind != "loop":
        assert [line["error.kind"] for line in failures] == ["HomeError"]
    record = store.read("homer")
    assert record is None or not record.measured
    assert store.read("lisa").actual_bytes == 100


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_an_odd_name_is_measured_or_told_and_the_others_go_on(
    monitor, listed, home_of, efs, store, log_lines, name
):
    home_of("lisa")
    try:
        home_of(name, 77)
    except OSError:
        pass
    before = sorted(os.listdir(efs))
    for each in (name, "lisa"):
        listed(each)
    await cycle(monitor, log_lines)
    assert store.read("lisa").actual_bytes == 100
    try:
        assert store.read(name).actual_bytes == 77
    except StoreError as error:
        assert "too long" in str(error)
    assert sorted(os.listdir(efs)) == before


async def test_one_user_s_failed_measurement_is_one_user_s(
    monitor, remeasure, listed, home_of, write, store, log_lines
):
    for name in ("bart", "homer", "lisa"):
        home_of(name)
        listed(name)
    real = remeasure._workers.measure

    class Meter:
        async def measure(self, task, tell=None):
            if task.home.endswith("homer"):
                raise MeasureError("The worker died.")
            return await real(task)

    remeasure._workers = Meter()
    _, said = await cycle(monitor, log_lines)
    assert [m for s, m in said if s == "ERROR"] == [
        "EXCEPTION: Quota processing failed for user homer."
    ]
    assert store.read("bart").measured
    assert store.read("lisa").measured
    assert not store.read("homer").measured


async def test_a_user_who_is_locked_by_another_is_skipped_quietly(
    hasty, monitor, listed, home_of, write, store, log_lines
):
    for name in ("homer", "lisa"):
        home_of(name)
        listed(name)
        write(name)
    before = store.read("homer")
    with store.held("homer"):
        _, said = await cycle(monitor, log_lines)
    assert all("homer" not in message for _, message in said)
    assert ("DEBUG", "Skipping homer since it is already locked for monitoring.") in (
        log_lines.said("DEBUG")
    )
    assert store.read("homer") == before
    assert store.read("lisa").measured


async def test_a_home_that_another_monitor_measures_is_skipped_quietly(
    monitor, listed, home_of, store, log_lines
):
    home_of("homer")
    listed("homer")
    store.directory("homer").mkdir()
    with store.measuring("homer"):
        _, said = await cycle(monitor, log_lines)
    assert said == [("INFO", "Initializing quota for user homer")]
    assert ("DEBUG", "Skipping homer since it is already locked for monitoring.") in (
        log_lines.said("DEBUG")
    )


async def test_limits_of_the_settings_reach_the_records(
    rooms, remeasure, listed, home_of, store, log_lines
):
    settings = rooms.settings
    settings.default_quota = "1K"
    settings.group_quotas = {"power": "2K"}
    settings.user_quotas = {"burns": "3K"}
    monitor = Monitor(rooms, remeasure)
    for name, groups in {"bart": (), "homer": ("power",), "burns": ("power",)}.items():
        home_of(name)
        listed(name, groups=groups)
    await cycle(monitor, log_lines)
    limits = {
        n: (store.read(n).quota_bytes, store.read(n).quota_source)
        for n in ("bart", "homer", "burns")
    }
    assert limits == {
        "bart": (1024, "default"),
        "homer": (2048, "group:power"),
        "burns": (3072, "user"),
    }


async def test_groups_that_may_not_be_read_shrink_no_quota(
    rooms, remeasure, listed, home_of, store, log_lines, hub_users
):
    rooms.settings.default_quota = 50
    rooms.settings.group_quotas = {"power": "1G"}
    monitor = Monitor(rooms, remeasure)
    home_of("homer", 100)
    user = listed("homer", groups=("power",))
    await cycle(monitor, log_lines)
    hub_users.users = [replace(user, groups=None)]
    await cycle(monitor, log_lines)
    record = store.read("homer")
    assert (record.quota_bytes, record.quota_state) == (GIB, State.OK)


async def test_groups_that_may_not_be_read_do_not_matter_where_no_limit_depends_on_them(
    rooms, remeasure, listed, home_of, store, log_lines
):
    rooms.settings.default_quota = "5K"
    monitor = Monitor(rooms, remeasure)
    home_of("homer", 100)
    listed("homer", groups=None)
    await cycle(monitor, log_lines)
    assert store.read("homer").quota_bytes == 5120


async def test_a_hand_edit_outlives_the_settings(
    rooms, remeasure, listed, home_of, write, store, log_lines
):
    rooms.settings.default_quota = "5K"
    monitor = Monitor(rooms, remeasure)
    home_of("homer", 100)
    listed("homer")
    await cycle(monitor, log_lines)
    path = store.path("homer")
    path.write_text(path.read_text().replace("\nquota_bytes: 5120\n", "\nquota_bytes: 7\n"))
    await cycle(monitor, log_lines)
    record = store.read("homer")
    assert (record.quota_bytes, record.quota_source) == (7, "hand")
    assert record.quota_state is State.LOCKOUT


async def test_who_is_over_at_first_sight_is_grandfathered_whole_in_one_cycle(
    rooms, remeasure, listed, home_of, store, log_lines
):
    rooms.settings.default_quota = "1G"
    rooms.settings.grandfather = True
    monitor = Monitor(rooms, remeasure)
    home_of("homer", 3 * GIB + 1)
    home_of("lisa", 5)
    listed("homer")
    listed("lisa")
    await cycle(monitor, log_lines)
    homer, lisa = store.read("homer"), store.read("lisa")
    assert (homer.quota_bytes, homer.quota_source) == (4 * GIB, "grandfathered")
    assert homer.quota_state is State.OK
    assert (lisa.quota_bytes, lisa.quota_source) == (GIB, "default")


async def test_a_dry_run_says_who_would_be_measured_and_does_nothing(
    rooms, remeasure, listed, home_of, store, log_lines
):
    home_of("homer")
    listed("homer")
    (plan,) = await Monitor(rooms, remeasure, dry_run=True).run_once()
    assert str(plan) == "measure homer: never measured"
    assert os.listdir(store.root) == []


async def test_users_who_left_the_hub_leave_the_board(
    monitor, rooms, listed, home_of, hub_users, log_lines
):
    for name in ("homer", "lisa"):
        home_of(name)
        listed(name)
    await cycle(monitor, log_lines)
    hub_users.users.pop()
    await cycle(monitor, log_lines)
    assert [row.user.name for row in rooms.board.rows()] == ["homer"]


@as_root
@pytest.mark.parametrize("disk", ["full", "read-only"])
async def test_while_the_control_disk_cannot_be_written_nothing_is_lost_and_it_recovers(
    small_disk, monitor, rooms, listed, home_of, store, clock, log_lines, disk
):
    home_of("homer", 50)
    home_of("lisa", 60)
    listed("homer")
    await cycle(monitor, log_lines)
    before = store.read("homer")

    if disk == "full":
        filler = fill_up(small_disk)
    else:
        make_read_only(small_disk)
    clock.forward(days=30)
    listed("lisa")
    _, said = await cycle(monitor, log_lines)
    assert {m for s, m in said if s == "ERROR"} == {
        "EXCEPTION: Quota processing failed for user homer.",
        "EXCEPTION: Quota processing failed for user lisa.",
    }
    problem = rooms.board.get("homer").problem
    assert ("No space left" if disk == "full" else "Read-only") in problem
    assert store.read("homer") == before

    if disk == "full":
        filler.unlink()
    else:
        make_read_only(small_disk, now=False)
    measured, said = await cycle(monitor, log_lines)
    assert sorted(measured) == ["homer", "lisa"]
    assert all(status == "INFO" for status, _ in said)
    assert store.read("homer").started == clock.now
    assert store.read("lisa").actual_bytes == 60
    assert rooms.board.get("homer").problem is None


class Hanging:
    """Stands in for the workers: the homes of those names take until they are let go."""

    def __init__(self, remeasure, *names):
        self._real = remeasure._workers.measure
        self._names = names
        self.go_on = asyncio.Event()
        self.measured = []
        remeasure._workers = self

    async def measure(self, task, tell=None):
        name = os.path.basename(task.home)
        self.measured.append(name)
        if name in self._names:
            await self.go_on.wait()
        return await self._real(task)


async def test_a_home_that_takes_long_does_not_keep_the_next_cycle_from_the_others(
    rooms, remeasure, listed, home_of, store, log_lines
):
    monitor = Monitor(rooms, remeasure, patience_secs=0.2)
    workers = Hanging(remeasure, "large")
    for name in ("homer", "large"):
        home_of(name)
        listed(name)
    assert sorted((await cycle(monitor, log_lines))[0]) == ["homer", "large"]
    home_of("lisa")
    listed("lisa")
    assert (await cycle(monitor, log_lines))[0] == ["lisa"]
    assert store.read("lisa").actual_bytes == 100
    assert not store.read("large").measured
    assert workers.measured.count("large") == 1
    workers.go_on.set()
    await come_about(lambda: store.read("large").measured)
    await come_about(lambda: not monitor._names)
    assert (await cycle(monitor, log_lines))[0] == []


async def test_a_cycle_without_patience_waits_for_all(
    monitor, remeasure, listed, home_of, store, log_lines
):
    """What `--once` runs: nothing goes on after it."""
    workers = Hanging(remeasure, "large")
    home_of("large")
    listed("large")
    running = asyncio.create_task(monitor.run_once())
    await come_about(lambda: workers.measured)
    await asyncio.sleep(0.2)
    assert not running.done()
    workers.go_on.set()
    await running
    assert store.read("large").measured


async def test_small_homes_are_not_stuck_behind_large_ones(
    rooms, remeasure, listed, home_of, write, store, log_lines
):
    """More large ones than places, all of them due first."""
    large = [f"large{number}" for number in range(6)]
    workers = Hanging(remeasure, *large)
    monitor = Monitor(rooms, remeasure, patience_secs=0.5)
    for name in large:
        home_of(name)
        listed(name, servers=("",))
        write(name, actual_bytes=5, usage_files=10**7, started=NOW - 3 * HOUR)
    for number in range(20):
        home_of(f"small{number}")
        listed(f"small{number}")
        write(f"small{number}", actual_bytes=5, started=NOW - 3 * HOUR)
    await cycle(monitor, log_lines)
    small = [f"small{number}" for number in range(20)]
    await come_about(lambda: all(store.read(name).actual_bytes == 100 for name in small))
    workers.go_on.set()
    await come_about(lambda: all(store.read(name).actual_bytes == 100 for name in large))


async def test_a_home_that_still_waits_goes_after_one_that_matters_more(
    rooms, remeasure, listed, home_of, write, log_lines
):
    rooms.settings.measure_concurrency = 1
    monitor = Monitor(rooms, remeasure, patience_secs=0.2)
    workers = Hanging(remeasure, "first")
    for name in ("first", "idle"):
        home_of(name)
        listed(name)
        write(name, actual_bytes=5, started=NOW - 3 * HOUR)
    await cycle(monitor, log_lines)
    home_of("new")
    listed("new")
    await cycle(monitor, log_lines)
    assert workers.measured == ["first"]
    workers.go_on.set()
    await come_about(lambda: not monitor._names)
    assert workers.measured == ["first", "new", "idle"]
