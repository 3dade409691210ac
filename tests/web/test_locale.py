"""Pages say what a script puts into the reader's locale as figures, and names harmlessly."""

from datetime import timedelta

import pytest

from ..conftest import NOW
from .conftest import GIB, parsed

HOSTILE = "anna\u202e\n"


async def test_why_and_what_would_change_it_are_told_in_figures_of_the_page(pages):
    pages.put("anna", ("course",), usage_files=12_345, quota_files=20_000)
    page = await pages.page("users/anna", "teacher")
    for id in ("state-why", "quota-why"):
        found = page.find(id=id)
        assert found.find("data", class_="size")["value"] in (str(GIB), str(10 * GIB)), id
    assert page.find(id="quota-why").find("data", class_="number")["value"] == "20000"
    details = page.find(id="quota-why").find_next("details")
    assert all(each.find("data") for each in details.find_all("li"))


async def test_what_was_done_is_said_in_figures_of_the_page(pages):
    form = {"how": "set", "size": "50Gi", "files": "200000", "until": "+30d", "reason": "Thesis"}
    answer = await pages.post("users/anna/quota", "teacher", **form)
    note = (await pages.follow(answer, "teacher")).find(id="note")
    assert [each["value"] for each in note.find_all("data")] == [
        str(50 * GIB),
        "200000",
        str(10 * GIB),
    ]
    assert note.time["datetime"].startswith(f"{NOW + timedelta(days=30):%Y-%m-%d}")


async def test_the_title_of_a_user_s_page_does_not_turn_around(pages):
    pages.put(HOSTILE, ("course",))
    answer = await pages.get("users/anna%E2%80%AE%0A", "teacher")
    page = parsed(answer)
    assert page.title.text == "Storage of anna\\u202e\\n"
    assert "\u202e" not in answer.body.decode()


@pytest.mark.parametrize("path", ["users", "users/anna"])
async def test_what_is_wrong_with_a_user_does_not_turn_around(pages, path):
    anna = pages.parts.board.get("anna").user
    pages.parts.board.failed(anna, "No \u202e such home <b>", by="Monitor")
    answer = await pages.get(path, "admin")
    told = parsed(answer).find(class_="problem").text
    assert "No \\u202e such home <b>" in told and "\u202e" not in answer.body.decode()


async def test_the_bar_on_the_hub_s_pages_learns_whether_it_is_about_files(pages):
    for full_in in (None, "files"):
        pages.put("carl", full_at=NOW + timedelta(days=3), full_in=full_in)
        own = (await pages.page("bar", "carl")).find(id="own")
        assert own["data-full"].startswith("2026-11-25")
        assert own["data-full-in"] == (full_in or "")


@pytest.mark.parametrize(
    ("share", "told"), [(0.00003, "under 1 %"), (0.0, "0 %"), (0.9999, "just under 100 %")]
)
async def test_a_little_is_told_alike_in_the_table_on_the_page_and_in_the_bar(pages, share, told):
    size = int(share * 2 * 2**40)
    pages.put("carl", ("course",), actual_bytes=size, quota_bytes=2 * 2**40, fraction_used=share)
    assert (await pages.page("bar", "carl")).find(id="own")["data-share"] == told
    row = (await pages.page("users?q=carl", "admin")).select_one("#users tbody tr")
    assert told in [cell.text for cell in row.find_all("td")]
    assert (await pages.page("users/carl", "admin")).find("strong").text == told
