"""Killed at any line, and at any moment: each file is where it was, or can be brought back."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyterhub_efs_quota.freeing.handles import open_home
from jupyterhub_efs_quota.freeing.limbo import Limbo
from jupyterhub_efs_quota.freeing.recover import recover
from jupyterhub_efs_quota.freeing.restore import restore

from ..conftest import REPOSITORY, environment
from . import crash
from .conftest import OWNER

# More for those who have the time.
KILLS = int(os.environ.get("FREEING_KILLS", "200"))
STEP = int(os.environ.get("FREEING_STEP", "13"))
FILES = {
    "data.csv": b"1",
    "tree/one": b"2",
    "tree/deep/two": b"3",
    "closed/three": b"4",
    "a/b/file": b"5",
    "other": b"6",
}


def furnish(place):
    for name, data in FILES.items():
        place.file(name, data)
    # As a package cache has it: whoever is not root cannot move it without more ado.
    (place.path / "closed").chmod(0o555)


def bring_back(place):
    """Recover, and bring all back out of limbo."""
    with place.open() as home, place.drawer() as drawer:
        recover(home, drawer)
        for note in drawer.notes():
            restore(home, drawer, note.key)
        assert drawer.keys() == [], "something is left in limbo that nobody can bring back"


def check_whole(place):
    """Nothing is lost, nothing is there twice, and all is as it was.

    But for an empty folder, where somebody was killed who was about to bring one back.
    """
    found = {}
    for path in place.path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert data not in found, f"{path} is there twice"
            found[data] = path
            assert path.stat().st_nlink == 1
        if path.is_file() or any(path.iterdir()):
            assert path.stat().st_uid == OWNER
        else:
            path.rmdir()
    assert sorted(found) == sorted(FILES.values())
    assert stat.S_IMODE(found[FILES["closed/three"]].parent.stat().st_mode) == 0o555


@pytest.mark.parametrize("how", ["take", "restore"])
@pytest.mark.parametrize("who", ["root", "owner"])
def test_killed_at_any_line_loses_nothing(place, how, who):
    """Every line with `FREEING_STEP=1`."""
    assert kill_again_and_again(place, how, who, STEP) > 100, "the library was not walked through"


def test_killed_at_any_moment_loses_nothing(place):
    """More often with `FREEING_KILLS=1000`."""
    assert kill_again_and_again(place, "moments", "owner", KILLS) == KILLS


def kill_again_and_again(place, how, who, number):
    """In a process of its own, which forks and may become the owner of the home."""
    if who == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    furnish(place)
    if who == "owner":
        place.give(place.root / "users")
    ran = subprocess.run(
        [sys.executable, "-m", __name__, str(place.root), how, who, str(number)],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return int(ran.stdout)


def at_moments(place, kills):
    """Kill somebody who moves to and fro, after times that nobody has chosen."""
    chance = random.Random(20261122)
    for number in range(kills):
        child = os.fork()
        if child == 0:
            while True:
                crash.work(place.root, "take")
                crash.work(place.root, "restore")
        time.sleep(chance.random() / 20)
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, f"it failed by itself at {number}"
        bring_back(place)
        check_whole(place)
    return kills


def walk_through(place, how, step):
    """Kill at each `step`th line in turn until one comes to the end; its number of lines."""
    line = 1
    while True:
        if how == "restore":
            crash.work(place.root, "take")
        if not crash.killed_at(line, place.root, how):
            return line
        bring_back(place)
        check_whole(place)
        line += step


def main():
    root, how, who, step = Path(sys.argv[1]), *sys.argv[2:5]
    if who == "owner" and os.geteuid() == 0:
        os.setgid(OWNER)
        os.setuid(OWNER)
    limbo = Limbo(root / "users" / ".limbo")
    home = root / "users" / "alice"
    place = SimpleNamespace(
        root=root,
        path=home,
        open=lambda: open_home(root / "users", home),
        drawer=lambda: limbo.drawer("alice"),
    )
    if how == "moments":
        print(at_moments(place, int(step)))
    else:
        print(walk_through(place, how, int(step)))


if __name__ == "__main__":
    main()
