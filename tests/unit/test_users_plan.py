"""A change for many: what is planned is what is done, for each or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.board import Board, Row
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.errors import CannotChange, StoreError
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.judge import judge
from jupyterhub_efs_quota.quota.limits import Limit
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.sizes import GIB, MOST
from jupyterhub_efs_quota.settings import EFSQuota
from jupyterhub_efs_quota.users.change import Wish
from jupyterhub_efs_quota.users.plan import How, Many, changed, line_of, make_plan, still_holds
from jupyterhub_efs_quota.users.quotas import Quotas

from ..conftest import NOW

SET = Many(How.SET, Wish(bytes=4 * GIB, reason="x"))
RESET = Many(How.RESET, Wish(reason="x"))


def add(percent):
    return Many(How.ADD, Wish(reason="x"), percent)


def row(name="anna", groups=("course",), **fields):
    fields = {"quota_bytes": 10 * GIB, "quota_source": "hand", "actual_bytes": GIB, **fields}
    return Row(HubUser(name, groups=groups), judge(Record(name, started=NOW, **fields), NOW))


def plan(rows, many):
    return make_plan(rows, many, lambda user: Limit(20 * GIB, 0, "group:course"), NOW, 0)


def test_a_plan_names_who_would_be_locked_out_and_who_no_more_first():
    rows = [
        row("calm"),
        row("freed", actual_bytes=3 * GIB, quota_bytes=GIB),
        row("locked", actual_bytes=5 * GIB),
    ]
    made = plan(rows, SET)
    assert [line.name for line in made.lines] == ["locked", "freed", "calm"]
    assert (made.locks, made.unlocks) == (1, 1)


def test_who_is_exempt_is_neither_locked_nor_freed():
    made = plan([row(quota_enabled=False, actual_bytes=50 * GIB)], SET)
    assert (made.locks, made.unlocks, len(made.lines)) == (0, 0, 1)


def test_who_has_no_record_or_whose_groups_are_not_known_is_left_out_with_the_reason():
    def limit_of(user):
        raise CannotChange("groups are not known")

    made = make_plan([Row(HubUser("new")), row("anna")], RESET, limit_of, NOW, 0)
    assert [(each.name, made.lines) for each in made.left_out] == [("new", ()), ("anna", ())]
    assert "groups" in made.left_out[1].why


def test_who_has_it_so_already_is_no_change():
    once = changed(row().record, SET, None, NOW, 0)
    made = plan([Row(HubUser("anna"), once)], SET)
    assert (made.lines, made.as_before) == ((), 1)


@given(st.integers(0, MOST), st.integers(-99, 1000).filter(bool))
def test_percents_are_of_the_quota_exactly_and_never_more_than_a_store_holds(size, percent):
    made = plan([row(quota_bytes=size, actual_bytes=0)], add(percent))
    for line in made.lines:
        assert line.after.bytes == size * (100 + percent) // 100 <= MOST
    for left in made.left_out:
        assert size * (100 + percent) // 100 > MOST and "larger" in left.why


def test_files_and_other_fields_stay_where_bytes_grow():
    record = row(quota_files=7, home="/h", extra={"note": 1}).record
    after = changed(record, add(10), None, NOW, 0)
    assert (after.quota_files, after.home, after.extra) == (7, "/h", {"note": 1})


records = st.builds(
    lambda quota, used, files, most, enabled: judge(
        Record(
            "anna", quota_bytes=quota, actual_bytes=used, usage_files=files, quota_files=most,
            quota_enabled=enabled, quota_source="hand", started=NOW,
        ),
        NOW,
    ),
    st.integers(0, 9), st.integers(0, 9), st.integers(0, 3), st.integers(0, 3), st.booleans(),
)  # fmt: skip


@given(records, records, st.sampled_from([SET, RESET, add(50), Many(How.SET, Wish(bytes=4))]))
def test_a_line_holds_for_a_record_that_would_show_the_same_and_for_no_other(shown, now, many):
    limit = Limit(5) if many.how is How.RESET else None
    line = line_of(shown, changed(shown, many, limit, NOW, 0))
    after = changed(now, many, limit, NOW, 0)
    same = line == line_of(now, after)._replace(used=line.used)
    assert still_holds(line, now, after) is same


@pytest.fixture
def quotas(efs, store, clock):
    settings = EFSQuota(quota_control=str(efs / "quota-control"), home_root=str(efs / "users"))
    return Quotas(settings, store, clock, None, Board())


def test_what_was_shown_is_done_and_nothing_else(quotas, write, store):
    before = write("anna", quota_bytes=10 * GIB, quota_source="hand", actual_bytes=5 * GIB)
    user = HubUser("anna")
    (line,) = quotas.plan([Row(user, before)], SET).lines
    other = write("anna", quota_bytes=11 * GIB, quota_source="hand", actual_bytes=5 * GIB)
    with pytest.raises(CannotChange, match="since this was shown"):
        quotas.carry_out(user, SET, line, by="teacher")
    assert store.read("anna") == other
    (line,) = quotas.plan([Row(user, other)], SET).lines
    quotas.carry_out(user, SET, line, by="teacher")
    record = store.read("anna")
    assert (record.quota_bytes, record.quota_state) == (4 * GIB, State.LOCKOUT)
    # Once more it is not the same change any longer.
    with pytest.raises(CannotChange):
        quotas.carry_out(user, SET, line, by="teacher")


def test_a_user_whose_folder_is_gone_is_not_made_anew(quotas, store: ControlStore):
    record = Record("gone", quota_bytes=10 * GIB, actual_bytes=GIB, started=NOW)
    (line,) = quotas.plan([Row(HubUser("gone"), record)], SET).lines
    with pytest.raises(StoreError):
        quotas.carry_out(HubUser("gone"), SET, line, by="teacher")
    assert not store.directory("gone").exists()
