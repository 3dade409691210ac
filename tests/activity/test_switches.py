"""The file of jobs that are switched off."""

import os
import threading

import pytest

from jupyterhub_efs_quota.activity.switches import Switches, switches_of
from jupyterhub_efs_quota.errors import BadRun, StoreError
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import NOW


@pytest.fixture
def file(tmp_path):
    return tmp_path / "switched-off.txt"


def turn_off(switches, name, **more):
    return switches.turn(name, on=False, by="admin", now=NOW, **more)


def turn_on(switches, name):
    return switches.turn(name, on=True, by="admin", now=NOW)


def test_a_name_on_a_line_switches_a_job_off_with_or_without_a_note(file):
    file.write_text("# monitor\n\nreaper\n  nightly backup   # the disk is changed\nc#\t# y\r\n")
    assert Switches(file).off() == {
        "reaper": "",
        "nightly backup": "the disk is changed",
        "c#": "y",
    }


def test_a_job_is_switched_off_for_all_machines_and_on_again(file):
    here, elsewhere = Switches(file), Switches(file)
    assert turn_off(here, "monitor", reason="the store\nmoves")
    assert elsewhere.off() == {"monitor": "by admin, 2026-11-22 12:00 UTC: the store moves"}
    assert not turn_off(elsewhere, "monitor")
    assert turn_on(elsewhere, "monitor")
    assert here.off() == {}
    assert not turn_on(here, "monitor")


def test_what_a_hand_has_written_stays(file):
    file.write_text("# ours\nreaper # why\nreaper\n\nbackup")
    assert turn_off(Switches(file), "monitor")
    assert file.read_text().startswith("# ours\nreaper # why\nreaper\n\nbackup\nmonitor  # by")
    assert turn_on(Switches(file), "reaper")
    assert file.read_text().startswith("# ours\n\nbackup\nmonitor  # by")


def test_a_file_that_is_missing_switches_nothing_off_and_is_told_if_somebody_named_it(
    file, log_lines
):
    assert Switches(file).off() == {}
    assert log_lines.said("WARN") == []
    named = Switches(file, expected=True)
    assert named.off() == named.off() == {}
    ((_, message),) = log_lines.said("WARN")
    assert str(file) in message
    assert "all jobs are on" in message


@pytest.mark.parametrize("kind", ["bytes", "large", "directory", "link", "pipe"])
def test_a_broken_file_switches_nothing_off_and_is_told_once(file, tmp_path, log_lines, kind):
    (tmp_path / "other").write_text("monitor\n")
    {
        "bytes": lambda: file.write_bytes(b"monitor\n\xff\n"),
        "large": lambda: file.write_text("monitor\n" * 10_000),
        "directory": file.mkdir,
        "link": lambda: file.symlink_to(tmp_path / "other"),
        "pipe": lambda: os.mkfifo(file),
    }[kind]()
    switches = Switches(file)
    assert switches.off() == switches.off() == {}
    ((_, message),) = log_lines.said("WARN")
    assert str(file) in message
    assert "all jobs are on" in message
    with pytest.raises(StoreError, match=str(file)):
        turn_off(switches, "reaper")


def test_a_line_that_is_no_name_is_told_with_its_number_and_the_others_hold(file, log_lines):
    file.write_text("monitor\n" + "x" * 300 + "\nreaper\n")
    assert set(Switches(file).off()) == {"monitor", "reaper"}
    ((_, message),) = log_lines.said("WARN")
    assert f"Line 2 of {file}" in message


def test_a_name_or_a_note_forges_no_line(file):
    switches = Switches(file)
    with pytest.raises(BadRun):
        turn_off(switches, "a\nmonitor")
    assert switches.turn("a", on=False, by="x\nreaper\u2028b", now=NOW, reason="\nmonitor")
    assert set(switches.off()) == {"a"}


def test_two_who_switch_at_once_both_do(file):
    names = [f"job{number}" for number in range(20)]
    threads = [threading.Thread(target=turn_off, args=(Switches(file), name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Switches(file).off()) == set(names)


def test_a_directory_that_is_missing_is_said(tmp_path):
    with pytest.raises(StoreError, match="nowhere.*is as it was|is as it was.*nowhere"):
        turn_off(Switches(tmp_path / "nowhere" / "x"), "monitor")


def test_the_file_lies_beside_the_control_files_unless_the_settings_say_otherwise(tmp_path):
    (tmp_path / "mine").write_text("reaper\n")
    settings = EFSQuota(quota_control=str(tmp_path))
    assert turn_off(switches_of(settings), "monitor")
    assert (tmp_path / "switched-off.txt").exists()
    settings.switched_off_file = str(tmp_path / "mine")
    assert set(switches_of(settings).off()) == {"reaper"}
