"""What the doctor finds where users are to delete: homes that can be written, limbo beside them."""

import os
import subprocess
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyterhub_efs_quota.doctor.checks import CHECKS, deleting
from jupyterhub_efs_quota.doctor.checks.deleting import HOMES, LIMBO
from jupyterhub_efs_quota.doctor.finding import Status
from jupyterhub_efs_quota.doctor.place import Place
from jupyterhub_efs_quota.doctor.running import Running
from jupyterhub_efs_quota.freeing.limbo import Limbo
from jupyterhub_efs_quota.settings import resolve

from ..conftest import as_root, fill, make_read_only
from .test_doctor import apart, place  # noqa: F401


@pytest.fixture
def deletes(place, home_of):  # noqa: F811
    """A place where users are to delete, with a home."""
    home_of("alice")
    place.settings.allow_delete = True
    return place


def one(place, what):  # noqa: F811
    (finding,) = [finding for finding in deleting.look(place) if finding.what == what]
    return finding


def obey(place, finding):  # noqa: F811
    """Do what the line that mends it says."""
    config = Config()
    if not finding.mend.startswith("c."):
        subprocess.run(finding.mend, shell=True, check=True)
        return
    exec(finding.mend, {"c": config})
    for name in config.EFSQuota:
        setattr(place.settings, name, getattr(resolve(config), name))


def test_the_doctor_looks_at_it():
    assert deleting.look in {check.look for check in CHECKS}


def test_where_all_is_as_it_should_be_limbo_can_be_made_and_then_is_the_services(deletes, efs):
    assert [finding.status for finding in deleting.look(deletes)] == [Status.OK] * 2
    limbo = Limbo(deletes.settings.limbo_place())
    with limbo.drawer("alice"):
        pass
    assert one(deletes, LIMBO).status is Status.OK


@as_root
def test_homes_that_are_mounted_read_only_are_wrong_for_who_is_to_delete_and_right_for_others(
    deletes, tmpfs, efs
):
    tmpfs(efs / "users")
    fill(efs / "users" / "alice", 1)
    make_read_only(efs / "users")
    finding = one(deletes, HOMES)
    assert finding.status is Status.WRONG
    assert finding.mend == f"mount -o remount,rw {efs}/users"
    deletes.settings.allow_delete = False
    (finding,) = deleting.look(deletes)
    assert (finding.what, finding.status) == (HOMES, Status.OK)
    assert "mounted read-only, as is right" in finding.said
    deletes.settings.allow_delete = True
    obey(deletes, one(deletes, HOMES))
    assert one(deletes, HOMES).status is Status.OK


def test_homes_that_are_only_read_may_be_mounted_either_way(place):  # noqa: F811
    (finding,) = deleting.look(place)
    assert finding.status is Status.OK
    assert "only read" in finding.said


@as_root
def test_a_limbo_on_another_file_system_is_wrong_and_the_line_puts_it_where_the_homes_are(
    deletes, tmpfs, efs
):
    deletes.settings.limbo = str(tmpfs(efs / "other") / "limbo")
    finding = one(deletes, LIMBO)
    assert finding.status is Status.WRONG
    assert f"mounted at {efs}/other" in finding.said
    assert "can only delete for good" in finding.said
    obey(deletes, finding)
    assert deletes.settings.limbo_place() == efs / "users" / ".efs-quota-limbo"
    assert one(deletes, LIMBO).status is Status.OK


@as_root
def test_another_mount_of_the_same_file_system_is_another_place(deletes, efs):
    """A rename from one mount to another fails, though the device is the same."""
    seen = efs / "seen-again"
    seen.mkdir()
    subprocess.run(["mount", "--bind", str(efs), str(seen)], check=True)
    try:
        deletes.settings.limbo = str(seen / "limbo")
        (seen / "limbo").mkdir(mode=0o700)
        with pytest.raises(OSError, match="cross-device"):
            os.rename(efs / "users" / "alice" / "data", seen / "limbo" / "data")
        assert one(deletes, LIMBO).status is Status.WRONG
    finally:
        subprocess.run(["umount", str(seen)], check=True)


@as_root
def test_homes_below_a_mount_of_their_own_get_a_limbo_there(deletes, tmpfs, efs):
    disk = tmpfs(efs / "users" / "site")
    fill(disk / "alice", 1)
    deletes.settings.home_path = "{home_root}/site/{username}"
    finding = one(deletes, LIMBO)
    assert finding.status is Status.WRONG
    assert finding.mend == f'c.EFSQuota.limbo = "{disk}/.efs-quota-limbo"'
    obey(deletes, finding)
    assert one(deletes, LIMBO).status is Status.OK


@as_root
def test_where_each_home_is_a_file_system_there_is_no_limbo_and_the_line_does_without(
    deletes, tmpfs, efs
):
    for name in ("alice", "bob"):
        fill(tmpfs(efs / "users" / name), 1)
    finding = one(deletes, LIMBO)
    assert finding.status is Status.WRONG
    obey(deletes, finding)
    assert deletes.settings.limbo_share == 0
    finding = one(deletes, LIMBO)
    assert finding.status is Status.OK
    assert "all is deleted for good" in finding.said


def test_a_limbo_in_a_home_is_wrong(deletes, efs):
    deletes.settings.limbo = str(efs / "users" / "alice" / "limbo")
    finding = one(deletes, LIMBO)
    assert finding.status is Status.WRONG
    assert "lies in a home" in finding.said
    obey(deletes, finding)
    assert one(deletes, LIMBO).status is Status.OK


def test_a_limbo_whose_directory_is_missing_is_wrong(deletes, efs):
    deletes.settings.limbo = str(efs / "nowhere" / "limbo")
    finding = one(deletes, LIMBO)
    assert finding.status is Status.WRONG
    assert "No such file" in finding.said
    obey(deletes, finding)
    assert one(deletes, LIMBO).status is Status.OK


@pytest.mark.parametrize(
    "spoil", [lambda limbo: limbo.mkdir(mode=0o755), lambda limbo: limbo.symlink_to("/etc")]
)
def test_a_limbo_that_is_not_the_services_alone_is_wrong(deletes, efs, spoil):
    limbo = efs / "users" / ".efs-quota-limbo"
    spoil(limbo)
    assert one(deletes, LIMBO).status is Status.WRONG
    if not limbo.is_symlink():
        obey(deletes, one(deletes, LIMBO))
        assert one(deletes, LIMBO).status is Status.OK


@as_root
def test_a_service_that_is_another_than_the_homes_owners_is_told(deletes, efs):
    os.chown(efs / "users" / "alice", 12345, 12345)
    assert one(deletes, HOMES).status is Status.OK
    running = Running(1, 65534, Path("/"), {})
    finding = one(Place(settings=deletes.settings, running=running), HOMES)
    assert finding.status is Status.WRONG
    assert "belongs to 12345" in finding.said


def test_a_service_on_another_machine_is_looked_at_there(deletes):
    (finding,) = deleting.look(apart(deletes))
    assert finding.status is Status.NOT_LOOKED_AT
    deletes.settings.allow_delete = False
    assert list(deleting.look(apart(deletes))) == []
