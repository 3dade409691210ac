"""The table of users: who sees whom in it, how it is sorted, and the same as CSV."""

import csv
import io
import json
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.quota.record import State

from ..conftest import NOW
from ..history.conftest import measure
from .conftest import GIB, parsed


def names(page):
    return [cell.a.text for cell in page.select("#users tbody th.name")]


async def rows(pages, path, who):
    answer = await pages.get(path, who)
    assert answer.code == 200, answer.body
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


EVERYBODY = ["anna", "bert", "carl", "dora"]
COURSE = ["anna", "bert"]


@pytest.mark.parametrize(
    ("who", "seen", "menu"),
    [
        ("admin", EVERYBODY, "All users"),
        ("support", EVERYBODY, "All users"),
        ("teacher", COURSE, "My group"),
        ("looker", COURSE, "My group"),
        ("mentor", ["anna"], "My group"),
    ],
)
async def test_a_visitor_sees_those_whom_their_scopes_name_and_counts_no_others(
    pages, who, seen, menu
):
    page = await pages.page("users", who)
    assert names(page) == seen
    assert page.find(id="found").text == f"{len(seen)} user{'s' if len(seen) > 1 else ''}"
    assert page.find("a", string=menu)["href"].endswith("/users")
    assert [row["name"] for row in await rows(pages, "users.csv", who)] == seen


@pytest.mark.parametrize("path", ["users", "users.csv"])
async def test_who_looks_after_nobody_has_no_table_and_no_link_to_one(pages, path):
    for who in ("anna", "carl"):
        assert (await pages.get(path, who)).code == 403
    page = await pages.page("", "carl")
    assert page.find("a", string="All users") is None and page.find("a", string="My group") is None


async def test_who_is_not_logged_in_is_sent_to_the_hub(pages):
    for path in ("users", "users.csv", "users/anna", "quotas/x"):
        answer = await pages.get(path, "nobody")
        assert answer.code == 302 and "oauth2/authorize" in answer.headers["Location"], path
    for path in ("users/anna/quota", "users/anna/measure", "quotas", "quotas/x"):
        assert (await pages.post(path, "nobody", how="set", size="1")).code in (302, 403), path
    assert pages.parts.store.read("anna").quota_bytes == 10 * GIB


async def test_a_lead_learns_of_no_other_groups_not_by_a_filter_either(pages):
    page = await pages.page("users", "teacher")
    assert [option["value"] for option in page.select("#which-group option")] == ["", "course"]
    assert "secret-club" not in page.text
    assert names(await pages.page("users?group=secret-club", "teacher")) == []
    assert names(await pages.page("users?group=course", "teacher")) == COURSE
    told = await rows(pages, "users.csv", "teacher")
    assert {row["groups"] for row in told} == {"course"}
    page = await pages.page("users", "admin")
    groups = [option["value"] for option in page.select("#which-group option")]
    assert groups == ["", "course", "other", "secret-club"]
    assert names(await pages.page("users?group=secret-club", "admin")) == ["anna"]


async def test_the_filters_hold_together_and_in_the_links(pages):
    page = await pages.page("users?q=R&group=other&sort=-size", "admin")
    assert names(page) == ["dora", "carl"]
    assert page.find(id="q")["value"] == "R"
    csv_link = page.find(id="csv")["href"]
    assert csv_link.endswith("users.csv?q=R&group=other&sort=-size")
    assert "group=other" in page.find("a", class_="sort")["href"]


async def test_a_heading_sorts_and_a_second_click_turns_it(pages):
    page = await pages.page("users", "admin")
    heading = page.find("a", class_="sort", string="Used")
    assert heading["href"].endswith("users?sort=-size")
    page = await pages.page("users?sort=-size", "admin")
    assert names(page) == ["dora", "anna", "bert", "carl"]
    (told,) = page.select("th[aria-sort]")
    assert told["aria-sort"] == "descending" and told.a["href"].endswith("users?sort=size")
    page = await pages.page("users?sort=size", "admin")
    assert names(page) == ["carl", "bert", "anna", "dora"]
    assert page.select("th[aria-sort]")[0]["aria-sort"] == "ascending"


@pytest.mark.parametrize("query", ["page=999", "page=-1", "page=x", "sort=shoe", "state=drunk"])
async def test_a_query_that_makes_no_sense_shows_the_table_all_the_same(pages, query):
    assert names(await pages.page(f"users?{query}", "admin")) == EVERYBODY


async def test_pages_follow_each_other_and_keep_the_order(pages):
    for number in range(150):
        pages.put(f"user-{number:03}", actual_bytes=number)
    page = await pages.page("users?q=user-&sort=-size", "admin")
    first = names(page)
    following = page.find("a", rel="next")["href"].partition("efs-quota/")[2]
    second = names(await pages.page(following, "admin"))
    assert first + second == [f"user-{number:03}" for number in range(149, -1, -1)]


async def test_the_growth_of_30_days_is_shown_sorted_by_and_in_the_csv(pages, history):
    for name, grown in (("anna", 5), ("bert", 700), ("carl", -3)):
        measure(history, NOW - timedelta(days=40), name, GIB)
        measure(history, NOW, name, GIB + grown)
    assert history.flush(30)
    page = await pages.page("users?sort=-growth", "admin")
    assert names(page) == ["bert", "anna", "carl", "dora"]
    assert "+700 bytes" in page.find(id="users").text
    told = {
        row["name"]: row["growth_30_days_bytes"] for row in await rows(pages, "users.csv", "admin")
    }
    assert told == {"anna": "5", "bert": "700", "carl": "-3", "dora": ""}
    # Nobody else's is told to a lead.
    assert [row["name"] for row in await rows(pages, "users.csv?sort=-growth", "teacher")] == [
        "bert",
        "anna",
    ]


async def test_without_a_history_the_table_says_what_is_missing_and_shows_the_rest(
    make_pages, no_history
):
    pages = make_pages(no_history)
    pages.put("anna")
    page = await pages.page("users?sort=-growth", "admin")
    assert names(page) == ["anna"] and "No history" in page.find(id="no-growth").text
    assert page.find("a", class_="sort", string="In 30 days") is None
    assert (await rows(pages, "users.csv", "admin"))[0]["growth_30_days_bytes"] == ""


async def test_the_csv_holds_all_that_fit_as_numbers_and_times(pages):
    for number in range(2500):
        pages.put(f"user-{number:04}") if number < 150 else pages.parts.board.saw(
            _listed(f"user-{number:04}"), None, by="Reaper"
        )
    answer = await pages.get("users.csv?q=user-", "admin")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    told = await rows(pages, "users.csv?q=user-", "admin")
    assert len(told) == 2500
    assert told[0]["used_bytes"] == str(GIB) and told[0]["quota_bytes"] == str(10 * GIB)
    assert told[0]["measured"] == "2026-11-22T12:00:00.000000Z"


def _listed(name):
    from jupyterhub_efs_quota.hub.client import HubUser

    return HubUser(name)


HOSTILE = ["<script>alert(1)</script>", "=1+1", "a/b", "ü#?&x", "right\u202eleft", "a b+c"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_text_and_leads_to_that_user_s_page(pages, name):
    pages.put(name)
    answer = await pages.get("users", "admin")
    assert b"<script>alert" not in answer.body and "\u202e" not in answer.body.decode().replace(
        'value="right\u202eleft"', ""
    )
    links = [a["href"] for a in parsed(answer).select("#users th.name a")]
    found = [await pages.page(link.partition("efs-quota/")[2], "admin") for link in links]
    assert any(_shown(name) in page.h1.text for page in found)


def _shown(name):
    return name.replace("\u202e", "\\u202e")


async def test_what_is_wrong_with_a_user_is_told_in_full_to_administrators_only(pages):
    pages.parts.board.failed(
        pages.parts.board.get("anna").user, "/efs/users/anna is missing", by="Monitor"
    )
    assert "/efs/users/anna is missing" in (await pages.page("users", "admin")).text
    page = await pages.page("users", "teacher")
    assert "/efs" not in page.text and "Something went wrong" in page.text
    page = await pages.page("users/anna", "teacher")
    assert "/efs" not in page.text and "Something went wrong" in page.text


async def test_users_without_a_quota_are_found_by_that_and_not_by_a_stale_state(pages):
    pages.put("erin", quota_enabled=False, quota_state=State.LOCKOUT)
    page = await pages.page("users?state=no-quota", "admin")
    assert names(page) == ["erin"]
    (chosen,) = page.select("#which-state option[selected]")
    assert chosen["value"] == "no-quota"
    assert "no-quota" in page.select_one("#users tbody .badge").text
    assert names(await pages.page("users?state=lockout", "admin")) == []
    assert [row["name"] for row in await rows(pages, "users.csv?state=no-quota", "admin")] == [
        "erin"
    ]
    answer = await pages.get("api/users?state=no-quota", "admin")
    assert [row["name"] for row in json.loads(answer.body)["items"]] == ["erin"]


async def test_a_limit_on_files_stands_in_the_table_with_the_share_of_them(pages):
    pages.put("erin", usage_files=1_200, quota_files=1_000, fraction_used=0.3)
    page = await pages.page("users?q=erin", "admin")
    cells = [cell.text.strip() for cell in page.select("#users tbody td")]
    assert "120 % of the files" in cells and "1,200 of 1,000" in cells
    first = await pages.page("users?sort=-fraction", "admin")
    assert names(first)[0] == "erin"


async def test_the_place_for_a_box_that_chooses_all_is_there_for_who_may_change_quotas(pages):
    page = await pages.page("users", "teacher")
    place = page.find(id="choose-all")
    assert place["data-label"] == "Choose all on this page" and place.find("input") is None
    assert page.find("script", src=lambda src: src and "choose.js" in src)
    page = await pages.page("users", "looker")
    assert page.find(id="choose-all") is None
    assert page.find("script", src=lambda src: src and "choose.js" in src) is None
