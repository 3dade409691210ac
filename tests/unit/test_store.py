"""The control directory: files replaced whole, modes for all to read, locks that free themselves."""

import errno
import os
import stat
import subprocess
import sys
import threading

import filelock
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from jupyterhub_efs_quota.control.store import ControlStore, read_record
from jupyterhub_efs_quota.errors import BrokenFile, LockHeld, StoreError
from jupyterhub_efs_quota.quota.record import Record

from ..conftest import as_root, environment, run_python
from .strategies import ODD_NAMES, records


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@hypothesis_settings(max_examples=25)
@given(record=records.filter(lambda record: len(record.user) < 60))
def test_a_record_comes_back_from_the_store(store, record):
    with store.held("homer", create=True) as held:
        held.write(record)
        assert held.read() == store.read("homer")
    from dataclasses import replace

    assert store.read("homer") == replace(record, user="homer")


def test_a_user_without_a_file_has_no_record(store):
    assert store.read("homer") is None
    with store.held("homer", create=True) as held:
        assert held.read() is None
    assert store.read("homer") is None


def test_reading_creates_nothing(store):
    store.read("homer")
    assert list(store.root.iterdir()) == []


def test_the_record_is_about_the_user_of_the_folder_whatever_a_copied_file_says(store, write):
    write("bart", quota_bytes=5)
    text_of_bart = store.path("bart").read_text()
    write("homer")
    store.path("homer").write_text(text_of_bart)
    assert store.read("homer") == Record("homer", quota_bytes=5)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_umask_does_not_matter_for_who_may_read(store, umask):
    before = os.umask(umask)
    try:
        with store.held("homer", create=True) as held:
            held.write(Record("homer"))
            held.write(Record("homer"))
        with store.measuring("homer"):
            pass
    finally:
        os.umask(before)
    assert mode(store.directory("homer")) == 0o755
    for name in ("quota.yaml", "quota.lock", "measure.lock"):
        assert mode(store.directory("homer") / name) == 0o644


def test_a_write_leaves_nothing_but_the_file_and_its_lock(store, write):
    write("homer")
    assert sorted(os.listdir(store.directory("homer"))) == ["quota.lock", "quota.yaml"]


def test_a_reader_during_a_write_sees_the_old_file_or_the_new_one(store, write):
    write("homer", quota_bytes=1, actual_bytes=1)
    done, odd = threading.Event(), []

    def look():
        while not done.is_set():
            record = store.read("homer")
            if record is None or record.quota_bytes != record.actual_bytes:
                odd.append(record)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(150):
        write("homer", quota_bytes=10**number % 10**20, actual_bytes=10**number % 10**20)
    done.set()
    reader.join()
    assert odd == []


def test_what_a_crash_left_half_written_is_overwritten(store, write):
    write("homer")
    (store.directory("homer") / "quota.yaml.tmp").write_text("x" * 10_000)
    assert write("homer", quota_bytes=5) == Record("homer", quota_bytes=5)
    assert not (store.directory("homer") / "quota.yaml.tmp").exists()


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "fchmod", "open"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_write_that_fails_leaves_the_old_file(store, write, monkeypatch, call, code):
    old = write("homer", quota_bytes=1)
    module = "pathlib.os" if call == "rename" else "jupyterhub_efs_quota.control.store.os"

    def fails(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    with store.held("homer") as held:
        if call == "fchmod":
            (store.directory("homer") / "quota.yaml.tmp").touch(0o600)
        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.{call}", fails)
            with pytest.raises(StoreError, match=os.strerror(code)):
                held.write(Record("homer", quota_bytes=2))
    assert store.read("homer") == old
    assert write("homer", quota_bytes=3).quota_bytes == 3


def test_a_short_write_goes_on_where_it_stopped(store, write, monkeypatch):
    real = os.write
    monkeypatch.setattr(
        "jupyterhub_efs_quota.control.store.os.write", lambda fd, data: real(fd, data[:7])
    )
    assert write("homer", quota_bytes=123456) == Record("homer", quota_bytes=123456)


def test_a_record_that_could_not_be_read_again_is_not_written(store, write):
    write("homer")
    note = "é" * 6000
    store.path("homer").write_text(f"note: {note}\nuser: homer\n", encoding="utf-8")
    old = store.read("homer")
    assert old.extra == {"note": note}
    with store.held("homer") as held, pytest.raises(BrokenFile, match="larger than"):
        held.write(old)
    assert store.read("homer") == old


BROKEN = {
    "empty": b"",
    "zeros": b"\0" * 512,
    "cut": b"active_at_reap: 0\nactual_by",
    "no YAML": b"user: [\n",
    "a list": b"- 1\n",
    "a tag": b"user: !!python/object:os.system {}\n",
    "a wrong type": b"quota_bytes: much\n",
    "no UTF-8": b"user: \xff\xfe\n",
    "too large": b"user: homer\n" + b"# x\n" * 10_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_and_left_as_it_is(store, write, content):
    write("homer")
    path = store.path("homer")
    path.write_bytes(content)
    with pytest.raises(BrokenFile, match=str(path)):
        store.read("homer")
    with store.held("homer") as held, pytest.raises(BrokenFile):
        held.read()
    assert path.read_bytes() == content


def test_no_tag_ever_runs_anything(store, write, tmp_path):
    write("homer")
    never = tmp_path / "never"
    for tag in ("os.system", "subprocess.check_output", "eval"):
        store.path("homer").write_text(f"!!python/object/apply:{tag} ['touch {never}']\n")
        with pytest.raises(BrokenFile):
            store.read("homer")
    assert not never.exists()


def test_a_file_cut_at_any_byte_is_told_or_says_the_same_of_what_counts(store, write):
    whole = write("homer", quota_bytes=5, actual_bytes=9, lockout_enabled=False)
    path = store.path("homer")
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        try:
            record = store.read("homer")
        except BrokenFile:
            continue
        assert (record.quota_bytes, record.actual_bytes, record.lockout_enabled) == (5, 9, False)
    path.write_bytes(data)
    assert store.read("homer") == whole


def test_a_directory_in_place_of_the_file_is_told(store):
    store.path("homer").mkdir(parents=True)
    with pytest.raises(BrokenFile, match="not a regular file"):
        store.read("homer")


def test_a_pipe_in_place_of_the_file_is_told_and_not_waited_for(store):
    store.directory("homer").mkdir()
    os.mkfifo(store.path("homer"))
    with pytest.raises(BrokenFile, match="not a regular file"):
        store.read("homer")


@as_root
def test_a_device_in_place_of_the_file_is_told_and_not_read(store):
    store.directory("homer").mkdir()
    os.mknod(store.path("homer"), 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    with pytest.raises(BrokenFile, match="not a regular file"):
        store.read("homer")


@pytest.mark.parametrize("target", ["/etc/passwd", "nowhere", "other.yaml"])
def test_a_link_in_place_of_the_file_is_not_followed(store, write, target):
    write("homer")
    store.path("homer").rename(store.directory("homer") / "other.yaml")
    store.path("homer").symlink_to(target)
    with pytest.raises(BrokenFile, match="symbolic link"):
        store.read("homer")


def test_a_write_replaces_a_link_and_not_what_it_points_to(store, write, tmp_path):
    write("homer")
    outside = tmp_path / "outside.yaml"
    outside.write_text("precious\n")
    store.path("homer").unlink()
    store.path("homer").symlink_to(outside)
    write("homer", quota_bytes=5)
    assert outside.read_text() == "precious\n"
    assert store.read("homer").quota_bytes == 5


def test_a_link_in_place_of_the_temporary_file_is_not_written_through(store, write, tmp_path):
    old = write("homer")
    outside = tmp_path / "outside.yaml"
    outside.write_text("precious\n")
    (store.directory("homer") / "quota.yaml.tmp").symlink_to(outside)
    with pytest.raises(StoreError):
        write("homer", quota_bytes=5)
    assert outside.read_text() == "precious\n"
    assert store.read("homer") == old


@pytest.mark.parametrize("name", ["quota.lock", "measure.lock"])
def test_a_link_in_place_of_a_lock_creates_nothing_elsewhere(store, write, tmp_path, name):
    write("homer")
    lock = store.directory("homer") / name
    lock.unlink(missing_ok=True)
    lock.symlink_to(tmp_path / "made")
    with pytest.raises(StoreError), store.measuring("homer"), store.held("homer"):
        pass
    assert not (tmp_path / "made").exists()


def test_a_users_folder_that_is_a_link_is_not_written_through(store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    store.directory("homer").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="Not a directory"), store.held("homer", create=True):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_users_folder_that_is_a_link_is_not_followed(store, write, tmp_path):
    write("homer", quota_bytes=5)
    store.directory("homer").rename(tmp_path / "elsewhere")
    store.directory("homer").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BrokenFile, match="should be a folder"):
        store.read("homer")


def test_a_users_folder_that_is_a_file_is_told(store):
    store.directory("homer").write_text("")
    with pytest.raises(BrokenFile, match="should be a folder"):
        store.read("homer")
    with pytest.raises(StoreError, match="Not a directory"), store.held("homer", create=True):
        pass


@pytest.mark.parametrize("user", [name for name in ODD_NAMES if len(name) < 80])
def test_an_odd_name_has_a_folder_of_its_own_in_the_control_directory(store, write, user):
    assert write(user, quota_bytes=5) == Record(user, quota_bytes=5)
    assert store.directory(user).parent == store.root
    assert len(list(store.root.iterdir())) == 1


@pytest.mark.parametrize("user", ["ü" * 255, "." * 255, "x" * 4000])
def test_a_name_too_long_for_the_store_is_told(store, user):
    with pytest.raises(StoreError, match="File name too long"):
        store.read(user)
    with pytest.raises(StoreError, match="File name too long"), store.held(user, create=True):
        pass


def test_a_name_of_255_letters_fits(store, write):
    assert write("x" * 255).user == "x" * 255


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.errors import EFSQuotaError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = ControlStore(sys.argv[1])
for act in (lambda: store.check(), lambda: store.read("homer"), lambda: store.held("homer").__enter__()):
    try:
        print(act())
    except EFSQuotaError as error:
        print(type(error).__name__, error)
"""


@as_root
def test_everybody_may_read_and_nobody_else_may_lock(for_everybody, store, write):
    write("homer", quota_bytes=5)
    checked, record, locked = run_python(READ_AS_NOBODY, store.root).stdout.splitlines()
    assert checked == "None"
    assert "quota_bytes=5" in record
    assert locked == f"StoreError {store.directory('homer')}/quota.lock: Permission denied"


@as_root
@pytest.mark.parametrize("closed", ["", "homer", "homer/quota.yaml"])
def test_what_may_not_be_read_is_told(for_everybody, store, write, closed):
    write("homer")
    (store.root / closed).chmod(0)
    lines = run_python(READ_AS_NOBODY, store.root).stdout.splitlines()
    where = store.directory("homer") if closed in ("", "homer") else store.path("homer")
    assert lines[1] == f"StoreError {where}: Permission denied"
    (store.root / closed).chmod(0o755)


def test_a_missing_control_directory_is_told_and_never_made(tmp_path):
    store = ControlStore(tmp_path / "not-mounted")
    with pytest.raises(StoreError, match="Mount or create it"):
        store.check()
    with pytest.raises(StoreError), store.held("homer", create=True):
        pass
    with pytest.raises(StoreError), store.measuring("homer"):
        pass
    assert not store.root.exists()


def test_a_control_directory_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Not a directory"):
        ControlStore(tmp_path / "file").check()


def test_a_users_folder_is_only_made_when_asked_for(store):
    with pytest.raises(StoreError, match="No such file"), store.held("homer"):
        pass
    assert list(store.root.iterdir()) == []


def test_folders_that_two_make_at_once_are_made(store, monkeypatch):
    real = os.mkdir

    def late(path, mode=0o777, **options):
        real(path, mode, **options)
        raise FileExistsError(errno.EEXIST, "File exists")

    with monkeypatch.context() as patch:
        patch.setattr("os.mkdir", late)
        with store.held("homer", create=True) as held:
            held.write(Record("homer"))
    assert store.read("homer") == Record("homer")


HOLD = """
import sys, filelock
from pathlib import Path
from jupyterhub_efs_quota.control.store import ControlStore
store, kind = ControlStore(sys.argv[1]), sys.argv[2]
lock = {
    "filelock": lambda: filelock.FileLock(store.directory("homer") / "quota.lock"),
    "held": lambda: store.held("homer"),
    "measuring": lambda: store.measuring("homer"),
}[kind]()
with lock:
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(store, write):
    """Another process that holds a lock, until it is told to go or is killed."""
    write("homer")
    started = []

    def hold(kind):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(store.root), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["filelock", "held"])
def test_a_lock_held_elsewhere_is_respected_and_freed_by_its_end(store, holder, hasty, kind):
    process = holder(kind)
    with pytest.raises(LockHeld), store.held("homer"):
        pass
    process.communicate()
    with store.held("homer"):
        pass


@pytest.mark.parametrize("kind", ["filelock", "held"])
def test_a_lock_is_freed_when_its_holder_is_killed(store, holder, kind):
    process = holder(kind)
    process.kill()
    process.wait()
    with store.held("homer"):
        pass


def test_a_filelock_waits_for_ours(store, holder):
    process = holder("held")
    lock = filelock.FileLock(store.directory("homer") / "quota.lock", blocking=False)
    with pytest.raises(filelock.Timeout):
        lock.acquire()
    process.communicate()
    with lock:
        pass


def test_two_measurers_of_one_home_are_told_apart_at_once(store, holder):
    holder("measuring")
    with pytest.raises(LockHeld), store.measuring("homer"):
        pass


def test_a_long_measurement_does_not_keep_the_record_locked(store, holder):
    holder("measuring")
    with store.held("homer") as held:
        held.write(Record("homer", quota_bytes=5))
    assert store.read("homer").quota_bytes == 5


def test_reading_waits_for_no_lock(store, holder):
    holder("filelock")
    assert store.read("homer") == Record("homer")


def test_a_lock_held_for_a_moment_is_waited_for(store, holder, patient):
    process = holder("held")
    timer = threading.Timer(0.1, process.communicate)
    timer.start()
    with store.held("homer"):
        pass
    timer.join()


def test_threads_of_one_process_exclude_each_other(store, write, patient):
    write("homer", quota_bytes=0)

    def add():
        for _ in range(20):
            with store.held("homer") as held:
                record = held.read()
                held.write(Record("homer", quota_bytes=record.quota_bytes + 1))

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("homer").quota_bytes == 60


def test_a_lock_file_that_was_removed_meanwhile_locks_nothing(store, write, monkeypatch):
    # Some versions of filelock remove the lock file when they let go of it, so that the
    # next one locks another file of that name.
    write("homer")
    path = store.directory("homer") / "quota.lock"
    real, removed = os.open, []

    def open_and_lose(name, *args, **kwargs):
        descriptor = real(name, *args, **kwargs)
        if str(name).endswith("quota.lock") and not removed:
            removed.append(path.unlink())
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr("jupyterhub_efs_quota.control.store.os.open", open_and_lose)
        with pytest.raises(LockHeld), store.held("homer"):
            pass
    with store.held("homer"):
        pass


def test_an_error_while_it_is_held_frees_a_lock(store, write):
    write("homer")
    with pytest.raises(ZeroDivisionError), store.held("homer"):
        1 / 0
    with store.held("homer"):
        pass


def test_a_store_leaves_no_file_open(store, write):
    write("homer")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        write("homer")
        store.check()
        store.path("homer").write_bytes(b"\xff\n")
        with pytest.raises(BrokenFile):
            store.read("homer")
        with pytest.raises(LockHeld), store.measuring("homer"), store.measuring("homer"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_missing_file_is_no_record(tmp_path):
    assert read_record(tmp_path / "quota.yaml") is None
