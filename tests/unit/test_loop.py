"""A loop runs its cycle every so often, and outlives whatever goes wrong in one."""

import asyncio

import pytest

from jupyterhub_efs_quota.errors import HubUnreachable
from jupyterhub_efs_quota.loops.loop import Loop


class Monotonic:
    """A clock that goes only when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Cycle:
    """A cycle that takes so many seconds, or fails."""

    def __init__(self, time):
        self.time = time
        self.runs = []
        self.takes = 0.0
        self.failure = None

    async def __call__(self):
        self.runs.append(self.time.now)
        self.time.now += self.takes
        if self.failure is not None:
            raise type(self.failure)(*self.failure.args)


@pytest.fixture
def time():
    return Monotonic()


@pytest.fixture
def cycle(time):
    return Cycle(time)


@pytest.fixture
async def loop(time, cycle):
    return Loop("Monitor", cycle, 100.0, monotonic=time)


async def pass_by(loop, time, secs):
    """Tick once a second for so long."""
    for _ in range(secs):
        time.now += 1
        await loop.tick()


async def test_the_first_cycle_runs_at_once(loop, cycle):
    await loop.tick()
    assert cycle.runs == [1000.0]
    assert (loop.cycles, loop.failure) == (1, None)


async def test_a_cycle_begins_one_period_after_the_last_began(loop, cycle, time):
    cycle.takes = 7
    await loop.tick()
    await pass_by(loop, time, 300)
    assert cycle.runs == [1000.0, 1100.0, 1200.0, 1300.0]


async def test_a_cycle_ends_with_how_long_it_waits(loop, cycle, time, log_lines):
    for takes, waits in [(0.0, "100.0"), (0.9, "100.0"), (9.5, "91.0"), (99.9, "1.0")]:
        cycle.takes = takes
        log_lines.clear()
        time.now += 100
        await loop.tick()
        assert log_lines.said() == [("INFO", f"Waiting {waits} seconds for next Monitor cycle.")]
        assert log_lines.lines[0]["subsystem"] == "Monitor"


@pytest.mark.parametrize("takes, late", [(100.0, "0.0"), (106.2, "6.0"), (1000.0, "900.0")])
async def test_a_cycle_that_takes_too_long_says_so_and_the_next_begins_at_once(
    loop, cycle, time, log_lines, takes, late
):
    cycle.takes = takes
    await loop.tick()
    assert log_lines.said() == [
        (
            "WARN",
            f"Monitor cycle is {late} seconds too slow to sample every 100.0.  Slow sampling"
            " may be mitigated by multiple monitors or few outlying users.",
        )
    ]
    cycle.takes = 0
    await loop.tick()
    assert cycle.runs == [1000.0, 1000.0 + takes]


async def test_a_failure_is_said_with_its_reason_and_waited_out(loop, cycle, time, log_lines):
    cycle.failure = ValueError("nonsense")
    await loop.tick()
    assert log_lines.said() == [("ERROR", "EXCEPTION: Quota checking top level failure.")]
    assert log_lines.lines[0]["error.kind"] == "ValueError"
    assert log_lines.lines[0]["error.message"] == "nonsense"
    assert (loop.failure, loop.cycles) == ("ValueError: nonsense", 0)
    await pass_by(loop, time, 59)
    assert len(cycle.runs) == 1
    await pass_by(loop, time, 1)
    assert len(cycle.runs) == 2


async def test_a_failure_that_stays_is_said_once_and_tried_less_and_less(
    loop, cycle, time, log_lines
):
    loop.period_secs = 100_000.0
    cycle.failure = HubUnreachable("The hub does not answer.")
    await pass_by(loop, time, 4000)
    waits = [later - before for before, later in zip(cycle.runs, cycle.runs[1:])]
    assert waits[:6] == [60, 120, 240, 480, 900, 900]
    assert len(log_lines.said("ERROR")) == 1
    assert len(log_lines.said("DEBUG")) == len(cycle.runs)
    assert loop.failure == "The hub does not answer."


async def test_a_failing_loop_is_tried_at_least_every_period(loop, cycle, time):
    cycle.failure = HubUnreachable("The hub does not answer.")
    await pass_by(loop, time, 700)
    waits = [later - before for before, later in zip(cycle.runs, cycle.runs[1:])]
    assert waits == [60, 100, 100, 100, 100, 100, 100]


async def test_a_short_period_does_not_make_failures_knock_faster(time, cycle):
    loop = Loop("Reaper", cycle, 5.0, monotonic=time)
    cycle.failure = HubUnreachable("The hub does not answer.")
    await pass_by(loop, time, 200)
    assert len(cycle.runs) == 4


async def test_another_failure_is_said_again(loop, cycle, time, log_lines):
    for failure in ("one", "one", "two", "one"):
        cycle.failure = ValueError(failure)
        time.now += 10_000
        await loop.tick()
    assert [line["error.message"] for line in log_lines.lines if line["status"] == "ERROR"] == [
        "one",
        "two",
        "one",
    ]


async def test_it_is_said_when_it_works_again_and_after_how_many_failures(
    loop, cycle, time, log_lines
):
    cycle.failure = ValueError("nonsense")
    for _ in range(40):
        time.now += 10_000
        await loop.tick()
    cycle.failure = None
    time.now += 10_000
    await loop.tick()
    assert log_lines.said()[1:] == [
        ("INFO", "Monitor works again after 40 failed cycles."),
        ("INFO", "Waiting 100.0 seconds for next Monitor cycle."),
    ]
    assert (loop.failure, loop.cycles) == (None, 1)
    log_lines.clear()
    time.now += 100
    await loop.tick()
    assert len(log_lines.said()) == 1


async def test_a_hub_that_is_down_for_weeks_ends_nothing(loop, cycle, time):
    cycle.failure = HubUnreachable("The hub does not answer.")
    for _ in range(3000):
        time.now += 10_000
        await loop.tick()
    assert len(cycle.runs) == 3000


async def test_after_a_failure_a_new_one_is_waited_for_as_the_first(loop, cycle, time):
    cycle.failure = ValueError("x")
    await pass_by(loop, time, 1)
    await pass_by(loop, time, 60)
    cycle.failure = None
    await pass_by(loop, time, 100)
    cycle.failure = ValueError("x")
    await pass_by(loop, time, 100)
    began = cycle.runs[-1]
    await pass_by(loop, time, 100)
    assert cycle.runs[-1] == began + 60


async def test_a_cycle_that_hangs_is_told_while_it_does(time):
    hold = asyncio.Event()
    loop = Loop("Monitor", hold.wait, 1000.0, monotonic=time)
    ticking = asyncio.create_task(loop.tick())
    await asyncio.sleep(0)
    time.now += 4000
    assert loop.trouble is None
    time.now += 1
    assert "going on for very long" in loop.trouble
    hold.set()
    await ticking
    assert loop.trouble is None


async def test_what_failed_is_the_trouble(loop, cycle):
    cycle.failure = HubUnreachable("The hub does not answer.")
    await loop.tick()
    assert loop.trouble == loop.failure == "The hub does not answer."


async def until(look):
    while not look():
        await asyncio.sleep(0.005)


async def test_a_started_loop_runs_and_a_stopped_one_does_not():
    runs = []

    async def cycle():
        runs.append(1)

    loop = Loop("Monitor", cycle, 0.02)
    loop.start()
    await until(lambda: len(runs) >= 3)
    loop.stop()
    stopped_at = len(runs)
    await asyncio.sleep(0.1)
    assert len(runs) == stopped_at


async def test_a_cycle_never_runs_twice_at_a_time():
    running, most, runs = 0, 0, 0

    async def cycle():
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    loop = Loop("Monitor", cycle, 0.01)
    loop.start()
    await until(lambda: runs >= 3)
    loop.stop()
    await until(lambda: running == 0)
    assert most == 1


async def test_a_cycle_that_takes_longer_than_the_period_makes_the_next_one_late(loop, cycle, time):
    await loop.tick()
    assert loop.late_secs == 0
    cycle.takes = 130
    await pass_by(loop, time, 100)
    assert len(cycle.runs) == 2
    # The next should have begun 30 seconds ago, and begins with the next tick.
    assert loop.late_secs == 30
    cycle.takes = 0
    await pass_by(loop, time, 1)
    assert (len(cycle.runs), loop.late_secs) == (3, 31)
    await pass_by(loop, time, 100)
    assert (len(cycle.runs), loop.late_secs) == (4, 0)


async def test_a_loop_that_was_kept_from_running_is_late_until_it_has_caught_up(loop, time):
    await loop.tick()
    time.now += 500
    assert loop.late_secs == 400


async def test_a_loop_that_has_not_begun_is_not_late(loop, time):
    time.now += 500
    assert loop.late_secs == 0
