"""Places for many homes at a time: given as they get free, and never lost."""

import asyncio

import pytest

from jupyterhub_efs_quota.measure.workers.order import EXTRA, LONG_SECS, Priority, Wish
from jupyterhub_efs_quota.measure.workers.spread import Spread


class Time:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


class Home:
    """Somebody who wants a place, and keeps it until told to leave."""

    def __init__(self, spread, wish=Wish()):
        self._leave = asyncio.Event()
        self.inside = False
        self.task = asyncio.create_task(self._be(spread, wish))

    async def _be(self, spread, wish):
        async with spread.place(wish):
            self.inside = True
            await self._leave.wait()
        self.inside = False

    async def leave(self):
        self._leave.set()
        await self.task
        await settle()


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def homes():
    """Homes that come one after the other."""
    all_of_them = []

    async def come(spread, *wishes):
        made = []
        for wish in wishes:
            made.append(Home(spread, wish))
            await settle()
        all_of_them.extend(made)
        return made

    yield come
    for home in all_of_them:
        home.task.cancel()
    await asyncio.gather(*(home.task for home in all_of_them), return_exceptions=True)


SMALL, LARGE = Wish(), Wish(large=True)


async def test_as_many_are_measured_as_there_are_places(time, homes):
    crowd = await homes(Spread(2, monotonic=time), SMALL, SMALL, SMALL)
    assert [home.inside for home in crowd] == [True, True, False]
    await crowd[0].leave()
    assert [home.inside for home in crowd] == [False, True, True]


async def test_small_homes_are_not_stuck_behind_large_ones(time, homes):
    spread = Spread(3, monotonic=time)
    large = await homes(spread, *[LARGE] * 5)
    assert [home.inside for home in large] == [True, True, False, False, False]
    for _ in range(4):
        time.now += 30
        (small,) = await homes(spread, SMALL)
        assert small.inside
        await small.leave()


async def test_a_large_home_is_not_stuck_behind_small_ones_for_ever(time, homes):
    spread = Spread(1, monotonic=time)
    (at_work,) = await homes(spread, SMALL)
    (large,) = await homes(spread, LARGE)
    while not large.inside:
        (following,) = await homes(spread, SMALL)
        time.now += 60
        await at_work.leave()
        at_work = following
        assert time.now <= LONG_SECS + 60
    assert not following.inside


async def test_somebody_who_waits_has_a_place_though_all_are_busy_with_large_homes(time, homes):
    spread = Spread(1, monotonic=time)
    await homes(spread, LARGE, LARGE)
    pages = await homes(spread, *[Wish(Priority.PERSON)] * (EXTRA + 1))
    (spawn,) = await homes(spread, Wish(Priority.SPAWN))
    assert [home.inside for home in pages] == [True] * EXTRA + [False]
    assert spawn.inside
    await pages[0].leave()
    assert pages[-1].inside


async def test_who_goes_away_while_waiting_keeps_nobody_from_a_place(time, homes):
    spread = Spread(1, monotonic=time)
    first, gone, last = await homes(spread, SMALL, SMALL, SMALL)
    gone.task.cancel()
    await first.leave()
    assert last.inside
    assert not gone.inside


async def test_who_goes_away_as_a_place_is_given_gives_it_back(time, homes):
    """Both at once: the place is given, and before they notice they are cancelled."""
    spread = Spread(1, monotonic=time)
    first, gone, last = await homes(spread, SMALL, SMALL, SMALL)
    first._leave.set()
    while not first.task.done():
        await asyncio.sleep(0)
    gone.task.cancel()
    await settle()
    assert last.inside
    await last.leave()
    (after,) = await homes(spread, SMALL)
    assert after.inside


async def test_an_error_in_a_place_gives_it_back(time, homes):
    spread = Spread(1, monotonic=time)
    with pytest.raises(ZeroDivisionError):
        async with spread.place(SMALL):
            _ = 1 / 0
    (after,) = await homes(spread, SMALL)
    assert after.inside


async def test_very_many_may_wait(time):
    """A hub has a hundred thousand homes."""
    spread = Spread(4, monotonic=time)
    done = 0

    async def measure():
        nonlocal done
        async with spread.place(SMALL):
            done += 1

    await asyncio.wait_for(asyncio.gather(*(measure() for _ in range(20_000))), 20)
    assert done == 20_000
