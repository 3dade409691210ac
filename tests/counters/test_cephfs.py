"""CephFS: its attributes, asked of a real mount, though of a stand-in."""

import os
import subprocess
import sys

import pytest

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.task import Ceiling, Task
from jupyterhub_efs_quota.measure.workers.worker import measure

from ..conftest import as_root, environment, fill, until
from ..uml import lacking
from .conftest import as_nobody

pytestmark = as_root


@pytest.fixture
def ceph(for_everybody):
    """A CephFS of which `source` is the inside: `ceph` is where it is mounted."""
    pytest.importorskip("mfusepy", exc_type=ImportError)
    if lacking({"fusermount3": "fuse3"}) or not os.path.exists("/dev/fuse"):
        pytest.skip("there is no FUSE here: apt-get install fuse3")
    source, point = for_everybody / "source", for_everybody / "ceph"
    (source / "alice").mkdir(parents=True)
    point.mkdir()
    for directory in (source, source / "alice", point):
        directory.chmod(0o755)
    program = os.path.join(os.path.dirname(__file__), "ceph.py")
    served = subprocess.Popen([sys.executable, program, source, point], env=environment())
    try:
        until(lambda: point.is_mount() or served.poll() is not None)
        assert served.poll() is None, "the stand-in did not start"
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=False)
        served.terminate()
        served.wait(10)


@pytest.fixture
def home(ceph):
    inside = ceph.parent / "source" / "alice"
    fill(inside / "folder", 5000)
    fill(inside, 700, "a\nname")
    (inside / "link").symlink_to("/etc/passwd")
    return ceph / "alice"


def count(home, meter="cephfs", **more):
    return measure(Task(str(home), 60, meter=meter, **more))


def test_the_sums_are_those_of_a_walk(home):
    usage, walked = count(home), count(home, "walk")
    assert (usage.bytes, usage.files, usage.dirs) == (5711, 3, 2)
    assert (usage.bytes, usage.files, usage.dirs) == (walked.bytes, walked.files, walked.dirs)
    assert (usage.meter, usage.allocated) == ("cephfs", None)
    assert usage.changed == home.stat().st_mtime


def test_auto_takes_them(home):
    assert count(home, "auto") == count(home)


def test_auto_takes_them_for_limits_on_files_and_walks_over_these(home):
    assert count(home, "auto", limit=Ceiling(10**9, files=3)).meter == "cephfs"
    assert count(home, "auto", limit=Ceiling(10**9, files=2)).meter == "walk"
    assert count(home, "auto", limit=Ceiling(5710)).meter == "walk"


def test_auto_walks_where_the_space_allocated_counts(home):
    usage = count(home, "auto", allocated=True)
    assert usage.meter == "walk"
    assert "size_basis is 'allocated'" in usage.why_walked


def test_who_is_not_root_is_told_the_sums_of_homes_that_they_may_list(home):
    inside = home.parent.parent / "source" / "alice"
    inside.chmod(0o755)
    assert as_nobody(home, "cephfs")["bytes"] == 5711
    inside.chmod(0o711)
    with pytest.raises(AssertionError, match="It cannot be read: the service needs to run as root"):
        as_nobody(home, "cephfs")


@pytest.mark.parametrize("sums", ["-5", "", "5.1", "5\n"])
def test_damaged_sums_are_no_figure(home, sums):
    (home.parent.parent / "ceph.dir.rbytes").write_text(sums)
    with pytest.raises(MeasureError, match="ceph.dir.rbytes"):
        count(home)
    assert count(home, "auto").meter == "walk"


def test_an_empty_home_is_empty_though_its_sums_lag(ceph):
    (ceph.parent / "ceph.dir.rbytes").write_text("5000")
    usage = count(ceph / "alice")
    assert usage.empty and usage.bytes == 0


def test_a_home_that_is_on_no_cephfs_is_not_mounted(tmp_path):
    with pytest.raises(MeasureError, match="not on ceph: is it mounted"):
        count(fill(tmp_path / "home", 5))
