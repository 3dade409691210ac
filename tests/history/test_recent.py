"""The monitor puts the day when a home is full into its record, from the history."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import HistoryError
from jupyterhub_efs_quota.history.events import Measurement
from jupyterhub_efs_quota.history.reading import daily, series
from jupyterhub_efs_quota.history.recent import past_of
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.history.writing import write_events
from jupyterhub_efs_quota.remeasure import Remeasure

from ..conftest import NOW, fill
from .conftest import measure

DAY = timedelta(days=1)


@pytest.fixture
def history(start, sqlite_url):
    return start(sqlite_url)


@pytest.fixture
def measuring(rooms, workers, history):
    """What measures with a past: by default that of the history."""

    def make(past=None):
        return Remeasure(
            *(rooms.settings, rooms.store, workers, rooms.offload, rooms.clock),
            history=history,
            past=past or past_of(history),
        )

    return make


@pytest.fixture
def growing(write, home_of, history):
    """homer, who grew by 100 bytes each day for four weeks, and again since yesterday."""
    home_of("homer", 5000)
    write("homer", quota_bytes=6000, quota_source="hand", actual_bytes=4900, usage_files=1,
          started=NOW - DAY, stopped=NOW - DAY)  # fmt: skip
    for days in range(28, 0, -1):
        measure(history, NOW - days * DAY, size=5000 - 100 * days, quota=6000)
    assert history.flush()


async def test_the_day_when_a_growing_home_is_full_stands_in_its_record(measuring, growing, store):
    await measuring().measure("homer")
    full_at = store.read("homer").full_at
    assert abs(full_at - (NOW + 10 * DAY)) < timedelta(hours=1)


async def test_the_day_goes_when_something_was_deleted(measuring, growing, store, efs, clock):
    remeasure = measuring()
    await remeasure.measure("homer")
    assert store.read("homer").full_at
    fill(efs / "users" / "homer", 10)
    for _ in range(10):
        clock.forward(days=1)
        await remeasure.measure("homer")
    assert store.read("homer").full_at is None


async def test_a_history_that_fails_keeps_no_home_from_being_measured(measuring, growing, store):
    async def past(user, now):
        raise HistoryError("gone")

    record = await measuring(past).measure("homer")
    assert record.actual_bytes == 5000 and record.full_at is None


async def test_the_history_is_not_asked_of_homes_that_are_as_they_were(
    measuring, growing, store, write
):
    asked = []

    async def past(user, now):
        asked.append(user)
        return []

    remeasure = measuring(past)
    await remeasure.measure("homer")
    await remeasure.measure("homer")
    assert asked == ["homer"]
    with store.held("homer") as held:
        held.write(replace(held.read(), full_at=NOW + DAY))
    await remeasure.measure("homer")
    assert asked == ["homer", "homer"], "a day that was foretold would stand for ever"


def test_without_a_history_nothing_is_foretold():
    assert past_of(Recorder()) is None


@given(
    st.lists(st.tuples(st.integers(-60 * 24, 5 * 24), st.booleans()), max_size=40, unique=True),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_day_s_last_whole_measurement_is_what_a_forecast_is_made_of(database, found):
    hours = {hour: complete for hour, complete in found}
    user = f"user-{uuid4()}"
    times = {NOW + timedelta(hours=hour): complete for hour, complete in hours.items()}
    with database.writing() as connection:
        write_events(
            connection,
            [
                Measurement(user, time, 0.1, counted=number, quota_bytes=9, complete=complete)
                for number, (time, complete) in enumerate(times.items())
            ],
        )
    since, until = NOW - 42 * DAY, NOW
    with database.reading() as connection:
        shown = daily(connection, user, since, until)
        points = series(connection, user, since, until)
    wanted = {p.started.date(): p for p in points if p.complete}
    assert [(d.started, d.counted) for d in shown] == [
        (p.started, p.counted) for p in wanted.values()
    ]
