"""Open OnDemand's quota JSON: complete in every entry, and written whole or not at all."""

import json
import os
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.board import Row
from jupyterhub_efs_quota.directories import Directories
from jupyterhub_efs_quota.homes import Homes
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.loops.cycle import Rooms, make_rooms
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.loops.reaper import Reaper
from jupyterhub_efs_quota.openondemand import QuotaFile, dump, quota_file, quotas
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.quota.sizes import GIB

from ..conftest import NOW, as_root
from .strategies import records

GOLDEN = Path(__file__).parent / "open_on_demand.json"
DIRECTORIES = Directories(Homes("/efs/users", "{home_root}/{escaped_username}"))
HOUR_AGO = NOW - timedelta(hours=1)
MEASURED = {"actual_bytes": 5, "started": HOUR_AGO, "stopped": HOUR_AGO}
# What the reader asks of every entry; it drops all of a user's if one lacks any.
REQUIRED = {
    "user": str,
    "path": str,
    "block_limit": int,
    "total_block_usage": int,
    "file_limit": int,
    "total_file_usage": int,
}


def row(record):
    return Row(HubUser(record.user), record)


def document(*some, now=NOW):
    return json.loads(dump(quotas([row(record) for record in some], DIRECTORIES, now)))


def entry(**fields):
    (one,) = document(Record("alice", **{**MEASURED, **fields}))["quotas"]
    return one


def test_the_document_is_the_one_that_is_on_file():
    alice = Record(
        "alice",
        **{**MEASURED, "actual_bytes": 5 * GIB + 1},
        quota_bytes=10 * GIB,
        usage_files=12,
        quota_files=1000,
    )
    exempt = Record("exempt", **MEASURED, usage_files=5, quota_files=2, quota_enabled=False)
    homer = Record("homer@stsci.edu", **{**MEASURED, "actual_bytes": 0}, quota_bytes=0)
    rows = [row(record) for record in (alice, exempt, homer, Record("never-measured"))]
    rows.append(Row(HubUser("new"), None))
    assert dump(quotas(rows, DIRECTORIES, NOW)).decode() == GOLDEN.read_text()


@given(st.lists(records, max_size=10))
def test_every_entry_is_complete_and_none_is_null_whatever_is_on_record(some):
    made = document(*some)
    assert (made["version"], made["timestamp"]) == (1, int(NOW.timestamp()))
    for one in made["quotas"]:
        for name, kind in REQUIRED.items():
            assert type(one[name]) is kind, name
        assert all(one[name] >= 0 for name, kind in REQUIRED.items() if kind is int)
        shared = [other["path"] for other in made["quotas"]].count(one["path"]) > 1
        assert one["type"] == "fileset" or not shared
        json.dumps(one, ensure_ascii=False).encode()


@given(st.lists(records, max_size=10))
def test_every_user_who_was_measured_is_in_it_once_and_nobody_else(some):
    listed = [one["user"] for one in document(*some)["quotas"]]
    readable = [r.user for r in some if r.measured and not any(map(surrogate, r.user))]
    assert listed == readable


def surrogate(character):
    return "\ud800" <= character <= "\udfff"


@given(records.filter(lambda record: record.measured and record.quota_enabled))
def test_a_limit_is_never_none_and_who_is_within_it_is_shown_within_it(record):
    for one in document(record)["quotas"]:
        assert one["block_limit"] > 0, "0 would be no limit at all"
        if record.actual_bytes <= record.quota_bytes:
            assert one["total_block_usage"] <= one["block_limit"]
        else:
            assert one["total_block_usage"] >= one["block_limit"]
        assert abs(one["total_block_usage"] * 1024 - record.actual_bytes) < 1024


@given(records.filter(lambda record: not record.quota_enabled))
def test_a_user_without_a_quota_has_no_limit(record):
    for one in document(record)["quotas"]:
        assert (one["block_limit"], one["file_limit"]) == (0, 0)


def test_a_limit_on_files_that_nobody_counted_is_not_held_against_a_usage_of_none():
    one = entry(usage_files=None, quota_files=10)
    assert (one["file_limit"], one["total_file_usage"]) == (0, 0)
    assert entry(usage_files=3, quota_files=10)["file_limit"] == 10
    assert entry(usage_files=3)["file_limit"] == 0


def test_the_figures_are_as_old_as_the_measurement_not_as_the_file():
    assert entry()["timestamp"] == HOUR_AGO.timestamp()


def team(user):
    return "/efs/users/team" if user in ("alice", "bob") else f"/efs/users/{user}"


def test_a_directory_that_is_the_home_of_several_users_is_a_fileset_for_each_of_them():
    shared = Directories(Homes("/efs/users", team))
    rows = [row(Record(name, **MEASURED, usage_files=3)) for name in ("alice", "bob", "carol")]
    alice, bob, carol = quotas(rows, shared, NOW)["quotas"]
    assert (alice["type"], alice["path"]) == ("fileset", "/efs/users/team")
    assert {**alice, "user": "bob"} == bob
    # What is each one's own part is not known: all of it counts for the quota of each.
    assert (alice["block_usage"], alice["file_usage"]) == (1, 3)
    assert all(type(alice[name]) is kind for name, kind in REQUIRED.items())
    assert carol["type"] == "user" and "block_usage" not in carol


def test_a_shared_home_is_one_for_a_token_that_sees_one_of_its_users_only():
    shared = Directories(Homes("/efs/users", team))
    # bob was never measured, and has the home all the same.
    rows = [row(Record("alice", **MEASURED)), row(Record("bob"))]
    (one,) = quotas(rows[:1], shared, NOW, among=rows)["quotas"]
    assert (one["user"], one["type"]) == ("alice", "fileset")
    (one,) = quotas(rows[:1], shared, NOW)["quotas"]
    assert one["type"] == "user"


def test_a_name_that_is_no_text_does_not_cost_the_others_their_figures():
    made = document(Record("\ud800", **MEASURED), Record("bob", **MEASURED))
    assert [one["user"] for one in made["quotas"]] == ["bob"]


# --- The file ----------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    return QuotaFile(tmp_path / "quota.json", 0o644, DIRECTORIES)


def test_the_file_has_the_mode_that_is_set_and_nothing_is_left_beside_it(tmp_path, file):
    before = os.umask(0o077)
    try:
        file.write([], NOW)
    finally:
        os.umask(before)
    path = tmp_path / "quota.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    QuotaFile(path, 0o600, DIRECTORIES).write([], NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["quota.json"]


def test_who_reads_while_it_is_written_finds_a_whole_file(tmp_path, file):
    rows = [row(Record(f"user{n}", **MEASURED)) for n in range(300)]
    file.write(rows, NOW)
    done, seen = threading.Event(), 0

    def write():
        for _ in range(30):
            file.write(rows, NOW)
        done.set()

    writing = threading.Thread(target=write)
    writing.start()
    while not done.is_set() or seen < 2:
        made = json.loads((tmp_path / "quota.json").read_text())
        assert len(made["quotas"]) == 300
        seen += 1
    writing.join()


def test_a_link_at_its_place_is_replaced_and_not_written_through(tmp_path, file):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "quota.json").symlink_to(tmp_path / "precious")
    file.write([], NOW)
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "quota.json").is_symlink()


def test_a_directory_that_is_missing_is_said_once_and_what_is_wrong_ends_with_it(
    tmp_path, log_lines
):
    file = QuotaFile(tmp_path / "later" / "quota.json", 0o644, DIRECTORIES)
    for _ in range(3):
        file.write([], NOW)
    (said,) = log_lines.said("ERROR")
    assert "later/quota.json is not written" in said[1]
    assert file.trouble == said[1]
    (tmp_path / "later").mkdir()
    file.write([], NOW)
    assert file.trouble is None


@as_root
def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(small_disk, efs):
    path = small_disk / "quota.json"
    file = QuotaFile(path, 0o644, DIRECTORIES)
    file.write([row(Record("alice", **MEASURED))], NOW)
    before = path.read_bytes()
    file.write([row(Record(f"user{n}", **MEASURED)) for n in range(1000)], NOW)
    assert path.read_bytes() == before
    assert "No space" in file.trouble
    assert os.listdir(small_disk) == ["quota.json"]


# --- The loops ---------------------------------------------------------------------------


@pytest.fixture
def publishing(rooms, tmp_path):
    rooms.settings.ood_quota_file = str(tmp_path / "quota.json")
    return Rooms(
        **{**vars(rooms), "quota_file": quota_file(rooms.settings)},
    )


def published(rooms):
    made = json.loads(Path(rooms.settings.ood_quota_file).read_text())
    return {one["user"]: one["total_block_usage"] for one in made["quotas"]}


async def test_each_cycle_of_the_monitor_writes_the_file(publishing, remeasure, home_of, listed):
    home_of("alice", 5000)
    listed("alice")
    await Monitor(publishing, remeasure).run_once()
    assert published(publishing) == {"alice": 5}


async def test_each_cycle_of_the_reaper_writes_the_file_and_a_dry_run_does_not(
    publishing, write, home_of, listed
):
    home_of("alice")
    listed("alice")
    write("alice", **MEASURED)
    await Reaper(publishing, dry_run=True).run_once()
    assert not Path(publishing.settings.ood_quota_file).exists()
    await Reaper(publishing).run_once()
    assert published(publishing) == {"alice": 1}


async def test_a_file_that_cannot_be_written_fails_no_cycle(publishing, home_of, listed, write):
    Path(publishing.settings.ood_quota_file).mkdir()
    home_of("alice")
    listed("alice", servers=("",))
    write("alice", quota_bytes=10, quota_source="hand", actual_bytes=100)
    await Reaper(publishing).run_once()
    assert publishing.hub.stopped == [("alice", "")]
    assert "is not written" in publishing.quota_file.trouble


async def test_a_disk_that_hangs_holds_up_a_cycle_for_a_while_only(
    publishing, home_of, listed, write, monkeypatch, log_lines
):
    import time

    monkeypatch.setattr("jupyterhub_efs_quota.loops.cycle._PUBLISH_SECS", 0.05)
    monkeypatch.setattr(publishing.quota_file, "write", lambda *given: time.sleep(2))
    began = time.monotonic()
    await Reaper(publishing).run_once()
    assert time.monotonic() - began < 1.5
    assert "Open OnDemand are not written" in log_lines.said("ERROR")[0][1]


def test_without_the_setting_nothing_is_written(settings):
    assert make_rooms(settings, None).quota_file is None
