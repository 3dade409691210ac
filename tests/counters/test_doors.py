"""Which meter measures: what is named is asked or fails, what is `auto` is asked or walked."""

import os

import pytest

from jupyterhub_efs_quota.errors import CannotCount, MeasureError
from jupyterhub_efs_quota.measure import counters
from jupyterhub_efs_quota.measure.counters.counter import Counter
from jupyterhub_efs_quota.measure.counters.open_home import Mount, mount_of, open_home, parse_mount
from jupyterhub_efs_quota.measure.meters import COUNTERS, METERS
from jupyterhub_efs_quota.measure.task import Ceiling, Task
from jupyterhub_efs_quota.measure.workers.worker import measure
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import as_root, fill


class Fake(Counter):
    """Stands in for the counter of CephFS, on whatever mount this is."""

    name = "cephfs"

    def __init__(self, kind, answer):
        self.kinds = (kind,)
        self.answer = answer
        self.asked = []

    def count(self, home, *, secs, fresh):
        self.asked.append((home.path, secs, fresh))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def home(tmp_path):
    return fill(tmp_path / "home", 1000)


@pytest.fixture
def counter(home, monkeypatch):
    """Have a counter in this mount's place: `counter(answer)`."""
    with open_home(str(home)) as opened:
        kind = opened.mount.kind

    def put(answer):
        fake = Fake(kind, answer)
        monkeypatch.setattr(counters, "_COUNTERS", (fake,))
        return fake

    return put


def count(home, meter, **more):
    return measure(Task(str(home), 60, meter=meter, **more))


def test_every_counter_that_the_settings_offer_is_there():
    assert [counter.name for counter in counters._COUNTERS] == list(COUNTERS)
    assert {"walk", "auto", "du", *COUNTERS} == set(METERS)


def test_the_answer_of_a_counter_is_taken(home, counter):
    fake = counter(Usage(bytes=7, files=1, dirs=1))
    for meter in ("cephfs", "auto"):
        usage = count(home, meter)
        assert (usage.bytes, usage.meter, usage.why_walked) == (7, "cephfs", "")
        assert usage.changed == home.stat().st_mtime
    assert fake.asked == [(str(home), 30, False)] * 2


def test_who_waits_at_the_door_gets_a_fresh_answer_in_half_the_time(home, counter):
    fake = counter(Usage(bytes=7, files=1, dirs=1))
    task = Task(str(home), 3.0, meter="auto", ceiling=Ceiling(5), limit=Ceiling(9))
    assert measure(task).meter == "cephfs"
    assert fake.asked == [(str(home), 1.5, True)]


@pytest.mark.parametrize("error", [CannotCount("It is broken."), OSError(5, "Input/output error")])
def test_a_counter_that_fails_fails_by_name_and_is_walked_by_auto(home, counter, error):
    counter(error)
    with pytest.raises(MeasureError, match="meter = 'cephfs' cannot count .*home.*meter = 'auto'"):
        count(home, "cephfs")
    usage = count(home, "auto")
    assert (usage.meter, usage.bytes) == ("walk", 1000)
    assert "broken" in usage.why_walked or "Input/output error" in usage.why_walked


@pytest.mark.parametrize("over", [{"bytes": 101, "files": 1}, {"bytes": 1, "files": 6}])
def test_nobody_is_over_on_the_word_of_a_counter(home, counter, over):
    counter(Usage(**over, dirs=1))
    limit = Ceiling(100, files=5)
    assert count(home, "auto", limit=limit).bytes == 1000
    assert count(home, "auto", limit=limit).meter == "walk"
    assert count(home, "cephfs", limit=limit).meter == "cephfs"


def test_a_walk_after_a_counter_has_what_is_left_of_the_time(home, counter, monkeypatch):
    counter(CannotCount("no"))
    clock = iter([100.0, 125.0])
    monkeypatch.setattr(counters.time, "monotonic", lambda: next(clock))
    tasks = []
    task = Task(str(home), 60, meter="auto")
    counters.count_or_walk(task, lambda task: tasks.append(task) or Usage())
    assert tasks[0].deadline_secs == 35


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"cross_mounts": True}, "cross_mounts"),
        ({"skip": (".snapshot", "*.tmp")}, "skip_directories"),
        ({"allocated": True}, "size_basis"),
    ],
)
def test_a_counter_is_not_asked_for_what_it_cannot_tell(home, counter, settings, reason):
    fake = counter(Usage(bytes=7, files=1, dirs=1))
    with pytest.raises(MeasureError, match=reason):
        count(home, "cephfs", **settings)
    assert reason in count(home, "auto", **settings).why_walked
    assert fake.asked == []


def test_a_counter_of_all_that_a_user_owns_is_never_chosen(home, counter):
    fake = counter(Usage(bytes=7, files=1, dirs=1))
    fake.sure = False
    assert count(home, "auto").meter == "walk"
    assert count(home, "cephfs").meter == "cephfs"


def test_an_empty_home_is_empty_whatever_the_counter_says(home, counter):
    (home / "data").unlink()
    counter(Usage(bytes=7, files=1, dirs=1))
    usage = count(home, "cephfs")
    assert usage.empty
    assert (usage.bytes, usage.meter, usage.changed) == (0, "cephfs", home.stat().st_mtime)


@as_root
def test_auto_walks_a_file_system_that_counts_nothing(tmpfs, tmp_path):
    usage = count(fill(tmpfs(tmp_path / "disk") / "home", 500), "auto")
    assert (usage.bytes, usage.meter) == (500, "walk")
    assert usage.why_walked == "Homes on tmpfs have no counter that could be asked."


@pytest.mark.parametrize("meter", ["auto", *COUNTERS])
def test_a_home_that_is_gone_or_a_link_is_an_error(home, meter):
    task = Task(
        str(home / "missing"), 60, meter=meter, allocated="allocated" in METERS[meter].sizes
    )
    with pytest.raises(MeasureError, match="cannot be opened"):
        measure(task)
    (home / "link").symlink_to("/etc")
    with pytest.raises(MeasureError, match="cannot be opened"):
        measure(Task(str(home / "link"), 60, meter=meter))


def test_odd_characters_in_a_mount_table_are_read():
    line = rb"36 35 98:0 /a\040b /mnt/\134x\012y\377 rw shared:1 master:2 - fuse.x s\011rc rw"
    assert parse_mount(line) == Mount("fuse.x", "s\trc", "/mnt/\\x\ny\udcff", "/a b")


def test_a_mount_without_optional_fields_is_read():
    line = b"36 35 98:0 / /mnt rw,noatime - ext4 /dev/sda1 rw"
    assert parse_mount(line) == Mount("ext4", "/dev/sda1", "/mnt", "/")


@as_root
def test_the_mount_is_the_one_on_top(tmpfs, tmp_path):
    """Two mounts at one place: the path fits both."""
    point = tmp_path / "disk"
    tmpfs(point)
    os.mkdir(point / "home")
    lower = os.open(point / "home", os.O_PATH)
    tmpfs(point)
    os.mkdir(point / "home")
    upper = os.open(point / "home", os.O_PATH)
    try:
        assert mount_of(lower).kind == mount_of(upper).kind == "tmpfs"
        assert mount_of(lower).point == mount_of(upper).point == str(point)
        with open_home(str(point / "home")) as home:
            assert home.device == os.fstat(upper).st_dev != os.fstat(lower).st_dev
    finally:
        os.close(lower)
        os.close(upper)


def test_no_handle_is_left_open(home, counter):
    counter(CannotCount("no"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        count(home, "auto")
    assert len(os.listdir("/proc/self/fd")) == before
