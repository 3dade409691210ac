"""The commands over the API: times, tables, and the pages of long lists."""

import time

import pytest

from jupyterhub_efs_quota.board import Row
from jupyterhub_efs_quota.errors import SettingsError
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.limits import Limit
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.standing import STANDINGS
from jupyterhub_efs_quota.remote import output
from jupyterhub_efs_quota.remote.command import pages
from jupyterhub_efs_quota.remote.history import _remark, _value
from jupyterhub_efs_quota.remote.output import Output, growth, percent, size
from jupyterhub_efs_quota.remote.show import _full, show_user
from jupyterhub_efs_quota.remote.users import UsersCommand
from jupyterhub_efs_quota.remote.when import local, parse, secs_between, to_api
from jupyterhub_efs_quota.users.as_json import page_json, row_json, user_json
from jupyterhub_efs_quota.users.own_quota import own_quota

from ..conftest import NOW


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    """Berlin, which has a summer time; the zone of the machine comes back afterwards."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "ends", "moment"),
    [
        ("2026-12-24", True, "2026-12-24T23:00:00Z"),
        ("2026-12-24", False, "2026-12-23T23:00:00Z"),
        ("2026-07-24", True, "2026-07-24T22:00:00Z"),
        ("2026-12-24 18:00", True, "2026-12-24T17:00:00Z"),
        ("2026-12-24T18:00", False, "2026-12-24T17:00:00Z"),
        ("2026-12-24T18:00:00Z", True, "2026-12-24T18:00:00Z"),
        ("2026-12-24 18:00+05:00", True, "2026-12-24T13:00:00Z"),
        ("+30d", True, "2026-12-22T12:00:00Z"),
        ("+2w", True, "2026-12-06T12:00:00Z"),
        ("-12h", False, "2026-11-22T00:00:00Z"),
    ],
)
def test_a_time_without_a_zone_is_one_of_this_machine(text, ends, moment):
    assert to_api(parse(text, "until", NOW, ends=ends)) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "2026-02-30", "24.12.2026", "30d", "+999999w", "+1y", "+٣d"]
)
def test_what_is_no_time_is_told_with_the_ways_to_write_one(text):
    with pytest.raises(SettingsError, match="--until .* is no time: write 2026-12-24"):
        parse(text, "until", NOW, ends=True)


def test_times_are_shown_with_their_zone():
    assert local("2026-12-24T17:00:00Z") == "2026-12-24 18:00 CET"
    assert local("2026-07-24T16:00:00.123456Z") == "2026-07-24 18:00 CEST"
    assert local(None) == "never"


def test_how_long_something_took():
    assert secs_between("2026-12-24T17:00:00Z", "2026-12-24T17:01:00.500000Z") == 60.5


class Pages:
    """A list of ten things, given out in pages of at most three."""

    def __init__(self, total=10):
        self.total, self.asked = total, []

    def get(self, path, *, limit, offset, **query):
        self.asked.append((limit, offset, query))
        end = min(offset + min(limit, 3), self.total)
        return {"items": list(range(offset, end)), "total": self.total}


def test_a_long_list_is_put_together_from_its_pages():
    assert pages(Pages(), "users", 0, q="a") == {"items": list(range(10)), "total": 10}


def test_no_more_is_asked_for_than_is_shown():
    asked = Pages()
    assert pages(asked, "users", 5)["items"] == [0, 1, 2, 3, 4]
    assert [limit for limit, _, _ in asked.asked] == [5, 2]


def test_a_list_that_shrinks_meanwhile_ends():
    class Shrinks(Pages):
        def get(self, path, **asked):
            return {**super().get(path, **asked), "total": 99}

    assert len(pages(Shrinks(), "users", 0)["items"]) == 10


def test_a_table_in_a_pipe_has_a_line_for_each_row_however_long(capsys):
    Output().table(("Name", ">Size"), [("x" * 300, "1 KiB"), ("y", "10 KiB")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1] == "x" * 300 + "   1 KiB"
    assert [line == line.rstrip() for line in lines] == [True] * 3


def test_a_hostile_name_is_a_name_in_a_table_and_in_a_line(capsys):
    out = Output()
    name = "[bold]a\x1b]0;x\x07\u202e\nb"
    out.table(("Name",), [(name,)])
    out.line(name)
    out.fields([("Name", name)])
    printed = capsys.readouterr().out
    assert printed.count("[bold]a\\x1b]0;x\\x07\\u202e\\nb") == 3
    assert "\x1b" not in printed and "\u202e" not in printed
    assert len(printed.splitlines()) == 4


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (size(-1), ""),
        (size(None, unknown="?"), "?"),
        (size(2048), "2.0 KiB"),
        (growth(2048), "+2.0 KiB"),
        (growth(-2048), "-2.0 KiB"),
        (growth(0), "0"),
        (growth(None), ""),
        (percent(1.234), "123 %"),
        (percent(0.001), "under 1 %"),
        (_value({"quota_bytes": 1024, "quota_files": 7}), "1.0 KiB, 7 files"),
        (
            _value({"quota_bytes": 1024, "quota_files": None, "enabled": False}),
            "1.0 KiB (not enforced)",
        ),
        (_value(None), ""),
        (str(_value("lockout")), "lockout"),
        (_value({"other": 1}), '{"other": 1}'),
        (_remark({"timed_out": True, "unreadable": 1}), "not to the end"),
        (_remark({"timed_out": False, "unreadable": 1200}), "1,200 unreadable"),
    ],
)
def test_values_are_shown_in_words(shown, text):
    assert shown == text


def test_the_day_when_it_is_full_says_whether_that_is_so_in_files():
    full = {"full_at": "2026-12-24T17:00:00Z"}
    told = "about 2026-12-24 18:00 CET, at the present growth"
    assert _full(None, full) == told
    assert _full(None, {**full, "full_in": "files"}) == f"in files {told}"


def test_every_state_has_a_colour():
    assert set(output._STATES) == set(STANDINGS)


LENT = Record(
    "alice", quota_bytes=20_480, quota_files=5, quota_source="hand", quota_until=NOW,
    quota_reason="Thesis\x1b[2J", actual_bytes=12_000, usage_files=6, fraction_used=0.586,
    quota_state=State.LOCKOUT, started=NOW, stopped=NOW,
)  # fmt: skip


def test_a_user_is_shown_with_files_of_how_many_and_what_comes_after_the_end(capsys):
    own = own_quota(LENT, Limit(10_000, 4), NOW, 0)
    show_user(Output(), user_json(Row(HubUser("alice"), LENT), own=own))
    printed = capsys.readouterr().out
    assert "11.7 KiB, 120 % of the files, 6 of 5 files" in printed
    assert "until 2026-11-22 13:00 CET: Thesis\\x1b[2J" in printed
    after = "9.8 KiB and 4 files, from default; 2.0 KiB and 2 files too many with what is held now"
    assert f"After that   {after}: the state is lockout" in printed


def test_of_a_quota_that_is_enough_after_the_end_nothing_more_is_said(capsys):
    own = own_quota(LENT, Limit(50_000), NOW, 0)
    show_user(Output(), user_json(Row(HubUser("alice"), LENT), own=own))
    assert "After that   48.8 KiB, from default\n" in capsys.readouterr().out


def test_the_table_has_files_of_how_many_and_no_state_of_who_has_no_quota(capsys):
    exempt = Record(
        "erin", quota_enabled=False, quota_state=State.LOCKOUT, actual_bytes=5, started=NOW
    )
    rows = [row_json(Row(HubUser(each.user), each)) for each in (LENT, exempt)]
    UsersCommand().show(Output(), page_json(rows, 2, 2, 0))
    _, alice, erin, *_ = capsys.readouterr().out.splitlines()
    assert "120 % of files" in alice and "6 of 5" in alice
    assert "no-quota" in erin and "lockout" not in erin and "%" not in erin
