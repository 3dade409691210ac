"""ZFS: what `zfs get` prints, and homes on a real pool of zfs-fuse, where that is installed."""

import os
import subprocess
import time

import pytest

from jupyterhub_efs_quota.errors import CannotCount, MeasureError
from jupyterhub_efs_quota.measure.counters.zfs import parse_property
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.workers.worker import measure

from ..conftest import as_root
from ..uml import lacking

MIB = 2**20


def test_a_property_is_read_in_bytes():
    assert parse_property("referenced\t5365760\n", "referenced") == 5365760
    assert parse_property("userused@1000\t17408\n", "userused@1000") == 17408


@pytest.mark.parametrize(
    "output",
    ["", "referenced\t-\n", "referenced\tnone\n", "used\t5\n", "referenced\t5.1M\n"],
)
def test_what_is_no_number_of_bytes_is_no_figure(output):
    with pytest.raises(CannotCount, match="zfs tells no referenced"):
        parse_property(output, "referenced")


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """A pool with the dataset `homes`, mounted; by zfs-fuse, since kernels here have no ZFS."""
    if os.geteuid() or lacking({"zfs-fuse": "zfs-fuse"}) or not os.path.exists("/dev/fuse"):
        pytest.skip("zfs-fuse is not installed: as root, apt-get install zfs-fuse")
    if subprocess.run(["pidof", "zfs-fuse"], capture_output=True).returncode == 0:
        pytest.skip("another zfs-fuse is running")
    place = tmp_path_factory.mktemp("zfs")
    with (place / "disk").open("wb") as file:
        file.truncate(128 * MIB)
    served = subprocess.Popen(["zfs-fuse", "--no-daemon"], stderr=subprocess.DEVNULL)
    name = f"efsquota{os.getpid()}"
    try:
        end = time.monotonic() + 20
        while not ran("zpool", "create", "-m", place / "pool", name, place / "disk"):
            assert time.monotonic() < end, "the pool was not made"
            time.sleep(0.3)
        assert ran("zfs", "create", f"{name}/homes")
        yield place / "pool" / "homes"
        ran("zpool", "destroy", "-f", name)
    finally:
        served.terminate()
        served.wait(20)


def ran(*command):
    command = [str(part) for part in command]
    return subprocess.run(command, capture_output=True, timeout=30).returncode == 0


def dataset_of(path):
    """The dataset below the pool's own mount point."""
    return f"efsquota{os.getpid()}/{path.relative_to(path.parents[1])}"


def fill(home):
    (home / "data").write_bytes(os.urandom(3 * MIB))
    commit()


def commit():
    """Have the figures follow: a snapshot waits for the transaction group that is open."""
    snapshot = f"efsquota{os.getpid()}@now"
    assert ran("zfs", "snapshot", "-r", snapshot)
    assert ran("zfs", "destroy", "-r", snapshot)


def count(home, meter):
    return measure(Task(str(home), 60, meter=meter, allocated=True))


@as_root
def test_a_dataset_is_counted_by_zfs_itself(pool):
    home = pool / "alice"
    assert ran("zfs", "create", dataset_of(home))
    fill(home)
    usage = count(home, "zfs")
    assert usage.meter == "zfs"
    assert 3 * MIB <= usage.allocated < 4 * MIB
    assert usage.changed == home.stat().st_mtime
    assert count(home, "auto") == usage


@as_root
def test_a_home_within_a_dataset_is_not_counted_with_the_rest(pool):
    home = pool / "bob"
    home.mkdir()
    (home / "data").write_bytes(b"x")
    with pytest.raises(MeasureError, match="no dataset of its own"):
        count(home, "zfs")
    assert count(home, "auto").meter == "walk"


@as_root
def test_a_home_whose_dataset_is_not_mounted_is_no_empty_dataset(pool):
    home = pool / "carol"
    assert ran("zfs", "create", dataset_of(home))
    fill(home)
    assert ran("zfs", "umount", dataset_of(home))
    usage = count(home, "zfs")
    assert usage.empty and usage.changed == home.stat().st_mtime


@as_root
def test_an_owners_files_are_counted_for_the_owner(pool):
    home = pool / "dora"
    home.mkdir()
    fill(home)
    for path in (home, home / "data"):
        os.chown(path, 1234, 1234)
    commit()
    usage = count(home, "zfs-user")
    assert usage.meter == "zfs-user"
    assert 3 * MIB <= usage.allocated < 4 * MIB
    assert count(home, "auto").meter == "walk"
