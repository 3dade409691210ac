"""Lustre: what `lfs quota` prints, in the forms that its versions have, and how it is asked."""

import os
import stat
import struct

import pytest

from jupyterhub_efs_quota.errors import CannotCount
from jupyterhub_efs_quota.measure.counters import lustre, project_id
from jupyterhub_efs_quota.measure.counters.lustre import Lustre, LustreUser, parse_quota
from jupyterhub_efs_quota.measure.counters.open_home import Mount, OpenHome

PLAIN = "    /lustre    1234       0  2048000       -      87       0       0       -\n"
WITH_HEAD = """\
Disk quotas for prj 200020 (pid 200020):
     Filesystem  kbytes   quota   limit   grace   files   quota   limit   grace
    /lustre    1234       0  2048000       -      87       0       0       -
"""
# 2.16 renamed the columns.
NEW_HEAD = """\
Disk quotas for prj 100010 (pid 100010):
     Filesystem  kbytes  bquota  blimit  bgrace   files  iquota  ilimit  igrace
    /lustre    1234       0  2048000       -      87       0       0       -
"""
DEFAULTS = (
    PLAIN
    + """\
pid 200020 is using default block quota setting
pid 200020 is using default file quota setting
"""
)
OVER = "        /lustre   1234*   1000   2048 6d23h59m58s      87*     50     100 expired\n"
WRAPPED = """\
/mnt/storage_5/scratch
                1234       0 1073741824       -   13540       0       0       -
pid 10041402 is using default file quota setting
"""


@pytest.mark.parametrize(
    ("output", "point"),
    [
        (PLAIN, "/lustre"),
        (WITH_HEAD, "/lustre"),
        (NEW_HEAD, "/lustre"),
        (DEFAULTS, "/lustre"),
        (OVER, "/lustre"),
        (WRAPPED, "/mnt/storage_5/scratch"),
        (PLAIN.replace("/lustre", "/a (b) 12 34"), "/a (b) 12 34"),
    ],
)
def test_the_kibibytes_used_are_read_from_every_form(output, point):
    assert parse_quota(output, point) == 1234 * 1024


@pytest.mark.parametrize(
    "output",
    [
        PLAIN.replace("1234", "[1234]"),
        "Some errors happened when getting quota info. Some devices may be not working or"
        ' deactivated. The data in "[]" is inaccurate.\n' + PLAIN.replace("1234", "[1234]*"),
    ],
)
def test_a_figure_that_lacks_a_server_is_none(output):
    with pytest.raises(CannotCount, match="some servers do not answer"):
        parse_quota(output, "/lustre")


@pytest.mark.parametrize(
    "output",
    ["", "/lustre\n", "pid 1 is using default block quota setting\n", "/lustre 1234 0 0 -\n"]
    + [PLAIN.replace("/lustre", "/lustre2"), PLAIN.replace("1234", "1.2G 5")],
)
def test_what_is_no_row_of_this_mount_is_no_figure(output):
    with pytest.raises(CannotCount, match="prints no figures"):
        parse_quota(output, "/lustre")


@pytest.fixture
def on_lustre(tmp_path):
    """A home of a user of its own, as if it were on a Lustre mount."""
    path = tmp_path / "homes" / "alice"
    path.mkdir(parents=True)
    handle = os.open(path, os.O_PATH)
    found = os.fstat(handle)
    mount = Mount("lustre", "10.0.0.1@tcp:/scratch", "/lustre", "/")
    yield OpenHome(str(path), handle, mount, found.st_dev, found.st_ino, 1234, 0.0)
    os.close(handle)


@pytest.fixture
def with_project(monkeypatch):
    """Every directory has the project that its mode tells: this disk knows no projects."""

    def ioctl(handle, what, argument):
        assert what == 0x801C581F and len(argument) == 28
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        return struct.pack("5I8x", 0x200, 0, 0, 0 if mode == 0o755 else mode, 0)

    monkeypatch.setattr(project_id.fcntl, "ioctl", ioctl)


def test_the_project_is_asked_for_without_a_shell_or_a_language(on_lustre, with_project, program):
    os.chmod(on_lustre.path, 0o700)
    os.chmod(os.path.dirname(on_lustre.path), 0o755)
    told = program("lfs", f"cat <<'END'\n{DEFAULTS}END")
    usage = Lustre().count(on_lustre, secs=10, fresh=False)
    assert usage.allocated == 1234 * 1024
    assert usage.bytes is None and usage.files is None
    expected = ["C", "quota", "-q", "-p", str(0o700), "--", "/lustre"]
    assert told.read_text().splitlines() == expected


def test_a_project_of_the_neighbours_is_not_asked_for(on_lustre, with_project, program):
    os.chmod(on_lustre.path, 0o700)
    parent = os.path.dirname(on_lustre.path)
    os.chmod(parent, 0o755)
    os.mkdir(os.path.join(parent, "bob"), 0o700)
    told = program("lfs", "exit 0")
    with pytest.raises(CannotCount, match="Other homes"):
        Lustre().count(on_lustre, secs=10, fresh=False)
    assert not told.exists()


def test_the_owner_is_asked_for(on_lustre, program):
    told = program("lfs", f"cat <<'END'\n{PLAIN}END")
    assert LustreUser().count(on_lustre, secs=10, fresh=False).allocated == 1234 * 1024
    assert told.read_text().splitlines()[3:5] == ["-u", "1234"]


def test_an_owner_of_all_homes_is_not_asked_for(on_lustre, program, monkeypatch):
    program("lfs", "exit 1")
    neighbour = os.path.join(os.path.dirname(on_lustre.path), "bob")
    os.mkdir(neighbour)
    shared = OpenHome(**{**vars(on_lustre), "owner": os.stat(neighbour).st_uid or 0})
    with pytest.raises(CannotCount, match="root's|other homes too"):
        LustreUser().count(shared, secs=10, fresh=False)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'lfs quota: no such device' >&2; exit 19", "lfs failed: lfs quota: no such device"),
        ("exit 3", "lfs failed: 3"),
        ("exec sleep 30", "gave no answer within 0.2 seconds"),
    ],
)
def test_a_program_that_fails_or_hangs_is_no_figure(on_lustre, program, script, reason):
    program("lfs", script)
    with pytest.raises(CannotCount, match=reason):
        LustreUser().count(on_lustre, secs=0.2, fresh=False)


def test_a_machine_without_lfs_is_told(on_lustre, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotCount, match="lfs is not installed"):
        lustre.LustreUser().count(on_lustre, secs=10, fresh=False)
