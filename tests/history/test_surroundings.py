"""How full the volume was, and who is gone: written, asked, thinned, up and down."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect

from jupyterhub_efs_quota.history import surroundings, thinning
from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Fill, decode, encode
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.surroundings import Gone
from jupyterhub_efs_quota.history.thinning import Keep

from ..conftest import NOW, until
from .conftest import a_record, measure

DAY = timedelta(days=1)


def fill_of(time, used=5):
    return Fill(time, used, 2**62, 3, 4)


def test_fills_come_back_in_order_and_since_when_is_asked(history):
    fills = [fill_of(NOW - 2 * DAY), fill_of(NOW), Fill(NOW - DAY, 7, 8)]
    for each in fills:
        history.filled(each)
    assert history.flush()
    assert history.fills(NOW - DAY) == [fills[2], fills[1]]
    assert len(history.fills(NOW - 9 * DAY)) == 3


def test_two_monitors_at_one_moment_are_no_error(history):
    history.filled(fill_of(NOW, 5))
    history.filled(fill_of(NOW, 6))
    assert history.flush()
    assert [each.used for each in history.fills(NOW)] == [5]


@given(st.integers(0, 2**63 - 1), st.none() | st.integers(0, 2**63 - 1))
def test_a_fill_that_waits_in_a_file_is_the_same_afterwards(used, files):
    fill = Fill(NOW, used, 5, files, files)
    assert decode(encode(fill)) == fill


def test_a_fill_is_written_when_the_database_is_back(start, sqlite_url, tmp_path):
    place = tmp_path / "history.sqlite"
    place.mkdir()
    history = start(sqlite_url)
    history.filled(fill_of(NOW))
    until(lambda: history.trouble and history.counts.waiting == 1)
    place.rmdir()
    assert history.flush(60)
    assert len(history.fills(NOW)) == 1


def test_fills_are_thinned_to_one_a_day_and_then_one_a_month(database):
    fills = [fill_of(NOW - timedelta(hours=4 * n)) for n in range(6 * 200)]
    with database.writing() as connection:
        surroundings.write_fills(connection, fills)
    for _ in thinning.thin(database, NOW, Keep(all_days=30, daily_days=100)):
        pass
    with database.reading() as connection:
        left = surroundings.fills(connection, NOW - 999 * DAY)
    by_day, by_month = thinning.limits(NOW, Keep(all_days=30, daily_days=100))
    recent = [each for each in fills if each.time >= by_day]
    assert [each for each in reversed(left) if each.time >= by_day] == recent
    days = [each.time.date() for each in left if by_month <= each.time < by_day]
    assert len(days) == len(set(days)) == (by_day - by_month).days
    months = [(each.time.year, each.time.month) for each in left if each.time < by_month]
    assert len(months) == len(set(months)) > 1
    # The last one of each day stays.
    assert all(each.time + timedelta(hours=4) >= next_day(each.time) for each in left[:30])


def next_day(time):
    return time.replace(hour=0, minute=0) + DAY


def test_down_drops_the_fills_and_up_makes_the_table_anew(url):
    database = Database(whole_url(url))
    database.open()
    with database.writing() as connection:
        surroundings.write_fills(connection, [fill_of(NOW)])
    database.downgrade("0003")
    with database.reading() as connection:
        assert "quota_fills" not in inspect(connection).get_table_names()
    database.open()
    with database.reading() as connection:
        assert surroundings.fills(connection, NOW) == []
    database.close()


def test_who_is_gone_is_told_with_what_was_measured_last(history):
    measure(history, NOW, user="gone", size=700)
    measure(history, NOW, user="there")
    history.judged(a_record("never", size=-1, started=None, stopped=None), by="Reaper")
    assert history.flush()
    history.listed(["there"])
    assert history.flush()
    assert history.gone() == [Gone("gone", NOW, 700, NOW), Gone("never", NOW, None, None)]
    history.listed(["there", "gone", "never"])
    assert history.flush()
    assert history.gone() == []
