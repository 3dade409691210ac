"""The two walks: each counts right, and both count the same."""

import fnmatch
import importlib
import importlib.util
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError

import jupyterhub_efs_quota
from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.walk import twin, engine as walk
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Ceiling, Task, dump_task, load_task
from jupyterhub_efs_quota.measure.walk.engine import COMPILED, PYTHON
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import MANY, as_root, examples
from .trees import plant, trees

HERE = Path(__file__).parent
SOURCES = sorted((Path(walk.__file__).parent).glob("_walk*.c"))
TOP = Path(jupyterhub_efs_quota.__file__).parent.parent
GCC = shutil.which("gcc")
INCLUDE = sysconfig.get_path("include")
CAN_BUILD = GCC is not None and (Path(INCLUDE) / "Python.h").exists()
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wpointer-arith", "-Wstrict-prototypes"]
AS_NOBODY = {"WALK_USER": "65534"}


def build(target, *flags):
    """Build the compiled walk, every warning an error."""
    subprocess.run(
        [GCC, "-O1", "-g", *WARNINGS, "-DPy_LIMITED_API=0x030A0000", f"-I{INCLUDE}"]
        + [
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
            "-pthread",
            *flags,
            *map(str, SOURCES),
            "-o",
            str(target),
        ],
        check=True,
    )
    return target


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A fresh build."""
    if not CAN_BUILD:
        pytest.skip("needs gcc and Python's headers")
    return build(tmp_path_factory.mktemp("build") / "_walk.abi3.so")


@pytest.fixture(scope="session")
def compiled(request):
    """The compiled walk: what is installed, or a fresh build."""
    if COMPILED not in walk.ENGINES:
        spec = importlib.util.spec_from_file_location(
            f"{walk.__package__}._walk", request.getfixturevalue("library")
        )
        sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        walk.compiled = importlib.import_module(f"{walk.__package__}.compiled")
        walk.ENGINES[COMPILED] = walk.walk_compiled
    return walk.compiled


@pytest.fixture(params=[COMPILED, PYTHON])
def measure(request):
    """Each engine in turn, as a function of a home and what a task may say."""
    if request.param == COMPILED:
        request.getfixturevalue("compiled")

    def run(home, **asked):
        return walk.ENGINES[request.param](Task(str(home), **{"deadline_secs": 60.0, **asked}))

    run.engine = request.param
    return run


@pytest.fixture
def home():
    """An empty home that any user may enter."""
    place = Path(tempfile.mkdtemp(prefix="walk-"))
    place.chmod(0o755)
    (place / "home").mkdir()
    yield place / "home"
    subprocess.run(["rm", "-rf", str(place)], check=True)


@pytest.fixture
def few_handles(monkeypatch):
    """Walks keep next to no directories open, so that they have to find them again."""
    for module in (walk, twin):
        monkeypatch.setattr(module, "most_open", lambda: 8)


def alone(engine, home, library="", environment=None, **asked):
    """Walk in a process of its own: what it found, and what it said."""
    task = Task(str(home), **{"deadline_secs": 60.0, **asked})
    ran = subprocess.run(
        [sys.executable, str(HERE / "walk_alone.py"), engine, str(library), dump_task(task)],
        env={**os.environ, "PYTHONPATH": str(TOP), **(environment or {})},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout), ran.stderr.decode()


def counts(usage):
    return usage.bytes, usage.allocated, usage.files, usage.dirs, usage.unreadable


# What is counted, case by case.


def test_a_file_counts_its_size_and_its_blocks(measure, home):
    (home / "file").write_bytes(b"x" * 5000)
    found = measure(home)
    blocks = home.stat().st_blocks + (home / "file").stat().st_blocks
    assert counts(found) == (5000, blocks * 512, 1, 1, 0)
    assert found.complete
    assert found.meter == "walk"


def test_an_empty_home_is_one_directory(measure, home):
    assert counts(measure(home)) == (0, home.stat().st_blocks * 512, 0, 1, 0)


def test_a_sparse_file_counts_its_full_size(measure, home):
    with (home / "sparse").open("wb") as file:
        file.truncate(10 * 2**40)
    found = measure(home)
    assert found.bytes == 10 * 2**40
    assert found.allocated < 2**20


def test_sizes_beyond_64_bits_do_not_wrap(measure):
    try:
        place = tempfile.mkdtemp(prefix="walk-", dir="/dev/shm")
    except OSError:
        pytest.skip("needs /dev/shm, where files can be that large")
    try:
        for name in "abc":
            with open(os.path.join(place, name), "wb") as file:
                file.truncate(2**63 - 1)
        assert measure(place).bytes >= 2**64 - 1
        assert measure(place, ceiling=Ceiling(2**63)).proven_over
    finally:
        shutil.rmtree(place)


def test_a_link_counts_itself_and_nothing_that_it_points_to(measure, home):
    (home.parent / "outside").mkdir()
    (home.parent / "outside" / "large").write_bytes(b"x" * 100_000)
    for name, target in (("file", "../outside/large"), ("dir", "../outside"), ("none", "nowhere")):
        (home / name).symlink_to(target)
    (home / "loop").symlink_to(".")
    found = measure(home)
    assert found.bytes == len("../outside/large../outsidenowhere.")
    assert (found.files, found.dirs, found.unreadable) == (4, 1, 0)


def test_hard_links_count_once(measure, home):
    (home / "a").mkdir()
    (home / "first").write_bytes(b"x" * 1000)
    for name in ("second", "a/third"):
        os.link(home / "first", home / name)
    (home / "other").write_bytes(b"x" * 10)
    found = measure(home)
    assert (found.bytes, found.files) == (1010, 2)


def test_many_hard_links_count_once_each(measure, home):
    for number in range(3000):
        (home / f"f{number}").write_bytes(b"x")
        os.link(home / f"f{number}", home / f"g{number}")
    found = measure(home)
    assert (found.bytes, found.files) == (3000, 3000)


def test_fifos_and_sockets_count_as_files_of_no_size(measure, home, monkeypatch):
    os.mkfifo(home / "fifo")
    monkeypatch.chdir(home)  # a socket's path may only be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        found = measure(home)
    assert (found.bytes, found.files, found.unreadable) == (0, 2, 0)


@as_root
def test_a_device_counts_as_a_file_of_no_size(measure, home):
    try:
        os.mknod(home / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("devices cannot be made here")
    found = measure(home)
    assert (found.bytes, found.files, found.unreadable) == (0, 1, 0)


@pytest.mark.parametrize("cross", [False, True])
@as_root
def test_another_file_system_is_entered_only_if_asked(measure, home, cross):
    (home / "shared").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", str(home / "shared")], check=False)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        (home / "shared" / "below").mkdir()
        (home / "shared" / "below" / "file").write_bytes(b"x" * 700)
        (home / "own").write_bytes(b"x" * 30)
        found = measure(home, cross_mounts=cross)
    finally:
        subprocess.run(["umount", str(home / "shared")], check=True)
    assert (found.bytes, found.dirs) == ((730, 3) if cross else (30, 1))


def test_skipped_directories_are_not_entered(measure, home):
    for name in (".snapshot", ".zfs", "day.snap", "kept", "kept/.zfs", "x[1]"):
        (home / name).mkdir()
        (home / name / "file").write_bytes(b"x" * 10)
    (home / "file.snap").write_bytes(b"x")  # no directory
    found = measure(home, skip=(".snapshot", ".zfs", "*.snap", "x[[]?]"))
    assert (found.bytes, found.files, found.dirs) == (11, 2, 2)


@given(
    pattern=st.text("ab*?[]!-\\^.ä", max_size=12).filter(lambda text: "\0" not in text),
    name=st.text("ab[]!-\\^.ä", min_size=1, max_size=8),
)
@examples(400)
def test_patterns_mean_the_same_to_both(compiled, pattern, name):
    twins = re.compile(os.fsencode(fnmatch.translate(pattern)))
    expected = twins.fullmatch(name.encode()) is not None
    assert compiled._walk.matches(pattern.encode(), name.encode()) == expected


def test_odd_names_are_counted(measure, home):
    for name in (b"\xff\xfe", b"new\nline", b" ", b"-rf", b"...", b"x" * 255):
        path = os.path.join(os.fsencode(home), name)
        os.mkdir(path)
        with open(os.path.join(path, name), "wb") as file:
            file.write(b"12")
    assert counts(measure(home))[0::2] == (12, 6, 0)
    found = measure(home, skip=("\udcff\udcfe",))
    assert (found.bytes, found.dirs) == (10, 6)


def test_a_home_that_is_not_there_cannot_be_opened(measure, home):
    with pytest.raises(MeasureError, match="cannot be opened: No such file"):
        measure(home / "missing")


def test_a_home_that_is_a_link_is_refused(measure, home):
    (home / "link").symlink_to(".")
    with pytest.raises(MeasureError, match="cannot be opened"):
        measure(home / "link")


def test_a_home_that_is_a_file_is_refused(measure, home):
    (home / "file").touch()
    with pytest.raises(MeasureError, match="cannot be opened"):
        measure(home / "file")


@as_root
def test_what_a_user_may_not_read_is_counted_and_named(measure, home):
    for name in ("closed", "listed", "open"):
        (home / name).mkdir()
        (home / name / "file\n").write_bytes(b"x" * 10)
    (home / "closed").chmod(0o000)
    (home / "listed").chmod(0o444)  # its names may be read, nothing else
    for number in range(10):
        (home / f"more{number}").mkdir(mode=0o000)
    found, _ = alone(measure.engine, home, environment=AS_NOBODY)
    assert (found["bytes"], found["dirs"]) == (10, 3)
    assert (found["unreadable"], found["vanished"]) == (12, 0)
    names = found["unreadable_names"]
    assert len(names) == 5
    assert all(name.endswith(": Permission denied") for name in names)


@as_root
def test_names_that_could_not_be_read_are_shown_escaped(measure, home):
    os.mkdir(os.fsencode(home) + b"/new\nline\xff", mode=0o000)
    found, _ = alone(measure.engine, home, environment=AS_NOBODY)
    assert found["unreadable_names"] == ["new\\nline\\\\xff: Permission denied"]


@as_root
def test_a_home_that_may_not_be_listed_is_named_in_full(measure, home):
    home.chmod(0o000)
    with pytest.raises(AssertionError, match="cannot be opened: Permission denied"):
        alone(measure.engine, home, environment=AS_NOBODY)


# Deep and wide, and with few handles.


def make_deep(home, levels, beside=1):
    """Directories in directories, with others beside them on the way."""
    here = os.open(home, os.O_RDONLY)
    for _ in range(levels):
        for number in range(beside):
            os.mkdir(f"b{number}", dir_fd=here)
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_a_deep_home_is_measured(measure, home):
    make_deep(home, 11_000)
    before = len(os.listdir("/proc/self/fd"))
    found = measure(home)
    assert (found.dirs, found.unreadable) == (22_001, 0)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_deep_home_is_measured_with_few_handles(measure, home):
    make_deep(home, 500, beside=3)
    found, _ = alone(measure.engine, home, environment={"WALK_HANDLES": "24"})
    assert (found["dirs"], found["unreadable"]) == (2001, 0)


def test_a_wide_home_is_measured(measure, home):
    handle = os.open(home, os.O_RDONLY)
    for number in range(10_000):
        os.mkdir(f"directory{number}", dir_fd=handle)
        os.close(os.open(f"file{number}", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.mkdir("directory7/more", dir_fd=handle)
    os.close(handle)
    found = measure(home)
    assert (found.files, found.dirs, found.unreadable) == (10_000, 10_002, 0)


def test_wide_and_deep_at_once(measure, home, monkeypatch):
    # More directories in each than are remembered at a time, below each other.
    for level in range(3):
        here = home.joinpath(*["level"] * level)
        here.mkdir(exist_ok=True)
        for number in range(5000):
            (here / f"d{number}").mkdir()
        (here / "level").mkdir()
    for most in (256, 8):
        for module in (walk, twin):
            monkeypatch.setattr(module, "most_open", lambda most=most: most)
        assert (measure(home).dirs, measure(home).unreadable) == (15_004, 0)


def test_no_handles_are_waited_for(measure, home):
    make_deep(home, 100)
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    os.close(taken.pop())  # the home itself

    def give_back():
        for handle in taken:
            os.close(handle)

    timer = threading.Timer(0.5, give_back)
    timer.start()
    try:
        found = measure(home)
    finally:
        timer.join()
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    assert (found.dirs, found.unreadable) == (201, 0)


def test_no_handles_at_all_end_at_the_deadline(measure, home):
    (home / "below").mkdir()
    found, _ = alone(measure.engine, home, environment={"WALK_HANDLES": "3"}, deadline_secs=0.3)
    assert found["timed_out"]
    assert found["secs"] < 1.3


# Stopping early.


def test_a_walk_past_its_deadline_says_so(measure, home):
    make_deep(home, 2000)
    started = time.monotonic()
    found = measure(home, deadline_secs=0.001)
    assert found.timed_out
    assert not found.proven_over
    assert found.dirs < 4001
    assert time.monotonic() - started < 1


def test_a_walk_stops_when_the_home_is_proven_over(measure, home):
    for number in range(300):
        (home / f"d{number}").mkdir()
        (home / f"d{number}" / "f").write_bytes(b"x" * 100)
    for ceiling in (Ceiling(500), Ceiling(10**9, files=5), Ceiling(9000, allocated=True)):
        found = measure(home, ceiling=ceiling)
        assert found.proven_over
        assert not found.timed_out
        assert ceiling.passed(found.bytes, found.allocated, found.files)


def test_a_home_at_its_ceiling_is_not_over(measure, home):
    (home / "file").write_bytes(b"x" * 100)
    allocated = measure(home).allocated
    for ceiling in (
        Ceiling(100, files=1),
        Ceiling(allocated, allocated=True),
        Ceiling(10**30, files=10**30),
    ):
        assert measure(home, ceiling=ceiling).complete
    assert measure(home, ceiling=Ceiling(0)).proven_over
    assert measure(home, ceiling=Ceiling(-1)).proven_over


SIGNALLED = """
import signal, sys
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import ENGINES

class Alarm(Exception):
    pass

def handler(*_):
    raise Alarm

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    while True:
        ENGINES[sys.argv[1]](Task(sys.argv[2], 60.0))
except Alarm:
    print("ended")
"""


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
def test_a_signals_handler_ends_the_walk(engine, compiled, home):
    make_deep(home, 2000)
    # In a process of its own: what is raised anywhere may leave a tool of the tests locked.
    ran = subprocess.run(
        [sys.executable, "-c", SIGNALLED, engine, str(home)],
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ran.stdout == "ended\n", ran.stderr


# Trees that nobody thought of.


def by_du(home, *options):
    ran = subprocess.run(
        ["du", "-s", "--block-size=1", *options, home], capture_output=True, check=True
    )
    return int(ran.stdout.split(b"\t")[0])


def by_hand(home):
    """Bytes, files and directories as a simple walk of paths counts them."""
    seen = {}
    directories = [os.fsencode(home)]
    for directory in directories:
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            found = os.lstat(path)
            if stat.S_ISDIR(found.st_mode):
                directories.append(path)
            else:
                seen[found.st_ino] = found.st_size
    return sum(seen.values()), len(seen), directories


@given(tree=trees)
@examples(60)
def test_both_count_what_du_counts(compiled, tree):
    with tempfile.TemporaryDirectory(prefix="walk-") as place:
        home = os.path.join(place, "home")
        plant(home, tree)
        size, files, directories = by_hand(home)
        apparent = by_du(home, "--apparent-size")
        # Older versions of du count the directories' own sizes too.
        if by_du(os.path.dirname(home), "--apparent-size", "--max-depth=0") != apparent:
            apparent -= sum(os.lstat(path).st_size for path in directories)
        assert apparent == size
        for name, engine in walk.ENGINES.items():
            for threads in (1, 64):
                found = engine(Task(home, 60.0, walk_threads=threads))
                expected = (size, by_du(home), files, len(directories), 0)
                assert counts(found) == expected, name


# While others change the home.


def change(home, outside, seed, until):
    """Create, delete, rename, and swap directories for links, until a time."""
    chance = random.Random(seed)
    while time.monotonic() < until:
        name, other = (home / f"d{chance.randrange(6)}" for _ in range(2))
        try:
            match chance.randrange(8):
                case 0:
                    (name / "a" / "b" / "c").mkdir(parents=True)
                case 1:
                    shutil.rmtree(name)
                case 2:
                    name.rename(other / "moved")
                case 3:
                    name.rename(home / f"aside{seed}")
                    name.symlink_to(outside)
                case 4:
                    name.unlink()
                    (home / f"aside{seed}").rename(name)
                case 5:
                    for number in range(50):
                        (name / f"f{number}").write_bytes(b"x")
                case 6:
                    # Out of the home altogether, and back.
                    (name / "a").rename(outside / f"away{seed}")
                    (outside / f"away{seed}").rename(other / "a")
                case 7:
                    (other / "moved").rename(name / "a" / "again")
        except OSError:
            pass
    os._exit(0)


@pytest.mark.parametrize("threads", [1, 64])
def test_a_home_that_changes_never_leads_outside(measure, home, threads, few_handles):
    outside = home.parent / "outside"
    for name in (outside, outside / "below"):
        name.mkdir()
        with (name / "huge").open("wb") as file:
            file.truncate(2**42)
    for number in range(6):
        make_deep_here = home / f"d{number}"
        make_deep_here.mkdir()
        make_deep(make_deep_here, 20)
    until = time.monotonic() + 1.5 * MANY
    changers = [
        multiprocessing.get_context("fork").Process(
            target=change, args=(home, outside, seed, until)
        )
        for seed in range(3)
    ]
    for changer in changers:
        changer.start()
    walks = 0
    try:
        while time.monotonic() < until:
            found = measure(home, walk_threads=threads, deadline_secs=20.0)
            assert found.bytes < 2**42
            assert not found.timed_out
            assert found.hidden == 0
            walks += 1
    finally:
        for changer in changers:
            changer.join(20)
            changer.kill()
    assert walks


@pytest.fixture
def trap(home):
    """A directory outside of the home that shows in any total."""
    outside = home.parent / "outside"
    for name in (".", "b0", "b1", "b2", "d"):
        (outside / name).mkdir(exist_ok=True)
        with (outside / name / "huge").open("wb") as file:
            file.truncate(2**42)
    return outside


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
def test_a_directory_swapped_for_a_link_is_not_followed(engine, home, trap, bad_store, library):
    (home / "d").mkdir()
    (home / "d" / "file").write_bytes(b"x")
    (home / "other").write_bytes(b"x" * 100)
    environment = {"LD_PRELOAD": bad_store, "SWAP_ON": "d", "SWAP_TO": str(trap)}
    found, _ = alone(engine, home, library, environment)
    assert (home / "d").is_symlink()
    assert (found["bytes"], found["dirs"]) == (100, 1)
    assert (found["unreadable"], found["vanished"]) == (1, 1)


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
@pytest.mark.parametrize("threads", [1, 2, 64])
def test_a_directory_moved_outside_does_not_lead_there(
    engine, home, trap, bad_store, library, threads
):
    make_deep(home, 60, beside=3)
    environment = {
        "LD_PRELOAD": bad_store,
        "SWAP_ON": "..",
        "SWAP_TO": str(trap),
        "WALK_HANDLES": "28",  # so that directories have to be found again
    }
    found, _ = alone(engine, home, library, environment, walk_threads=threads)
    if threads == 1:  # several may come by another way
        assert list(trap.glob("moved*"))
    assert found["bytes"] == 0
    assert found["unreadable"] == found["vanished"]
    assert not found["timed_out"]


# A store that is slow.


@pytest.fixture
def slow(bad_store):
    """The environment of a process whose store takes 2 ms for each file."""
    return {"LD_PRELOAD": bad_store, "SLOW_USECS": "2000"}


def make_files(home, directories, files):
    for directory in range(directories):
        here = home / f"d{directory}"
        here.mkdir()
        for number in range(files):
            (here / f"f{number}").write_bytes(b"x")


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
@pytest.mark.parametrize(("directories", "files"), [(1, 4000), (200, 20)])
def test_a_slow_store_is_asked_many_things_at_a_time(
    engine, home, slow, library, directories, files
):
    make_files(home, directories, files)
    found, _ = alone(engine, home, library, environment=slow)
    assert (found["bytes"], found["files"]) == (4000, 4000)
    assert found["dirs"] == directories + 1
    # A third of what one after the other takes, on a machine that has other things to do.
    assert found["secs"] < 4000 * 0.002 / 3


def test_threads_are_as_many_as_allowed(home, slow, library):
    make_files(home, 1, 300)
    found, _ = alone(COMPILED, home, library, environment=slow, walk_threads=1)
    assert found["files"] == 300
    assert found["secs"] > 300 * 0.002


def test_a_quick_store_is_walked_by_few_threads(compiled, home):
    make_files(home, 50, 100)
    handle = os.open(home, os.O_RDONLY)
    try:
        for _ in range(5):
            found = compiled._walk.walk(
                handle,
                *(256, 64, 60.0, False, (), False, False, (0, 0)),
                *(None, (False, b"", 0, -1, False), None),
            )
            os.lseek(handle, 0, os.SEEK_SET)
    finally:
        os.close(handle)
    assert found["files"] == 5000
    assert found["threads"] <= 8


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
def test_a_slow_walk_ends_at_its_deadline(engine, home, slow, library):
    make_files(home, 1, 3000)
    environment = {**slow, "SLOW_USECS": "100000"}
    found, _ = alone(engine, home, library, environment=environment, deadline_secs=0.5)
    assert found["timed_out"]
    assert found["files"] > 0
    assert found["secs"] < 1.5


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
def test_a_slow_walk_stops_when_proven_over(engine, home, slow, library):
    make_files(home, 1, 3000)
    found, _ = alone(engine, home, library, environment=slow, ceiling=Ceiling(100))
    assert found["proven_over"]
    assert 100 < found["bytes"] < 3000


# What the compiler and its checkers say.


CHECKED = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=0",
    "TSAN_OPTIONS": "exitcode=0:report_signal_unsafe=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "PYTHONMALLOC": "malloc",
}


@pytest.fixture(scope="module", params=["address,undefined", "thread"])
def checked(request, tmp_path_factory):
    """A build with one of the compiler's checkers; what is to be preloaded for it."""
    if not CAN_BUILD:
        pytest.skip("needs gcc and Python's headers")
    library = tmp_path_factory.mktemp("checked") / "_walk.abi3.so"
    try:
        build(library, f"-fsanitize={request.param}", "-fno-omit-frame-pointer")
    except subprocess.CalledProcessError:
        pytest.skip("this gcc has no such checker")
    name = f"lib{request.param[0]}san.so"
    found = subprocess.run(
        [GCC, f"-print-file-name={name}"], capture_output=True, check=True, text=True
    )
    return library, found.stdout.strip()


def test_the_checkers_find_nothing(checked, home, slow):
    library, runtime = checked
    make_deep(home, 300)
    make_files(home, 40, 30)
    make_files(home / "d", 1, 700)
    for name in range(500):
        os.link(home / "d1/f1", home / f"hard{name}")
        os.link(home / "d2/f1", home / f"d3/hard{name}")
        os.link(home / f"d/d0/f{name}", home / "d5" / f"{name}.csv")
    (home / "d7/__pycache__").mkdir()
    (home / "d7/core.17").touch()
    few = Rules(now=2_000_000_000, folders=5, largest=3, places=2)
    quick = {**CHECKED, "LD_PRELOAD": runtime}
    slowly = {**CHECKED, **slow, "LD_PRELOAD": f"{runtime}:{slow['LD_PRELOAD']}"}
    whole = None
    for more, asked in (
        (quick, {}),
        (slowly, {}),
        (slowly, {"walk_threads": 4}),
        (quick, {"rules": Rules(now=2_000_000_000)}),
        (slowly, {"rules": few}),
        (slowly, {"rules": few, "deadline_secs": 0.05}),
        ({**quick, "WALK_HANDLES": "40"}, {"rules": few}),
        ({**quick, "WALK_HANDLES": "40"}, {}),
        ({**quick, "WALK_PACE": "100"}, {}),
        ({**slowly, "WALK_PACE": "0"}, {}),
        (slowly, {"deadline_secs": 0.05}),
        (slowly, {"ceiling": Ceiling(500)}),
        (quick, {"skip": ("d1*", "[a-z")}),
    ):
        found, said = alone(COMPILED, home, library, environment=more, **asked)
        assert "_walk" not in said, said
        assert "runtime error" not in said, said
        if not asked or "walk_threads" in asked:
            del found["secs"]
            whole = whole or found
            assert found == whole


def test_the_checkers_find_nothing_in_odd_trees(checked):
    library, runtime = checked
    ran = subprocess.run(
        [sys.executable, "-m", "tests.unit.walk_trees", str(library), str(30 * MANY)],
        cwd=TOP,
        env={**os.environ, **CHECKED, "LD_PRELOAD": runtime},
        capture_output=True,
        text=True,
        timeout=300 * MANY,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert int(ran.stdout) >= 30
    assert "_walk" not in ran.stderr, ran.stderr
    assert "runtime error" not in ran.stderr, ran.stderr


# Which engine walks.


def test_without_the_compiled_walk_the_other_serves(home):
    (home / "file").write_bytes(b"x" * 10)
    code = (
        "import sys, logging; logging.basicConfig(level='INFO')\n"
        "sys.modules['jupyterhub_efs_quota.measure.walk._walk'] = None\n"
        "from jupyterhub_efs_quota.measure.walk import engine as walk\n"
        "from jupyterhub_efs_quota.measure.task import Task\n"
        "walk.log_engine(); walk.log_engine()\n"
        "print(walk.engine(), walk.walk(Task(sys.argv[1], 60.0)).bytes)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(home)],
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert ran.stdout == "python 10\n"
    assert ran.stderr.count("measured by the walk in Python") == 1


def test_the_compiled_walk_serves_where_it_was_built(compiled, home):
    assert walk.engine() == COMPILED
    assert walk.walk(Task(str(home), 60.0)).dirs == 1


def test_a_task_carries_the_number_of_threads():
    task = Task("/home", 1.0, walk_threads=256, ceiling=Ceiling(5))
    assert load_task(dump_task(task)) == task


@pytest.mark.parametrize("threads", [0, 1025, "many"])
def test_the_number_of_threads_is_checked(threads):
    with pytest.raises(TraitError):
        EFSQuota(walk_threads=threads)


# How far it is.


TOLD = """
import json, sys
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import ENGINES
told, ends = [], sys.argv[3] == "ends"
def tell(*far):
    told.append(far)
    return ends
usage = ENGINES[sys.argv[1]](Task(sys.argv[2], 60.0, walk_threads=1), tell)
print(json.dumps([told, usage.files, usage.timed_out]))
"""


@pytest.fixture
def walked_slowly(compiled, home, slow):
    """Walk 300 files in 0.6 s; what was told, how many files were counted, whether it ended."""
    for number in range(30):
        (home / f"folder{number}" / "in it").mkdir(parents=True)
        for name in range(10):
            (home / f"folder{number}" / "in it" / f"{name}").write_bytes(b"x")

    def walk_slowly(engine, answer):
        ran = subprocess.run(
            [sys.executable, "-c", TOLD, engine, str(home), answer],
            env={**os.environ, **slow, "PYTHONPATH": str(TOP)},
            capture_output=True,
            check=True,
            text=True,
        )
        return json.loads(ran.stdout)

    return walk_slowly


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
def test_who_waits_is_told_what_is_counted_and_being_read(engine, walked_slowly):
    told, files, timed_out = walked_slowly(engine, "goes on")
    assert (files, timed_out) == (300, False)
    assert len(told) >= 3
    assert told == sorted(told, key=lambda far: far[0])
    assert all(files <= size <= 300 and dirs <= 61 for files, size, dirs, _ in told)
    places = {where for *_, where in told}
    assert all(re.fullmatch(r"|folder\d+|folder\d+/in it", place) for place in places), places
    assert len(places) > 1


@pytest.mark.parametrize("engine", [COMPILED, PYTHON])
def test_a_walk_ends_when_it_is_told_to(engine, walked_slowly):
    told, files, timed_out = walked_slowly(engine, "ends")
    assert timed_out and files < 300
    assert len(told) == 1
