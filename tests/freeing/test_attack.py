"""Users who swap links and folders while the service works: every system call is watched."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ..conftest import REPOSITORY, as_root, environment
from .conftest import STRANGER

STRACE = shutil.which("strace")
SECS = os.environ.get("FREEING_ATTACK_SECS", "6")
# What can open, list, move, change or remove something by its name.
CALLS = (
    "trace=open,openat,openat2,mkdir,mkdirat,unlink,unlinkat,rmdir,rename,renameat,renameat2,"
    "link,linkat,symlink,symlinkat,chmod,fchmodat,chown,fchownat,lchown,truncate,mknodat"
)
# A path that strace has worked out for a handle: `openat(7</home>, "x", ...) = 8</home/x>`.
HANDLE = re.compile(r"\d+<([^>]*)>")


def may_trace():
    if not STRACE:
        return False
    tried = subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.fixture
def furnished(place):
    """Another user's home, something outside, and a folder that all may use."""
    for where in ("users/bob", "outside", "drop"):
        (place.root / where).mkdir()
        for name in ("x", "precious", "data"):
            (place.root / where / name).mkdir() if name == "x" else None
            target = place.root / where / ("x/precious" if name == "x" else name)
            target.write_bytes(b"theirs")
            place.give(target, to=STRANGER)
    place.give(place.root / "outside", place.root / "users/bob", to=STRANGER)
    (place.root / "drop").chmod(0o777)
    return place


def others_files(place):
    return {
        path: path.read_bytes()
        for where in ("users/bob", "outside", "drop")
        for path in (place.root / where).rglob("*")
        if path.is_file() and "/drop/d/" not in str(path)
    }


@as_root
def test_no_swap_makes_the_service_touch_anything_but_the_home_and_limbo(furnished, tmp_path):
    if not may_trace():
        pytest.skip("needs strace, and leave to trace a process")
    place, trace = furnished, tmp_path / "trace"
    before = others_files(place)
    assert len(before) == 9
    ran = subprocess.run(
        [
            *(STRACE, "-y", "-e", CALLS + ",stat,newfstatat", "-s", "4096", "-o", trace),
            *(sys.executable, "-m", "tests.freeing.attack", str(place.root), SECS),
        ],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert int(ran.stdout) > 20, "too few rounds to say anything"
    assert others_files(place) == before

    lines = trace.read_text(errors="surrogateescape").splitlines()
    begin = next(number for number, line in enumerate(lines) if '"/begin"' in line)
    calls = [line for line in lines[begin + 1 :] if "(" in line and "newfstatat" not in line]
    assert len(calls) > 100
    offences = [line for line in calls if offends(line, place)]
    assert offences == []


def offends(line, place):
    """Whether a system call of the service reached anything that it may not.

    Looking at a directory by a handle that cannot read (O_PATH) reaches nothing. What was
    the attacker's own folder is seen by its handle wherever they carried it meanwhile; it
    is still theirs, and so is all that is in it.
    """
    if line.startswith(("rt_", "---", "+++")) or "O_PATH" in line:
        return False
    users = str(place.root / "users")
    mine = (f"{users}/alice", f"{users}/.limbo", str(place.root / "drop" / "d"))
    by_name = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    handles = HANDLE.findall(line)
    if any(name.startswith("/") and not allowed_path(name, users) for name in by_name):
        return True
    if any("/" in name for name in by_name if not name.startswith("/")):
        return True  # never more than one step at a time
    if any(name == ".." for name in by_name):
        return True
    return any(
        not handle.startswith(mine) and handle not in (users, str(place.root / "users"))
        for handle in handles
        if handle.startswith("/") and not handle.startswith(("/proc/", "/sys/", str(REPOSITORY)))
        and not handle.startswith(sys.prefix) and not is_of_python(handle)
    )  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        'openat(3</r/users/alice>, "..", O_RDONLY|O_DIRECTORY) = 4</r/users>',
        'openat(3</r/users/alice>, "a/b", O_RDONLY) = 4</r/users/alice/a/b>',
        'openat(3</r/users/alice>, "d", O_RDONLY) = 4</r/users/bob>',
        'unlinkat(3</r/outside>, "precious", 0) = 0',
        'renameat(3</r/users/alice>, "x", 5</r/outside>, "kept") = 0',
        'openat(AT_FDCWD</r>, "/etc/passwd", O_RDONLY) = 3</etc/passwd>',
    ],
)
def test_the_watch_would_see_it(call):
    assert offends(call, SimpleNamespace(root=Path("/r")))


def allowed_path(name, users):
    return (
        name in (users, f"{users}/.limbo") or name.startswith("/proc/self/") or is_of_python(name)
    )


def is_of_python(path):
    """What the interpreter opens for itself, such as a module at its first use."""
    return path.startswith((sys.base_prefix, sys.prefix, str(REPOSITORY))) or path == "/dev/null"


@as_root
def test_two_of_strangers_names_in_a_carried_off_folder_stay(place, errand):
    """The folder is the user's, and is carried to where others put files into it."""
    from jupyterhub_efs_quota.errors import FreeingError
    from jupyterhub_efs_quota.freeing.take import take

    place.file("d/x", b"mine")
    drop = place.root / "drop"
    drop.mkdir(mode=0o777)
    with place.open() as home, place.drawer() as drawer:
        still_at = home.still_at

        def carried_off(names, handle):
            if (place.path / "d").exists():
                (place.path / "d").rename(drop / "d")
            return still_at(names, handle)

        home.still_at = carried_off
        with pytest.raises(FreeingError):
            take(home, drawer, (b"d", b"x"), errand)
        assert drawer.keys() == []
    assert (drop / "d" / "x").read_bytes() == b"mine"


@as_root
def test_what_was_swapped_at_the_last_moment_is_given_back(place, errand, monkeypatch):
    """Between the look and the move something else takes the name."""
    from jupyterhub_efs_quota.errors import FreeingError
    from jupyterhub_efs_quota.freeing import take as module

    place.file("x", b"meant")
    rename = os.rename

    def swap_first(source, target, **handles):
        if source == b"x":
            rename(place.path / "x", place.path / "meant")
            (place.path / "x").write_bytes(b"theirs")
            os.chown(place.path / "x", STRANGER, STRANGER)
        return rename(source, target, **handles)

    monkeypatch.setattr(module.os, "rename", swap_first)
    with place.open() as home, place.drawer() as drawer:
        with pytest.raises(FreeingError, match="that very moment"):
            module.take(home, drawer, (b"x",), errand)
        assert drawer.keys() == []
    assert (place.path / "x").read_bytes() == b"theirs"
    assert (place.path / "x").stat().st_uid == STRANGER
