"""The pages behind a real hub's OAuth: who sees what, and what a button does."""

import re

import pytest
from bs4 import BeautifulSoup
from jupyterhub.tests.utils import add_user, api_request, auth_header, public_url

pytestmark = pytest.mark.over_both


def url(hub, path=""):
    return public_url(hub, path=f"services/efs-quota/{path}")


def parsed(answer):
    return BeautifulSoup(answer.text, "html.parser")


async def press_measure(session, hub, token=None):
    page = parsed(await session.get(url(hub)))
    given = page.find("input", {"name": "_xsrf"})["value"] if token is None else token
    return await session.post(url(hub, "measure"), data={"_xsrf": given})


async def test_a_user_sees_their_usage_quota_state_and_the_age_of_the_figures(hub, measured):
    page = parsed(await (await hub.login(measured.name)).get(url(hub)))
    assert page.find(id="used").text == "9.3 KiB"
    assert page.find(id="quota").text == "9.8 KiB"
    assert page.find(id="state").text == "nearing-limit"
    assert page.find(id="files").text == "7"
    assert "2026-11-22 12:00 UTC" in page.text
    assert page.find(role="meter")["aria-valuenow"] == "95"


async def test_measure_again_shows_the_new_figure_and_lifts_the_state(hub, measured):
    session = await hub.login(measured.name)
    page = parsed(await press_measure(session, hub))
    assert page.find(id="used").text == "2.0 KiB"
    assert page.find(id="state").text == "ok"
    assert measured.read().actual_bytes == 2_000


async def test_a_post_without_the_xsrf_token_measures_nothing(hub, measured):
    session = await hub.login(measured.name)
    answer = await press_measure(session, hub, token="")
    assert answer.status_code == 403
    answer = await press_measure(session, hub, token="2|aaaa|bbbb|1")
    assert answer.status_code == 403
    assert measured.read().actual_bytes == 9_500


async def test_a_visitor_who_is_not_logged_in_is_sent_to_the_hub(hub, measured):
    for path in ("", "users", "measure", "bar"):
        answer = await hub.session().get(url(hub, path), allow_redirects=False)
        assert answer.status_code in (302, 405), path
        if answer.status_code == 302:
            assert "oauth2/authorize" in answer.headers["Location"]
    answer = await hub.session().post(url(hub, "measure"), allow_redirects=False)
    assert answer.status_code in (302, 403)
    assert measured.read().actual_bytes == 9_500


async def test_a_token_of_a_user_reads_that_users_page_only(hub, measured, user):
    orm_token = measured.orm.new_api_token(scopes=["access:services!service=efs-quota"])
    answer = await hub.session().get(
        url(hub), headers={"Authorization": f"token {orm_token}"}, allow_redirects=False
    )
    assert "9.3 KiB" in answer.text
    answer = await hub.session().get(
        url(hub, "users"), headers={"Authorization": f"token {orm_token}"}, allow_redirects=False
    )
    assert answer.status_code == 403


async def test_a_token_that_the_hub_does_not_know_opens_nothing(hub):
    for path in ("", "users"):
        answer = await hub.session().get(
            url(hub, path), headers={"Authorization": "token nonsense"}, allow_redirects=False
        )
        assert answer.status_code in (302, 403)


async def test_the_table_of_all_users_is_for_administrators_only(hub, measured):
    answer = await (await hub.login(measured.name)).get(url(hub, "users"))
    assert answer.status_code == 403
    assert "administrators" in answer.text
    answer = await (await hub.login("admin")).get(url(hub, "users"))
    assert answer.status_code == 200


async def test_the_hook_alone_may_ask_the_service_to_verify(hub, measured):
    path = f"api/users/{measured.name}/verify"
    token = measured.orm.new_api_token(scopes=["access:services!service=efs-quota"])
    for headers in ({}, {"Authorization": f"token {token}"}, auth_header(hub.db, "admin")):
        answer = await hub.session().post(url(hub, path), headers=headers)
        assert answer.status_code == 403, headers
    own = hub._service_map["efs-quota"].api_token
    answer = await hub.session().post(url(hub, path), headers={"Authorization": f"token {own}"})
    assert answer.json() == {"state": "nearing-limit"}


async def test_names_with_markup_show_as_text(hub):
    name = "<script>alert(1)</script>"
    orm_user = add_user(hub.db, hub, name=name)
    try:
        token = orm_user.new_api_token(scopes=["access:services!service=efs-quota"])
        page = await hub.session().get(url(hub), headers={"Authorization": f"token {token}"})
        assert page.status_code == 200
        assert "<script>alert" not in page.text and "&lt;script&gt;alert" in page.text
    finally:
        hub.users.delete(orm_user.id)


async def test_the_pages_forbid_inline_scripts_and_being_framed(hub, measured):
    answer = await (await hub.login(measured.name)).get(url(hub))
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    # What holds data is no script.
    assert not re.search(
        r"<script(?! type=\"application/json\")(?![^>]*\bsrc=)|\son\w+=|style=", answer.text
    )


async def test_scripts_and_styles_are_kept_for_ever_under_the_name_of_their_content(hub, measured):
    page = (await (await hub.login(measured.name)).get(url(hub))).text
    names = re.findall(r'(?:src|href)="([^"]*/static/[^"]*[?]v=[^"]*)"', page)
    assert {name.partition("?")[0].rpartition("/")[2] for name in names} >= {
        "efs-quota.css",
        "locale.js",
        "measure.js",
    }
    for name in names:
        answer = await hub.session().get(public_url(hub) + name.removeprefix(hub.base_url))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"], name
    bare = await hub.session().get(url(hub, "static/hub.js"))
    assert bare.headers["Cache-Control"] == "no-cache"


async def test_how_far_a_measurement_is_is_told_to_its_user_alone(hub, measured):
    answer = await hub.session().get(url(hub, "measuring"), allow_redirects=False)
    assert answer.status_code == 403
    session = await hub.login(measured.name)
    await session.get(url(hub))
    answer = await session.get(url(hub, "measuring"))
    assert answer.json() == {
        "measuring": False,
        "files": 0,
        "bytes": 0,
        "known_files": None,
        "outcome": None,
    }


async def test_a_path_that_is_no_page_is_a_404_in_our_look(hub):
    answer = await hub.session().get(url(hub, "no/such/page"))
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


async def test_health_tells_strangers_that_it_works_and_nothing_else(hub):
    answer = await hub.session().get(url(hub, "health"))
    assert answer.json() == {"status": "ok"}


async def test_a_hidden_path_does_not_leave_the_static_folder(hub):
    for path in ("static/../handlers.py", "static/%2e%2e/handlers.py", "static//etc/passwd"):
        answer = await hub.session().get(url(hub, path))
        assert answer.status_code in (403, 404), path


async def test_api_of_users_who_are_not_there_is_a_404(hub):
    own = hub._service_map["efs-quota"].api_token
    answer = await hub.session().post(
        url(hub, "api/users/nobody/verify"), headers={"Authorization": f"token {own}"}
    )
    assert answer.status_code == 404


async def test_a_user_without_figures_is_told_so(hub, user):
    page = parsed(await (await hub.login(user.name)).get(url(hub)))
    assert "not been measured yet" in page.text
    assert (await api_request(hub, f"users/{user.name}")).status_code == 200
