"""Free up space behind a real hub: a locked-out user without a server is back by the page alone."""

import os
import re
from urllib.parse import quote

import pytest
from jupyterhub.tests.utils import api_request, auth_header

from jupyterhub_efs_quota.quota.record import State

from ..conftest import fill
from ..conftest import come_about as until
from .conftest import QUOTA, hub_config
from .test_pages import parsed, url

HOSTILE = [
    b"\xff\xfe not utf-8",
    b"new\nline",
    b"<img src=x onerror=alert(1)>",
    b"%2e%2e",
    b"'; rm -rf ~ #",
    b"a" * 255,
    "\u202egnp.exe".encode(),
    b"1:2",
]


class Visit:
    """A user's session on the page, without a script: forms are sent as a browser does."""

    def __init__(self, hub, session):
        self.hub, self.session = hub, session

    async def page(self, query=""):
        answer = await self.session.get(url(self.hub, f"free{query}"))
        assert answer.status_code == 200, answer.text
        return parsed(answer)

    async def send(self, path, token=None, **fields):
        if token is None:
            token = (await self.page()).find("input", {"name": "_xsrf"})["value"]
        data = {"_xsrf": token, **{k: v for k, v in fields.items() if v is not None}}
        return await self.session.post(url(self.hub, path), data=data)

    async def do(self, path, **fields):
        """Send a form, and wait until what it begins is done: a busy machine is slow."""
        page = parsed(await self.send(path, **fields))
        while page.find(id="progress"):
            page = await self.page()
        return page

    async def delete(self, *names, how="aside"):
        """By the confirmation, as the buttons do."""
        asked = parsed(await self.send("free/confirm", pick=list(names)))
        picks = [
            each["value"] for each in asked.find(id="delete").find_all("input", {"name": "pick"})
        ]
        return asked, await self.do("free/delete", pick=picks, how=how)


@pytest.fixture
async def visit(hub, user):
    return Visit(hub, await hub.login(user.name))


@pytest.fixture
def other(hub):
    """Somebody else's home: the administrator's."""
    return hub.efs / "users" / "admin"


@pytest.fixture
async def locked(hub, user, visit):
    """A user in lockout: 9,000 bytes of junk, 4,000 of work, and a quota of 10,000."""
    fill(user.home / ".cache" / "pip", 9_000, "wheel")
    fill(user.home / "work", 4_000, "data.csv")
    user.write(quota_bytes=QUOTA, quota_source="hand")
    await visit.send("measure")
    await until(lambda: user.read().quota_state is State.LOCKOUT)
    return user


async def test_a_locked_out_user_is_back_by_the_page_alone(hub, locked, visit):
    refused = await api_request(hub, f"users/{locked.name}/server", method="post")
    assert refused.status_code == 403
    # The summary is written by then, or soon.
    page = None

    async def proposed():
        nonlocal page
        page = await visit.page()
        return page.find("form", id="proposal")

    while not await proposed():
        pass
    assert "Delete these and you are back" in page.text
    chosen = page.find(id="proposal").find_all("input", {"name": "pick"})
    assert [each["value"] for each in chosen] == [".cache"] and chosen[0].has_attr("checked")
    asked, done = await visit.delete(".cache")
    assert "8.8 KiB in 1 file" in asked.find(id="count").text
    assert "put into limbo" in done.find(id="done").text
    await until(lambda: locked.read().quota_state is State.OK)
    assert locked.read().actual_bytes == 4_100
    assert not (locked.home / ".cache").exists()
    started = await api_request(hub, f"users/{locked.name}/server", method="post")
    assert started.status_code in (201, 202)


async def test_what_was_deleted_is_brought_back_and_there_is_a_receipt(hub, user, visit):
    fill(user.home / "work", 400, "data.csv")
    before = (user.home / "work/data.csv").stat()
    _, done = await visit.delete("work")
    receipt = await visit.session.get(
        url(hub, done.find(id="receipt")["href"].split("efs-quota/")[1])
    )
    assert receipt.headers["Content-Disposition"].startswith("attachment")
    assert re.search(r"put into limbo +400 bytes +1 files  by .*  work\n", receipt.text)
    page = await visit.page()
    key = page.find(id="limbo").find("input", {"name": "key"})["value"]
    answer = await visit.do("free/limbo", how="back", key=key)
    assert "brought back" in answer.find(id="done").text
    after = (user.home / "work/data.csv").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    everything = await visit.session.get(url(hub, "free/receipt"))
    assert "put into limbo" in everything.text and "brought back" in everything.text


async def test_what_is_in_limbo_is_deleted_for_good_after_a_second_question(hub, user, visit):
    await visit.delete("data")
    key = (await visit.page()).find(id="limbo").find("input", {"name": "key"})["value"]
    asked = parsed(await visit.send("free/limbo", how="empty", key=key))
    assert "100 bytes in 1 file." in asked.find(id="count").text
    assert (await visit.page()).find(id="limbo") is not None
    await visit.send("free/limbo", how="sure", key=key)
    assert (await visit.page()).find(id="limbo") is None


async def test_nothing_comes_back_that_has_no_room_under_the_quota(hub, user, visit):
    user.write(quota_bytes=1000, quota_source="hand")
    fill(user.home, 900, "big")
    await visit.delete("big")
    await until(lambda: (record := user.read()) and record.actual_bytes == 100)
    fill(user.home, 500, "new")
    await visit.send("measure")
    await until(lambda: user.read().actual_bytes == 600)
    key = (await visit.page()).find(id="limbo").find("input", {"name": "key"})["value"]
    answer = await visit.do("free/limbo", how="back", key=key)
    assert "no room for it under your quota" in answer.find(id="failed").text
    assert not (user.home / "big").exists()


async def test_limbo_is_no_second_home(hub, user, visit):
    user.write(quota_bytes=1000, quota_source="hand")
    fill(user.home, 900, "one")
    fill(user.home, 900, "two")
    await visit.delete("one")
    asked, done = await visit.delete("two")
    assert asked.find(id="no-room") is not None and asked.find(id="erase") is not None
    assert "no room for it in your limbo" in done.find(id="failed").text
    assert (user.home / "two").stat().st_size == 900
    _, done = await visit.delete("two", how="erase")
    assert "deleted for good" in done.find(id="done").text
    assert not (user.home / "two").exists()


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
async def test_names_of_any_kind_are_shown_as_text_opened_and_deleted(hub, user, visit, name):
    os.mkdir(os.fsencode(user.home) + b"/" + name)
    (user.home / os.fsdecode(name) / "inner").write_bytes(b"x")
    raw = await visit.session.get(url(hub, "free"))
    assert "<img src=x" not in raw.text and "\u202e" not in raw.text
    (row,) = [
        row
        for row in parsed(raw).find(id="listing").find_all("tr")
        if (found := row.find("input")) and not found["value"].endswith(":data")
    ]
    inside = await visit.page(row.find("a")["href"].partition("free")[2].partition("#")[0])
    assert inside.find(id="total").text == "1"
    _, done = await visit.delete(row.find("input")["value"])
    assert done.find(id="done") is not None
    assert os.listdir(user.home) == ["data"]


@pytest.mark.parametrize(
    "pick",
    ["../{other}/data", "%2e%2e/{other}/data", "/etc/passwd", "%2Fetc%2Fpasswd", "..", "a//b", "."]
    + ["a/../../{other}", "%00", "x:data", "-1:data"],
)
async def test_no_path_leads_out_of_the_own_home(hub, user, visit, other, pick):
    for path in ("free/confirm", "free/delete"):
        answer = await visit.send(path, pick=pick.format(other=other.name), how="aside")
        assert answer.status_code == 400, (path, answer.text)
    if ":" not in pick:  # which may be part of a name
        listed = await visit.page(f"?path={quote(pick.format(other=other.name))}")
        assert listed.find(id="not-listed") is not None
    assert (other / "data").exists()


async def test_the_home_itself_cannot_be_chosen(hub, user, visit):
    answer = await visit.do("free/delete", pick="", how="erase")
    assert "Your home itself" in answer.find(id="failed").text
    assert (user.home / "data").exists()


async def test_a_link_to_another_home_shows_and_deletes_only_itself(hub, user, visit, other):
    (user.home / "theirs").symlink_to(other)
    assert (await visit.page("?path=theirs")).find(id="not-listed") is not None
    answer = await visit.do("free/delete", pick="theirs/data", how="erase")
    assert answer.find(id="failed") is not None
    await visit.delete("theirs")
    assert (other / "data").exists() and not (user.home / "theirs").is_symlink()


async def test_limbo_of_others_is_out_of_reach(hub, user, visit, other):
    theirs = Visit(hub, await hub.login("admin"))
    await theirs.delete("data")
    key = (await theirs.page()).find(id="limbo").find("input", {"name": "key"})["value"]
    for how in ("back", "sure"):
        for asked in (key, f"../admin/{key}", "../admin"):
            answer = await visit.do("free/limbo", how=how, key=asked)
            assert "not in limbo" in answer.find(id="failed").text
    assert "admin" not in (await visit.session.get(url(hub, "free/receipt"))).text
    await theirs.send("free/limbo", how="back", key=key)
    assert (other / "data").exists()


@pytest.mark.parametrize("path", ["confirm", "delete", "limbo", "stop"])
async def test_without_the_xsrf_token_nothing_is_done(hub, user, visit, path):
    for token in ("", "2|aaaa|bbbb|1"):
        answer = await visit.send(f"free/{path}", token=token, pick="data", how="aside", key="1")
        assert answer.status_code == 403
    assert (user.home / "data").exists()


async def test_an_administrator_deletes_in_their_own_home_only(hub, user):
    """There is no way to name another's home: what they send is below their own."""
    admin = Visit(hub, await hub.login("admin"))
    for query in (f"?user={user.name}", f"?name={user.name}", f"?path={user.home.name}"):
        assert user.home.name not in (await admin.page(query)).get_text().replace(query, "")
    answer = await admin.send(
        "free/delete", pick=f"{user.home.name}/data", how="erase", user=user.name
    )
    assert answer.status_code == 200
    assert (user.home / "data").exists()


async def test_strangers_and_other_services_get_nothing(hub, user):
    for path in ("free", "free/receipt"):
        answer = await hub.session().get(url(hub, path), allow_redirects=False)
        assert answer.status_code in (302, 403)
    # A token of a server of theirs, which is not for this service.
    token = user.orm.new_api_token(scopes=["users:activity!user"])
    answer = await hub.session().post(
        url(hub, "free/delete"),
        data={"pick": "data", "how": "erase"},
        headers={"Authorization": f"token {token}"},
        allow_redirects=False,
    )
    assert answer.status_code in (302, 403)
    assert (user.home / "data").exists()
    answer = await hub.session().get(url(hub, "free"), headers=auth_header(hub.db, "admin"))
    assert user.name not in answer.text


async def test_something_else_under_the_confirmed_name_is_not_deleted(hub, user, visit):
    asked = parsed(await visit.send("free/confirm", pick="data"))
    pick = asked.find(id="delete").find("input", {"name": "pick"})["value"]
    (user.home / "data").rename(user.home / "old")
    fill(user.home, 5)
    answer = await visit.do("free/delete", pick=pick, how="aside")
    assert "Something else" in answer.find(id="failed").text
    assert (user.home / "data").exists()


async def test_my_storage_leads_to_the_page(hub, measured):
    page = parsed(await (await hub.login(measured.name)).get(url(hub)))
    assert page.find(id="free")["href"].endswith("/free")


async def test_a_site_that_has_not_allowed_it_shows_commands_instead(hub_app, tmp_path):
    home = fill(tmp_path / "users" / "admin", 100, "it's")
    hub = await hub_app(hub_config(tmp_path, allow_delete=False))
    visit = Visit(hub, await hub.login("admin"))
    page = await visit.page()
    assert "site has not allowed it" in page.find(id="why-not").text
    asked = parsed(await visit.send("free/confirm", pick="it%27s"))
    assert asked.find(id="commands").text == "rm -rf -- ~/'it'\"'\"'s'\n"
    assert asked.find(id="delete") is None
    answer = await visit.send("free/delete", pick="it%27s", how="erase")
    assert "site has not allowed it" in parsed(answer).find(id="trouble-job").text
    await visit.send("free/delete", pick="it%27s", how="aside")
    assert (home / "it's").exists()
    assert not (tmp_path / "users" / ".efs-quota-limbo").exists()


async def test_programs_do_the_same_with_a_token(hub, user):
    fill(user.home / "a b", 50, "file")
    os.mkdir(os.fsencode(user.home) + b"/\xff")
    token = user.orm.new_api_token(scopes=["access:services!service=efs-quota"])
    headers = {"Authorization": f"token {token}"}
    session = hub.session()

    async def post(**body):
        return await session.post(url(hub, "api/free"), json=body, headers=headers)

    listed = (await session.get(url(hub, "api/free/list"), headers=headers)).json()
    assert [each["name"] for each in listed["entries"]] == ["a%20b", "data", "%FF"]
    inode = listed["entries"][0]["inode"]
    wrong = (await post(do="aside", paths=[f"{inode + 1}:a%20b"])).json()
    assert "Something else" in wrong["errand"]["outcomes"][0]["problem"]
    done = (await post(do="aside", paths=[f"{inode}:a%20b", "%FF"])).json()["errand"]
    assert sorted(each["path"] for each in done["outcomes"]) == ["%FF", "a%20b"]
    assert os.listdir(user.home) == ["data"]
    stands = (await session.get(url(hub, "api/free"), headers=headers)).json()
    assert stands["why_not"] == "" and len(stands["limbo"]) == 2
    await post(do="back", keys=[each["key"] for each in stands["limbo"]])
    assert (user.home / "a b" / "file").stat().st_size == 50
    for bad in ({"do": "x"}, {"do": "aside", "paths": []}, {"do": "aside", "paths": 1}, {}):
        assert (await post(**bad)).status_code == 400, bad
    for odd in ({"do": "aside", "paths": [".."]}, {"do": "aside"}, {"do": "back", "paths": ["a"]}):
        assert (await post(**odd)).status_code == 409, odd


async def test_a_folder_is_listed_by_size_files_age_and_type_over_pages(hub, user, visit):
    for number, (name, size) in enumerate([("b.csv", 300), ("a.txt", 200), ("c.csv", 100)]):
        fill(user.home, size, name)
        os.utime(user.home / name, (1_000_000 + number, 1_000_000 + number))
    fill(user.home / "folder", 400, "x")
    (user.home / "data").unlink()

    def names(page):
        return [each.text for each in page.find(id="listing").select("td:nth-of-type(2) bdi")]

    assert names(await visit.page("?sort=-size")) == ["b.csv", "a.txt", "c.csv", "folder/"]
    assert names(await visit.page("?sort=changed"))[:2] == ["b.csv", "a.txt"]
    assert names(await visit.page("?sort=type")) == ["folder/", "b.csv", "c.csv", "a.txt"]
    page = await visit.page("?sort=-size&tree=-files")
    heads = page.find(id="listing").find_all("th")
    assert [each.text for each in heads if each.get("aria-sort") == "descending"] == ["Size"]
    # The other way round, and back in the folder above, the orders stay.
    size = next(each for each in heads if each.text == "Size").a["href"]
    assert "sort=size" in size and "tree=-files" in size
    inside = page.find("a", string="folder/")["href"]
    assert "sort=-size" in inside and "tree=-files" in inside


async def test_a_page_of_the_api_goes_on_where_the_last_one_ended_in_any_order(hub, user):
    token = user.orm.new_api_token(scopes=["access:services!service=efs-quota"])
    for number in range(205):
        fill(user.home, number % 7, f"f {number}.t{number % 3}")

    async def walked(sort):
        found, after = [], ""
        while after is not None:
            answer = await hub.session().get(
                url(hub, "api/free/list"),
                params={"sort": sort, "after": after},
                headers={"Authorization": f"token {token}"},
            )
            assert answer.status_code == 200, answer.text
            found += [each["name"] for each in answer.json()["entries"]]
            after = answer.json()["following"]
        return found

    for sort in ("name", "-name", "-size", "files", "changed", "type"):
        found = await walked(sort)
        assert len(found) == len(set(found)) == 206, sort


async def test_neither_a_cookie_nor_another_token_is_good_for_the_api(hub, user):
    session = await hub.login(user.name)
    await session.get(url(hub, "free"))
    other = user.orm.new_api_token(scopes=["users:activity!user"])
    # What a script of another site can send, with the browser's cookie.
    elsewhere = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}
    for headers, status in ((elsewhere, 401), ({"Authorization": f"token {other}"}, 403)):
        answer = await session.post(
            url(hub, "api/free"), json={"do": "erase", "paths": ["data"]}, headers=headers
        )
        assert answer.status_code == status
        assert (await session.get(url(hub, "api/free/list"), headers=headers)).status_code == status
    assert (user.home / "data").exists()
