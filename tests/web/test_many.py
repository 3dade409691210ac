"""Quotas of many at once: shown first, then changed just so, by who may and for whom they may."""

import asyncio

import pytest

from jupyterhub_efs_quota.errors import StoreError
from jupyterhub_efs_quota.quota.record import State

from ..conftest import come_about
from .conftest import GIB, PREFIX, parsed


def quota(pages, name):
    return pages.parts.store.read(name).quota_bytes


async def preview(pages, who="teacher", **fields):
    given = {"how": "set", "size": "4Gi", "reason": "New course", **fields}
    return await pages.post("quotas", who, **given)


async def confirm(pages, answer, who="teacher"):
    path = answer.headers["Location"].removeprefix(PREFIX)
    return path, await pages.post(path, who)


def lines(page):
    return {row.th.text.strip(): row.text for row in page.select("#lines tbody tr")}


async def test_a_preview_shows_each_change_and_who_is_locked_out_and_changes_nothing(pages):
    page = await pages.follow(await preview(pages, user=["anna", "bert"]), "teacher")
    assert set(lines(page)) == {"anna", "bert"}
    assert "10.0 GiB" in lines(page)["anna"] and "4.0 GiB" in lines(page)["anna"]
    assert "lockout" in lines(page)["anna"] and "lockout" not in lines(page)["bert"]
    assert "1 user would be locked out" in page.find(id="locks").text
    assert quota(pages, "anna") == quota(pages, "bert") == 10 * GIB


async def test_a_confirmation_does_what_was_shown_and_it_is_on_record(pages, history):
    path, answer = await confirm(pages, await preview(pages, user=["anna", "bert"]))
    page = await pages.follow(answer, "teacher")
    assert "The quota of 2 users was changed" in page.find(id="done").text
    assert quota(pages, "anna") == quota(pages, "bert") == 4 * GIB
    assert pages.parts.store.read("anna").quota_state is State.LOCKOUT
    assert history.flush(30)
    done = history.actions(kind="quota-changed").rows
    assert {(each.user, each.by, each.reason) for each in done} == {
        ("anna", "teacher", "New course"),
        ("bert", "teacher", "New course"),
    }
    # Pressed twice, or loaded again, it is done once.
    await pages.post(path, "teacher")
    assert history.flush(30)
    assert history.actions(kind="quota-changed").total == 2


async def test_who_has_changed_since_the_preview_is_left_out_and_named(pages, write):
    answer = await preview(pages, user=["anna", "bert"])
    before = write("anna", quota_bytes=30 * GIB, quota_source="hand", actual_bytes=GIB)
    _, answer = await confirm(pages, answer)
    page = await pages.follow(answer, "teacher")
    assert "The quota of 1 user was changed; 1 user" in page.find(id="done").text
    assert "anna: Something has changed since" in page.find(id="left-out").text
    assert (quota(pages, "anna"), quota(pages, "bert")) == (before.quota_bytes, 4 * GIB)


async def test_usage_that_changes_the_state_makes_the_preview_void_for_that_user(pages, write):
    answer = await preview(pages, user=["bert"])
    write("bert", quota_bytes=10 * GIB, quota_source="hand", actual_bytes=6 * GIB)
    _, answer = await confirm(pages, answer)
    await pages.follow(answer, "teacher")
    assert quota(pages, "bert") == 10 * GIB


async def test_all_that_fit_the_filter_are_changed_and_nobody_else(pages):
    answer = await preview(pages, "admin", all="1", group="other", how="add", percent="+50 %")
    page = await pages.follow(answer, "admin")
    assert set(lines(page)) == {"carl", "dora"}
    _, answer = await confirm(pages, answer, "admin")
    await pages.follow(answer, "admin")
    assert {name: quota(pages, name) // GIB for name in ("anna", "bert", "carl", "dora")} == {
        "anna": 10,
        "bert": 10,
        "carl": 15,
        "dora": 15,
    }


async def test_a_lead_changes_their_own_group_whatever_the_form_says(pages):
    for more in (
        {"all": "1"},
        {"all": "1", "group": "other"},
        {"user": ["dora", "nobody", "anna"]},
    ):
        page = await pages.follow(await preview(pages, **more), "teacher")
        assert not {"carl", "dora", "nobody"} & set(lines(page))
    left_out = [each.text for each in page.select("#left-out li")]
    assert {text.partition(": ")[2] for text in left_out} == {
        "There is no such user, or you may not change their quota."
    }
    assert len(left_out) == 2


async def test_who_may_only_look_is_shown_no_form_and_changes_nobody(pages):
    assert (await pages.page("users", "looker")).find(id="many") is None
    page = await pages.follow(await preview(pages, "looker", all="1"), "looker")
    assert lines(page) == {}
    page = await pages.follow(await preview(pages, "looker", user=["anna"]), "looker")
    assert lines(page) == {} and page.find(id="confirm") is None


async def test_who_looks_after_nobody_plans_nothing(pages):
    assert (await preview(pages, "carl", user=["carl"])).code == 403


async def test_a_role_that_is_lost_after_the_preview_changes_nothing(pages, monkeypatch):
    answer = await preview(pages, user=["anna"])
    monkeypatch.setitem(_scopes(), "teacher", ["custom:efs-quota:read!group=course"])
    _, answer = await confirm(pages, answer)
    page = await pages.follow(answer, "teacher")
    assert "you may not change" in page.find(id="left-out").text
    assert quota(pages, "anna") == 10 * GIB


def _scopes():
    from .conftest import SCOPES

    return SCOPES


async def test_a_preview_is_its_maker_s_alone(pages):
    path = (await preview(pages, user=["anna"])).headers["Location"].removeprefix(PREFIX)
    for who in ("admin", "mentor"):
        answers = [await pages.get(path, who), await pages.get("quotas/never", who)]
        assert {answer.code for answer in answers} == {404}
        assert len({answer.body for answer in answers}) == 1
        assert (await pages.post(path, who)).code == 404
    assert quota(pages, "anna") == 10 * GIB


async def test_a_preview_is_forgotten_after_a_while(pages, clock):
    answer = await preview(pages, user=["anna"])
    clock.forward(minutes=31)
    _, answer = await confirm(pages, answer)
    assert answer.code == 404 and "Make it again" in parsed(answer).text
    assert quota(pages, "anna") == 10 * GIB


async def test_a_reset_for_many_gives_what_the_settings_give(pages):
    answer = await preview(pages, "admin", all="1", how="reset")
    page = await pages.follow(answer, "admin")
    # carl's and dora's are what the settings give, but by another rule.
    assert "20.0 GiB" in lines(page)["anna"]
    _, answer = await confirm(pages, answer, "admin")
    await pages.follow(answer, "admin")
    assert quota(pages, "anna") == 20 * GIB
    assert pages.parts.store.read("dora").quota_source == "default"


async def test_who_has_it_so_already_is_counted_and_not_changed(pages, history):
    await preview(pages, user=["anna"], size="10Gi", reason="same")
    answer = await preview(pages, "admin", how="reset", all="1")
    _, answer = await confirm(pages, answer, "admin")
    await pages.follow(answer, "admin")
    page = await pages.follow(await preview(pages, "admin", how="reset", all="1"), "admin")
    assert "For 4 users all is so already" in page.find(id="sum").text
    assert page.find(id="confirm") is None


async def test_a_form_with_mistakes_comes_back_with_all_that_was_in_it(pages):
    for number in range(120):
        pages.put(f"user-{number:03}", ("course",))
    answer = await preview(
        pages,
        user=["anna", "user-119"],
        size="lots",
        files="7",
        until="+3d",
        reason="",
        sort="name",
    )
    page = parsed(answer)
    assert answer.code == 400
    assert page.find(id="size")["value"] == "lots" and page.find(id="size-error").text
    assert page.find(id="reason-error").text
    assert page.find(id="files")["value"] == "7" and page.find(id="until")["value"] == "+3d"
    assert page.find("input", {"type": "checkbox", "value": "anna"}).has_attr("checked")
    # One who is on another page of the table is not lost either.
    assert page.find("input", {"type": "hidden", "value": "user-119"}) is not None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "user"),
        ({"user": ["anna"], "how": "double"}, "how"),
        ({"user": ["anna"], "how": "add", "percent": "0"}, "percent"),
        ({"user": ["anna"], "how": "add", "percent": "-100"}, "percent"),
        ({"user": ["anna"], "how": "add"}, "percent"),
        ({"user": ["anna"], "size": "", "files": ""}, "size"),
        ({"user": ["anna"], "how": "reset", "reason": ""}, "reason"),
    ],
)
async def test_each_mistake_is_said_where_it_is(pages, fields, wrong):
    answer = await preview(pages, **fields)
    page = parsed(answer)
    assert answer.code == 400 and page.find(id=f"{wrong}-error").text


async def test_a_store_that_does_not_answer_is_given_up_and_said(pages, monkeypatch):
    for number in range(30):
        pages.put(f"user-{number:02}", ("course",))
    answer = await preview(pages, all="1")
    tried = []

    def fail(user, *args, **kwargs):
        tried.append(user)
        raise StoreError("/efs/quota-control: Input/output error")

    monkeypatch.setattr(pages.parts.store, "held", fail)
    path, answer = await confirm(pages, answer)
    page = await pages.follow(answer, "teacher")
    assert "The quota of 0 users was changed" in page.find(id="done").text
    assert "Not tried" in page.text and "/efs" not in page.text
    assert len(tried) < 15


async def test_a_long_change_shows_how_far_it_is_without_a_script(pages, monkeypatch):
    from jupyterhub_efs_quota.web import many

    monkeypatch.setattr(many, "WAIT_SECS", 0.05)
    real, go_on = pages.parts.quotas.carry_out, []

    def slow(*args, **kwargs):
        while not go_on:
            import time

            time.sleep(0.01)
        return real(*args, **kwargs)

    monkeypatch.setattr(pages.parts.quotas, "carry_out", slow)
    path, answer = await confirm(pages, await preview(pages, user=["anna", "bert"]))
    assert answer.code == 303
    answer = await pages.get(path, "teacher")
    assert "Refresh" in answer.headers and "0 of 2" in parsed(answer).find(id="progress").text
    go_on.append(True)
    errand = pages.parts.plans.find(path.rpartition("/")[2], "teacher")
    await come_about(lambda: errand.ended)
    answer = await pages.get(path, "teacher")
    assert "Refresh" not in answer.headers
    assert "The quota of 2 users was changed" in parsed(answer).text


async def test_a_plan_for_thousands_is_cut_into_pages_of_less_than_a_megabyte(pages):
    from jupyterhub_efs_quota.board import Row
    from jupyterhub_efs_quota.hub.client import HubUser
    from jupyterhub_efs_quota.quota.record import Record

    for number in range(3000):
        name = f"{'x' * 60}-{number:04}@example.org"
        record = Record(name, actual_bytes=GIB, quota_bytes=9 * GIB, quota_source="hand")
        pages.parts.board._rows[name] = Row(HubUser(name), record)
    answer = await preview(pages, "admin", all="1", q="xxx")
    page = await pages.follow(answer, "admin")
    assert "3,000 users" in page.find(id="sum").text and len(lines(page)) == 500
    answer = await pages.get(answer.headers["Location"].removeprefix(PREFIX) + "?page=6", "admin")
    assert len(answer.body) < 1_000_000 and len(lines(parsed(answer))) == 500
    await asyncio.sleep(0)
