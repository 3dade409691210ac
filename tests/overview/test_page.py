"""The overview's pages in this process: who may see them, and what they say."""

import asyncio
import json
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from jupyterhub_efs_quota.errors import HOME_MISSING
from jupyterhub_efs_quota.history.events import Action, Fill
from jupyterhub_efs_quota.history.history import History
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.overview.survey import Surroundings, Unclaimed
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.web import ask as module
from jupyterhub_efs_quota.web.api.schemas import SCHEMAS

from ..conftest import NOW
from .conftest import DAY, a_row

PATHS = ("overview", "overview/settings", "overview/what-if?quota=5", "api/overview")
HOSTILE = "<img src=x onerror=alert(1)>\u202e\n/x"


def parsed(answer):
    assert answer.code == 200, answer.body
    return BeautifulSoup(answer.body.decode(), "html.parser")


@pytest.fixture
def users(rooms, efs):
    """Some users on the board, and what lies around them."""
    rows = [
        a_row("homer", 5000, quota_state=State.LOCKOUT, usage_files=3),
        a_row("marge", 500, active=NOW - 400 * DAY),
        a_row(HOSTILE, 700, problem="broken-file"),
        a_row("bart", problem=HOME_MISSING),
    ]
    for row in rows:
        rooms.board._rows[row.user.name] = row
    rooms.board.complete = True
    strays = [Unclaimed("<b>gone</b>", HOSTILE, 99, NOW)]
    fill = Fill(NOW, 60, 40)
    rooms.board.surroundings = Surroundings(NOW, efs / "users", fill, strays)
    return rows


@pytest.fixture
def history(tmp_path, clock):
    history = History(whole_url(f"sqlite:///{tmp_path}/h.sqlite"), tmp_path / "waiting", clock)
    history.start()
    assert history.flush()
    yield history
    history.close()


@pytest.mark.parametrize("path", PATHS)
async def test_administrators_and_who_has_the_scope_see_it_and_nobody_else(get, users, path):
    for who, code in (("admin", 200), ("scoped", 200), ("reader", 403), ("user", 403)):
        answer = await get(path, who)
        assert answer.code == code, who
        if code == 403:
            assert "homer" not in answer.body.decode()
    assert (await get(path, "stranger")).code in (302, 401, 403)


async def test_the_page_has_the_sums_and_each_state_links_to_its_users(get, users):
    page = parsed(await get("overview"))
    assert page.find(id="users").text == "4"
    assert page.find(id="held").text == "6.1 KiB"
    assert page.find(id="promised").text == "3.9 KiB"
    links = {a.text.split()[0]: (a["href"], a.text.split()[1]) for a in page.select("ul.states a")}
    assert links["lockout"] == ("/services/efs-quota/users?state=lockout", "1")
    assert links["ok"][1] == "3"


async def test_who_has_no_quota_is_counted_apart_with_a_link_that_finds_them(get, users, rooms):
    row = a_row("exempt", 5, quota_enabled=False, quota_state=State.OK)
    rooms.board._rows["exempt"] = row
    page = parsed(await get("overview"))
    links = {a.text.split()[0]: (a["href"], a.text.split()[1]) for a in page.select("ul.states a")}
    assert links["no-quota"] == ("/services/efs-quota/users?state=no-quota", "1")
    assert links["ok"][1] == "3"
    found = parsed(await get("users?state=no-quota"))
    assert [a.text for a in found.select("#users th.name a")] == ["exempt"]


async def test_users_are_named_with_links_of_one_segment_and_hostile_names_are_text(get, users):
    page = parsed(await get("overview"))
    links = {a["href"] for a in page.select("table a")}
    assert "/services/efs-quota/users/homer" in links
    hostile = "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%E2%80%AE%0A%2Fx"
    assert f"/services/efs-quota/users/{hostile}" in links
    assert page.select("main img, main b") == []
    assert "<b>gone</b>" in page.find(id="unclaimed").text
    assert "\u202e" not in page.text


async def test_dormant_users_are_counted_with_what_they_hold_for_the_months_given(get, users):
    said = "1 dormant user holds 500 bytes"
    assert said in parsed(await get("overview")).find(id="dormant").text
    assert "was away for so long" in parsed(await get("overview?months=24")).find(id="dormant").text


@pytest.mark.parametrize("months", ["0", "121", "-1", "six", "1e3", ""])
async def test_months_that_make_no_sense_are_a_mistake_that_is_named(get, users, months):
    answer = await get(f"overview?months={months}")
    assert answer.code == 400
    assert "months must be a whole number from 1 to 120" in answer.body.decode()


async def test_of_who_was_never_active_it_is_said_apart(get, rooms):
    rooms.board._rows["new"] = a_row("new", 300, active=None)
    page = parsed(await get("overview"))
    assert "was away for so long" in page.find(id="dormant").text
    assert "1 user whom the hub has never seen active holds 300 bytes" in page.find(id="never").text


async def test_who_has_no_home_and_which_home_has_no_user_is_told(get, users):
    page = parsed(await get("overview"))
    assert "1 user had no home" in page.text
    assert "1 folder belongs to nobody" in page.text and "99 bytes" in page.text
    assert "broken-file" in page.find(id="errors").text
    assert "bart" not in page.find(id="errors").text


async def test_the_what_if_is_answered_by_a_form_without_a_script(get, users):
    page = parsed(await get("overview?quota=0.5&unit=KiB"))
    assert page.find(id="over").text == "2"
    assert page.find(id="newly").text == "1"
    assert page.find(id="quota")["value"] == "512"
    assert page.find("option", selected=True).text == "bytes"


@pytest.mark.parametrize("query", ["quota=a&unit=GiB", "quota=-5&unit=bytes", "quota=1&unit=x"])
async def test_a_size_that_is_none_is_said_beside_the_form_and_the_page_is_there(get, users, query):
    page = parsed(await get(f"overview?{query}"))
    assert page.find(id="wrong").text
    assert page.find(id="users").text == "4"
    assert (await get(f"overview/what-if?{query}")).code == 400


async def test_the_script_is_answered_the_same_as_the_form(get, users):
    answer = json.loads((await get("overview/what-if?quota=600&unit=bytes")).body)
    assert answer == {
        "quota_bytes": 600,
        "users": 4,
        "over": 2,
        "newly": 1,
        "freed": 0,
        "excess_bytes": 4500,
        "promised_bytes": 2400,
    }
    steps = json.loads(parsed(await get("overview")).find(id="steps").string)
    assert all(len(step) == len(answer) for step in steps)


async def test_refusals_and_stops_are_told_with_the_growth_of_who_grew(get, users, history):
    for kind in ("spawn-refused", "server-stopped"):
        history.acted(Action(kind, "homer", NOW, "Reaper", "gpu", reason="<i>over</i>"))
    history.acted(Action("spawn-refused", "marge", NOW - 8 * DAY, "Reaper"))
    assert history.flush()
    page = parsed(await get("overview", history=history))
    for name in ("refused", "stopped"):
        rows = page.find(id=name).find_all("tr")[1:]
        assert ["homer" in row.text and "<i>over</i>" in row.text for row in rows] == [True]
    assert page.find(id="missing") is None


async def test_without_a_history_the_page_says_so_and_shows_the_rest(get, users):
    page = parsed(await get("overview"))
    assert "No history is kept" in page.find(id="missing").text
    assert page.find(id="held").text == "6.1 KiB"


async def test_a_history_that_hangs_is_not_waited_for(get, users, history, monkeypatch):
    monkeypatch.setattr(module, "WITHIN_SECS", 0.05)

    class Asking:
        async def ask(self, question):
            await asyncio.Event().wait()

    monkeypatch.setattr("jupyterhub_efs_quota.web.parts.Asking", lambda history: Asking())
    page = parsed(await get("overview", history=history))
    assert "does not answer now" in page.find(id="missing").text


async def test_a_volume_that_hangs_is_shown_as_it_was_and_said(get, users, rooms, monkeypatch):
    missing = replace(rooms.board.surroundings, place=rooms.board.surroundings.place / "gone")
    rooms.board.surroundings = missing
    volume = parsed(await get("overview")).find(id="volume")
    assert "cannot be asked" in volume.text and "60 %" in volume.text


async def test_a_store_without_a_fixed_size_has_no_share_on_the_page(
    get, users, rooms, monkeypatch
):
    async def endless(self, place):
        return Fill(NOW, 2**40, 2**63 - 1 - 2**40)

    monkeypatch.setattr("jupyterhub_efs_quota.overview.volume.Gauge.read", endless)
    volume = parsed(await get("overview")).find(id="volume")
    assert "no fixed size" in volume.text and "%" not in volume.text


async def test_before_all_users_were_seen_the_page_says_that_the_figures_are_too_small(get, rooms):
    page = parsed(await get("overview"))
    assert page.find(id="incomplete")
    assert "The monitor has not looked at it yet" in page.find(id="volume").text


async def test_the_settings_are_all_there_without_secrets(get, settings):
    settings.history_url = "postgresql://me:hunter2@db/name"
    page = parsed(await get("overview/settings"))
    rows = {row.dt.code.text: row for row in page.select("#settings > div")}
    assert set(rows) == set(settings.class_traits(config=True))
    assert "hunter2" not in page.text
    assert rows["history_url"].find(class_="badge").text == "set"
    assert rows["grace_secs"].find(class_="badge").text == "default"


async def test_the_api_answers_as_its_contract_says(get, users, history):
    from openapi_schema_validator import OAS31Validator

    history.acted(Action("spawn-refused", "homer", NOW, "hook"))
    assert history.flush()
    schema = {"$ref": "#/components/schemas/Overview", "components": {"schemas": SCHEMAS}}
    for more in ({}, {"history": history}):
        answer = json.loads((await get("api/overview?top=1&months=3&quota=600", **more)).body)
        assert [error.message for error in OAS31Validator(schema).iter_errors(answer)] == []
    assert answer["what_if"]["excess_bytes"] == 4500
    assert answer["months"] == 3
    assert len(answer["largest"]["users"]) == 1 and answer["largest"]["total"] == 3
    assert answer["refused"]["total"] == 1
    assert answer["unclaimed"]["folders"][0]["bytes"] == 99
    assert (await get("api/overview?top=0")).code == 400


async def test_the_page_of_ten_thousand_users_is_small(get, rooms):
    for number in range(10_000):
        row = a_row(f"user-{number:05}@example.org", number * 10**9, problem="broken-file")
        rooms.board._rows[row.user.name] = row
    answer = await get("overview")
    assert answer.code == 200
    assert len(answer.body) < 60_000
