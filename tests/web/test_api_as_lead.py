"""The API says no more to a lead than their pages do: no paths, no groups of others."""

import json

import pytest

from jupyterhub_efs_quota.board import MEASURING
from jupyterhub_efs_quota.errors import StoreError

HOME = "/efs/users/anna"
# Who may see anna, and is no administrator; she herself is one of them.
OTHERS = ["teacher", "looker", "mentor", "support", "anna"]


@pytest.fixture
def troubled(pages):
    """Anna, whose home the monitor cannot measure, with the home's path on record."""
    pages.put("anna", ("course", "secret-club"), home=HOME)
    board = pages.parts.board
    board.failed(board.get("anna").user, f"The home {HOME} is no directory.", by=MEASURING)
    board.failed(board.get("anna").user, f"{HOME}: permission denied", by="Reaper")
    return pages


async def ask(pages, path, who, **more):
    answer = await pages._fetch(path, who, **more)
    return answer.code, json.loads(answer.body)


async def rows(pages, query, who):
    _, page = await ask(pages, f"api/users{query}", who)
    return {row["name"]: row for row in page["items"]}


@pytest.mark.parametrize("who", OTHERS)
async def test_no_path_is_told_to_who_is_no_administrator(troubled, who):
    row = (await rows(troubled, "", who))["anna"]
    _, user = await ask(troubled, "api/users/anna", who)
    assert HOME not in json.dumps([row, user])
    page = await troubled.page("users/anna", "teacher")
    (problem,) = page.select(".problem")
    assert row["problem"] == user["problem"] == problem.text
    assert [(each["by"], each["text"]) for each in user["problems"]] == [
        (MEASURING, problem.text),
        ("Reaper", problem.text),
    ]
    assert "home" not in user["record"] and "home" not in row["record"]


async def test_an_administrator_is_told_all_of_it(troubled):
    row = (await rows(troubled, "", "admin"))["anna"]
    _, user = await ask(troubled, "api/users/anna", "admin")
    for each in (row, user):
        assert "is no directory" in each["problem"] and each["record"]["home"] == HOME
        assert each["groups"] == ["course", "secret-club"]
    assert HOME in user["problems"][0]["text"]


async def test_what_names_no_path_is_told_to_everybody(troubled):
    troubled.parts.store.path("anna").write_text("quota_bytes: many\n")
    _, user = await ask(troubled, "api/users/anna", "teacher")
    assert "The quota file is damaged; these are older figures." in user["problem"]


async def test_a_lead_is_told_of_no_other_groups_not_by_a_filter_either(troubled):
    assert (await rows(troubled, "", "teacher"))["anna"]["groups"] == ["course"]
    assert (await rows(troubled, "", "anna"))["anna"]["groups"] == ["course", "secret-club"]
    assert set(await rows(troubled, "?group=course", "teacher")) == {"anna", "bert"}
    assert await rows(troubled, "?group=secret-club", "teacher") == {}
    assert set(await rows(troubled, "?group=secret-club", "anna")) == {"anna"}
    assert set(await rows(troubled, "?group=secret-club", "support")) == {"anna"}


@pytest.mark.parametrize(("who", "told"), [("teacher", False), ("admin", True)])
async def test_why_a_quota_cannot_be_changed_is_told_with_the_path_to_administrators_alone(
    troubled, who, told
):
    body = {"method": "PUT", "body": json.dumps({"bytes": 5, "reason": "x"})}
    path = troubled.parts.store.path("anna")
    path.write_text("quota_bytes: many\n")
    code, error = await ask(troubled, "api/users/anna/quota", who, **body)
    assert code == 409 and (str(path) in error["message"]) is told
    assert "damaged" in error["message"] or told


@pytest.mark.parametrize(("who", "told"), [("teacher", False), ("admin", True)])
async def test_why_a_store_fails_is_told_with_the_path_to_administrators_alone(
    troubled, who, told, monkeypatch
):
    def fail(*args, **more):
        raise StoreError("/efs/quota-control/anna: stale file handle")

    monkeypatch.setattr(troubled.parts.quotas, "set", fail)
    body = {"method": "PUT", "body": json.dumps({"bytes": 5, "reason": "x"})}
    code, error = await ask(troubled, "api/users/anna/quota", who, **body)
    assert code == 503 and ("/efs" in error["message"]) is told
    assert "Whether the quota was changed is not known" in error["message"]


@pytest.mark.parametrize(("who", "told"), [("teacher", False), ("anna", False), ("admin", True)])
async def test_why_a_home_cannot_be_measured_is_told_with_the_path_to_administrators_alone(
    make_pages, history, remeasure, efs, who, told
):
    pages = make_pages(history, remeasure=remeasure)
    pages.put("anna", ("course",))
    code, error = await ask(pages, "api/users/anna/measure?wait=30", who, method="POST", body="")
    assert code == 409 and (str(efs) in error["message"]) is told
