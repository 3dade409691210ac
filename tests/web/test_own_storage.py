"""The page of one's own storage: its own quota, files, a first measurement, a false alarm."""

from datetime import timedelta

import pytest

from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW
from ..history.conftest import measure
from .conftest import GIB, parsed

SOON = NOW + timedelta(days=3)
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture
def lend(pages):
    """Lend anna, whose group has 20 GiB, a quota of 50 until the day after tomorrow."""

    def lend(**fields):
        values = {"quota_bytes": 50 * GIB, "quota_until": SOON, "quota_reason": "Thesis"}
        return pages.put("anna", ("course",), **{**values, **fields})

    return lend


def line(page):
    """What is said of a quota of one's own, in one line."""
    return " ".join(page.find(id="own-quota").text.split())


@pytest.mark.parametrize(("path", "who"), [("", "anna"), ("users/anna", "looker")])
async def test_a_user_reads_until_when_and_why_a_quota_holds_and_what_comes_then(
    pages, lend, path, who
):
    lend()
    page = await pages.page(path, who)
    assert line(page) == (
        "This quota ends at 2026-11-25 12:00 UTC; then it is 20.0 GiB. Reason: Thesis"
    )
    own = page.find(id="own-quota")
    assert own.time["datetime"] == "2026-11-25T12:00:00Z"
    assert own.find("data", class_="size")["value"] == str(20 * GIB)


async def test_it_is_said_once_on_another_s_page(pages, lend):
    lend()
    page = await pages.page("users/anna", "looker")
    assert "it was set by hand" in page.find(id="quota-why").text
    assert page.find(class_="now").text.count("Thesis") == 1


async def test_who_is_over_after_the_end_is_told_so_before(pages, lend):
    lend(actual_bytes=23 * GIB)
    page = await pages.page("", "anna")
    assert (
        "With what is stored now, that is 3.0 GiB too much: servers are stopped then,"
        " and cannot be started. Reason" in line(page)
    )
    assert "alert-warning" in page.find(id="own-quota")["class"]
    lend(actual_bytes=23 * GIB, lockout_enabled=False)
    assert "too much. Reason" in line(await pages.page("", "anna"))


async def test_an_administrator_who_keeps_servers_is_not_threatened(pages):
    pages.put("admin", quota_until=SOON, actual_bytes=30 * GIB, quota_bytes=50 * GIB)
    said = line(await pages.page("", "admin"))
    assert "20.0 GiB too much" in said and "stopped" not in said


async def test_where_the_groups_are_not_known_the_end_is_told_and_not_what_comes(pages, lend):
    lend()
    record = pages.parts.store.read("anna")
    pages.parts.board.saw(HubUser("anna", groups=None), record, by="Reaper")
    said = line(await pages.page("users/anna", "admin"))
    assert said == "This quota ends at 2026-11-25 12:00 UTC. Reason: Thesis"


@pytest.mark.parametrize(("path", "who"), [("", "anna"), ("users/anna", "admin")])
async def test_a_hostile_reason_is_text(pages, lend, path, who):
    lend(quota_reason=HOSTILE)
    answer = await pages.get(path, who)
    assert b"<img src=x" not in answer.body and "\u202e" not in answer.body.decode()
    assert "<img src=x onerror=alert(1)>" in line(parsed(answer))


async def test_of_a_quota_of_the_settings_nothing_is_said(pages):
    page = await pages.page("", "anna")
    assert page.find(id="own-quota") is None


async def test_a_lockout_by_files_is_told_as_the_share_of_files(pages):
    pages.put(
        "anna",
        usage_files=1_200,
        quota_files=1_000,
        fraction_used=0.3,
        quota_state=State.LOCKOUT,
    )
    page = await pages.page("", "anna")
    assert page.find(id="share").text == "120 % of the files"
    assert page.find(id="files").text == "1,200 of 1,000"
    assert "200 files too many" in page.text
    assert page.find(class_="usage")["aria-valuetext"] == "120 % of the files"
    own = (await pages.page("bar", "anna")).find(id="own")
    assert (own["data-files"], own["data-file-limit"]) == ("1200", "1000")
    assert (own["data-share"], own["data-percent"]) == ("120 %", "100")
    assert own.has_attr("data-of-files")


async def test_where_there_is_a_limit_on_files_a_share_of_space_is_said_to_be_one(pages):
    pages.put("anna", ("course",), usage_files=10, quota_files=1_000, fraction_used=0.3)
    page = await pages.page("", "anna")
    assert page.find(id="share").text == "30 % of the space"
    page = await pages.page("users?q=anna", "admin")
    cells = [cell.text.strip() for cell in page.select("#users tbody td")]
    assert "30 % of the space" in cells and "10 of 1,000" in cells
    pages.put("anna", ("course",), usage_files=10, fraction_used=0.3)
    assert (await pages.page("", "anna")).find(id="share").text == "30 %"


async def test_without_a_limit_on_files_the_bar_says_nothing_of_them(pages):
    pages.put("anna", usage_files=7)
    own = (await pages.page("bar", "anna")).find(id="own")
    assert not own.has_attr("data-files") and own["data-share"] == "10 %"


async def test_day_by_day_and_measurements_tell_files_with_the_limit_of_then(pages, history):
    for ago, most in ((1, None), (0, 1_000)):
        usage = Usage(bytes=GIB, allocated=GIB, files=700 + ago, dirs=1)
        measure(history, NOW - timedelta(days=ago), "anna", GIB, usage=usage, quota_files=most)
    assert history.flush(30)
    page = await pages.page("", "anna")
    shown = [row.select("td")[-1].text for row in page.select("table.days tbody tr")]
    assert shown == ["700 of 1,000", "701"]
    page = await pages.page("users/anna", "looker")
    assert "700 of 1,000" in page.find(id="measurements").text


async def test_who_has_no_record_yet_has_their_home_measured_the_first_time(
    make_pages, history, remeasure, home_of
):
    home_of("anna", 5_000)
    pages = make_pages(history, remeasure=remeasure)
    page = await pages.page("", "anna")
    assert "not been measured yet" in page.find(id="meaning").text
    assert page.find(id="measure").text == "Measure now"
    answer = await pages.post("measure", "anna")
    page = await pages.follow(answer, "anna")
    assert "has just been measured" in page.text
    assert page.find(id="used").text == "4.9 KiB"
    record = pages.parts.store.read("anna")
    assert (record.quota_bytes, record.quota_source) == (20 * GIB, "group:course")


async def test_a_lead_has_the_home_of_a_member_measured_the_first_time(
    make_pages, history, remeasure, home_of
):
    home_of("bert", 5_000)
    pages = make_pages(history, remeasure=remeasure)
    pages.parts.board.saw(HubUser("bert", groups=("course",)), None, by="Monitor")
    page = await pages.page("users/bert", "teacher")
    assert page.find(id="measure").text == "Measure now"
    page = await pages.follow(await pages.post("users/bert/measure", "teacher"), "teacher")
    assert page.find(id="used").text == "4.9 KiB" and page.find(id="quota").text == "20.0 GiB"


async def test_over_the_api_a_home_is_measured_the_first_time_too(
    make_pages, history, remeasure, home_of
):
    home_of("carl", 5_000)
    pages = make_pages(history, remeasure=remeasure)
    answer = await pages.post("api/users/carl/measure?wait=30", "carl")
    assert answer.code == 200, answer.body
    assert pages.parts.store.read("carl").quota_bytes == 10 * GIB


async def test_who_has_no_home_gets_no_record_by_asking(make_pages, history, remeasure):
    pages = make_pages(history, remeasure=remeasure)
    page = await pages.follow(await pages.post("measure", "carl"), "carl")
    assert "could not be measured" in page.text
    assert pages.parts.store.read("carl") is None
    assert not pages.parts.store.directory("carl").exists()


TROUBLE = ["The history cannot be written to /srv/history.sqlite."]


async def test_users_are_not_alarmed_by_what_leaves_their_figures_right(make_pages, history):
    pages = make_pages(history, trouble=lambda: TROUBLE)
    pages.put("carl")
    assert (await pages.page("", "carl")).find(id="trouble") is None
    assert TROUBLE[0] in (await pages.page("", "admin")).find(id="trouble").text


async def test_users_are_told_without_a_why_when_their_figures_may_be_old(make_pages, history):
    pages = make_pages(history, trouble=lambda: TROUBLE, figures_old=lambda: True)
    pages.put("carl")
    said = (await pages.page("", "carl")).find(id="trouble").text
    assert "may be old" in said and "/srv" not in said
    assert TROUBLE[0] in (await pages.page("", "admin")).find(id="trouble").text
