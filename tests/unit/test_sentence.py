"""Sentences with figures: text for commands, markup for pages, and safe in both."""

from datetime import datetime, timedelta, timezone

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.freeing.desk import Job, Kind
from jupyterhub_efs_quota.freeing.take import Errand
from jupyterhub_efs_quota.history.events import Action
from jupyterhub_efs_quota.history.happened import StateChange
from jupyterhub_efs_quota.quota.limits import Limits
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.users.as_json import plain as as_json
from jupyterhub_efs_quota.users.change import Change
from jupyterhub_efs_quota.users.explain import explain
from jupyterhub_efs_quota.web.free_view import job_view
from jupyterhub_efs_quota.web.happened import happening
from jupyterhub_efs_quota.web.words import days, said, took, whole_day
from jupyterhub_efs_quota.words.figures import percent
from jupyterhub_efs_quota.words.sentence import (
    Day,
    Moment,
    Number,
    Sentence,
    Size,
    joined,
    sentence,
)

from ..conftest import NOW
from .strategies import any_text, moments, records

HOSTILE = "<script>&\u202e{0}{"


def page(shown):
    return BeautifulSoup(str(shown), "html.parser")


def test_a_sentence_is_text_in_english_and_utc_for_whoever_wants_text():
    words = "{} hold {files} files, {size}, since {} till {}."
    told = sentence(words, "They", Moment(NOW), Day(NOW), files=Number(1234), size=Size(2048))
    assert told == ("They hold 1,234 files, 2.0 KiB, since 2026-11-22 12:00 UTC till 2026-11-22.")


def test_a_page_marks_the_figures_of_a_sentence_for_the_reader_s_locale():
    words = sentence("{} in {} files at {}, {}", Size(2048), Number(1234), Moment(NOW), Day(NOW))
    shown = page(said(joined(" ", [words, "and", Number(5)])))
    assert shown.text == "2.0 KiB in 1,234 files at 2026-11-22 12:00 UTC, 2026-11-22 and 5"
    assert [each["value"] for each in shown.find_all("data")] == ["2048", "1234", "5"]
    moment, day = shown.find_all("time")
    assert moment["datetime"] == day["datetime"] == "2026-11-22T12:00:00Z"
    assert "class" not in moment.attrs and day["class"] == ["day"]


@given(any_text, any_text)
def test_what_somebody_gave_is_never_markup_nor_a_place_for_a_figure(one, other):
    told = sentence("{} and {other}", one, other=Sentence([other, Size(1)]))
    assert told == f"{one} and {other}1 byte"
    shown = page(said(told))
    assert [each.name for each in shown.find_all(True)] == ["data"]


def test_a_text_that_is_no_sentence_is_shown_safely_too():
    assert str(said(HOSTILE)) == "&lt;script&gt;&amp;\\u202e{0}{"


@given(records, moments)
def test_pages_say_of_a_user_what_the_commands_say(record, now):
    explained = explain(record, ("lab",), Limits(group_files={"lab": 7}), now, 3600)
    sentences = [
        explained.quota.sentence,
        explained.state.sentence,
        *(each.sentence for each in (*explained.rules, *explained.would_change)),
        Change(record, record).sentence,
    ]
    for told in sentences:
        assert told == "".join(str(part) for part in told.parts)
        # But for what is not safe to show in the names and reasons.
        safe = Sentence(part for part in told.parts if not isinstance(part, str))
        assert page(said(safe)).text == safe
    assert type(as_json(explained)["state"]["sentence"]) is not dict


def test_no_figure_of_an_explanation_is_mere_text():
    record = Record(
        "homer", 2**40, 2**41, 2.0, usage_files=12_345, quota_files=10_000, started=NOW,
        stopped=NOW, over_since=NOW, quota_until=NOW + timedelta(days=3), quota_source="hand",
    )  # fmt: skip
    explained = explain(record, (), Limits(), NOW, 3600)
    shown = page(
        "".join(
            said(each)
            for each in (
                explained.quota.sentence,
                explained.state.sentence,
                *(turn.sentence for turn in explained.would_change),
                *(rule.sentence for rule in explained.rules),
                Change(None, record).sentence,
            )
        )
    )
    for each in shown.find_all(["data", "time"]):
        each.extract()
    assert not any(mark in shown.text for mark in ("UTC", "iB", "0", "1", "2"))


def test_what_happened_marks_its_figures_and_escapes_its_names():
    held = {"quota_bytes": 5 * 2**30, "quota_files": 20_000}
    action = Action("quota-changed", "homer", NOW, "x", after=str(held).replace("'", '"'))
    shown = page(happening(action).what)
    assert shown.text == "Quota 5.0 GiB and 20,000 files, before unknown"
    assert [each["value"] for each in shown.find_all("data")] == [str(5 * 2**30), "20000"]
    state = StateChange("homer", NOW, "ok", "lockout", "Reaper", 2048, 1024)
    shown = page(happening(state).what)
    assert shown.text == "State lockout, before ok: 2.0 KiB of 1.0 KiB"
    assert len(shown.find_all("data")) == 2
    for hostile in (
        Action("stopped", "homer", NOW, "x", server=HOSTILE),
        Action(HOSTILE, "homer", NOW, "x", after=HOSTILE),
        StateChange("homer", NOW, HOSTILE, HOSTILE, "x", -1, 5),
    ):
        told = happening(hostile).what
        assert page(told).find("script") is None and "\\u202e" in told


def test_how_far_an_errand_is_is_told_in_marked_numbers():
    job = Job(Kind.ASIDE, Errand("key", "homer", NOW), 1_500)
    job.progress.entries = 12_345
    shown = page(job_view(job, allocated=False).progress)
    assert shown.text == "0 of 1,500 done, 12,345 files and folders"
    assert [each["value"] for each in shown.find_all("data")] == ["0", "1500", "12345"]


def test_a_day_of_utc_is_no_moment_that_another_zone_has_on_another_day():
    late = datetime(2026, 11, 22, 3, 0, tzinfo=timezone(timedelta(hours=9)))
    assert str(whole_day(late)) == '<time datetime="2026-11-21">2026-11-21</time>'


def test_fractions_are_marked_for_the_locale():
    assert page(took(0.42)).data["value"] == "0.4" and page(took(0.42)).text == "0.4 s"
    assert page(took(185)).text == "3:05 min"
    assert page(days(0.5)).data["value"] == "0.5" and page(days(30.0)).text == "30"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0 %"),
        (60 / 2 / 1024**2, "under 1 %"),
        (0.00499, "under 1 %"),
        (0.005, "1 %"),
        (0.025, "3 %"),
        (0.934, "93 %"),
        (0.9999, "just under 100 %"),
        (1, "100 %"),
        (1.001, "just over 100 %"),
        (1.5, "150 %"),
        (10, "over 1000 %"),
    ],
)
def test_a_share_is_never_told_as_nothing_or_as_all_that_is_not(share, words):
    assert percent(share) == words


@given(st.floats(1e-300, 1e300))
def test_no_share_above_nothing_is_told_as_none(share):
    assert percent(share) != "0 %"
