"""The page of one's own storage says what is to come: the countdown, and the way out beside it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from jupyterhub_efs_quota.history.reading import Point
from jupyterhub_efs_quota.quota.ahead import Foresight
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.web.application import load_templates
from jupyterhub_efs_quota.web.memory import Memory
from jupyterhub_efs_quota.web.show import usage_view
from jupyterhub_efs_quota.web.storage import _coming, account

from ..conftest import NOW

DAY = timedelta(days=1)
TWO_DAYS = Foresight(grace_secs=2 * 86400)
WITHIN = Record(
    "homer", quota_bytes=10_000, actual_bytes=9_000, started=NOW, stopped=NOW, fraction_used=0.9
)
OVER = replace(
    WITHIN, actual_bytes=12_000, quota_state=State.VIOLATION, over_since=NOW - timedelta(hours=30)
)


def weeks(a_day, files_a_day=0):
    """The measurements of two weeks, up to the record's."""
    rest = (None, 0, True, False, 0.1)
    return [
        Point(
            NOW - n * DAY, 9_000 - n * a_day, 10_000, None, None, None, 90 - n * files_a_day, *rest
        )
        for n in range(14, -1, -1)
    ]


_NONE = (
    *("problem", "plotly", "visitor", "administers", "trouble", "figures_old", "rescue"),
    *("own_quota", "keeps_servers"),
)


@pytest.fixture
def page():
    template = load_templates().get_template("mine.html")

    def show(record, points=(), *, foresight=TWO_DAYS, exempt=False):
        memory = Memory(points)
        told = account(record, memory, NOW, allocated=False)
        text = template.render(
            view=usage_view(record, NOW, keeps_servers=exempt),
            coming=_coming(record, told, NOW, foresight, exempt=exempt),
            **told,
            **dict.fromkeys(_NONE),
            **dict.fromkeys(("said", "xsrf_token", "hub_prefix", "menu_text", "table_name"), ""),
            base_url="/",
            free="/free",
            measuring=False,
            static=lambda name: name,
        )
        return BeautifulSoup(text, "html.parser")

    return show


def test_the_countdown_stands_in_words_and_as_a_time_with_the_way_out_beside_it(page):
    shown = page(OVER).find(id="countdown")
    assert shown.find(id="left-until-lock").text == "18 hours"
    assert shown.time["datetime"] == "2026-11-23T06:00:00Z"
    assert "06:00 UTC" in shown.time.text, "without a script nobody knows in which zone"
    assert "at least 2.0 KiB" in shown.text
    assert shown.find(id="free-in-time")["href"] == "/free"


def test_when_the_grace_time_has_passed_no_time_is_left(page):
    shown = page(replace(OVER, over_since=NOW - 3 * DAY)).find(id="countdown")
    assert "about to be stopped" in shown.text and shown.time is None


@pytest.mark.parametrize(
    ("record", "exempt"),
    [
        (WITHIN, False),
        (OVER, True),
        (replace(OVER, lockout_enabled=False), False),
        (replace(OVER, quota_state=State.LOCKOUT), False),
    ],
)
def test_nobody_else_sees_a_countdown(page, record, exempt):
    assert page(record, exempt=exempt).find(id="countdown") is None


def test_who_grows_reads_when_it_is_full_and_when_servers_are_stopped(page):
    shown = page(WITHIN, weeks(100)).find(id="soon")
    full, locked = shown.find_all("time")
    assert full["datetime"].startswith("2026-12-02")
    assert locked["datetime"].startswith("2026-12-04")
    assert shown.find(id="free-before")["href"] == "/free"


def test_the_curve_of_today_goes_before_what_the_record_said_at_the_last_measurement(page):
    shown = page(replace(WITHIN, full_at=NOW + DAY), weeks(0))
    assert "not growing" in shown.find(id="forecast").text and shown.find(id="soon") is None


def test_without_a_history_the_page_says_what_the_record_knows(page):
    shown = page(replace(WITHIN, full_at=NOW + DAY)).find(id="soon")
    assert shown.time["datetime"].startswith("2026-11-23")


def test_without_lockouts_nothing_is_said_of_servers(page):
    shown = page(replace(WITHIN, lockout_enabled=False), weeks(100)).find(id="soon")
    assert "full about" in shown.text and "stopped" not in shown.text


def test_where_files_are_full_first_the_page_says_so_and_draws_no_line_of_bytes(page):
    record = replace(WITHIN, usage_files=90, quota_files=100)
    shown = page(record, weeks(1, files_a_day=2))
    full = "2026-11-27"
    for told in (shown.find(id="soon"), shown.find(id="forecast")):
        assert "full in files about" in told.text
        assert told.time["datetime"].startswith(full)
    figures = json.loads(shown.find(id="figures").string)
    assert figures["full"] is None, "the curve is one of bytes, which are not full then"


def test_where_bytes_are_full_first_the_line_leads_to_that_day(page):
    record = replace(WITHIN, usage_files=90, quota_files=100)
    shown = page(record, weeks(100, files_a_day=0))
    assert "in files" not in shown.find(id="soon").text + shown.find(id="forecast").text
    assert json.loads(shown.find(id="figures").string)["full"].startswith("2026-12-02")


def test_without_a_history_the_record_says_that_it_is_about_files(page):
    shown = page(replace(WITHIN, full_at=NOW + DAY, full_in="files"))
    assert "full in files about" in shown.find(id="soon").text


def test_each_day_stands_once_in_the_table_and_is_the_same_day_in_every_zone(page):
    """Two days of UTC may be one day in Tokyo."""
    times = [NOW.replace(day=21, hour=23, minute=50), NOW.replace(hour=10)]
    points = [replace(weeks(0)[0], started=time) for time in times]
    days = page(WITHIN, points).select("table.days tbody time")
    assert [day["datetime"] for day in days] == ["2026-11-22", "2026-11-21"]
    assert [day.text for day in days] == ["2026-11-22", "2026-11-21"]
