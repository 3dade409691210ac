"""A scan tells what a walk finds; and what is wrong with one is said, not counted."""

import gzip
import os
import random
import socket
import stat
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import MeasureError, ScanError
from jupyterhub_efs_quota.measure.scans import export as export_module
from jupyterhub_efs_quota.measure.scans import ordered
from jupyterhub_efs_quota.measure.scans.export import export
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.scans.scan import Wanted, read_scan
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import walk
from jupyterhub_efs_quota.measure.scans.wrstat import BASE64, entries, make_line

from ..conftest import as_root, examples, run_python
from .strategies import file_names

NOW = 1_700_000_000
RULES = Rules(NOW)


def task(home, **more):
    return Task(os.fsdecode(home), 60.0, rules=RULES, **more)


def wanted(*homes, **more):
    return Wanted(tuple(os.fsencode(home) for home in homes), rules=RULES, **more)


def same(usage):
    """A usage without what a scan does not tell."""
    return replace(usage, changed=int(usage.changed), meter="")


def lines_of(path):
    with open(path, "rb") as file:
        content = file.read()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return content.splitlines(keepends=True)


def shuffled(path, seed=0):
    """The scan in another order, as the older wrstat writes them."""
    lines = lines_of(path)
    random.Random(seed).shuffle(lines)
    Path(path).write_bytes(b"".join(lines))
    return path


@pytest.fixture
def home(tmp_path):
    """A home with something of everything."""
    home = tmp_path / "home"
    (home / "a-b").mkdir(parents=True)
    (home / "a").mkdir()
    (home / "a.d").mkdir()
    (home / ".cache" / "pip").mkdir(parents=True)
    (home / ".snapshot").mkdir()
    (home / "a" / "one.csv").write_bytes(b"1" * 1000)
    (home / "a-b" / "two.PY").write_bytes(b"2" * 5000)
    os.link(home / "a" / "one.csv", home / "a-b" / "again")
    os.symlink("a/one.csv", home / "link")
    os.mkfifo(home / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        # Its path may be too long for a socket.
        here = os.getcwd()
        os.chdir(home)
        listening.bind("socket")
        os.chdir(here)
    with (home / "sparse").open("wb") as file:
        file.truncate(10_000_000)
    (home / ".cache" / "pip" / "x").write_bytes(b"x" * 9)
    (home / ".snapshot" / "old").write_bytes(b"x" * 7777)
    os.utime(home / "a-b" / "two.PY", (NOW - 10 * 86400, NOW - 400 * 86400))
    return home


@pytest.mark.parametrize("name", ["scan", "scan.gz"])
@pytest.mark.parametrize("order", [lambda path: path, shuffled])
def test_a_scan_tells_what_a_walk_finds(home, tmp_path, name, order):
    path = order(str(tmp_path / name)) if export([task(home)], str(tmp_path / name)) else None
    (found,) = read_scan(path, wanted(home)).values()
    walked = walk(task(home))
    assert walked.summary.types["tables"].files == 1
    assert same(found) == same(walked)
    assert found.meter == "scan"


def test_totals_are_the_same_without_a_summary(home, tmp_path):
    export([task(home)], str(tmp_path / "scan"))
    for order in (lambda path: path, shuffled):
        path = order(str(tmp_path / "scan"))
        (found,) = read_scan(path, replace(wanted(home), rules=None)).values()
        assert same(found) == same(walk(replace(task(home), rules=None)))


# Trees of odd names: what each is, its size and time, and which earlier file it is a link to.
trees = st.lists(
    st.tuples(
        st.sampled_from(["file", "folder", "link", "hard"]),
        file_names,
        st.integers(0, 2000),
        st.integers(0, NOW),
        st.integers(0, 10**6),
    ),
    max_size=25,
)


def grow(home, tree):
    folders, files = [os.fsencode(home)], []
    for kind, name, size, moment, where in tree:
        path = folders[where % len(folders)] + b"/" + name
        if os.path.lexists(path):
            continue
        if kind == "folder":
            os.mkdir(path)
            folders.append(path)
        elif kind == "link":
            os.symlink(b"../" + name, path)
        elif kind == "hard" and files:
            os.link(files[where % len(files)], path)
        else:
            with open(path, "wb") as file:
                file.write(b"x" * size)
            os.utime(path, (moment, NOW - moment))
            files.append(path)


@examples(60)
@given(tree=trees, seed=st.none() | st.integers(0, 99), allocated=st.booleans())
def test_the_scan_of_any_tree_tells_what_a_walk_finds(tmp_path_factory, tree, seed, allocated):
    place = tmp_path_factory.mktemp("any")
    (place / "home").mkdir()
    # A file with a length that is no whole number of blocks shows that blocks are listed.
    (place / "home" / "odd").write_bytes(b"x")
    grow(place / "home", tree)
    path = str(place / "scan")
    export([task(place / "home")], path)
    if seed is not None:
        shuffled(path, seed)
    (found,) = read_scan(path, wanted(place / "home", allocated=allocated)).values()
    assert same(found) == same(walk(task(place / "home", allocated=allocated)))
    subprocess.run(["rm", "-rf", str(place)], check=True)


def test_the_older_generation_tells_lengths_but_no_space(home, tmp_path):
    path = str(tmp_path / "scan")
    export([task(home)], path, BASE64)
    (home / "sparse").unlink()
    (home / "link").unlink()
    walked = walk(task(home))
    (found,) = read_scan(path, wanted(home)).values()
    # Holes and links take no space: that much they count for in this generation.
    assert (found.bytes, found.files) == (walked.bytes, walked.files + 2)
    assert found.allocated is None
    assert found.summary.folders[0].sums.allocated == 0
    assert all(sums.allocated == 0 for sums in found.summary.types.values())


def test_a_scan_of_lengths_alone_says_nothing_of_space(home, tmp_path):
    path = tmp_path / "scan"
    export([task(home)], str(path))
    # As wrstat writes it without -b: the length in both columns.
    written = [line.rstrip(b"\n").split(b"\t") for line in lines_of(path)]
    path.write_bytes(b"".join(b"\t".join([c[0], c[11], *c[2:]]) + b"\n" for c in written))
    (found,) = read_scan(str(path), wanted(home)).values()
    assert found.bytes == walk(task(home)).bytes
    assert found.allocated is None
    assert found.summary.folders[0].sums.allocated == 0


@pytest.mark.parametrize("seed", [None, 1])
def test_several_homes_are_read_at_once_and_hard_links_count_once_in_each(tmp_path, seed):
    root = tmp_path / "users"
    for name in ("alice", "alice-2", "bob", "zoe"):
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / "data").write_bytes(name.encode() * 100)
    os.link(root / "alice" / "deep" / "data", root / "bob" / "same")
    os.link(root / "alice" / "deep" / "data", root / "alice" / "same")
    path = str(tmp_path / "scan")
    export([task(root)], path)
    if seed is not None:
        shuffled(path, seed)
    homes = [root / "alice", root / "alice-2", root / "bob", root / "bob" / "deep", root / "none"]
    found = read_scan(path, wanted(*homes))
    assert sorted(found) == [os.fsencode(home) for home in homes[:-1]]
    for home, usage in found.items():
        assert same(usage) == same(walk(task(home)))


@as_root
@pytest.mark.parametrize("cross", [False, True])
def test_other_file_systems_inside_are_left_out_as_in_a_walk(home, tmp_path, tmpfs, cross):
    mounted = tmpfs(home / "a" / "mounted")
    (mounted / "there" / "deep").mkdir(parents=True)
    (mounted / "there" / "file").write_bytes(b"x" * 4000)
    path = str(tmp_path / "scan")
    export([task(home, cross_mounts=True)], path)
    for order in (lambda path: path, shuffled):
        (found,) = read_scan(order(path), wanted(home, cross_mounts=cross)).values()
        assert same(found) == same(walk(task(home, cross_mounts=cross)))
    export([task(home, cross_mounts=cross)], path)
    assert any(b"mounted" in line for line in lines_of(path)) == cross


def test_folders_to_skip_are_left_out_as_in_a_walk(home, tmp_path):
    path = str(tmp_path / "scan")
    export([task(home, skip=())], path)
    for skip in ((), ("a*",), (".snapshot",)):
        (found,) = read_scan(path, wanted(home, skip=skip)).values()
        assert same(found) == same(walk(task(home, skip=skip)))


@pytest.mark.parametrize("seed", [None, 3])
def test_what_was_deleted_during_a_scan_keeps_a_number_from_falling(home, tmp_path, seed):
    path = tmp_path / "scan"
    export([task(home)], str(path))
    folder = b'home/a-b/"\t'
    kept = [line for line in lines_of(path) if folder not in line]
    assert len(kept) == len(lines_of(path)) - 1
    path.write_bytes(b"".join(kept))
    if seed is not None:
        shuffled(path, seed)
    (found,) = read_scan(str(path), wanted(home)).values()
    assert (found.lost_dirs, found.hidden) == (1, 0)
    assert found.files == walk(task(home)).files - 1


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_a_folder_that_is_listed_twice_is_not_counted_twice(home, tmp_path, seed):
    path = tmp_path / "scan"
    export([task(home)], str(path))
    path.write_bytes(b"".join([*lines_of(path), *lines_of(path)]))
    if seed is not None:
        shuffled(path, seed)
    with pytest.raises(ScanError, match=r"scan, line \d+: '.*' is listed twice"):
        read_scan(str(path), wanted(home))


def test_a_home_that_is_a_file_in_the_scan_is_refused(home, tmp_path):
    path = str(tmp_path / "scan")
    export([task(home)], path)
    with pytest.raises(ScanError, match=r"line \d+: '.*/sparse' is no folder there"):
        read_scan(path, wanted(home, home / "sparse"))


def test_a_scan_that_stops_in_the_middle_is_refused_whole(home, tmp_path):
    path = tmp_path / "scan.gz"
    export([task(home)], str(path))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ScanError, match="cut off"):
        read_scan(str(path), wanted(home))


# --- Writing --------------------------------------------------------------------------


def test_a_scan_is_in_the_order_of_wrstat(home, tmp_path):
    export([task(home)], str(tmp_path / "scan"))
    keys = [
        entry.path + (b"/" if entry.kind == stat.S_IFDIR else b"")
        for _, entry in entries(str(tmp_path / "scan"))
    ]
    assert keys == sorted(keys)
    names = [os.path.relpath(os.fsdecode(key), home) for key in keys]
    assert names.index("a-b/again") < names.index("a.d") < names.index("a/one.csv")


def test_several_folders_are_in_one_scan_in_order_and_once(home, tmp_path):
    path = str(tmp_path / "scan")
    parts = [home / "a.d", home / "a", home / "a-b", home / "a"]
    done = export([task(part) for part in parts], path)
    assert done.dirs == 3
    assert list(read_scan(path, wanted(*parts))) == [
        os.fsencode(home / n) for n in ("a-b", "a.d", "a")
    ]
    with pytest.raises(ScanError, match="lies in .*: name one of them"):
        export([task(home / "a"), task(home)], path)


def test_a_folder_with_more_names_than_are_held_in_memory_is_in_order(home, tmp_path, monkeypatch):
    monkeypatch.setattr(ordered, "_MOST_NAMES", 7)
    wide = home / "wide"
    wide.mkdir()
    for number in range(100):
        (wide / f"{number * 7919 % 1000}").touch()
    test_a_scan_is_in_the_order_of_wrstat(home, tmp_path)
    (found,) = read_scan(str(tmp_path / "scan"), wanted(home)).values()
    assert same(found) == same(walk(task(home)))


def test_a_deep_tree_is_exported_with_few_handles(tmp_path, monkeypatch):
    monkeypatch.setattr(ordered, "_MOST_OPEN", 4)
    here = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("home", dir_fd=here)
    deeper = os.open("home", os.O_RDONLY, dir_fd=here)
    for _ in range(300):
        # On both sides of the way down, so that it goes on after the way up.
        for name in ("0", "2"):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=deeper))
        os.mkdir("1", dir_fd=deeper)
        here, deeper = deeper, os.open("1", os.O_RDONLY, dir_fd=deeper)
        os.close(here)
    os.close(deeper)
    path, most = str(tmp_path / "scan"), []
    look = lambda *_: most.append(len(os.listdir("/proc/self/fd")))
    monkeypatch.setattr(export_module, "_LOOK_SECS", -1)
    monkeypatch.setattr(export_module, "_LOOK_ENTRIES", 1)
    before = len(os.listdir("/proc/self/fd"))
    done = export([task(tmp_path / "home")], path, progress=look)
    assert (done.files, done.dirs, done.missed.unreadable) == (600, 301, 0)
    assert max(most) < before + 12
    assert len(os.listdir("/proc/self/fd")) == before
    assert next(iter(read_scan(path, wanted(tmp_path / "home")).values())).files == 600
    subprocess.run(["rm", "-rf", str(tmp_path / "home")], check=True)


def test_links_are_not_followed_while_folders_are_swapped_for_them(tmp_path):
    secret, home = tmp_path / "secret", tmp_path / "home"
    (secret / "inside").mkdir(parents=True)
    (secret / "inside" / "SECRET").touch()
    for number in range(20):
        (home / f"{number}" / "inside").mkdir(parents=True)
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for number in range(20):
                (home / f"{number}").rename(home / f"away{number}")
                (home / f"{number}").symlink_to(secret)
                (home / f"{number}").unlink()
                (home / f"away{number}").rename(home / f"{number}")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(100):
            export([task(home)], str(tmp_path / "scan"))
            assert not any(b"SECRET" in line for line in lines_of(tmp_path / "scan"))
    finally:
        stop.set()
        swapper.join()


def test_an_export_that_fails_leaves_what_was_there(home, tmp_path):
    target = tmp_path / "out" / "scan.gz"
    target.parent.mkdir()
    target.write_text("the last one")
    with pytest.raises(MeasureError, match="cannot be opened"):
        export([task(home), task(tmp_path / "none")], str(target))
    assert target.read_text() == "the last one"
    assert os.listdir(target.parent) == ["scan.gz"]


def test_a_scan_has_its_name_only_when_it_is_complete(home, tmp_path, monkeypatch):
    target = tmp_path / "out" / "scan"
    target.parent.mkdir()
    monkeypatch.setattr(export_module, "_LOOK_SECS", -1)
    seen = []
    export([task(home)], str(target), progress=lambda *_: seen.append(os.listdir(target.parent)))
    assert seen
    assert all("scan" not in names for names in seen)
    assert os.listdir(target.parent) == ["scan"]


def test_a_scan_that_lies_in_what_it_scans_does_not_list_itself(home):
    export([task(home)], str(home / "scan"))
    assert not any(b"/scan" in line for line in lines_of(home / "scan"))


@pytest.mark.parametrize("target, wrong", [("none/scan", "No such file"), (".", "is a folder")])
def test_a_scan_that_cannot_be_written_is_named(home, tmp_path, target, wrong):
    with pytest.raises(ScanError, match=wrong) as refused:
        export([task(home)], str(tmp_path / target))
    assert str(tmp_path) in str(refused.value)


@as_root
def test_a_full_disk_is_named_and_leaves_nothing(home, tmp_path, tmpfs):
    disk = tmpfs(tmp_path / "disk", "64k")
    for number in range(3000):
        (home / f"{number}").touch()
    with pytest.raises(ScanError, match="scan cannot be written: No space left"):
        export([task(home)], str(disk / "scan"))
    assert os.listdir(disk) == []


def test_the_time_in_a_packed_scan_is_that_of_its_beginning(home, tmp_path):
    before = int(time.time())
    export([task(home)], str(tmp_path / "scan.gz"))
    with gzip.open(tmp_path / "scan.gz") as file:
        file.read()
        assert before <= file.mtime <= time.time()


def test_an_export_takes_memory_neither_for_files_nor_for_lines(home, tmp_path):
    """Peak memory of a process that exports and reads 30,000 files is that for 300."""
    code = """
import os, resource, sys
from jupyterhub_efs_quota.measure.scans.export import export
from jupyterhub_efs_quota.measure.scans.scan import Wanted, read_scan
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.summary.rules import Rules
home, scan = sys.argv[1:]
export([Task(home, 60.0)], scan)
assert read_scan(scan, Wanted((os.fsencode(home),), rules=Rules(0)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

    def peak(files):
        place = tmp_path / f"{files}"
        for number in range(files // 100):
            folder = place / f"{number}"
            folder.mkdir(parents=True)
            for each in range(100):
                (folder / f"{each}").touch()
        ran = run_python(code, place, tmp_path / "scan")
        assert ran.returncode == 0, ran.stderr
        return int(ran.stdout)

    assert peak(30_000) < peak(300) + 3000


def test_space_is_not_claimed_where_only_lengths_may_be_listed(tmp_path):
    """A file of whole blocks looks the same in both columns, whatever the first one means."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "block").write_bytes(b"x" * 4096)
    path = tmp_path / "scan"
    found = (tmp_path / "home" / "block").stat()
    columns = [stat.S_IFDIR | 0o755, *found[1:6], 4096, *found[7:10]]
    folder = os.stat_result(columns, {"st_blocks": 8})
    file = os.stat_result(found[:10], {"st_blocks": 8})
    path.write_bytes(make_line(b"/home", folder) + make_line(b"/home/block", file))
    assert read_scan(str(path), wanted("/home"))[b"/home"].allocated is None
    smaller = os.stat_result([*found[:6], 4000, *found[7:10]], {"st_blocks": 8})
    path.write_bytes(make_line(b"/home", folder) + make_line(b"/home/block", smaller))
    assert read_scan(str(path), wanted("/home"))[b"/home"].allocated == 8192
