"""Deleting for good, counting and listing: huge, deep, stopped, changed meanwhile."""

import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import FreeingError, NotThere
from jupyterhub_efs_quota.freeing import descent
from jupyterhub_efs_quota.freeing.erase import erase
from jupyterhub_efs_quota.freeing.listing import By, Order, extension, list_directory
from jupyterhub_efs_quota.freeing.progress import Progress, Stopped
from jupyterhub_efs_quota.freeing.weigh import weigh
from jupyterhub_efs_quota.quota.summary import Sums

from ..conftest import as_root, environment
from .conftest import OWNER, STRANGER


def erased(place, *names, whose=OWNER, progress=None):
    with place.open() as home, home.directory(names[:-1]) as parent:
        return erase(parent, names[-1], whose, progress)


def weighed(place, *names, progress=None):
    with place.open() as home, home.directory(names[:-1]) as parent:
        return weigh(home, parent, names[-1], progress)


def listed(place, *names, **wanted):
    with place.open() as home:
        return list_directory(home, names, **wanted)


def deep_tree(place, levels):
    """A tree far deeper than a path can be long, with a file on each level."""
    handle = os.open(place.folder("deep"), os.O_RDONLY)
    for _ in range(levels):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        os.mkdir("d" * 50, dir_fd=handle)
        inner = os.open("d" * 50, os.O_RDONLY, dir_fd=handle)
        for made in (handle, inner):
            if os.geteuid() == 0:
                os.chown(made, OWNER, OWNER)
        if os.geteuid() == 0:
            os.chown("file", OWNER, OWNER, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


def test_a_tree_is_deleted_and_what_it_freed_is_counted(place):
    for number in range(50):
        place.file(f"tree/{number % 5}/{number}")
    wanted = weighed(place, b"tree").sums
    assert (wanted.bytes, wanted.files) == (50_000, 50)
    assert erased(place, b"tree").sums == wanted
    assert not (place.path / "tree").exists()


def test_a_single_file_or_link_is_deleted_and_its_target_is_not(place):
    target = place.file("target")
    (place.path / "link").symlink_to("target")
    place.give(place.path / "link")
    assert erased(place, b"link").left == 0
    assert target.exists() and not (place.path / "link").is_symlink()
    assert erased(place, b"target").sums.bytes == 1000


def test_links_in_a_tree_lead_nowhere(place):
    outside = place.root / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"data")
    (place.folder("tree") / "link").symlink_to(outside)
    assert erased(place, b"tree").left == 0
    assert (outside / "precious").exists()


def test_what_is_gone_already_is_no_error(place):
    done = erased(place, b"no such")
    assert (done.left, done.sums.files) == (0, 0)


def test_folders_that_their_owner_has_closed_are_deleted_too(place):
    place.file("tree/closed/file")
    for name in ("tree/closed", "tree"):
        (place.path / name).chmod(0o500)
    assert erased(place, b"tree").left == 0
    assert not (place.path / "tree").exists()


def test_a_tree_deeper_than_any_path_is_counted_and_deleted_with_few_handles(place):
    deep_tree(place, 1500)
    before = len(os.listdir("/proc/self/fd"))
    assert weighed(place, b"deep").sums.files == 1500
    assert erased(place, b"deep").left == 0
    assert not (place.path / "deep").exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_deep_tree_with_folders_on_each_level_is_counted_and_deleted_whole(place, monkeypatch):
    monkeypatch.setattr(descent, "_MOST_OPEN", 3)
    for level in range(12):
        base = "/".join(["d"] * level) or "."
        for number in range(4):
            place.file(f"tree/{base}/{number}/file")
    place.file("tree/" + "/".join(["d"] * 13))
    assert weighed(place, b"tree").sums.files == 12 * 4 + 1
    assert weighed(place, b"tree").complete
    done = erased(place, b"tree")
    assert (done.left, done.sums.files) == (0, 12 * 4 + 1)


def test_names_that_have_no_room_in_memory_are_found_in_another_pass(place, monkeypatch):
    monkeypatch.setattr(descent, "_MOST_OPEN", 2)
    monkeypatch.setattr(descent, "_MOST_WAITING", 2)
    for first in range(6):
        for second in range(6):
            place.file(f"tree/{first}/{second}/x/y/file")
    assert not weighed(place, b"tree").complete
    for _ in range(10):
        if not erased(place, b"tree").left:
            break
    assert not (place.path / "tree").exists()


def test_deleting_can_be_stopped_and_goes_on_later(place):
    for number in range(300):
        place.file(f"tree/{number}")
    progress = Progress()
    progress.stop()
    done = erased(place, b"tree", progress=progress)
    assert done.stopped and done.left
    assert len(list((place.path / "tree").iterdir())) >= 298
    assert not erased(place, b"tree").stopped
    assert not (place.path / "tree").exists()


def test_counting_that_has_no_time_says_that_it_is_at_least_so_much(place):
    for number in range(100):
        place.file(f"tree/{number}")
    weight = weighed(place, b"tree", progress=Progress(0))
    assert not weight.complete and weight.sums.files < 100


def test_two_who_delete_the_same_tree_leave_nothing_and_no_error(place):
    for number in range(2000):
        place.file(f"tree/{number % 40}/{number}")
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(erased(place, b"tree"))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not (place.path / "tree").exists()
    assert sum(each.sums.files for each in done) >= 2000
    assert len(done) == 3


def test_what_is_added_meanwhile_does_not_keep_it_going_for_ever(place):
    place.file("tree/file")
    ending = threading.Event()

    def add():
        number = 0
        while not ending.is_set():
            number += 1
            try:
                (place.path / "tree" / str(number)).write_bytes(b"")
            except FileNotFoundError:
                return

    thread = threading.Thread(target=add)
    thread.start()
    erased(place, b"tree")  # comes back, whoever wins
    ending.set()
    thread.join()


def test_a_file_with_another_name_elsewhere_frees_nothing(place):
    path = place.file("tree/one")
    os.link(path, place.path / "other")
    os.link(path, place.path / "tree/two")
    assert weighed(place, b"tree").sums.bytes == 0
    os.unlink(place.path / "other")
    assert weighed(place, b"tree").sums.bytes == 1000
    assert erased(place, b"tree").sums.bytes == 1000


@as_root
def test_what_others_have_in_a_folder_is_left_with_the_folders_above(place):
    place.give(place.file("tree/theirs/file").parent, to=STRANGER)
    place.file("tree/mine/file")
    assert weighed(place, b"tree").others == 1
    done = erased(place, b"tree")
    assert done.left and "somebody else" in done.why
    assert (place.path / "tree/theirs/file").exists()
    assert not (place.path / "tree/mine").exists()
    assert erased(place, b"tree", whose=None).left == 0


@as_root
def test_a_file_system_mounted_in_a_tree_is_not_emptied(place, tmpfs):
    place.file("tree/mine")
    mounted = tmpfs(place.folder("tree/shared"))
    (mounted / "data").write_bytes(b"theirs")
    assert erased(place, b"tree", whose=None).left
    assert (mounted / "data").exists()


@as_root
def test_a_directory_bound_into_a_tree_is_not_emptied_though_its_device_is_the_same(place):
    elsewhere = place.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "data").write_bytes(b"theirs")
    bound = place.folder("tree/bound")
    if subprocess.run(["mount", "--bind", elsewhere, bound], check=False).returncode:
        pytest.skip("cannot bind a directory here")
    try:
        assert os.stat(bound).st_dev == os.stat(place.path).st_dev
        assert erased(place, b"tree", whose=None).left
        assert not weighed(place, b"tree").complete
        with place.open() as home, pytest.raises(FreeingError):
            list_directory(home, (b"tree", b"bound"))
        assert (elsewhere / "data").exists()
    finally:
        subprocess.run(["umount", bound], check=True)


def test_a_folder_moved_away_while_it_is_deleted_takes_nobody_outside(place, monkeypatch):
    monkeypatch.setattr(descent, "_MOST_OPEN", 2)
    place.file("tree/a/b/c/d/e/file")
    outside = place.root / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"data")
    opened = descent.Descent._go_up

    def moving(self):
        if (place.path / "tree/a/b").exists():
            (place.path / "tree/a/b").rename(outside / "b")
        opened(self)

    monkeypatch.setattr(descent.Descent, "_go_up", moving)
    done = erased(place, b"tree")
    assert done.left and "moved" in done.why
    assert (outside / "precious").exists()


# --- Listing -------------------------------------------------------------------------------


@given(st.sets(st.binary(min_size=1, max_size=20), max_size=30), st.integers(1, 7))
def test_pages_show_every_entry_once_and_in_order(names, most):
    from .conftest import Place
    import shutil, tempfile
    from pathlib import Path

    names = {n for n in names if b"/" not in n and b"\0" not in n and n not in (b".", b"..")}
    root = Path(tempfile.mkdtemp())
    try:
        place = Place(root)
        for name in names:
            place.file(name)
        seen, after = [], b""
        while True:
            page = listed(place, after=after, most=most)
            seen += [entry.name for entry in page.entries]
            assert page.total == len(names)
            if page.following is None:
                break
            after = page.following
        assert seen == sorted(names)
    finally:
        shutil.rmtree(root)


def test_the_listing_says_what_each_entry_is(place):
    place.file("file")
    place.folder("folder")
    (place.path / "link").symlink_to("/etc/passwd")
    os.mkfifo(place.path / "pipe")
    place.give(place.path / "link", place.path / "pipe")
    found = {entry.name: entry for entry in listed(place).entries}
    assert {name: entry.kind for name, entry in found.items()} == {
        b"file": "file",
        b"folder": "folder",
        b"link": "link",
        b"pipe": "other",
    }
    assert found[b"file"].bytes == 1000 and found[b"file"].own
    assert found[b"link"].bytes == len("/etc/passwd")


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("descending", [False, True])
def test_pages_in_any_order_show_every_entry_once_and_in_that_order(place, by, descending):
    for number in range(30):
        path = place.file(f"{number % 4}-{number}.t{number % 3}", b"x" * (number % 5))
        os.utime(path, (number % 6, number % 6))
    for number in range(3):
        place.folder(f"folder {number}")
    order = Order(by, descending, {b"folder 1": Sums(2, 2, 9)})
    found, after = [], b""
    while after is not None:
        page = listed(place, after=after, most=7, order=order)
        found += page.entries
        after = page.following
    assert len({entry.name for entry in found}) == len(found) == 33
    keys = [(b"" if by is By.NAME else order.key(entry), entry.name) for entry in found]
    assert keys == sorted(keys, reverse=descending)


def test_by_size_and_files_a_folder_counts_with_what_it_holds_and_before_all_if_unknown(place):
    place.file("file")
    place.folder("known"), place.folder("unknown")
    known = {b"known": Sums(5000, 8192, 9)}

    def names(by):
        return [each.name for each in listed(place, order=Order(by, known=known)).entries]

    assert names(By.SIZE) == names(By.FILES) == [b"unknown", b"file", b"known"]


@pytest.mark.parametrize("token", [b"x", b"x/name", b"--1/name", b"9" * 30 + b"/name"])
def test_a_place_that_no_list_has_is_refused(place, token):
    with pytest.raises(FreeingError, match="no such place"):
        listed(place, after=token, order=Order(By.SIZE))


@pytest.mark.parametrize(
    ("name", "last"),
    [(b"a.CSV", b"CSV"), (b".bashrc", b""), (b"a.tar.gz", b"gz"), (b"..x", b""), (b"a", b"")],
)
def test_the_extension_of_a_name_that_begins_with_a_dot_is_none(name, last):
    assert extension(name) == last


def test_a_link_is_not_listed_through(place):
    (place.path / "link").symlink_to("/etc")
    with pytest.raises(FreeingError, match="a link"):
        listed(place, b"link")
    with pytest.raises(NotThere):
        listed(place, b"no such")


def test_a_listing_that_takes_too_long_is_given_up(place):
    place.file("file")
    with pytest.raises(Stopped):
        listed(place, progress=Progress(0))


HUGE = """
import re, sys
from jupyterhub_efs_quota.freeing.erase import erase
from jupyterhub_efs_quota.freeing.handles import open_home
from jupyterhub_efs_quota.freeing.listing import list_directory
from jupyterhub_efs_quota.freeing.progress import Progress
from jupyterhub_efs_quota.freeing.weigh import weigh
from pathlib import Path
root, entries = Path(sys.argv[1]), int(sys.argv[2])
# Of this program alone: getrusage would say the peak of the one that started it.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
with open_home(root, root / "alice") as home:
    assert list_directory(home, (b"huge",)).total == entries
    assert weigh(home, home.handle, b"huge").sums.files == entries
    progress = Progress()
    done = erase(home.handle, b"huge", home.owner, progress)
    assert done.sums.files == entries and not done.left and progress.entries >= entries
print(peak() - before)
"""


def test_a_huge_folder_is_listed_counted_and_deleted_in_little_memory(place):
    """`FREEING_ENTRIES=1000000` for the size that users fear; the memory is the same."""
    entries = int(os.environ.get("FREEING_ENTRIES", "10000"))
    huge = place.folder("huge")
    handle = os.open(huge, os.O_RDONLY)
    for number in range(entries):
        os.mknod(f"a-name-of-usual-length-{number}", dir_fd=handle)
        if os.geteuid() == 0:
            os.chown(f"a-name-of-usual-length-{number}", OWNER, OWNER, dir_fd=handle)
    os.close(handle)
    ran = subprocess.run(
        [sys.executable, "-c", HUGE, str(place.root / "users"), str(entries)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    grown_kib = int(ran.stdout)
    print(f"{grown_kib} KiB more at the peak")
    assert grown_kib < 16 << 10, f"{grown_kib} KiB for {entries} entries"
