"""What a measurement must show before it lowers a number: each a way to hide or to be wronged."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import walk
from jupyterhub_efs_quota.quota.judge import judge, record_usage
from jupyterhub_efs_quota.quota.messages import checked, reaped
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW

LATER = NOW + timedelta(hours=1)
LOCKED = Record(
    "homer",
    quota_bytes=1000,
    actual_bytes=5000,
    usage_files=3,
    quota_state=State.LOCKOUT,
    started=NOW,
    stopped=NOW,
)


def after(record, usage, **settings):
    measured = record_usage(record, usage, started=LATER, stopped=LATER, **settings)
    return judge(measured, LATER)


def empty(changed):
    return Usage(bytes=0, allocated=0, files=0, dirs=1, changed=changed.timestamp())


def test_a_user_who_deletes_the_last_file_is_let_in():
    usage = empty(changed=NOW + timedelta(minutes=1))
    assert after(LOCKED, usage).quota_state is State.OK


def test_a_home_that_is_not_mounted_unlocks_nobody():
    usage = empty(changed=NOW - timedelta(days=100))
    assert after(LOCKED, usage).quota_state is State.LOCKOUT


def test_a_home_really_emptied_says_when_that_was(tmp_path):
    (tmp_path / "data").write_bytes(b"x")
    before = walk(Task(str(tmp_path), 60)).changed
    (tmp_path / "data").unlink()
    usage = walk(Task(str(tmp_path), 60))
    assert usage.empty
    assert usage.changed == tmp_path.stat().st_mtime >= before


def test_a_folder_that_is_renamed_all_the_time_is_not_counted_for_nothing():
    usage = Usage(bytes=10, allocated=10, files=1, dirs=1, unreadable=1, vanished=1, lost_dirs=1)
    assert after(LOCKED, usage).actual_bytes == 5000
    assert after(LOCKED, replace(usage, lost_dirs=0)).actual_bytes == 10


def test_a_lower_bound_is_no_number_to_grandfather_by_nor_to_lose_it_by():
    new = replace(LOCKED, actual_bytes=-1, quota_source="default", quota_state=State.OK)
    timed_out = after(new, Usage(bytes=3000, files=1, timed_out=True), grandfather=True)
    assert timed_out.quota_state is State.TIMED_OUT
    whole = after(timed_out, Usage(bytes=9000, files=1, dirs=1), grandfather=True)
    assert (whole.quota_source, whole.quota_state) == ("grandfathered", State.OK)


def test_a_meter_without_a_number_of_files_lifts_no_lockout_by_files():
    record = replace(LOCKED, quota_bytes=10**9, quota_files=2)
    measured = after(record, Usage(bytes=5000, meter="du"))
    assert (measured.usage_files, measured.quota_state) == (3, State.LOCKOUT)


@pytest.mark.parametrize("say", [lambda record: checked(record), lambda record: reaped(record, 1)])
def test_a_lockout_by_files_speaks_of_files(say):
    record = judge(replace(LOCKED, quota_bytes=10**9, quota_files=2), LATER)
    _, message = say(record)
    assert "3 files" in message and "2 files" in message and "bytes" not in message
