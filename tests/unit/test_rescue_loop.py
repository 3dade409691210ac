"""The loops and users in a rescue: whose server is left alone, measured, ended."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.errors import HubError, HubUnreachable
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.loops.reaper import Reaper
from jupyterhub_efs_quota.loops.rescue import Rescues
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.quota.rescue import End

from ..conftest import NOW, as_root, fill_up

HOUR = timedelta(hours=1)
QUOTA = 1000


class Remembers(Recorder):
    def __init__(self):
        self.stops = []

    def stopped(self, user, server, reason, *, by):
        self.stops.append((user, server, reason, by))


@pytest.fixture
def rooms(rooms):
    rooms.settings.on_lockout = "rescue"
    rooms.settings.rescue_growth = 100
    return replace(rooms, history=Remembers())


@pytest.fixture
def rescues(rooms, remeasure):
    return Rescues(rooms, remeasure)


@pytest.fixture
def reaper(rooms, rescues):
    return Reaper(rooms, rescues=rescues, waits=True)


@pytest.fixture
def rescued(home_of, write, listed, rooms):
    """A user over the quota, whose default server runs as a rescue since a moment ago."""

    def make(name="homer", size=1500, servers=("",), started=(NOW,), **fields):
        home_of(name, size)
        record = write(
            name,
            **{
                "quota_bytes": QUOTA,
                "quota_source": "hand",
                "actual_bytes": size,
                "quota_state": State.LOCKOUT,
                "started": NOW - HOUR,
                "stopped": NOW - HOUR,
                "rescue_began": NOW,
                "rescue_until": NOW + HOUR,
                "rescue_server": "",
                "rescue_started": NOW,
                **fields,
            },
        )
        user = listed(name, servers=servers, started=started)
        rooms.board.saw(user, record, by="Reaper")
        return user

    return make


async def settle(rescues):
    await rescues.run_once()
    await rescues.wait(60)


async def test_the_reaper_leaves_a_rescue_alone_and_measures_its_home(
    reaper, rescued, hub_users, store, log_lines
):
    rescued()
    (verdict,) = await reaper.run_once()
    assert hub_users.stopped == []
    assert "until 2026-11-22 13:00 UTC" in str(verdict)
    record = store.read("homer")
    assert (record.started, record.rescue_bytes) == (NOW, 1500)
    assert all("Deleting" not in message for _, message in log_lines.said())


async def test_other_servers_of_a_user_in_a_rescue_are_stopped(reaper, rescued, hub_users):
    rescued(servers=("", "gpu"), started=(NOW, NOW))
    await reaper.run_once()
    assert hub_users.stopped == [("homer", "gpu")]


async def test_a_usual_server_that_has_the_name_of_the_rescue_is_stopped(
    reaper, rescued, hub_users
):
    rescued(started=(NOW + timedelta(seconds=9),))
    await reaper.run_once()
    assert hub_users.stopped == [("homer", "")]


async def test_without_anybody_to_look_after_it_a_rescue_is_a_server_in_a_lockout(
    rooms, rescued, hub_users
):
    rescued()
    await Reaper(rooms).run_once()
    assert hub_users.stopped == [("homer", "")]


async def test_where_rescues_are_switched_off_the_servers_are_stopped(
    rooms, remeasure, rescued, hub_users, store
):
    rescued()
    rooms.settings.on_lockout = "refuse"
    await Reaper(rooms, rescues=Rescues(rooms, remeasure)).run_once()
    assert hub_users.stopped == [("homer", "")]
    assert store.read("homer").rescue_until is None


async def test_a_rescue_is_ended_when_its_time_is_over(
    rescues, rescued, hub_users, rooms, store, clock, log_lines
):
    rescued()
    await settle(rescues)
    assert hub_users.stopped == []
    clock.forward(hours=1)
    await settle(rescues)
    assert hub_users.stopped == [("homer", "")]
    assert ("WARN", "Ending the rescue of homer: its time is over.") in log_lines.said()
    ((user, server, reason, by),) = rooms.history.stops
    assert (user, server, by) == ("homer", "", "Rescue") and "its time is over" in reason
    record = store.read("homer")
    assert (record.rescue_ended, record.rescue_until) == ("over", NOW + HOUR)
    assert counted(rooms, "over") == 1


def counted(rooms, reason):
    return rooms.counted.registry.get_sample_value(
        "jupyterhub_efs_quota_rescues_ended_total", {"reason": reason}
    )


async def test_who_grows_in_a_rescue_is_stopped_as_soon_as_it_is_measured(
    rescues, rescued, home_of, hub_users, rooms, store, clock
):
    rescued()
    await settle(rescues)
    home_of("homer", 1601)
    clock.forward(seconds=301)
    await settle(rescues)
    assert hub_users.stopped == [("homer", "")]
    assert "grew in it from 1.5 KiB to 1.6 KiB" in rooms.history.stops[0][2]
    assert store.read("homer").rescue_ended == "grown"
    assert store.read("homer").rescue_until == clock()


async def test_logs_and_checkpoints_are_no_growth(rescues, rescued, home_of, hub_users, clock):
    rescued()
    await settle(rescues)
    home_of("homer", 1600)
    clock.forward(seconds=301)
    await settle(rescues)
    assert hub_users.stopped == []


async def test_a_home_is_measured_every_few_minutes_and_not_more_often(
    rescues, rescued, store, clock
):
    rescued()
    await settle(rescues)
    clock.forward(seconds=200)
    await settle(rescues)
    assert store.read("homer").started == NOW
    clock.forward(seconds=101)
    await settle(rescues)
    assert store.read("homer").started == clock()


async def test_who_is_back_may_restart_in_peace_and_is_then_stopped(
    rescues, rescued, home_of, hub_users, store, clock, log_lines
):
    rescued()
    home_of("homer", 500)
    await settle(rescues)
    record = store.read("homer")
    assert (record.quota_state, record.rescue_back) == (State.OK, NOW)
    clock.forward(seconds=599)
    await settle(rescues)
    assert hub_users.stopped == []
    clock.forward(seconds=1)
    await settle(rescues)
    assert hub_users.stopped == [("homer", "")]
    said = "Ending the rescue of homer: the user is back under the quota."
    assert ("INFO", said) in log_lines.said()


async def test_the_reaper_forgets_a_rescue_when_all_is_well(
    reaper, rescued, store, clock, hub_users
):
    rescued(size=500, quota_state=State.OK, servers=(), started=())
    await reaper.run_once()
    assert store.read("homer").rescue_until is not None, "the server may be starting"
    clock.forward(minutes=11)
    await reaper.run_once()
    assert store.read("homer").rescue_until is None
    assert hub_users.stopped == []


@as_root
async def test_a_full_control_disk_keeps_no_rescue_running(
    rooms, remeasure, efs, tmpfs, home_of, write, listed, hub_users, clock, rescued
):
    tmpfs(efs / "quota-control", "64k")
    rescued()
    fill_up(efs / "quota-control")
    clock.forward(hours=2)
    await settle(Rescues(rooms, remeasure))
    assert hub_users.stopped == [("homer", "")]


async def test_a_server_that_the_hub_does_not_stop_is_stopped_in_the_next_cycle(
    rescues, rescued, hub_users, clock, log_lines
):
    rescued()
    clock.forward(hours=2)
    hub_users.stop_failure = HubError("no")
    await settle(rescues)
    assert rescues.counts.all()["failed"] == 1
    hub_users.stop_failure = None
    await settle(rescues)
    assert hub_users.stopped == [("homer", "")] * 2


async def test_one_user_keeps_the_others_from_nothing_and_a_hub_that_is_away_from_all(
    rescues, rescued, hub_users, store, clock, log_lines
):
    rescued("bart")
    rescued("homer")
    store.path("bart").write_text("quota_bytes: [")
    clock.forward(hours=2)
    await settle(rescues)
    assert hub_users.stopped == [("homer", "")]
    hub_users.failure = HubUnreachable("away")
    with pytest.raises(HubUnreachable):
        await rescues.run_once()


async def test_somebody_whom_the_hub_has_no_more_is_nothing_to_do(rescues, rescued, hub_users):
    rescued()
    hub_users.users.clear()
    await settle(rescues)
    assert rescues.counts.all() == {"users": 1}


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    rooms, rescues, rescued, hub_users, store, clock
):
    rescued()
    dry = Reaper(rooms, dry_run=True, rescues=rescues)
    assert [str(each) for each in await dry.run_once()] == [
        "leave the default server of homer alone: it is a rescue until 2026-11-22 13:00 UTC"
    ]
    before = store.path("homer").read_text()
    clock.forward(hours=2)
    (verdict,) = await dry.run_once()
    assert str(verdict) == "stop the default server of homer, a rescue: its time is over"
    assert verdict.rescue.end is End.OVER
    assert hub_users.stopped == [] and store.path("homer").read_text() == before


async def test_a_rescue_that_begins_is_measured_at_once(rescues, rescued, store):
    rescued(servers=(), started=())
    rescues.began(store.read("homer"))
    await rescues.wait(60)
    assert store.read("homer").started == NOW


async def test_a_loop_without_anybody_in_a_rescue_has_nothing_to_do(rescues, rescued, clock):
    assert rescues.idle()
    rescued()
    assert not rescues.idle()
    # Over, and locked out for a day: the hub is not asked every minute.
    clock.forward(hours=1)
    await settle(rescues)
    assert rescues.idle()
