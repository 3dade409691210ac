"""A file system that is really full, one that can only be read, and the errands of a user."""

import os
from types import SimpleNamespace

import pytest

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.errors import Busy, NoLimbo
from jupyterhub_efs_quota.freeing.desk import Desk, Kind
from jupyterhub_efs_quota.freeing.freeing import Choice, Freeing
from jupyterhub_efs_quota.loops.limbo import Keeper
from jupyterhub_efs_quota.offload import Offload
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import NOW, Remembers, as_root, fill_up, make_read_only


@pytest.fixture
def at(clock):
    """Desks over a home root; `measured` says whose homes were measured afterwards."""

    def make(root, **settings):
        settings = EFSQuota(
            home_root=str(root), home_path="{home_root}/{username}", allow_delete=True, **settings
        )
        history, measured = Remembers(), []

        async def measure(user):
            measured.append(user)
            return clock()

        desk = Desk(Freeing(settings, clock), clock, history, measure)
        desk.measured_homes, desk.history = measured, history
        return desk

    return make


RECORD = Record("alice", quota_bytes=10_000, actual_bytes=20_000, started=NOW)


async def done(desk, kind, *things, record=RECORD):
    job = desk.begin(kind, record, list(things))
    await job.task
    assert job.ended
    return job


@as_root
async def test_on_a_store_that_is_100_percent_full_things_are_deleted_for_good(at, place, tmpfs):
    root = tmpfs(place.root / "full", "300k")
    (root / "alice" / "junk").mkdir(parents=True)
    (root / "alice" / "junk" / "file").write_bytes(b"x" * 100_000)
    place.give(root / "alice", root / "alice/junk", root / "alice/junk/file")
    fill_up(root)
    desk = at(root)
    assert desk.freeing.standing(RECORD).full
    job = await done(desk, Kind.ASIDE, Choice((b"junk",)))
    (outcome,) = job.outcomes
    assert outcome.no_limbo and "full" in outcome.problem
    assert (root / "alice/junk/file").exists()
    job = await done(desk, Kind.ERASE, Choice((b"junk",)))
    assert job.outcomes[0].sums.bytes == 100_000
    assert not (root / "alice/junk").exists()
    assert desk.measured_homes == ["alice"]
    # The store kept no receipt; who asked gets it all the same.
    (receipt,) = await desk.receipts("alice", job.errand.key, 10)
    assert receipt.sums.bytes == 100_000


@as_root
async def test_on_a_read_only_mount_the_page_says_so_and_nothing_is_tried(at, place, tmpfs):
    root = tmpfs(place.root / "ro")
    (root / "alice").mkdir()
    (root / "alice/file").write_bytes(b"x")
    place.give(root / "alice", root / "alice/file")
    make_read_only(root)
    desk = at(root)
    assert "only read" in desk.freeing.standing(RECORD).why_not
    for kind in (Kind.ASIDE, Kind.ERASE):
        job = await done(desk, kind, Choice((b"file",)))
        assert "only read" in job.trouble
    assert (root / "alice/file").exists()
    assert desk.measured_homes == []


async def test_a_home_that_is_limbo_or_holds_it_is_refused(at, place):
    users = place.root / "users"
    for limbo in (place.path, place.path / "sub"):
        assert "move limbo" in at(users, limbo=str(limbo)).freeing.standing(RECORD).why_not
    place.path.rename(users / ".efs-quota-limbo")
    stands = at(users).freeing.standing(Record(".efs-quota-limbo"))
    assert "move limbo" in stands.why_not


async def test_a_user_has_one_errand_at_a_time_and_can_stop_it(at, place):
    place.file("tree/file")
    desk = at(place.root / "users")
    job = desk.begin(Kind.ERASE, RECORD, [Choice((b"tree",))])
    with pytest.raises(Busy):
        desk.begin(Kind.ERASE, RECORD, [Choice((b"tree",))])
    desk.stop("alice")
    await job.task
    assert (place.path / "tree").exists() or job.outcomes
    await done(desk, Kind.ERASE, Choice((b"tree",)))
    assert not (place.path / "tree").exists()


async def test_what_was_done_is_on_record_without_names_of_files(at, place):
    place.file("secret plans")
    desk = at(place.root / "users")
    await done(desk, Kind.ASIDE, Choice((b"secret plans",)))
    (action,) = desk.history.actions
    assert (action.kind, action.user, action.by) == ("space-freed", "alice", "alice")
    assert "secret" not in repr(action)


async def test_what_lies_in_something_else_that_was_chosen_is_done_once(at, place):
    place.file("tree/file")
    desk = at(place.root / "users")
    job = await done(desk, Kind.ASIDE, Choice((b"tree", b"file")), Choice((b"tree",)))
    assert [each.names for each in job.outcomes] == [(b"tree",)]


async def test_what_fails_is_told_and_the_rest_goes_on(at, place):
    place.file("one")
    place.file("two")
    desk = at(place.root / "users")
    job = await done(desk, Kind.ASIDE, *(Choice((name,)) for name in (b"gone", b"one", b"two")))
    assert [bool(each.done) for each in job.outcomes] == [False, True, True]


async def test_limbo_takes_no_more_than_its_share_and_gives_back_what_is_too_much(at, place):
    place.file("one", b"x" * 6000)
    place.file("two/file", b"x" * 6000)
    inode = (place.path / "two").stat().st_ino
    desk = at(place.root / "users")
    await done(desk, Kind.ASIDE, Choice((b"one",)))
    job = await done(desk, Kind.ASIDE, Choice((b"two",)))
    assert job.outcomes[0].no_limbo and "no room" in job.outcomes[0].problem
    assert (place.path / "two").stat().st_ino == inode
    assert desk.freeing.standing(RECORD).limbo_room == 4000
    job = await done(
        desk, Kind.ASIDE, Choice((b"two",)), record=Record("alice", quota_enabled=False)
    )
    assert job.outcomes[0].done


async def test_what_has_lain_for_limbo_days_is_purged_and_what_was_left_by_a_kill(at, place, clock):
    place.file("old")
    place.file("doomed")
    place.file("young")
    desk = at(place.root / "users", limbo=str(place.limbo.place))
    await done(desk, Kind.ASIDE, Choice((b"old",)), Choice((b"doomed",)))
    key = next(note.key for note in place.notes() if note.names == (b"doomed",))
    with place.drawer() as drawer:
        drawer.doom(key)
    clock.forward(days=6)
    await done(desk, Kind.ASIDE, Choice((b"young",)))
    assert desk.freeing.limbo.users() == ["alice"]
    from jupyterhub_efs_quota.freeing.progress import Progress

    assert desk.freeing.purge("alice", None, Progress()) == []
    assert [note.names for note in place.notes()] == [(b"old",), (b"young",)]
    clock.forward(days=1)
    (purged,) = desk.freeing.purge("alice", None, Progress())
    assert purged.names == (b"old",)
    assert [note.names for note in place.notes()] == [(b"young",)]
    assert {each.done for each in desk.freeing.receipts("alice")} == {
        "put into limbo",
        "purged from limbo",
    }


async def test_the_loop_purges_everybody_and_goes_on_where_one_drawer_is_broken(at, place, clock):
    place.file("old")
    users = place.root / "users"
    desk = at(users, limbo=str(place.limbo.place))
    await done(desk, Kind.ASIDE, Choice((b"old",)))
    clock.forward(days=8)
    rooms = SimpleNamespace(offload=Offload(4), board=Board(), clock=clock)
    keeper = Keeper(rooms, desk.freeing)
    with place.drawer():  # somebody is at work: next time
        busy = keeper._freeing.limbo.drawer
        keeper._freeing.limbo.drawer = lambda user: busy(user, wait_secs=0.05)
        await keeper.run_once()
    assert keeper.counts.all() == {"users": 1}
    await keeper.run_once()
    assert keeper.counts.all() == {"users": 1, "purged": 1}
    assert place.notes() == []
    (place.limbo.place).chmod(0o755)
    with pytest.raises(NoLimbo):
        await keeper.run_once()


async def test_a_measurement_that_began_too_early_is_not_taken_for_the_one_after(at, place, clock):
    place.file("one")
    desk = at(place.root / "users")
    began = [clock.now.replace(year=2020), None, clock.now]

    async def measure(user):
        desk.measured_homes.append(user)
        return began.pop(0)

    desk._measured = measure
    from jupyterhub_efs_quota.freeing import desk as module

    wait, module._MEASURE_WAIT_SECS = module._MEASURE_WAIT_SECS, 0.01
    try:
        await done(desk, Kind.ASIDE, Choice((b"one",)))
    finally:
        module._MEASURE_WAIT_SECS = wait
    assert desk.measured_homes == ["alice"] * 3


@as_root
async def test_a_service_of_another_user_says_that_it_may_not(at, place, monkeypatch):
    place.file("one")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "may not act" in at(place.root / "users").freeing.standing(RECORD).why_not
