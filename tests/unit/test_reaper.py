"""The reaper: who is judged how, with which lines, and whose servers are stopped."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.errors import HubError, HubUnreachable, StoreError
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.loops.reaper import Reaper
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.sizes import GIB

from ..conftest import NOW, as_root, fill_up, make_read_only, run_python
from .strategies import ODD_NAMES
from .test_monitor import BROKEN, looks

HOUR = timedelta(hours=1)


@pytest.fixture
def reaper(rooms):
    return Reaper(rooms)


async def cycle(reaper, log_lines):
    log_lines.clear()
    verdicts = await reaper.run_once()
    return [str(verdict) for verdict in verdicts], log_lines.said()


# Usage of a quota of 1000 bytes, and what follows.
LINES = {
    "ok": ({"actual_bytes": 100}, "INFO", "Quota for homer using     100 of    1000 bytes.  OK."),
    "nearing-limit": (
        {"actual_bytes": 901},
        "WARN",
        "User homer using     901 bytes nearing limit of    1000 bytes.  Fraction used: 0.901",
    ),
    "timed-out": (
        {"actual_bytes": 100, "timed_out": True},
        "WARN",
        "Quota measurement for user homer exceeded timeout 3600.0 secs."
        "  Usage unknown,  potentially high.",
    ),
    "violation": (
        {"actual_bytes": 5000, "lockout_enabled": False},
        "ERROR",
        "User homer is using    4.9K bytes exceeding quota    1000 bytes.  Lockout disabled.",
    ),
    "lockout": (
        {"actual_bytes": 5000},
        "CRITICAL",
        "User homer is using    4.9K bytes exceeding quota    1000 bytes.  LOCKOUT.",
    ),
}


@pytest.mark.parametrize("state", LINES)
async def test_each_state_has_its_line_with_all_fields(
    reaper, listed, home_of, write, store, log_lines, state
):
    fields, status, message = LINES[state]
    home_of("homer")
    write("homer", quota_bytes=1000, started=NOW, stopped=NOW, **fields)
    listed("homer")
    _, said = await cycle(reaper, log_lines)
    assert said == [(status, message)]
    (line,) = log_lines.lines
    assert line["subsystem"] == "Reaper"
    assert line["quota_state"] == state == store.read("homer").quota_state.value
    assert list(line)[:4] == ["user", "quota_bytes", "actual_bytes", "fraction_used"]
    assert line["reaper_time"] == "2026-11-22T12:00:00.000000"


async def test_every_running_server_of_a_locked_user_is_stopped(
    reaper, listed, home_of, write, hub_users, log_lines
):
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5)
    listed("homer", servers=("", "gpu"))
    _, said = await cycle(reaper, log_lines)
    assert said == [
        (
            "CRITICAL",
            "User homer is using       5 bytes exceeding quota       1 bytes.  LOCKOUT.",
        ),
        ("CRITICAL", "Deleting notebook server for homer"),
        ("CRITICAL", "Deleting notebook server for homer"),
    ]
    assert hub_users.stopped == [("homer", ""), ("homer", "gpu")]
    assert "user" not in log_lines.lines[1]


@pytest.mark.parametrize("state", LINES)
async def test_a_user_without_a_server_has_none_stopped(
    reaper, listed, home_of, write, hub_users, log_lines, state
):
    home_of("homer")
    write("homer", quota_bytes=1000, **LINES[state][0])
    listed("homer")
    assert (await cycle(reaper, log_lines))[0] == []
    assert hub_users.stopped == []
    assert all("Deleting" not in message for _, message in log_lines.said())


@pytest.mark.parametrize("state", [state for state in LINES if state != "lockout"])
async def test_only_a_lockout_stops_servers(
    reaper, listed, home_of, write, hub_users, log_lines, state
):
    home_of("homer")
    write("homer", quota_bytes=1000, **LINES[state][0])
    listed("homer", servers=("",))
    await cycle(reaper, log_lines)
    assert hub_users.stopped == []


async def test_a_hand_edit_acts_in_the_next_cycle(
    reaper, listed, home_of, write, store, hub_users, log_lines
):
    home_of("homer")
    write("homer", quota_bytes=1000, actual_bytes=500)
    listed("homer", servers=("",))
    await cycle(reaper, log_lines)
    path = store.path("homer")
    path.write_text(path.read_text().replace("\nquota_bytes: 1000\n", "\nquota_bytes: 10\n"))
    await cycle(reaper, log_lines)
    assert hub_users.stopped == [("homer", "")]
    assert store.read("homer").quota_source == "hand"
    path.write_text(path.read_text().replace("lockout_enabled: true", "lockout_enabled: false"))
    await cycle(reaper, log_lines)
    assert hub_users.stopped == [("homer", "")]
    assert store.read("homer").quota_state is State.VIOLATION


async def test_what_the_reaper_saw_is_recorded(
    reaper, listed, home_of, write, store, clock, log_lines
):
    home_of("homer")
    write("homer", actual_bytes=5, started=NOW - HOUR, stopped=NOW - HOUR)
    listed("homer", last_activity=NOW - timedelta(seconds=299))
    await cycle(reaper, log_lines)
    record = store.read("homer")
    assert (record.reaper_time, record.active_at_reap) == (NOW, 1)
    assert record.last_activity == NOW - timedelta(seconds=299)
    assert (record.started, record.stopped, record.actual_bytes) == (NOW - HOUR, NOW - HOUR, 5)
    clock.forward(seconds=1)
    await cycle(reaper, log_lines)
    assert store.read("homer").active_at_reap == 0


async def test_a_missing_home_is_said_with_one_blank_and_nothing_is_made(
    reaper, listed, efs, store, log_lines
):
    listed("homer")
    listed("never", last_activity=None)
    _, said = await cycle(reaper, log_lines)
    home = efs / "users"
    assert said == [
        ("WARN", f"User homer home dir {home}/homer does not exist. Skipping."),
        ("INFO", f"User never home dir {home}/never does not exist. Skipping."),
    ]
    assert os.listdir(store.root) == []


async def test_a_missing_file_is_said_and_nothing_is_made(
    reaper, listed, home_of, store, log_lines
):
    home_of("homer")
    home_of("never")
    listed("homer")
    listed("never", last_activity=None)
    _, said = await cycle(reaper, log_lines)
    path = "Quota file {} for user {} does not exist. Skipping."
    assert said == [
        ("WARN", path.format(store.path("homer"), "homer")),
        ("INFO", path.format(store.path("never"), "never")),
    ]
    assert os.listdir(store.root) == []


async def test_a_user_without_a_quota_is_exempt(
    reaper, listed, home_of, write, store, hub_users, log_lines
):
    home_of("homer")
    before = write("homer", quota_bytes=1, actual_bytes=5, quota_enabled=False)
    listed("homer", servers=("",))
    _, said = await cycle(reaper, log_lines)
    assert hub_users.stopped == []
    assert said == [("INFO", "Quota monitoring for user homer is disabled.  Skipping.")]
    assert store.read("homer") == before


async def test_administrators_keep_their_servers_if_the_settings_say_so(
    reaper, rooms, listed, home_of, write, hub_users, log_lines
):
    home_of("burns")
    write("burns", quota_bytes=1, actual_bytes=5)
    listed("burns", admin=True, servers=("",))
    await cycle(reaper, log_lines)
    assert hub_users.stopped == []
    rooms.settings.admins_exempt = False
    await cycle(reaper, log_lines)
    assert hub_users.stopped == [("burns", "")]


async def test_a_grace_time_passes_before_servers_are_stopped(
    reaper, rooms, listed, home_of, write, store, clock, hub_users, log_lines
):
    rooms.settings.grace_secs = 600
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5)
    listed("homer", servers=("",))
    for _ in range(2):
        await cycle(reaper, log_lines)
        assert store.read("homer").quota_state is State.VIOLATION
        clock.forward(seconds=300)
    assert hub_users.stopped == []
    await cycle(reaper, log_lines)
    assert store.read("homer").over_since == NOW
    assert hub_users.stopped == [("homer", "")]


async def test_a_clock_set_back_lifts_no_lockout(
    reaper, listed, home_of, write, store, clock, hub_users, log_lines
):
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5, started=NOW, stopped=NOW)
    listed("homer", servers=("",))
    for days in (0, -400, 800):
        clock.forward(days=days)
        await cycle(reaper, log_lines)
        assert store.read("homer").quota_state is State.LOCKOUT
    assert len(hub_users.stopped) == 3


async def test_a_server_that_cannot_be_stopped_does_not_stop_the_others_from_being(
    reaper, listed, home_of, write, hub_users, log_lines
):
    for name in ("bart", "homer"):
        home_of(name)
        write(name, quota_bytes=1, actual_bytes=5)
        listed(name, servers=("", "gpu"))
    hub_users.stop_failure = HubError("the hub answers 500")
    _, said = await cycle(reaper, log_lines)
    assert len(hub_users.stopped) == 4
    failures = [line for line in log_lines.lines if line["status"] == "ERROR"]
    assert [line["error.message"] for line in failures] == ["the hub answers 500"] * 4
    assert failures[0]["message"] == "EXCEPTION: Quota processing failed for user bart."


async def test_a_hub_that_is_down_ends_the_cycle(
    reaper, listed, home_of, write, hub_users, log_lines
):
    for name in ("bart", "homer"):
        home_of(name)
        write(name, quota_bytes=1, actual_bytes=5)
        listed(name, servers=("",))
    hub_users.stop_failure = HubUnreachable("the hub does not answer")
    with pytest.raises(HubUnreachable):
        await reaper.run_once()
    assert len(hub_users.stopped) == 1


async def test_users_of_pages_before_a_fault_are_reaped(
    reaper, listed, home_of, write, hub_users, log_lines
):
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5)
    listed("homer", servers=("",))
    hub_users.failure = HubError("nonsense")
    with pytest.raises(HubError):
        await reaper.run_once()
    assert hub_users.stopped == [("homer", "")]


async def test_users_of_all_pages_are_seen_once(
    reaper, listed, home_of, write, hub_users, log_lines
):
    hub_users.page_size = 7
    for number in range(30):
        home_of(f"u{number}")
        write(f"u{number}", quota_bytes=1, actual_bytes=5)
        listed(f"u{number}", servers=("",))
    await cycle(reaper, log_lines)
    assert sorted(hub_users.stopped) == sorted((f"u{number}", "") for number in range(30))


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_is_left_as_it_is_and_the_others_go_on(
    reaper, rooms, listed, home_of, write, store, hub_users, log_lines, spoil
):
    for name in ("bart", "homer", "lisa"):
        home_of(name)
        write(name, quota_bytes=1, actual_bytes=5)
        listed(name, servers=("",))
    spoil(store.path("homer"))
    before = looks(store.path("homer"))
    _, said = await cycle(reaper, log_lines)
    # Nothing was known of homer before the file broke.
    assert hub_users.stopped == [("bart", ""), ("lisa", "")]
    assert ("ERROR", "EXCEPTION: Quota processing failed for user homer.") in said
    assert looks(store.path("homer")) == before


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
async def test_a_file_that_breaks_unlocks_nobody(
    reaper, listed, home_of, write, store, hub_users, log_lines, spoil
):
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5)
    listed("homer", servers=("",))
    await cycle(reaper, log_lines)
    spoil(store.path("homer"))
    before = looks(store.path("homer"))
    _, said = await cycle(reaper, log_lines)
    assert hub_users.stopped == [("homer", ""), ("homer", "")]
    assert ("ERROR", "EXCEPTION: Quota processing failed for user homer.") in said
    assert looks(store.path("homer")) == before


async def test_a_file_that_breaks_locks_nobody_who_was_fine(
    reaper, listed, home_of, write, store, hub_users, log_lines
):
    home_of("homer")
    write("homer", quota_bytes=10, actual_bytes=5)
    listed("homer", servers=("",))
    await cycle(reaper, log_lines)
    store.path("homer").write_text("")
    await cycle(reaper, log_lines)
    assert hub_users.stopped == []


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_an_odd_name_is_reaped_or_told_and_the_others_go_on(
    reaper, listed, home_of, write, efs, hub_users, log_lines, name
):
    for each in (name, "lisa"):
        listed(each, servers=("",))
        try:
            home_of(each)
            write(each, quota_bytes=1, actual_bytes=5)
        except (OSError, StoreError):
            assert len(each) > 200
    before = sorted(os.listdir(efs))
    await cycle(reaper, log_lines)
    assert ("lisa", "") in hub_users.stopped
    assert ((name, "") in hub_users.stopped) is (len(name) < 200 or name == "x" * 255)
    assert sorted(os.listdir(efs)) == before


async def test_a_user_whose_file_is_locked_is_skipped_quietly(
    hasty, reaper, listed, home_of, write, store, hub_users, log_lines
):
    for name in ("homer", "lisa"):
        home_of(name)
        write(name, quota_bytes=1, actual_bytes=5)
        listed(name, servers=("",))
    with store.held("homer"):
        _, said = await cycle(reaper, log_lines)
    assert hub_users.stopped == [("lisa", "")]
    assert all("homer" not in message for _, message in said)
    skipped = ("DEBUG", "Skipping homer since it is already locked for monitoring.")
    assert skipped in log_lines.said("DEBUG")


async def test_a_long_measurement_does_not_delay_enforcement(
    reaper, listed, home_of, write, store, hub_users, log_lines
):
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5)
    listed("homer", servers=("",))
    with store.measuring("homer"):
        await cycle(reaper, log_lines)
    assert hub_users.stopped == [("homer", "")]


async def test_limits_of_the_settings_act_in_the_next_cycle(
    rooms, listed, home_of, write, store, hub_users, log_lines
):
    home_of("homer")
    write("homer", actual_bytes=5000)
    listed("homer", servers=("",), groups=("power",))
    rooms.settings.default_quota = "1K"
    rooms.settings.group_quotas = {"power": "1G"}
    await cycle(Reaper(rooms), log_lines)
    assert store.read("homer").quota_bytes == GIB
    hub_users.users = [replace(hub_users.users[0], groups=None)]
    await cycle(Reaper(rooms), log_lines)
    assert (store.read("homer").quota_bytes, hub_users.stopped) == (GIB, [])
    hub_users.users = [replace(hub_users.users[0], groups=())]
    await cycle(Reaper(rooms), log_lines)
    assert (store.read("homer").quota_bytes, hub_users.stopped) == (1024, [("homer", "")])


async def test_a_dry_run_says_what_would_be_stopped_and_does_nothing(
    rooms, listed, home_of, write, store, hub_users, log_lines
):
    home_of("homer")
    before = write("homer", quota_bytes=1, actual_bytes=5)
    listed("homer", servers=("", "gpu"))
    plans, _ = await cycle(Reaper(rooms, dry_run=True), log_lines)
    assert plans == ["stop the default server, 'gpu' of homer"]
    assert hub_users.stopped == []
    assert store.read("homer") == before


def test_a_decision_is_data_and_does_nothing(reaper, store):
    user = HubUser("homer", servers=("",), last_activity=NOW)
    verdict = reaper.decide(user, Record("homer", quota_bytes=1, actual_bytes=5))
    assert verdict.stop == ("",)
    assert verdict.record.quota_state is State.LOCKOUT
    assert verdict.record.active_at_reap == 1
    assert os.listdir(store.root) == []


@as_root
@pytest.mark.parametrize("disk", ["full", "read-only"])
async def test_enforcement_goes_on_while_the_control_disk_cannot_be_written(
    small_disk, reaper, listed, home_of, write, store, hub_users, log_lines, disk
):
    home_of("homer")
    write("homer", quota_bytes=1, actual_bytes=5)
    before = store.path("homer").read_bytes()
    listed("homer", servers=("",))
    if disk == "full":
        filler = fill_up(small_disk)
    else:
        make_read_only(small_disk)
    _, said = await cycle(reaper, log_lines)
    assert hub_users.stopped == [("homer", "")]
    assert ("ERROR", "EXCEPTION: Quota processing failed for user homer.") in said
    assert store.path("homer").read_bytes() == before

    if disk == "full":
        filler.unlink()
    else:
        make_read_only(small_disk, now=False)
    _, said = await cycle(reaper, log_lines)
    assert [status for status, _ in said] == ["CRITICAL", "CRITICAL"]
    assert store.read("homer").reaper_time == NOW
    assert sorted(os.listdir(store.directory("homer"))) == ["quota.lock", "quota.yaml"]


REAP_AS_NOBODY = """
import asyncio, os, sys
sys.path.insert(0, os.environ["PYTHONPATH"])
from datetime import datetime, timezone
from tests.conftest import ListedHub
from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.logs import start_logging
from jupyterhub_efs_quota.loops.cycle import Rooms
from jupyterhub_efs_quota.loops.reaper import Reaper
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.settings import EFSQuota
control, users = sys.argv[1:]
settings = EFSQuota(quota_control=control, home_root=users)
start_logging("console", "CRITICAL")
"x".encode("unicode_escape")
os.setgroups([]); os.setgid(65534); os.setuid(65534)
hub = ListedHub(HubUser("homer", servers=("",)), HubUser("lisa", servers=("",)))
clock = lambda: datetime(2026, 11, 22, tzinfo=timezone.utc)
rooms = Rooms(settings, hub, ControlStore(control), Offload(8), Board(), clock)
asyncio.run(Reaper(rooms).run_once())
print(hub.stopped)
"""


@as_root
async def test_who_may_only_read_the_control_files_enforces_all_the_same(
    for_everybody, efs, listed, home_of, write, store
):
    for name in ("homer", "lisa"):
        home_of(name)
        write(name, quota_bytes=1, actual_bytes=5)
    store.path("homer").chmod(0)
    ran = run_python(REAP_AS_NOBODY, store.root, efs / "users", cwd="/")
    assert "[('lisa', '')]" in ran.stdout, ran.stderr
