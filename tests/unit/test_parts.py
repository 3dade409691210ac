"""What the pages ask for: measured as what a person waits for, and not twice."""

import asyncio

import pytest

from jupyterhub_efs_quota.errors import SettingsError
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.measure.workers.order import Priority, Wish
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.web.parts import Parts


class Remeasure:
    """Notes what it is asked, and takes until it is let go."""

    def __init__(self):
        self.asked = []
        self.go_on = asyncio.Event()

    async def measure(self, user, *, wish):
        self.asked.append((user, wish))
        await self.go_on.wait()


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
