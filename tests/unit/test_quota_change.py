"""Changes of a quota: decided, carried out under the lock, judged at once, on record."""

import threading
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.errors import BrokenFile, CannotChange, LockHeld, WishError
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.limits import settle
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.sizes import GIB
from jupyterhub_efs_quota.settings import EFSQuota
from jupyterhub_efs_quota.users.change import Wish, set_quota
from jupyterhub_efs_quota.users.quotas import Quotas

from ..conftest import NOW

HOMER = HubUser("homer", groups=("course",))
LATER = NOW + timedelta(days=1)


class Told(Recorder):
    """What the history was told of changed quotas."""

    def __init__(self):
        self.changes = []

    def quota_changed(self, before, after, *, by, reason=None, until=None):
        self.changes.append((before.quota_bytes, after.quota_bytes, by, reason, until))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def quotas(efs, store, clock, told, board):
    settings = EFSQuota(
        quota_control=str(efs / "quota-control"),
        home_root=str(efs / "users"),
        default_quota="10Gi",
        group_quotas={"course": "20Gi"},
    )
    return Quotas(settings, store, clock, told, board)


def locked(write):
    return write(
        "homer",
        quota_bytes=GIB,
        quota_source="hand",
        actual_bytes=2 * GIB,
        quota_state=State.LOCKOUT,
        over_since=NOW,
    )


def test_a_larger_quota_lifts_the_lockout_in_the_file_at_once(quotas, store, write):
    locked(write)
    change = quotas.set(HOMER, Wish(bytes=3 * GIB), by="teacher")
    record = store.read("homer")
    assert record == change.after
    assert (record.quota_bytes, record.quota_state, record.over_since) == (3 * GIB, State.OK, None)
    assert "locked out no more" in change.sentence


def test_a_smaller_quota_that_locks_out_says_so(quotas, store, write):
    write("homer", quota_bytes=3 * GIB, actual_bytes=2 * GIB)
    change = quotas.set(HOMER, Wish(bytes=GIB), by="teacher")
    assert store.read("homer").quota_state is State.LOCKOUT
    assert "this locks them out" in change.sentence


def test_who_stays_locked_out_is_told_so(quotas, write):
    locked(write)
    assert "still locked out" in quotas.set(HOMER, Wish(bytes=5), by="teacher").sentence


def test_the_quota_is_an_edit_by_hand_that_the_next_loop_leaves(quotas, write):
    locked(write)
    record = quotas.set(HOMER, Wish(bytes=3 * GIB, files=9, until=LATER), by="teacher").after
    assert (record.quota_source, record.quota_files) == ("hand", 9)
    limits = quotas._limits
    assert settle(record, ("course",), limits, NOW) == record


def test_bytes_or_files_that_are_not_said_stay_as_they_are():
    record = Record("homer", quota_bytes=7, quota_files=8)
    assert set_quota(record, Wish(files=0), NOW, 0).quota_bytes == 7
    assert set_quota(record, Wish(files=0), NOW, 0).quota_files is None
    assert set_quota(record, Wish(bytes=9), NOW, 0).quota_files == 8


def test_a_quota_without_an_end_forgets_the_end_and_reason_of_the_one_before():
    first = set_quota(Record("homer"), Wish(bytes=9, until=LATER, reason="why"), NOW, 0)
    second = set_quota(first, Wish(bytes=9), NOW, 0)
    assert (second.quota_until, second.quota_reason) == (None, None)


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(seconds=1)])
def test_a_quota_that_would_have_ended_already_is_refused_and_nothing_changes(
    quotas, store, write, told, until
):
    before = locked(write)
    with pytest.raises(WishError, match="past"):
        quotas.set(HOMER, Wish(bytes=5, until=until), by="teacher")
    assert store.read("homer") == before and told.changes == []


def test_a_wish_for_nothing_is_refused():
    with pytest.raises(WishError, match="bytes or files"):
        set_quota(Record("homer"), Wish(reason="just so"), NOW, 0)


def test_a_change_is_on_record_with_who_why_and_until_when(quotas, write, told):
    locked(write)
    quotas.set(HOMER, Wish(bytes=3 * GIB, until=LATER, reason="Thesis"), by="teacher")
    assert told.changes == [(GIB, 3 * GIB, "teacher", "Thesis", LATER)]


def test_the_same_quota_again_is_no_change_on_record(quotas, write, told):
    locked(write)
    first = quotas.set(HOMER, Wish(bytes=3 * GIB), by="teacher")
    again = quotas.set(HOMER, Wish(bytes=3 * GIB), by="teacher")
    assert (first.changed, again.changed, len(told.changes)) == (True, False, 1)
    assert "as before" in again.sentence


def test_a_reset_gives_what_the_settings_give(quotas, store, write, told):
    locked(write)
    change = quotas.reset(HOMER, by="teacher", reason="over")
    record = store.read("homer")
    assert (record.quota_bytes, record.quota_source) == (20 * GIB, "group:course")
    assert (record.quota_state, change.changed) == (State.OK, True)
    assert told.changes == [(GIB, 20 * GIB, "teacher", "over", None)]
    assert quotas.reset(HOMER, by="teacher").changed is False


def test_a_reset_is_refused_where_the_groups_are_not_known(quotas, store, write):
    before = locked(write)
    with pytest.raises(CannotChange, match="read:users:groups"):
        quotas.reset(HubUser("homer", groups=None), by="teacher")
    assert store.read("homer") == before


def test_who_has_no_record_yet_can_be_given_a_quota(quotas, store):
    change = quotas.set(HOMER, Wish(bytes=3 * GIB), by="teacher")
    assert (change.before, store.read("homer").quota_bytes) == (None, 3 * GIB)


def test_a_damaged_file_is_left_as_it_is(quotas, store, write):
    write("homer")
    store.path("homer").write_text("quota_bytes: many\n")
    with pytest.raises(BrokenFile):
        quotas.set(HOMER, Wish(bytes=5), by="teacher")
    assert store.path("homer").read_text() == "quota_bytes: many\n"


def test_a_lock_that_another_holds_ends_the_change_with_its_name(quotas, store, write, hasty):
    before = locked(write)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with store.held("homer"):
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(20)
    try:
        with pytest.raises(LockHeld, match="quota.lock"):
            quotas.set(HOMER, Wish(bytes=5), by="teacher")
    finally:
        leave.set()
        thread.join()
    assert store.read("homer") == before


def test_the_board_shows_the_new_record_and_keeps_what_is_wrong(quotas, board, write):
    before = locked(write)
    board.saw(HOMER, before, by="Reaper")
    board.failed(HOMER, "cannot be read", by="measuring")
    quotas.set(HOMER, Wish(bytes=3 * GIB), by="teacher")
    row = board.get("homer")
    assert (row.record.quota_bytes, row.problem) == (3 * GIB, "cannot be read")


def test_a_user_without_an_enforced_quota_is_told_so_by_the_answer(quotas, write):
    write("homer", quota_enabled=False, actual_bytes=2 * GIB)
    assert "No quota is enforced" in quotas.set(HOMER, Wish(bytes=1), by="teacher").sentence
