"""The walk counts what GNU du counts, whatever it meets, and never leaves the home."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.walk import engine as walk_module
from jupyterhub_efs_quota.measure.task import Ceiling, Task

from ..conftest import as_root, environment, examples, fill, run_python
from .strategies import file_names

# The compiled walk and its twin in Python, where both are there, hold to the same tests.
ENGINES = getattr(walk_module, "ENGINES", {"python": walk_module.walk})


@pytest.fixture(params=sorted(ENGINES))
def walk(request):
    """Measure a directory: `walk(home, **fields of Task)`."""

    def walk(home, deadline_secs=60, **options):
        return ENGINES[request.param](Task(os.fsdecode(home), deadline_secs, **options))

    walk.engine = request.param
    return walk


@pytest.fixture
def home(request, tmp_path):
    if "for_everybody" in request.fixturenames:
        tmp_path = request.getfixturevalue("for_everybody")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def du(home, *options):
    """(apparent, allocated) as GNU du has it, the apparent one without directories' own sizes."""

    def total(*more):
        command = ["du", "-s", "-x", "-B1", *more, *options, "--", os.fsencode(home)]
        return int(subprocess.run(command, check=True, capture_output=True).stdout.split()[0])

    own = 0
    device = os.lstat(home).st_dev
    for directory, names, _, handle in os.fwalk(os.fsencode(home)):
        own += os.fstat(handle).st_size
        names[:] = [
            name
            for name in names
            if os.stat(name, dir_fd=handle, follow_symlinks=False).st_dev == device
        ]
    return total("--apparent-size") - own, total()


def counted(home):
    """(files, dirs) by another way, hard links once."""
    seen, files, dirs = set(), 0, 0
    for _, _, names, handle in os.fwalk(os.fsencode(home)):
        dirs += 1
        for name in names:
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
            identity = (found.st_dev, found.st_ino)
            files += identity not in seen
            seen.add(identity)
        with os.scandir(handle) as entries:
            for entry in entries:  # links to directories stand among the directories there
                if entry.is_symlink() and os.fsencode(entry.name) not in names:
                    found = os.stat(entry.name, dir_fd=handle, follow_symlinks=False)
                    files += (found.st_dev, found.st_ino) not in seen
                    seen.add((found.st_dev, found.st_ino))
    return files, dirs


def same_as_du(usage, home):
    assert (usage.bytes, usage.allocated) == du(home)
    assert (usage.files, usage.dirs) == counted(home)
    assert (usage.unreadable, usage.vanished, usage.unreadable_names) == (0, 0, ())
    assert usage.complete


# What may stand in a directory. Names come from hypothesis, in bytes.
leaves = st.one_of(
    st.tuples(st.just("file"), st.integers(0, 20_000)),
    st.tuples(st.just("sparse"), st.integers(1, 2**40)),
    st.tuples(st.just("link"), st.sampled_from([b".", b"..", b"/", b"nowhere", b"a" * 200])),
    st.tuples(st.just("hard link"), st.integers(0, 5)),
    st.tuples(st.just("fifo"), st.none()),
    st.tuples(st.just("socket"), st.none()),
)
trees = st.recursive(
    st.dictionaries(file_names, leaves, max_size=5),
    lambda inner: st.dictionaries(file_names, leaves | inner, max_size=5),
    max_leaves=12,
)


def grow(directory, tree, made):
    """Make a tree of hypothesis; `made` are the files so far, for hard links."""
    os.makedirs(directory, exist_ok=True)
    for name, what in tree.items():
        path = os.path.join(directory, name)
        if isinstance(what, dict):
            grow(path, what, made)
            continue
        kind, value = what
        if kind == "file":
            with open(path, "wb") as file:
                file.write(b"x" * value)
            made.append(path)
        elif kind == "sparse":
            with open(path, "wb") as file:
                file.truncate(value)
            made.append(path)
        elif kind == "link":
            os.symlink(value, path)
            made.append(path)
        elif kind == "hard link" and made:
            os.link(made[value % len(made)], path, follow_symlinks=False)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            os.mknod(path, 0o600 | stat.S_IFSOCK)


numbers = count()


@examples(60)
@given(tree=trees)
def test_any_tree_is_counted_as_du_counts_it(walk, home, tree):
    root = home / str(next(numbers))
    grow(os.fsencode(root), tree, [])
    same_as_du(walk(root), root)
    shutil.rmtree(root)


def test_an_empty_home_holds_nothing(walk, home):
    usage = walk(home)
    assert (usage.bytes, usage.files, usage.dirs) == (0, 0, 1)
    assert usage.empty
    assert usage.meter == "walk"


def test_a_home_tells_when_something_was_last_added_to_it_or_removed(walk, home):
    (home / "a").mkdir()
    os.utime(home / "a", (5, 5))
    os.utime(home, (1_000_000.25, 1_000_000.25))
    assert walk(home).changed == 1_000_000.25


def test_nothing_is_lost_where_nothing_moves(walk, home):
    fill(home / "a" / "b", 10)
    assert walk(home).lost_dirs == 0


def test_hard_links_count_once(walk, home):
    fill(home / "a", 1000, "one")
    for number in range(50):
        os.link(home / "a" / "one", home / f"link-{number}")
    usage = walk(home)
    assert (usage.bytes, usage.files) == (1000, 1)
    same_as_du(usage, home)


def test_a_link_into_the_home_of_a_file_outside_counts_once_here(walk, home, tmp_path):
    fill(tmp_path, 1000, "outside")
    os.link(tmp_path / "outside", home / "inside")
    assert walk(home).bytes == 1000


def test_a_sparse_file_counts_whole_in_bytes_and_little_on_disk(walk, home):
    fill(home, 2**42, "sparse")
    usage = walk(home)
    assert usage.bytes == 2**42
    assert usage.allocated < 2**20
    same_as_du(usage, home)


def test_links_count_themselves_and_are_never_followed(walk, home, tmp_path):
    fill(tmp_path / "outside", 2**40, "huge")
    (home / "out").symlink_to(tmp_path / "outside")
    (home / "file").symlink_to(tmp_path / "outside" / "huge")
    (home / "self").symlink_to("self")
    (home / "up").symlink_to("..")
    (home / "dir").mkdir()
    (home / "dir" / "loop").symlink_to(home)
    usage = walk(home)
    assert usage.bytes < 1000
    assert (usage.files, usage.dirs) == (5, 2)
    same_as_du(usage, home)


def test_what_is_no_file_counts_as_one_of_no_size_and_is_never_opened(walk, home):
    os.mkfifo(home / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        # A socket's path is short: made where we stand, then moved.
        before = os.getcwd()
        os.chdir(home)
        unix.bind("socket")
        os.chdir(before)
        usage = walk(home)
    assert (usage.bytes, usage.files) == (0, 2)
    assert not usage.empty


@as_root
def test_a_device_counts_as_a_file_of_no_size(walk, home):
    os.mknod(home / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(home / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 99))
    usage = walk(home)
    assert (usage.bytes, usage.files) == (0, 2)


def test_names_of_any_bytes_are_counted(walk, home):
    for number in range(1, 256):
        if number != ord("/"):
            with open(os.path.join(os.fsencode(home), bytes([number, 120])), "wb") as file:
                file.write(b"x")
    assert walk(home).bytes == walk(home).files == 254


def test_a_home_whose_own_name_is_no_text_is_measured(walk, home):
    odd = os.path.join(os.fsencode(home), b"\xff\n")
    os.mkdir(odd)
    with open(os.path.join(odd, b"x"), "wb") as file:
        file.write(b"12345")
    assert walk(odd).bytes == 5


@pytest.fixture(scope="module")
def quick():
    """A place for large trees: in memory where there is one."""
    memory = Path("/dev/shm")
    use = memory.is_dir() and os.access(memory, os.W_OK)
    top = Path(tempfile.mkdtemp(dir=memory if use else None))
    yield top
    subprocess.run(["rm", "-rf", str(top)], check=True)


@pytest.fixture(scope="module")
def deep(quick):
    """3,000 levels of directories, with a file in each hundredth."""
    top = quick / "deep"
    top.mkdir()
    handle = os.open(top, os.O_RDONLY)
    for level in range(3000):
        os.mkdir("d", dir_fd=handle)
        if level % 100 == 0:
            file = os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=handle)
            os.write(file, b"0123456789")
            os.close(file)
        deeper = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(handle)
    return top


@pytest.fixture(scope="module")
def wide(quick):
    """20,000 entries in one directory, each tenth a directory."""
    top = quick / "wide"
    top.mkdir()
    handle = os.open(top, os.O_RDONLY)
    for number in range(20_000):
        if number % 10:
            os.close(os.open(f"f{number}", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
        else:
            os.mkdir(f"d{number}", dir_fd=handle)
    os.close(handle)
    return top


def test_3000_levels_are_measured(walk, deep):
    usage = walk(deep)
    assert (usage.bytes, usage.files, usage.dirs) == (300, 30, 3001)
    assert usage.complete
    assert usage.unreadable == 0


def test_20000_entries_in_one_directory_are_measured(walk, wide):
    usage = walk(wide)
    assert (usage.files, usage.dirs) == (18_000, 2_001)


def test_a_walk_opens_nothing_that_it_does_not_close(walk, home, deep):
    before = os.listdir("/proc/self/fd")
    walk(deep)
    walk(deep, deadline_secs=0)
    walk(deep, ceiling=Ceiling(0))
    with pytest.raises(MeasureError):
        walk(home / "missing")
    assert len(os.listdir("/proc/self/fd")) == len(before)


@as_root
def test_another_file_system_inside_is_not_entered(walk, home, tmpfs):
    fill(home, 100)
    fill(tmpfs(home / "shared"), 5000)
    usage = walk(home)
    assert (usage.bytes, usage.files, usage.dirs) == (100, 1, 1)
    assert usage.unreadable == 0
    assert (usage.bytes, usage.allocated) == du(home)


@as_root
def test_another_file_system_inside_counts_where_the_settings_say_so(walk, home, tmpfs):
    fill(home, 100)
    fill(tmpfs(home / "shared"), 5000)
    usage = walk(home, cross_mounts=True)
    assert (usage.bytes, usage.files, usage.dirs) == (5100, 2, 2)


@as_root
def test_a_home_that_is_a_mount_point_itself_is_measured(walk, home, tmpfs):
    fill(tmpfs(home), 5000)
    assert walk(home).bytes == 5000


def test_snapshots_are_not_entered_at_any_depth(walk, home):
    fill(home, 1)
    for place in (".snapshot", ".zfs", "a/.snapshot/deep", "a/x.snap"):
        fill(home / place, 1000)
    assert walk(home).bytes == 1 + 1000
    assert walk(home, skip=(".snapshot", "*.snap")).bytes == 1 + 1000
    assert walk(home, skip=(".snapshot", ".zfs", "*.snap")).bytes == 1
    assert walk(home, skip=()).bytes == 1 + 4 * 1000


def test_a_pattern_skips_whole_names_of_directories_only(walk, home):
    fill(home, 1000, ".snapshot")  # a file of that name is a file
    fill(home / "my.snapshot", 100)
    fill(home / "snapshot", 10)
    (home / ".zfs").symlink_to("/")
    usage = walk(home)
    assert usage.bytes == 1110 + len("/")


@pytest.mark.parametrize(
    "pattern, skipped",
    [
        ("?", {"a", "b"}),
        ("[ab]", {"a", "b"}),
        ("[!a]", {"b"}),
        ("*", {"a", "b", "ü", "a.b", "[ab]"}),
        ("a.b", {"a.b"}),
        ("[[]ab]", {"[ab]"}),
        ("ü", {"ü"}),
        ("(a|b)", set()),
        ("", set()),
    ],
)
def test_patterns_are_those_of_the_shell(walk, home, pattern, skipped):
    sizes = {"a": 1, "b": 2, "ü": 4, "a.b": 8, "[ab]": 16}
    for name, size in sizes.items():
        fill(home / name, size)
    expected = sum(size for name, size in sizes.items() if name not in skipped)
    assert walk(home, skip=(pattern,)).bytes == expected


def test_the_home_itself_is_measured_whatever_its_name(walk, home):
    fill(home / ".snapshot", 100)
    assert walk(home / ".snapshot").bytes == 100


def test_a_deadline_that_has_passed_marks_a_lower_bound(walk, home):
    for number in range(20):
        fill(home / str(number), 10)
    usage = walk(home, deadline_secs=0)
    assert usage.timed_out
    assert not usage.proven_over
    assert 0 <= usage.bytes <= 200


def test_a_home_that_grows_without_end_is_left_at_the_deadline(walk, home):
    stop = threading.Event()

    def grow():
        numbers = count()
        while not stop.is_set():
            for _ in range(50):
                os.makedirs(home / f"{next(numbers)}" / "x", exist_ok=True)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        walk(home, deadline_secs=0.3)  # ends at all
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "ceiling, proven",
    [
        (Ceiling(0), True),
        (Ceiling(19_999), True),
        (Ceiling(20_000), False),
        (Ceiling(20_001), False),
        (Ceiling(10**9, files=199), True),
        (Ceiling(10**9, files=200), False),
        (Ceiling(10**9, files=0), False),
        (Ceiling(2**70), False),
    ],
)
def test_a_walk_says_whether_it_is_proven_over_a_limit(walk, home, ceiling, proven):
    for number in range(20):
        for file in range(10):
            fill(home / str(number), 100, str(file))
    usage = walk(home, ceiling=ceiling)
    assert usage.proven_over is proven
    assert usage.complete is not proven
    assert not usage.timed_out
    if proven:
        assert ceiling.passed(usage.bytes, usage.allocated, usage.files)
    else:
        assert usage.bytes == 20_000


def test_a_limit_may_be_on_the_space_allocated(walk, home):
    fill(home, 2**30)  # sparse
    assert not walk(home, ceiling=Ceiling(2**20, allocated=True)).proven_over
    (home / "full").write_bytes(b"x" * 200_000)
    assert walk(home, ceiling=Ceiling(100_000, allocated=True)).proven_over


def test_a_walk_stops_early_once_it_is_proven(walk, home):
    for number in range(600):
        fill(home / str(number % 60), 10**6, str(number))
    assert walk(home, ceiling=Ceiling(1)).files < 600


@pytest.mark.parametrize("kind", ["missing", "file", "link", "fifo", "link to nothing"])
def test_a_home_that_is_no_directory_is_an_error_and_no_empty_home(walk, home, kind):
    path = home / "it"
    if kind == "file":
        path.write_text("x")
    elif kind == "link":
        path.symlink_to("/usr")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link to nothing":
        path.symlink_to("nowhere")
    with pytest.raises(MeasureError, match="it"):
        walk(path)


WALK_AS_NOBODY = """
import os, sys
from dataclasses import asdict
from jupyterhub_efs_quota.measure.walk import engine as walk
from jupyterhub_efs_quota.measure.task import Task
engines = getattr(walk, "ENGINES", {"python": walk.walk})
"x".encode("unicode_escape")  # nobody may not be allowed to import it later
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(asdict(engines[sys.argv[1]](Task(sys.argv[2], 60))))
"""


@as_root
def test_what_may_not_be_read_is_skipped_named_and_counted(walk, home, for_everybody):
    fill(home, 100)
    fill(home / "closed\n", 1000)
    (home / "closed\n").chmod(0)
    fill(home / "blind", 1000)  # may be listed, but nothing in it looked at
    (home / "blind").chmod(0o744)
    fill(home / "open", 10)
    ran = run_python(WALK_AS_NOBODY, walk.engine, home)
    usage = eval(ran.stdout)
    assert (usage["bytes"], usage["unreadable"], usage["vanished"]) == (110, 2, 0)
    assert sorted(usage["unreadable_names"]) == [
        "closed\\n: Permission denied",
        "data: Permission denied",
    ]


@as_root
def test_a_home_that_may_not_be_read_is_an_error_and_no_empty_home(walk, home, for_everybody):
    home.chmod(0)
    ran = run_python(WALK_AS_NOBODY, walk.engine, home)
    assert "MeasureError" in ran.stderr


@as_root
def test_only_the_first_few_unreadable_names_are_kept(walk, home, for_everybody):
    for number in range(20):
        fill(home / str(number), 5)
        (home / str(number)).chmod(0)
    usage = eval(run_python(WALK_AS_NOBODY, walk.engine, home).stdout)
    assert usage["unreadable"] == 20
    assert len(usage["unreadable_names"]) == 5


def churn(home, stop):
    """Make and remove files and directories under the walker's feet."""
    numbers = count()
    while not stop.is_set():
        number = next(numbers)
        directory = home / f"d{number % 7}"
        try:
            os.makedirs(directory / "x" / "y", exist_ok=True)
            (directory / "x" / f"f{number}").write_bytes(b"x" * 10)
            if number % 3 == 0:
                shutil.rmtree(directory, ignore_errors=True)
            if number % 5 == 0:
                os.rename(directory, home / f"moved{number}")
            if number % 11 == 0:
                for moved in home.glob("moved*"):
                    shutil.rmtree(moved, ignore_errors=True)
        except OSError:
            pass


def test_what_vanishes_mid_walk_does_not_fail_the_home(walk, home):
    fill(home / "stays", 10_000)
    stop = threading.Event()
    thread = threading.Thread(target=churn, args=(home, stop))
    thread.start()
    try:
        for _ in range(40):
            usage = walk(home)
            assert usage.complete
            assert usage.bytes >= 10_000
            assert usage.hidden == 0, usage.unreadable_names
    finally:
        stop.set()
        thread.join()


SWAP = """
import os, sys
home, outside = sys.argv[1:]
os.chdir(home)
print("swapping", flush=True)
while True:
    for name in ("a", "b/c", "b"):
        try:
            os.rename(name, "aside")
            os.symlink(outside, name)
            os.unlink(name)
            os.rename("aside", name)
        except OSError:
            pass
"""


def test_a_directory_swapped_for_a_link_is_never_followed(walk, home, tmp_path):
    huge = 2**40
    fill(tmp_path / "outside", huge, "huge")
    fill(tmp_path / "outside" / "c", huge, "huge")
    for name in ("a", "b", "b/c"):
        for number in range(10):
            fill(home / name, 1, str(number))
    swapper = subprocess.Popen(
        [sys.executable, "-c", SWAP, str(home), str(tmp_path / "outside")],
        stdout=subprocess.PIPE,
        env=environment(),
    )
    swapper.stdout.readline()
    met = lost = 0
    try:
        for _ in range(400):
            usage = walk(home)
            assert usage.bytes < huge
            met += usage.bytes != 30
            lost += usage.lost_dirs
    finally:
        swapper.kill()
        swapper.communicate()
    assert met > 0, "the swapping was never met"
    assert lost > 0, "a folder that was seen and then gone is not told"


@pytest.mark.parametrize("handles", [40, 400])
def test_a_process_with_few_file_handles_measures_deep_homes(walk, deep, handles):
    if handles < 300 and not hasattr(walk_module, "ENGINES"):
        pytest.skip("the engines do it")
    ran = run_python(
        """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]), int(sys.argv[3])))
from jupyterhub_efs_quota.measure.walk import engine as walk
from jupyterhub_efs_quota.measure.task import Task
engines = getattr(walk, "ENGINES", {"python": walk.walk})
usage = engines[sys.argv[1]](Task(sys.argv[2], 50))
print(usage.bytes, usage.dirs, usage.unreadable, usage.complete)
""",
        walk.engine,
        deep,
        handles,
    )
    assert ran.stdout == "300 3001 0 True\n", ran.stderr
