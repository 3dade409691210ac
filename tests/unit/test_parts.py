"""What the pages ask for: measured as what a person waits for, and not twice."""

import asyncio

import pytest

from jupyterhub_efs_quota.errors import LockHeld, MeasureError, SettingsError
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.measure.task import SoFar
from jupyterhub_efs_quota.measure.workers.order import Priority, Wish
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.under_way import UnderWay
from jupyterhub_efs_quota.web.parts import Outcome, Parts


class Remeasure:
    """Notes what it is asked, and takes until it is let go."""

    def __init__(self):
        self.under_way = UnderWay()
        self.asked = []
        self.go_on = asyncio.Event()
        self.fails = None

    async def measure(self, user, *, wish, new):
        self.asked.append((user, wish))
        await self.go_on.wait()
        if self.fails:
            raise self.fails


@pytest.fixture
async def asked():
    return Remeasure()


@pytest.fixture
def parts(rooms, asked):
    def make(remeasure=asked):
        return Parts(
            board=rooms.board,
            store=rooms.store,
            offload=rooms.offload,
            remeasure=remeasure,
            templates=None,
            trouble=list,
            clock=rooms.clock,
            menu_text="Storage",
            counted=rooms.counted,
            exposition=None,
            directories=None,
        )

    return make


@pytest.mark.parametrize(
    ("record", "large"),
    [
        (None, False),
        (Record("homer"), False),
        (Record("homer", usage_files=10**7), True),
    ],
)
async def test_a_page_s_measurement_goes_before_routine_and_says_how_large_it_is(
    parts, asked, rooms, record, large
):
    rooms.board.saw(HubUser("homer"), record, by="Monitor")
    asked.go_on.set()
    await parts().measure("homer")
    assert asked.asked == [("homer", Wish(Priority.PERSON, large))]


async def test_a_second_click_joins_the_measurement_that_goes_on(parts, asked):
    parts = parts()
    first = parts.measure("homer")
    assert parts.measure("homer") is first
    await asyncio.sleep(0)
    asked.go_on.set()
    await first
    assert len(asked.asked) == 1
    await parts.measure("homer")
    assert len(asked.asked) == 2


async def test_with_bad_settings_nothing_is_measured(parts):
    with pytest.raises(SettingsError, match="until the settings are mended"):
        await parts(None).measure("homer")


async def test_a_page_sees_how_far_a_measurement_is_whoever_asked_for_it(parts, asked):
    parts = parts()
    assert parts.so_far("homer") is None
    with asked.under_way.measuring("homer") as tell:
        assert parts.so_far("homer") == SoFar(0, 0)
        tell(SoFar(7, 4096))
        assert parts.so_far("homer") == SoFar(7, 4096)
        assert parts.so_far("marge") is None
    assert parts.so_far("homer") is None


@pytest.mark.parametrize(
    ("fails", "outcome"),
    [
        (None, Outcome.MEASURED),
        (LockHeld("busy"), Outcome.BY_ANOTHER),
        (MeasureError("broken"), Outcome.FAILED),
    ],
)
async def test_a_page_learns_how_a_measurement_ended(parts, asked, fails, outcome):
    parts, asked.fails = parts(), fails
    measuring = parts.measure("homer")
    assert (parts.outcome("homer"), parts.so_far("homer")) == (None, SoFar(0, 0))
    asked.go_on.set()
    await asyncio.wait([measuring])
    await asyncio.sleep(0)
    assert (parts.outcome("homer"), parts.so_far("homer")) == (outcome, None)
