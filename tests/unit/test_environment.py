"""What a server is told of its user's storage in its environment."""

import logging
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given

from jupyterhub_efs_quota.hub.environment import put_variables, variables
from jupyterhub_efs_quota.hub.spawn import SpawnGate
from jupyterhub_efs_quota.quota.ahead import Foresight
from jupyterhub_efs_quota.quota.record import Record, State

from ..conftest import NOW
from .strategies import records

MEASURED = {"quota_bytes": 1000, "actual_bytes": 100, "started": NOW, "stopped": NOW}
TOLD = {
    "STORAGE_QUOTA_BYTES": "1000",
    "STORAGE_USED_BYTES": "100",
    "STORAGE_MEASURED_AT": "2026-11-22T12:00:00Z",
}


def spawner(**fields):
    user = SimpleNamespace(name="alice", admin=False, settings={})
    log = logging.getLogger("a hub")
    return SimpleNamespace(
        **{"user": user, "log": log, "environment": {}, "env_keep": [], **fields}
    )


@pytest.fixture
def gate(settings):
    def make(**more):
        for name, value in more.items():
            setattr(settings, name, value)
        return SpawnGate(settings)

    return make


async def test_a_server_is_told_of_its_users_storage(gate, write):
    write("alice", **MEASURED)
    one = spawner(environment={"LANG": "C"})
    await gate().check(one)
    assert one.environment == {"LANG": "C", **TOLD}


async def test_what_the_site_or_the_user_has_set_stays(gate, write):
    write("alice", **MEASURED)
    one = spawner(
        environment={"STORAGE_QUOTA_BYTES": "mine"}, env_keep=["PATH", "STORAGE_MEASURED_AT"]
    )
    await gate().check(one)
    assert one.environment == {"STORAGE_QUOTA_BYTES": "mine", "STORAGE_USED_BYTES": "100"}


async def test_the_sites_configuration_is_not_changed_for_the_next_user(gate, write):
    write("alice", **MEASURED)
    shared = {"LANG": "C"}
    await gate().check(spawner(environment=shared))
    assert shared == {"LANG": "C"}


async def test_a_second_try_tells_the_new_figures_and_not_the_old(gate, write):
    write("alice", **MEASURED)
    one = spawner(environment={"LANG": "C"})
    await gate().check(one)
    write("alice", **{**MEASURED, "actual_bytes": 7}, quota_enabled=False)
    await gate().check(one)
    assert one.environment == {
        "LANG": "C",
        "STORAGE_USED_BYTES": "7",
        "STORAGE_MEASURED_AT": TOLD["STORAGE_MEASURED_AT"],
    }


async def test_old_figures_are_taken_back_where_the_record_cannot_be_read(gate, write, store):
    write("alice", **MEASURED)
    one = spawner(environment={"LANG": "C"})
    await gate().check(one)
    store.path("alice").write_text("quota_bytes: [")
    await gate().check(one)
    assert one.environment == {"LANG": "C"}


async def test_it_can_be_turned_off(gate, write):
    write("alice", **MEASURED)
    one = spawner()
    await gate(storage_environment=False).check(one)
    assert one.environment == {}


async def test_a_user_who_got_in_after_deleting_is_told_the_new_figures(gate, write, home_of):
    home_of("alice", 10)
    locked = {**MEASURED, "actual_bytes": 5000, "quota_state": State.LOCKOUT}
    write("alice", **locked, quota_source="hand")
    one = spawner()
    await gate().check(one)
    assert one.environment["STORAGE_USED_BYTES"] == "10"


async def test_a_spawner_that_takes_no_variables_spawns_all_the_same(gate, write):
    class Odd(SimpleNamespace):
        @property
        def environment(self):
            raise KeyError("a template of the site's own")

    write("alice", **MEASURED)
    one = Odd(user=spawner().user, log=logging.getLogger("a hub"))
    await gate().check(one)


@given(records)
def test_only_what_is_known_is_told_and_all_of_it_is_text(record):
    told = variables(record, NOW, Foresight())
    assert set(told) <= {*TOLD, "STORAGE_FULL_AT", "STORAGE_LOCKED_AT"}
    assert ("STORAGE_USED_BYTES" in told) == record.measured
    assert ("STORAGE_QUOTA_BYTES" in told) == record.quota_enabled
    assert all(isinstance(value, str) for value in told.values())
    one = spawner()
    put_variables(one, told)
    assert one.environment == told


def test_the_time_is_utc_whatever_the_zone_it_came_in():
    elsewhere = datetime(2026, 11, 22, 21, 0, tzinfo=timezone(timedelta(hours=9)))
    told = variables(Record("a", **{**MEASURED, "stopped": elsewhere}), NOW, Foresight())
    assert told["STORAGE_MEASURED_AT"] == TOLD["STORAGE_MEASURED_AT"]


def test_a_server_is_told_when_its_user_is_full_and_locked_out():
    growing = Record("a", **MEASURED, full_at=NOW + timedelta(days=1))
    told = variables(growing, NOW, Foresight(grace_secs=3600))
    assert told["STORAGE_FULL_AT"] == "2026-11-23T12:00:00Z"
    assert told["STORAGE_LOCKED_AT"] == "2026-11-23T13:00:00Z"
