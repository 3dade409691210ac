"""Which measurements stay, and that nobody waits for the others to go."""

import random
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from jupyterhub_efs_quota.history import happened, reading, runs, thinning, writing
from jupyterhub_efs_quota.history.events import Action, Judged, Measurement, Run
from jupyterhub_efs_quota.history.tables import measurements, summaries
from jupyterhub_efs_quota.history.thinning import (
    Keep,
    Measured,
    SummedUp,
    superfluous,
    superfluous_summaries,
    thin,
)
from jupyterhub_efs_quota.quota.record import State

from ..conftest import NOW
from .conftest import a_record, measure

DAY = timedelta(days=1)
KEEP = Keep(all_days=30, daily_days=100)

seconds_ago = st.integers(0, 400 * 86400)
some_rows = st.dictionaries(seconds_ago, st.booleans(), max_size=60).map(
    lambda found: [
        Measured(NOW - timedelta(seconds=ago), whole) for ago, whole in sorted(found.items())
    ]
)


def kept(rows, now=NOW, keep=KEEP):
    newest = max((row.started for row in rows), default=None)
    gone = set(superfluous(rows, now, keep, newest))
    return [row for row in rows if row.started not in gone]


@given(some_rows)
def test_all_of_the_last_days_stay(rows):
    left = kept(rows)
    assert [r for r in rows if NOW - r.started <= 30 * DAY] == [
        r for r in left if NOW - r.started <= 30 * DAY
    ]


@given(some_rows)
def test_each_day_and_each_month_that_had_one_has_one(rows):
    def days(of):
        return {r.started.date() for r in of if NOW - r.started < 69 * DAY}

    def months(of):
        return {(r.started.year, r.started.month) for r in of}

    assert days(kept(rows)) == days(rows)
    assert months(kept(rows)) == months(rows)


@given(some_rows)
def test_of_what_is_old_one_a_day_then_one_a_month_is_left_but_for_the_newest(rows):
    by_day, by_month = thinning.limits(NOW, KEEP)
    newest = max((row.started for row in rows), default=None)
    left = [row.started for row in kept(rows) if row.started != newest]
    of_days = [time.date() for time in left if by_month <= time < by_day]
    of_months = [(time.year, time.month) for time in left if time < by_month]
    assert len(of_days) == len(set(of_days))
    assert len(of_months) == len(set(of_months))


@given(some_rows)
def test_of_a_day_the_last_whole_one_stays_or_the_last_where_none_was_whole(rows):
    by_day, by_month = thinning.limits(NOW, KEEP)
    left = {row.started for row in kept(rows)}
    days = {}
    for row in sorted(rows):
        if by_month <= row.started < by_day:
            days.setdefault(row.started.date(), []).append(row)
    for of_day in days.values():
        whole = [row for row in of_day if row.complete] or of_day
        assert whole[-1].started in left


@given(some_rows)
def test_the_newest_stays_however_old_it_is(rows):
    far = NOW + 3000 * DAY
    assert not rows or max(rows) in kept(rows, far)


@given(some_rows, st.lists(st.integers(0, 500), max_size=4))
def test_thinning_often_leaves_what_thinning_once_leaves(rows, days):
    often = rows
    for day in sorted(days):
        often = kept(often, NOW + day * DAY)
    far = NOW + 600 * DAY
    assert kept(often, far) == kept(rows, far)


def told(history):
    assert history.flush(), history.trouble
    return history


def starts(database):
    with database.reading() as connection:
        return sorted(connection.scalars(select(measurements.c.started)))


def fill(database, rows, user="homer"):
    events = [Measurement(user, row.started, 1.0, 5, 10, complete=row.complete) for row in rows]
    with database.writing() as connection:
        writing.write_events(connection, events)


@pytest.mark.parametrize("seed", range(3))
def test_the_database_is_thinned_to_what_the_choice_says(database, seed):
    chance = random.Random(seed)
    expected = []
    for number in range(45):
        moments = {NOW - chance.random() ** 2 * 500 * DAY for _ in range(chance.randrange(40))}
        rows = [Measured(moment, chance.random() < 0.7) for moment in sorted(moments)]
        fill(database, rows, f"user{number}")
        expected += [row.started for row in kept(rows)]
    assert sum(thin(database, NOW, KEEP)) > 0
    assert starts(database) == sorted(expected)
    assert sum(thin(database, NOW, KEEP)) == 0


def test_a_day_is_a_day_in_utc_and_before_1970_too(database):
    first = datetime(1969, 12, 30, 23, 59, tzinfo=timezone.utc)
    rows = [Measured(first + timedelta(hours=6 * number), True) for number in range(12)]
    fill(database, rows)
    list(thin(database, datetime(1970, 2, 15, tzinfo=timezone.utc), KEEP))
    assert starts(database) == [row.started for row in kept(rows, first + 47 * DAY)]


weeks_of_users = st.sets(st.tuples(st.integers(1, 3), st.integers(0, 60)), max_size=60).map(
    lambda found: [SummedUp(user, 100 - ago, NOW - ago * 7 * DAY) for user, ago in sorted(found)]
)


@given(weeks_of_users, st.integers(0, 400))
def test_of_old_summaries_the_last_of_each_month_stays_and_the_newest_of_each_user(rows, days):
    by_month = NOW - days * DAY
    left = [row for row in rows if row not in superfluous_summaries(rows, by_month)]

    def months(of):
        found = [(r.user, r.started.year, r.started.month) for r in of if r.started >= by_month]
        return sorted(found)

    assert months(left) == sorted(set(months(rows)))
    newest = {user: max(row.week for row in rows if row.user == user) for user, _, _ in rows}
    assert {(row.user, row.week) for row in left} >= set(newest.items())
    old = [row for row in left if row.started < by_month]
    assert all(newest[row.user] == row.week for row in old)


def test_a_summary_of_each_week_is_left_of_the_last_days_and_one_a_month_before(database):
    times = [NOW - n * 7 * DAY for n in range(14)]
    events = [Measurement("homer", time, 1.0, 5, 10, summary=b"x") for time in times]
    with database.writing() as connection:
        writing.write(connection, "w", list(enumerate(events, 1)))
    list(thin(database, NOW, KEEP))
    with database.reading() as connection:
        left = connection.scalars(select(summaries.c.started).order_by(summaries.c.started.desc()))
        assert [(NOW - time).days for time in left] == [0, 7, 14, 21, 28, 35, 56, 84]


def test_old_summaries_runs_actions_and_changes_go_and_the_last_summary_stays(database):
    old = NOW - 3000 * DAY
    keep = Keep(daily_days=100, runs_days=400, changes_days=1000)
    events = []
    for user, times in {"homer": (old, old + 40 * DAY), "marge": (old, NOW)}.items():
        events += [Measurement(user, time, 1.0, 5, 10, summary=b"x") for time in times]
    for days in (2000, 500, 10):
        time, locked = NOW - days * DAY, a_record("homer", state=State.LOCKOUT)
        events.append(Run("job", "h", time, time))
        events.append(Action("x", "homer", time, "admin"))
        events += [Judged("homer", time, "Reaper", record) for record in (locked, a_record())]
    with database.writing() as connection:
        writing.write(connection, "w", list(enumerate(events, 1)))
    list(thin(database, NOW, keep))
    with database.reading() as connection:
        left = connection.execute(select(summaries.c.started).order_by(summaries.c.started))
        assert list(left.scalars()) == [old + 40 * DAY, NOW]
        assert runs.all_runs(connection).total == 1
        assert happened.all_actions(connection).total == 2
        assert happened.changes_of_state(connection).total == 4


def test_a_history_thins_once_a_day_whoever_is_first(start, url, clock):
    history = start(url, keep=KEEP)
    for hour in range(48):
        measure(history, NOW - 60 * DAY + timedelta(hours=hour))
    told(history)
    other = start(url, keep=KEEP)
    end = time.monotonic() + 20
    # The first look found it due; then nobody looks for an hour, nor claims it for a day.
    while len(history.series("homer", NOW - 90 * DAY, NOW)) > 3:
        history._look_at_thinning = other._look_at_thinning = 0.0
        clock.forward(hours=13)
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len(history.series("homer", NOW - 90 * DAY, NOW)) == 3


def test_only_one_of_two_thins_in_a_day(database):
    assert thinning.claim(database, NOW)
    assert not thinning.claim(database, NOW + timedelta(hours=23))
    assert thinning.claim(database, NOW + timedelta(hours=24))


def test_readers_read_on_while_thousands_of_rows_go(database):
    hours = [Measured(NOW - 50 * DAY - timedelta(minutes=20 * n), True) for n in range(3000)]
    fill(database, hours)
    waited, ended, seen = [], threading.Event(), set()

    def read():
        while not ended.is_set():
            began = time.monotonic()
            seen.add(len(starts(database)))
            waited.append(time.monotonic() - began)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in thin(database, NOW, KEEP):
            time.sleep(0.05)
    finally:
        ended.set()
        reader.join()
    # It read in between, and was never kept out for as long as a lock would have.
    assert len(seen) > 2, seen
    assert max(waited) < 3
