"""GNU du as a meter: its total, its complaints, and an end at the deadline."""

import os
import subprocess

import pytest

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.du import du
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.quota.judge import judge, record_usage
from jupyterhub_efs_quota.quota.record import Record, State

from ..conftest import NOW, as_root, environment, fill, run_python


@pytest.fixture
def home(tmp_path):
    return fill(tmp_path / "a home\nof -- odd name", 1_000_000)


def own_size(directory):
    return directory.stat().st_size


def test_the_total_is_the_one_of_du(home):
    usage = du(Task(str(home), 60))
    assert usage.bytes == 1_000_000 + own_size(home)
    assert usage.allocated is None
    assert usage.meter == "du"
    assert usage.complete


def test_the_space_allocated_is_counted_where_that_is_asked_for(home):
    (home / "full").write_bytes(b"x" * 50_000)
    usage = du(Task(str(home), 60, allocated=True))
    assert usage.bytes is None
    assert 50_000 <= usage.allocated < 200_000


def test_a_home_whose_name_looks_like_an_option_is_a_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "--help", 5000)
    assert du(Task("--help", 60)).bytes == 5000 + own_size(tmp_path / "--help")


def test_a_home_whose_name_is_no_text_is_measured(tmp_path):
    odd = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xff"))
    os.mkdir(odd)
    with open(os.path.join(odd, "x"), "w") as file:
        file.write("12345")
    assert du(Task(odd, 60)).bytes == 5 + os.stat(odd).st_size


def test_skipped_directories_are_left_out(home):
    fill(home / ".snapshot", 10**9)
    assert du(Task(str(home), 60)).bytes < 10**9


@as_root
def test_another_file_system_inside_counts_only_where_asked_for(home, tmpfs):
    fill(tmpfs(home / "shared"), 5_000_000)
    assert du(Task(str(home), 60)).bytes < 2_000_000
    assert du(Task(str(home), 60, cross_mounts=True)).bytes > 5_000_000


def test_a_missing_home_is_an_error_with_dus_own_words(tmp_path):
    with pytest.raises(MeasureError, match="No such file or directory"):
        du(Task(str(tmp_path / "missing"), 60))


def test_a_machine_without_du_is_told(home, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MeasureError, match="Install coreutils"):
        du(Task(str(home), 60))


def a_du(tmp_path, monkeypatch, script):
    """Put another du before the real one."""
    program = tmp_path / "bin" / "du"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_at_the_deadline_du_is_ended_and_leaves_no_process(home, tmp_path, monkeypatch):
    a_du(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec sleep 300")
    usage = du(Task(str(home), 0.5))
    assert (usage.timed_out, usage.bytes) == (True, None)
    pid = int((tmp_path / "pid").read_text())
    assert not os.path.exists(f"/proc/{pid}")


def test_what_du_complains_about_is_counted(home, tmp_path, monkeypatch):
    a_du(
        tmp_path,
        monkeypatch,
        "echo \"du: cannot read directory 'a': Permission denied\" >&2\n"
        "echo \"du: cannot access 'b': No such file or directory\" >&2\n"
        "printf '4242\\t%s\\n' x; exit 1",
    )
    usage = du(Task(str(home), 60))
    assert (usage.bytes, usage.unreadable, usage.vanished, usage.hidden) == (4242, 2, 1, 1)
    assert usage.unreadable_names[0] == "du: cannot read directory 'a': Permission denied"


@as_root
def test_what_may_not_be_read_is_skipped_and_counted(for_everybody):
    home = fill(for_everybody / "home", 100)
    fill(home / "closed", 10**9)
    (home / "closed").chmod(0)
    ran = run_python(
        """
import os, sys
from jupyterhub_efs_quota.measure.du import du
from jupyterhub_efs_quota.measure.task import Task
os.setgroups([]); os.setgid(65534); os.setuid(65534)
usage = du(Task(sys.argv[1], 60))
print(usage.hidden, usage.bytes < 10**9)
""",
        home,
        cwd="/",
    )
    assert ran.stdout == "1 True\n", ran.stderr


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "kill -9 $$", "printf '\\377\\n'"])
def test_a_du_that_gives_no_total_is_an_error(home, tmp_path, monkeypatch, script):
    a_du(tmp_path, monkeypatch, script)
    with pytest.raises(MeasureError, match="gave no total"):
        du(Task(str(home), 60))


def test_dus_language_does_not_matter(home, tmp_path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    a_du(tmp_path, monkeypatch, 'test "$LC_ALL" = C && echo 5')
    assert du(Task(str(home), 60)).bytes == 5


LOCKED = Record(
    "homer", quota_bytes=1000, actual_bytes=5000, usage_files=None, quota_state=State.LOCKOUT
)


@pytest.mark.parametrize("allocated", [False, True])
def test_an_empty_mount_point_unlocks_nobody(tmp_path, allocated):
    usage = du(Task(str(tmp_path), 60, allocated=allocated))
    record = record_usage(LOCKED, usage, started=NOW, stopped=NOW, allocated=allocated)
    assert record.actual_bytes == 5000
    assert judge(record, NOW).quota_state is State.LOCKOUT


@pytest.mark.parametrize("allocated", [False, True])
def test_a_smaller_home_unlocks_its_user(tmp_path, allocated):
    (tmp_path / "file").write_bytes(b"x" * 10)
    usage = du(Task(str(tmp_path), 60, allocated=allocated))
    record = record_usage(
        Record("homer", quota_bytes=10**6, actual_bytes=10**7),
        usage,
        started=NOW,
        stopped=NOW,
        allocated=allocated,
    )
    assert record.actual_bytes < 10**5
    assert judge(record, NOW).quota_state is State.OK


def test_this_du_is_gnu_du():
    ran = subprocess.run(["du", "--version"], capture_output=True, text=True, env=environment())
    assert "GNU coreutils" in ran.stdout
