"""Into limbo and out of it again: what is kept, what is refused, what two at once do."""

import os
import stat
import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import Busy, FreeingError, HomeError, NoLimbo, NotThere
from jupyterhub_efs_quota.freeing import put, recover
from jupyterhub_efs_quota.freeing.ledger import ASIDE, Receipt, append, read
from jupyterhub_efs_quota.freeing.limbo import Limbo, drawer_name
from jupyterhub_efs_quota.freeing.note import dump, load
from jupyterhub_efs_quota.freeing.paths import another_name, check, parse, quoted, topmost
from jupyterhub_efs_quota.freeing.purge import discard, due, empty
from jupyterhub_efs_quota.freeing.restore import restore
from jupyterhub_efs_quota.freeing.take import take
from jupyterhub_efs_quota.quota.summary import Sums

from ..conftest import NOW, as_root
from .conftest import OWNER, STRANGER

HOSTILE = [
    b"plain",
    b"\xff\xfe not utf-8",
    b"new\nline",
    b"<b onmouseover=alert(1)>",
    b"%2e%2e%2f",
    b"..a",
    b"...",
    b"-rf",
    b"'; rm -rf ~",
    b"a" * 255,
    "\u202etxt.exe".encode(),
    b"back\\slash",
    b" ",
]


def taken(place, errand, *names, inode=None):
    with place.open() as home, place.drawer() as drawer:
        return take(home, drawer, names, errand, inode)


def restored(place, key):
    with place.open() as home, place.drawer() as drawer:
        return restore(home, drawer, key)


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_a_file_of_any_name_goes_and_comes_back_as_it_was(place, errand, name):
    path = place.file(name)
    path.chmod(0o640)
    os.utime(path, ns=(10**18 + 1, 10**18 + 2))
    before = path.stat()
    note = taken(place, errand, name)
    assert not path.exists()
    assert place.notes() == [note]
    assert restored(place, note.key) == (name,)
    after = path.stat()
    for field in ("st_ino", "st_uid", "st_gid", "st_mode", "st_mtime_ns", "st_size"):
        assert getattr(after, field) == getattr(before, field), field
    assert place.notes() == []


def test_a_folder_goes_and_comes_back_with_all_in_it(place, errand):
    place.file("work/deep/data", b"precious")
    (place.path / "work").chmod(0o555)
    note = taken(place, errand, b"work")
    assert list(place.path.iterdir()) == []
    restored(place, note.key)
    assert (place.path / "work/deep/data").read_bytes() == b"precious"
    assert stat.S_IMODE((place.path / "work").stat().st_mode) == 0o555
    assert (place.path / "work").stat().st_uid == OWNER
    (place.path / "work").chmod(0o755)


def test_a_link_goes_itself_and_not_what_it_points_to(place, errand):
    target = place.root / "outside"
    target.write_bytes(b"mine")
    link = place.path / "link"
    link.symlink_to(target)
    place.give(link)
    note = taken(place, errand, b"link")
    assert target.read_bytes() == b"mine"
    restored(place, note.key)
    assert os.readlink(link) == str(target)


def test_a_fifo_is_moved_without_anybody_waiting_for_it(place, errand):
    os.mkfifo(place.path / "pipe")
    place.give(place.path / "pipe")
    note = taken(place, errand, b"pipe")
    restored(place, note.key)
    assert stat.S_ISFIFO((place.path / "pipe").stat().st_mode)


@pytest.mark.parametrize("folder", [False, True])
def test_restoring_never_replaces_what_has_the_name_now(place, errand, folder):
    inside = b"thing.csv/data" if folder else b"thing.csv"
    place.file(inside, b"first")
    first = taken(place, errand, b"thing.csv")
    place.file(inside, b"second")
    second = taken(place, errand, b"thing.csv")
    place.file(inside, b"third")
    assert restored(place, first.key) == (b"thing (restored).csv",)
    assert restored(place, second.key) == (b"thing (restored 2).csv",)
    tail = "data" if folder else ""
    for name, content in (
        ("thing.csv", b"third"),
        ("thing (restored).csv", b"first"),
        ("thing (restored 2).csv", b"second"),
    ):
        assert (place.path / name / tail).read_bytes() == content


def test_restoring_a_folder_does_not_replace_an_empty_folder_of_the_name(place, errand):
    place.file("data/one")
    note = taken(place, errand, b"data")
    empty_one = place.folder("data").stat().st_ino
    assert restored(place, note.key) == (b"data (restored)",)
    assert (place.path / "data").stat().st_ino == empty_one


def test_a_folder_that_is_gone_is_made_again_for_its_user_alone(place, errand):
    place.file("a/b/c")
    note = taken(place, errand, b"a", b"b", b"c")
    os.rmdir(place.path / "a/b")
    os.rmdir(place.path / "a")
    assert restored(place, note.key) == (b"a", b"b", b"c")
    for made in ("a", "a/b"):
        found = (place.path / made).stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (OWNER, 0o700)


def test_what_had_a_folder_that_is_a_link_now_comes_into_a_folder_of_the_home(place, errand):
    place.file("a/c", b"data")
    note = taken(place, errand, b"a", b"c")
    os.rmdir(place.path / "a")
    outside = place.root / "outside"
    outside.mkdir()
    (place.path / "a").symlink_to(outside)
    assert restored(place, note.key) == (b"Restored", b"c")
    assert (place.path / "Restored/c").read_bytes() == b"data"
    assert list(outside.iterdir()) == []


def test_restoring_works_where_there_are_no_hard_links(place, errand, monkeypatch):
    def no_links(*args, **kwargs):
        raise PermissionError(1, "no links")

    monkeypatch.setattr(put.os, "link", no_links)
    place.file("a", b"first")
    note = taken(place, errand, b"a")
    place.file("a", b"second")
    assert restored(place, note.key) == (b"a (restored)",)
    assert (place.path / "a").read_bytes() == b"second"
    assert (place.path / "a (restored)").read_bytes() == b"first"


def test_a_name_that_is_given_up_at_that_moment_ends_no_restoring(place, errand, monkeypatch):
    place.file("a", b"first")
    note, link = taken(place, errand, b"a"), os.link
    place.file("a", b"second")

    def give_it_up(*args, **kwargs):
        try:
            link(*args, **kwargs)
        except FileExistsError:
            (place.path / "a").unlink()
            raise

    monkeypatch.setattr(put.os, "link", give_it_up)
    assert restored(place, note.key) == (b"a (restored)",)
    assert (place.path / "a (restored)").read_bytes() == b"first"


def test_what_is_not_there_is_said_to_be_gone_and_leaves_nothing(place, errand):
    with pytest.raises(NotThere):
        taken(place, errand, b"no such")
    with place.drawer() as drawer:
        assert drawer.keys() == []


def test_two_who_take_the_same_tree_get_it_once(place, errand):
    for number in range(20):
        place.file(f"tree/{number}/file", b"%d" % number)
        outcomes, begin = [], threading.Barrier(2)

        def one():
            begin.wait()
            try:
                outcomes.append(taken(place, errand, b"tree"))
            except NotThere:
                outcomes.append(None)

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(outcome is not None for outcome in outcomes) == 1
        assert len(place.notes()) == number + 1


def test_a_tree_and_a_part_of_it_taken_at_once_are_both_kept_whole(place, errand):
    place.file("tree/part/file", b"data")
    begin = threading.Barrier(2)

    def one(*names):
        begin.wait()
        try:
            taken(place, errand, *names)
        except FreeingError:
            pass

    threads = [
        threading.Thread(target=one, args=names) for names in ((b"tree",), (b"tree", b"part"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for note in place.notes():
        restored(place, note.key)
    assert [p.read_bytes() for p in place.path.rglob("file")] == [b"data"]


def test_something_else_under_the_name_that_was_shown_is_refused(place, errand):
    shown = place.file("a").stat().st_ino
    (place.path / "a").rename(place.path / "kept")
    place.file("a", b"new")
    with pytest.raises(FreeingError, match="Something else"):
        taken(place, errand, b"a", inode=shown)
    assert (place.path / "a").read_bytes() == b"new"


def test_the_home_itself_is_not_taken(place, errand):
    with pytest.raises(FreeingError, match="Your home itself"):
        taken(place, errand)


def test_a_drawer_that_is_in_use_is_waited_for_and_then_given_up(place):
    with place.drawer(), pytest.raises(Busy), place.limbo.drawer("alice", wait_secs=0.1):
        pass


def test_limbo_is_for_the_service_alone_and_refused_otherwise(place):
    with place.drawer():
        pass
    assert stat.S_IMODE(place.limbo.place.stat().st_mode) == 0o700
    place.limbo.place.chmod(0o755)
    with pytest.raises(NoLimbo, match="not the service's alone"), place.drawer():
        pass


def test_a_limbo_that_is_a_link_is_refused(place):
    place.limbo.place.symlink_to(place.root)
    with pytest.raises(FreeingError), place.drawer():
        pass


def test_a_home_that_is_reached_by_a_link_is_not_opened(place):
    (place.root / "users/bob").symlink_to(place.path)
    place.path = place.root / "users/bob"
    with pytest.raises(HomeError, match="no links"), place.open():
        pass


@as_root
def test_what_belongs_to_somebody_else_is_not_taken(place, errand):
    place.give(place.file("theirs"), to=STRANGER)
    with pytest.raises(FreeingError, match="somebody else"):
        taken(place, errand, b"theirs")
    place.give(place.file("shared/mine").parent, to=STRANGER)
    with pytest.raises(FreeingError, match="somebody else"):
        taken(place, errand, b"shared", b"mine")


@as_root
def test_a_closed_folder_of_somebody_else_is_not_entered(place):
    theirs = place.file("theirs/secret").parent
    place.give(theirs, to=STRANGER)
    theirs.chmod(0o750)
    with place.open() as home, pytest.raises(FreeingError), home.directory((b"theirs",)):
        pass


@as_root
def test_another_file_system_in_the_home_is_not_entered_or_taken(place, errand, tmpfs):
    mounted = tmpfs(place.path / "shared")
    (mounted / "data").write_bytes(b"theirs")
    with pytest.raises(FreeingError):
        taken(place, errand, b"shared", b"data")
    with pytest.raises(FreeingError):
        taken(place, errand, b"shared")
    assert (mounted / "data").exists()


@as_root
def test_a_limbo_on_another_file_system_says_that_nothing_can_be_put_aside(place, errand, tmpfs):
    place.limbo = Limbo(tmpfs(place.root / "elsewhere") / "limbo")
    path = place.file("a")
    with pytest.raises(NoLimbo, match="another file system"):
        taken(place, errand, b"a")
    assert path.exists()
    with place.drawer() as drawer:
        assert drawer.keys() == []


def test_what_has_lain_for_long_enough_is_due_and_nothing_else(place, errand):
    place.file("a")
    note = taken(place, errand, b"a")
    assert due([note], NOW + timedelta(days=7, seconds=-1), 7) == []
    assert due([note], NOW + timedelta(days=7), 7) == [note]


def test_what_is_discarded_cannot_be_brought_back_and_is_deleted(place, errand):
    place.file("tree/file")
    key = taken(place, errand, b"tree").key
    with place.drawer() as drawer:
        discard(drawer, key)
        assert drawer.notes() == []
        assert drawer.doomed() == [key]
        with place.open() as home:
            with pytest.raises(NotThere):
                restore(home, drawer, key)
            recover.recover(home, drawer)
        assert drawer.doomed() == [key]
        assert empty(drawer, key).sums.files == 1
        assert drawer.keys() == []


def test_a_damaged_note_does_not_lose_the_thing(place, errand):
    place.file("a", b"data")
    note = taken(place, errand, b"a")
    (place.limbo.place / "alice" / note.key / "note").write_bytes(b"\0nonsense")
    (found,) = place.notes()
    assert restored(place, found.key) == (b"restored",)
    assert (place.path / "restored").read_bytes() == b"data"


def test_what_a_browser_sends_as_a_key_never_leaves_the_drawer(place):
    with place.drawer() as drawer:
        for key in (
            "..",
            ".",
            "",
            "lock",
            "../bob",
            "/etc",
            "1-" + "0" * 15,
            "\0",
            "1-" + "g" * 16,
        ):
            with pytest.raises(NotThere):
                drawer.note(key)


def test_receipts_are_kept_and_read_again(place, errand):
    with place.drawer() as drawer:
        receipts = [
            Receipt("e", NOW, "alice", ASIDE, (name,), Sums(1, 2, 3), "why") for name in HOSTILE
        ]
        append(drawer, receipts)
        assert read(drawer) == receipts


def test_receipts_do_not_grow_without_end(place, monkeypatch):
    monkeypatch.setattr("jupyterhub_efs_quota.freeing.ledger._MOST_BYTES", 2000)
    with place.drawer() as drawer:
        for number in range(100):
            append(drawer, [Receipt(str(number), NOW, "alice", ASIDE, (b"a",))])
        kept = read(drawer)
    assert kept[-1].errand == "99"
    assert 10 < len(kept) < 60


@given(st.binary())
def test_no_file_beside_a_thing_breaks_the_reading_of_notes(data):
    try:
        assert load(dump(load(data))) == load(data)
    except ValueError:
        pass


@given(st.lists(st.binary(min_size=1, max_size=255), max_size=5).map(tuple))
def test_every_path_that_a_home_can_have_survives_being_quoted(names):
    try:
        check(names)
    except FreeingError:
        return
    assert parse(quoted(names)) == names
    assert quoted(names).isascii()


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "a/../b",
        "/etc",
        "//",
        "a//b",
        "a/",
        ".",
        "%2e%2e",
        "a/%2E%2E/b",
        "%2Fetc",
        "%00",
        "a%00",
    ]
    + ["a" * 256, "..%2f..%2fbob"],
)
def test_paths_that_lead_elsewhere_are_refused(text):
    with pytest.raises(FreeingError):
        parse(text)


def test_what_is_encoded_twice_is_a_name_with_percent_signs():
    assert parse("%252e%252e%252fbob") == (b"%2e%2e%2fbob",)


@given(st.lists(st.lists(st.sampled_from([b"a", b"b", b"ab"]), min_size=1).map(tuple)))
def test_topmost_keeps_what_covers_all_and_nothing_twice(paths):
    kept = topmost(paths)
    for path in paths:
        assert sum(path[: len(k)] == k for k in kept) == 1
    assert set(kept) <= set(paths)


@given(st.binary(min_size=1, max_size=255), st.integers(1, 999))
def test_another_name_is_one_that_a_file_can_have(name, number):
    assert len(another_name(name, number)) <= 255
    assert another_name(name, number) != name


def test_users_have_drawers_of_their_own_however_long_their_names():
    names = ["alice", "Alice", "a-b", "ä" * 255, "ä" * 254 + "ö", "..", ".", "a/b", "lock"]
    drawers = {drawer_name(name) for name in names}
    assert len(drawers) == len(names)
    assert all(
        len(each) <= 255 and not each.startswith(b".") and b"/" not in each for each in drawers
    )
