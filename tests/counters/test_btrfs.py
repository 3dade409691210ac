"""Btrfs quota groups, for real, on a loop device in this kernel."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.task import Ceiling, Task
from jupyterhub_efs_quota.measure.workers.worker import measure

from ..conftest import as_root
from ..uml import lacking
from .conftest import as_nobody

MIB = 2**20
pytestmark = as_root


def run(*command, check=True):
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if check and ran.returncode:
        raise AssertionError(f"{command}: {ran.stderr}")
    return ran


@pytest.fixture(scope="module")
def btrfs():
    """A btrfs with quotas, mounted where anybody may go."""
    if lacking({"mkfs.btrfs": "btrfs-progs"}):
        pytest.skip("mkfs.btrfs is missing: apt-get install btrfs-progs")
    place = Path(tempfile.mkdtemp(prefix="efs-quota-"))
    place.chmod(0o755)
    image, point = place / "image", place / "a mount\nwith an odd name"
    with image.open("wb") as file:
        file.truncate(300 * MIB)
    run("mkfs.btrfs", "-q", image)
    point.mkdir()
    mounted = run("mount", "-o", "loop", image, point, check=False)
    if mounted.returncode:
        shutil.rmtree(place)
        pytest.skip(f"btrfs cannot be mounted here: {mounted.stderr}")
    point.chmod(0o755)
    try:
        run("btrfs", "quota", "enable", point)
        yield point
    finally:
        run("umount", "--lazy", point)
        shutil.rmtree(place)


@pytest.fixture
def home(btrfs, request):
    """A home that is a subvolume, with 5 MiB in it."""
    home = btrfs / request.node.name[:40]
    run("btrfs", "subvolume", "create", home)
    (home / "folder").mkdir()
    (home / "folder" / "data").write_bytes(os.urandom(5 * MIB))
    commit(btrfs)
    return home


def commit(point):
    run("btrfs", "filesystem", "sync", point)


def count(home, meter="btrfs", **more):
    return measure(Task(str(home), 60, meter=meter, allocated=True, **more))


def shown(btrfs, home):
    """What `btrfs qgroup show` says that the home's quota group refers to."""
    number = run("btrfs", "inspect-internal", "rootid", home).stdout.strip()
    for line in run("btrfs", "qgroup", "show", "--raw", btrfs).stdout.splitlines():
        if line.startswith(f"0/{number} "):
            return int(line.split()[1])
    raise AssertionError("no such quota group")


def test_a_subvolume_is_counted_as_btrfs_itself_shows_it(btrfs, home):
    usage = count(home)
    assert usage.allocated == shown(btrfs, home) >= 5 * MIB
    assert (usage.meter, usage.bytes, usage.files) == ("btrfs", None, None)
    assert usage.changed == home.stat().st_mtime


def test_auto_takes_the_quota_group(home):
    assert count(home, "auto") == count(home)


def test_what_was_deleted_a_moment_ago_is_gone_for_one_who_waits_at_the_door(home):
    (home / "folder" / "data").unlink()
    assert count(home).allocated >= 5 * MIB
    assert count(home, ceiling=Ceiling(1000, allocated=True)).allocated < MIB


def test_an_emptied_subvolume_is_empty(home):
    (home / "folder" / "data").unlink()
    (home / "folder").rmdir()
    usage = count(home)
    assert usage.empty and usage.allocated == 0


def test_a_directory_that_is_no_subvolume_is_not_counted_with_the_rest(btrfs):
    plain = btrfs / "plain"
    plain.mkdir()
    (plain / "data").write_bytes(b"x" * 5000)
    with pytest.raises(MeasureError, match="btrfs subvolume create"):
        count(plain)
    assert count(plain, "auto").meter == "walk"


def test_subvolumes_inside_are_not_left_out_without_a_word(home):
    run("btrfs", "subvolume", "create", home / "hidden")
    with pytest.raises(MeasureError, match="subvolumes of its own"):
        count(home)
    run("btrfs", "subvolume", "delete", home / "hidden")
    assert count(home).meter == "btrfs"


def test_who_is_not_root_is_told_so_and_walks(home):
    usage = as_nobody(home, "auto", allocated=True)
    assert (usage["meter"], usage["allocated"]) == ("walk", 5 * MIB)
    assert "Only root with CAP_SYS_ADMIN" in usage["why_walked"]


def test_quota_groups_that_are_out_of_step_are_not_believed(btrfs, home):
    # What is shared with a snapshot cannot be added to a group above but by counting again.
    run("btrfs", "subvolume", "snapshot", home, btrfs / "snapshot")
    number = run("btrfs", "inspect-internal", "rootid", home).stdout.strip()
    run("btrfs", "qgroup", "create", "1/100", btrfs)
    run("btrfs", "qgroup", "assign", "--no-rescan", f"0/{number}", "1/100", btrfs, check=False)
    commit(btrfs)
    try:
        with pytest.raises(MeasureError, match="btrfs quota rescan"):
            count(home)
        assert count(home, "auto").meter == "walk"
    finally:
        run("btrfs", "quota", "rescan", "-w", btrfs)
    assert count(home).allocated == shown(btrfs, home)


def test_a_file_system_without_quotas_is_named_as_such(btrfs, home):
    run("btrfs", "quota", "disable", btrfs)
    try:
        with pytest.raises(MeasureError, match="btrfs quota enable"):
            count(home)
    finally:
        run("btrfs", "quota", "enable", btrfs)
        run("btrfs", "quota", "rescan", "-w", btrfs)
