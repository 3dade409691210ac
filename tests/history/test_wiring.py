"""The loops, the commands and the service put on record what they do."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.errors import HubUnreachable
from jupyterhub_efs_quota.history.opening import history_of, recorder_of
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.loops.counts import Counts
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.loops.reaper import Reaper
from jupyterhub_efs_quota.loops.record_run import recorded
from jupyterhub_efs_quota.quota.record import DEFAULT_QUOTA_BYTES, Record, State
from jupyterhub_efs_quota.remeasure import Remeasure

from ..conftest import NOW, run_python, until
from ..unit.conftest import a_user, hub  # noqa: F401
from ..unit.test_commands import run


@pytest.fixture
def history(start, sqlite_url):
    return start(sqlite_url)


@pytest.fixture
def rooms(rooms, history):
    return replace(rooms, history=history)


@pytest.fixture
async def remeasure(rooms, workers):
    return Remeasure(
        rooms.settings, rooms.store, workers, rooms.offload, rooms.clock, history=rooms.history
    )


def told(history):
    assert history.flush(), history.trouble
    return history


async def test_where_the_space_goes_is_kept_with_a_measurement(remeasure, home_of, write, history):
    home = home_of("homer", 500)
    (home / "table.csv").write_bytes(b"x" * 70)
    write("homer")
    await remeasure.measure("homer")
    _, summary = told(history).summary("homer")
    assert {folder.path: folder.sums.bytes for folder in summary.folders} == {"": 570}
    assert summary.types["tables"].bytes == 70
    assert summary.now == int(NOW.timestamp())


async def test_no_home_is_summed_up_for_nobody(rooms, workers, home_of, write):
    home_of("homer", 500)
    write("homer")
    asked = []

    class Meter:
        most = 1

        async def measure(self, task):
            asked.append(task.rules)
            return await workers.measure(task)

    remeasure = Remeasure(rooms.settings, rooms.store, Meter(), rooms.offload, rooms.clock)
    await remeasure.measure("homer")
    assert asked == [None]


async def test_a_monitor_cycle_is_a_run_with_what_it_counted_and_measured(
    rooms, remeasure, listed, home_of, history, write
):
    home_of("homer", 500)
    home_of("marge", 70)
    write("lisa", quota_enabled=False)
    home_of("lisa")
    home_of("broken")
    write("broken")
    rooms.store.path("broken").write_text("nonsense\n")
    for name in ("homer", "marge", "lisa", "broken", "homeless"):
        listed(name)
    await recorded(rooms, "Monitor", Monitor(rooms, remeasure))()
    (run,) = told(history).runs().rows
    assert (run.name, run.outcome, run.error) == ("monitor", "success", None)
    assert run.counts == {
        "users": 5, "measured": 2, "skipped": 2, "failed": 1, "bytes": 570, "files": 2,
    }  # fmt: skip
    assert history.latest("homer").counted == 500
    (point,) = history.series("marge", NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert (point.bytes, point.files) == (70, 1)
    # Whoever is listed is there, measured or not.
    assert [row.user for row in history.table().rows] == ["homer", "lisa", "marge"]


async def test_a_user_whom_the_hub_has_no_more_leaves_the_table_with_the_next_cycle(
    rooms, listed, home_of, write, history, hub_users
):
    for name in ("homer", "marge"):
        home_of(name)
        write(name, actual_bytes=1, started=NOW, stopped=NOW)
        listed(name)
    reaper = Reaper(rooms)
    await reaper.run_once()
    hub_users.users.pop()
    await reaper.run_once()
    assert [row.user for row in told(history).table().rows] == ["homer"]


async def test_a_reaper_cycle_records_the_lockout_and_each_server_that_it_stopped(
    rooms, listed, home_of, write, history
):
    home_of("homer")
    write("homer", quota_bytes=10, quota_source="hand", actual_bytes=99, started=NOW, stopped=NOW)
    listed("homer", servers=("", "gpu"))
    await recorded(rooms, "Reaper", Reaper(rooms))()
    told(history)
    (change,) = history.state_changes().rows
    assert (change.user, change.after, change.by) == ("homer", "lockout", "Reaper")
    actions = history.actions(kind="server-stopped").rows
    assert sorted(action.server for action in actions) == ["", "gpu"]
    assert "LOCKOUT" in actions[0].reason
    (run,) = history.runs().rows
    assert run.counts == {"users": 1, "judged": 1, "stopped": 2}


async def test_edits_of_a_control_file_by_hand_are_on_record_in_the_next_cycle(
    rooms, listed, home_of, write, history, store, clock
):
    home_of("homer")
    write("homer", actual_bytes=99, started=NOW, stopped=NOW)
    listed("homer")
    reaper = Reaper(rooms)
    for change in ({}, {"quota_bytes": 12345}, {"quota_enabled": False}, {}):
        with store.held("homer") as held:
            held.write(replace(held.read(), **change))
        await reaper.run_once()
        clock.forward(minutes=5)
    off, more = told(history).actions().rows
    assert [action.by for action in (more, off)] == ["an edit by hand"] * 2
    assert '"quota_bytes": 12345' in more.after
    assert '"enabled": false' in off.after


async def test_a_failed_cycle_is_a_run_that_failed_with_its_reason(rooms, history, hub_users):
    hub_users.failure = HubUnreachable("the hub does not answer")
    with pytest.raises(HubUnreachable):
        await recorded(rooms, "Reaper", Reaper(rooms))()
    (run,) = told(history).runs().rows
    assert (run.outcome, run.error) == ("failure", "HubUnreachable: the hub does not answer")


async def test_a_cycle_that_is_ended_in_the_middle_is_on_record_as_such(rooms, history):
    class Slow:
        counts = Counts()

        async def run_once(self):
            await asyncio.sleep(60)

    task = asyncio.create_task(recorded(rooms, "Monitor", Slow())())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (run,) = told(history).runs().rows
    assert (run.outcome, run.error) == ("failure", "It was ended in the middle.")


async def test_who_deleted_enough_has_that_measurement_and_the_change_on_record(
    rooms, remeasure, home_of, write, history
):
    home_of("homer", 100)
    record = write(
        "homer", quota_bytes=500, actual_bytes=900, quota_state=State.LOCKOUT,
        started=NOW, stopped=NOW,
    )  # fmt: skip
    history.judged(record, by="Reaper")
    rooms.clock.forward(hours=1)
    await remeasure.verify(record, 5.0)
    assert told(history).latest("homer").counted == 100
    change = history.state_changes().rows[0]
    assert (change.before, change.after, change.by) == ("lockout", "ok", "the spawn hook")


async def test_after_a_restart_a_broken_file_still_locks_whom_the_last_good_record_locks(
    rooms, start, sqlite_url, listed, home_of, write, hub_users
):
    home_of("homer")
    write("homer", quota_bytes=10, quota_source="hand", actual_bytes=99, started=NOW, stopped=NOW)
    listed("homer", servers=("",))
    await Reaper(rooms).run_once()
    told(rooms.history).close()
    rooms.store.path("homer").write_text("nonsense\n")
    hub_users.stopped.clear()

    board = Board()
    again = start(sqlite_url, remembered=board.remember)
    until(lambda: board.get("homer"))
    await Reaper(replace(rooms, board=board, history=again)).run_once()
    assert hub_users.stopped == [("homer", "")]


def test_what_a_loop_has_seen_is_not_replaced_by_what_is_remembered():
    board = Board()
    board.saw(HubUser("homer", servers=("",)), Record("homer", actual_bytes=5), by="Reaper")
    board.remember([Record("homer", actual_bytes=1), Record("marge", actual_bytes=2)])
    assert board.get("homer").record.actual_bytes == 5
    assert board.get("marge").record.actual_bytes == 2


async def test_a_command_records_its_run_and_a_dry_run_none(hub, efs, home_of, tmp_path):  # noqa: F811
    hub.users = [a_user("homer")]
    home_of("homer", 5000)
    file = tmp_path / "history.sqlite"
    flags = [
        "--once",
        f"--hub-url={hub.url.removesuffix('/hub/api')}",
        "--api-token=secret",
        f"--efs-quota-control={efs}/quota-control",
        f"--home-root={efs}/users",
        f"--EFSQuota.history_url=sqlite:///{file}",
    ]
    ran = await run("monitor", "--dry-run", *flags)
    assert (ran.code, file.exists()) == (0, False)
    ran = await run("monitor", *flags)
    assert ran.code == 0, ran
    ran = await run("reaper", *flags)
    assert ran.code == 0, ran
    with sqlite3.connect(file) as database:
        runs = database.execute("SELECT name, outcome FROM quota_runs ORDER BY id").fetchall()
        sizes = database.execute("SELECT bytes FROM quota_measurements").fetchall()
    assert runs == [("monitor", "success"), ("reaper", "success")]
    assert sizes == [(5000,)]


def test_a_command_makes_no_database_in_the_directory_that_it_happens_to_run_in(
    settings, clock, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert type(recorder_of(settings, clock)) is Recorder
    (tmp_path / "efs-quota.sqlite").touch()
    assert type(recorder_of(settings, clock)) is not Recorder


def test_what_waits_goes_beside_the_file_or_where_the_settings_say(
    settings, clock, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    def place():
        return history_of(settings, clock)._pending.path.parent, history_of(
            settings, clock
        )._pending.path.name.split(".")[0]

    assert place() == (tmp_path, "efs-quota")
    settings.history_url = "postgresql://u@h/d"
    assert place() == (tmp_path, "efs-quota-history")
    settings.history_waiting = "/elsewhere"
    assert str(place()[0]) == "/elsewhere"
    settings.history_url = ""
    assert history_of(settings, clock) is None


def test_the_settings_take_no_other_database():
    ran = run_python(
        "from traitlets.config import Config\n"
        "from jupyterhub_efs_quota.settings import resolve\n"
        "resolve(Config({'EFSQuota': {'history_url': 'mysql://host/db'}}))"
    )
    assert "history_url must be sqlite:///PATH or postgresql://" in ran.stderr


@pytest.mark.parametrize("loop", ["Monitor", "Reaper"])
async def test_each_loop_ends_a_quota_whose_time_has_passed_and_puts_it_on_record(
    loop, rooms, remeasure, listed, home_of, write, store, history
):
    home_of("homer")
    listed("homer")
    write(
        "homer",
        quota_bytes=7,
        quota_source="hand",
        quota_until=NOW,
        quota_reason="Thesis",
        actual_bytes=100,
        started=NOW,
        stopped=NOW,
    )
    await (Monitor(rooms, remeasure) if loop == "Monitor" else Reaper(rooms)).run_once()
    record = store.read("homer")
    assert (record.quota_bytes, record.quota_source) == (DEFAULT_QUOTA_BYTES, "default")
    assert (record.quota_until, record.quota_reason) == (None, None)
    actions = told(history).actions(user="homer").rows
    assert [(each.kind, each.by) for each in actions] == [("quota-changed", loop)]
    assert "has passed" in actions[0].reason
