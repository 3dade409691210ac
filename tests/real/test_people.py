"""The pages about people in a real browser: as administrator, as lead, and as a stranger."""

import asyncio
import os
from datetime import timedelta

import pytest
from jupyterhub.tests.utils import add_user, api_request, public_url

from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Measurement
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.packing import pack
from jupyterhub_efs_quota.history.writing import write_events
from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import walk
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.remeasure import utcnow

from ..conftest import come_about, fill
from .conftest import QUOTA, hub_config, start_hub, stop_hub
from .test_browser import AXE, CHROMIUM, browser, complaints, findings  # noqa: F401
from .visits import LOOKS, visits

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
MEMBERS = ("anna", "bert", "<b>cleo<b>")
OTHERS = ("dora", "emil")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def course(tmp_path_factory):
    """A hub with a course, its lead, and others, whom all the service has seen."""
    tmp = tmp_path_factory.mktemp("people")
    config = hub_config(tmp, reaper_period_secs=1)
    c = config.JupyterHub
    c.load_groups = {"course": {"users": list(MEMBERS)}, "leads": {"users": ["teacher"]}}
    c.load_roles.append(
        {
            "name": "course-leads",
            "groups": ["leads"],
            "scopes": ["custom:efs-quota:manage!group=course"],
        },
    )
    for name in (*MEMBERS, *OTHERS, "teacher", "admin"):
        fill(tmp / "users" / escape(name) / "folder-of-theirs", 4_000)
    hub = await start_hub(config, tmp)
    try:
        for name in (*MEMBERS, *OTHERS, "teacher"):
            add_user(hub.db, hub, name=name)
        write(hub)
        remember(hub, "anna", tmp / "users" / "anna")
        yield hub
    finally:
        await stop_hub(hub)


def write(hub, **fields):
    """Everybody's record, as at the beginning: nothing else is seen by the next cycle."""
    for name in (*MEMBERS, *OTHERS, "teacher"):
        with hub.control.held(name, create=True) as held:
            now = utcnow()
            values = {"actual_bytes": 4_000, "fraction_used": 0.4, "quota_bytes": QUOTA, **fields}
            held.write(Record(name, started=now, stopped=now, quota_source="hand", **values))


def remember(hub, name, home):
    """Two weeks of growth, with a summary at their beginning and end."""
    found = walk(Task(str(home), 60, rules=Rules(now=int(utcnow().timestamp()))))
    events = [
        Measurement(
            name, utcnow() - day * DAY, 0.1, counted=4_000 - 100 * day, quota_bytes=QUOTA,
            bytes=4_000 - 100 * day, files=1, summary=pack(found.summary) if day in (0, 7) else None,
        )
        for day in range(14, -1, -1)
    ]  # fmt: skip
    database = Database(whole_url(f"sqlite:///{hub.efs}/history.sqlite"))
    database.open()
    with database.writing() as connection:
        write_events(connection, events)
    database.close()


@pytest.fixture
async def visit(course, browser):  # noqa: F811
    """Open the service as a user, logged in by hand."""
    async with visits(browser) as open_as:
        yield lambda name, **look: open_as(address(course), name, name, **look)


def address(hub, path=""):
    return public_url(hub, path=f"services/efs-quota/{path}")


async def table_of(page, hub, names, path="users"):
    """The table, as soon as the service has seen these users."""
    for _ in range(200):
        await page.goto(address(hub, path))
        shown = await page.eval_on_selector_all(
            "#users tbody th.name a", "all => all.map(e => e.textContent)"
        )
        if set(names) <= set(shown):
            return shown
        await asyncio.sleep(0.2)
    raise AssertionError(shown)


async def spawn(hub, name):
    return (await api_request(hub, f"users/{name}/server", method="post")).status_code


async def test_a_quota_changed_on_the_page_lets_a_locked_user_start_a_server(course, visit):
    fill(course.efs / "users" / "emil", 2 * QUOTA)
    with course.control.held("emil") as held:
        held.write(
            Record(
                "emil", quota_bytes=QUOTA, quota_source="hand", actual_bytes=2 * QUOTA,
                quota_state=State.LOCKOUT, started=utcnow(), stopped=utcnow(),
            )
        )  # fmt: skip
    assert await spawn(course, "emil") == 403
    page = await visit("admin")
    await table_of(page, course, OTHERS)
    await page.click("#users a:has-text('emil')")
    assert "more than the quota" in await page.inner_text("#state-why")
    await page.fill("#size", "1 Mi")
    await page.fill("#reason", "Thesis")
    await page.click("#set")
    assert "locked out no more" in await page.inner_text("#note")
    # It is put on record by a thread of its own.
    for _ in range(100):
        if "Quota 1.0 MiB" in await page.inner_text("section:has(#happened-title)"):
            break
        await page.reload()
    assert "Quota 1.0 MiB" in await page.inner_text("#happened")
    assert complaints(page) == []
    assert await spawn(course, "emil") in (201, 202)
    await come_about(lambda: course.users["emil"].spawner.ready, 60)
    await api_request(course, "users/emil/server", method="delete")


async def test_a_lead_changes_the_group_after_a_preview_and_sees_nobody_else(course, visit):
    page = await visit("teacher")
    await page.click("nav a:has-text('My group')")
    assert sorted(await table_of(page, course, MEMBERS)) == sorted(MEMBERS)
    assert await page.eval_on_selector_all("#users b", "all => all.length") == 0
    await page.check("input[value=anna]")
    await page.check("input[value=bert]")
    await page.fill("#size", "3000")
    await page.fill("#reason", "Small course")
    await page.click("#preview")
    assert "2 users would be locked out" in await page.inner_text("#locks")
    assert course.control.read("anna").quota_bytes == QUOTA
    with course.control.held("bert") as held:
        held.write(Record("bert", quota_bytes=77_777, quota_source="hand"))
    await page.click("#confirm")
    await page.wait_for_selector("#done")
    assert "The quota of 1 user was changed" in await page.inner_text("#done")
    assert "bert" in await page.inner_text("#left-out")
    assert course.control.read("anna").quota_bytes == 3_000
    assert course.control.read("bert").quota_bytes == 77_777
    assert complaints(page) == []
    write(course)


async def test_all_on_a_page_are_chosen_at_once_by_mouse_and_by_keyboard(course, visit):
    page = await visit("teacher")
    await table_of(page, course, MEMBERS)
    chosen = "() => document.querySelectorAll('#users tbody input:checked').length"
    box = page.get_by_label("Choose all on this page")
    await box.check()
    assert await page.evaluate(chosen) == len(MEMBERS)
    await page.uncheck("input[value=anna]")
    assert await box.evaluate("e => e.indeterminate && !e.checked")
    await page.check("input[value=anna]")
    assert await box.is_checked()
    await box.focus()
    await page.keyboard.press("Space")
    assert await page.evaluate(chosen) == 0
    await page.keyboard.press("Space")
    await page.fill("#size", "3000")
    await page.fill("#reason", "Small course")
    await page.click("#preview")
    await page.wait_for_selector("#confirm")
    assert f"{len(MEMBERS)} users" in await page.inner_text("#sum")
    assert complaints(page) == []


async def test_a_lead_reads_a_member_s_sizes_and_no_names_and_of_others_nothing(course, visit):
    page = await visit("teacher")
    await table_of(page, course, MEMBERS)
    await page.goto(address(course, "users/anna"))
    await page.wait_for_selector("#curve .scatterlayer path")
    assert "folder-of-theirs" not in await page.content()
    await page.goto(address(course, f"users/{'%3Cb%3Ecleo%3Cb%3E'}"))
    assert await page.inner_text("h1") == "<b>cleo<b>"
    for path in ("users/dora", "users/nobody"):
        answer = await page.goto(address(course, path))
        assert answer.status == 404
    assert [said for said in complaints(page) if "404" not in said] == []


async def test_an_administrator_reads_where_a_user_s_space_goes(course, visit):
    page = await visit("admin")
    await table_of(page, course, MEMBERS)
    await page.goto(address(course, "users/anna"))
    await page.wait_for_selector("#treemap .slice")
    assert "folder-of-theirs" in await page.inner_text("ul.tree")
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    assert complaints(page) == []


async def test_a_stranger_finds_no_table_and_nobody_s_page(course, visit):
    page = await visit("dora")
    assert await page.query_selector("nav a:has-text('My group')") is None
    for path, status in (("users", 403), ("users.csv", 403), ("users/anna", 404)):
        answer = await page.context.request.get(address(course, path))
        assert answer.status == status, path
    answer = await page.goto(address(course, "users/dora"))
    assert answer.status == 200 and await page.inner_text("h1") == "My storage"


async def test_forms_without_the_xsrf_token_change_nothing(course, visit):
    page = await visit("teacher")
    await table_of(page, course, MEMBERS)
    before = course.control.read("anna").quota_bytes
    for path in ("users/anna/quota", "users/anna/measure", "quotas"):
        for token in ("", "2|aaaa|bbbb|1"):
            form = {"_xsrf": token, "how": "set", "size": "1", "reason": "x", "user": "anna"}
            answer = await page.context.request.post(
                address(course, path), form=form, max_redirects=0
            )
            assert answer.status == 403, path
    assert course.control.read("anna").quota_bytes == before


async def test_all_of_it_works_without_javascript(course, visit, browser):  # noqa: F811
    page = await visit("teacher")
    await table_of(page, course, MEMBERS)
    context = await browser.new_context(
        java_script_enabled=False, storage_state=await page.context.storage_state()
    )
    plain = await context.new_page()
    await plain.goto(address(course, "users"))
    assert await plain.query_selector("#choose-all input") is None
    await plain.click("a.sort:has-text('Used')")
    assert "sort=-size" in plain.url
    await plain.check("#all-yes")
    await plain.check("#how-add")
    await plain.fill("#percent", "10")
    await plain.fill("#reason", "More")
    await plain.click("#preview")
    assert "3 users" in await plain.inner_text("#sum")
    await plain.click("#confirm")
    await plain.wait_for_selector("#done")
    assert course.control.read("anna").quota_bytes == QUOTA * 110 // 100
    await context.close()
    write(course)


@pytest.mark.skipif(not AXE, reason="needs axe-core: AXE_CORE names its script")
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(
    course, visit, scheme, width
):
    page = await visit("admin", color_scheme=scheme, viewport={"width": width, "height": 900})
    await table_of(page, course, (*MEMBERS, *OTHERS))

    async def look(name):
        assert await findings(page) == [], name
        assert await page.evaluate("() => document.documentElement.scrollWidth") <= width, name
        if os.environ.get("PICTURES"):
            await page.screenshot(
                path=f"{os.environ['PICTURES']}/{name}-{width}-{scheme}.png", full_page=True
            )

    await look("users")
    # A form with mistakes; the browser itself would not send it.
    await page.eval_on_selector_all("[required]", "all => all.forEach(e => e.required = false)")
    await page.fill("#size", "many")
    await page.click("#preview")
    await page.wait_for_selector("#size-error")
    await look("users-wrong")
    await page.check("#all-yes")
    await page.fill("#size", "3000")
    await page.fill("#reason", "Smaller")
    await page.click("#preview")
    await page.wait_for_selector("#confirm")
    await look("plan")
    await page.goto(address(course, "users/anna"))
    await page.wait_for_selector("#treemap .slice")
    await page.eval_on_selector_all("main details", "all => all.forEach(e => e.open = true)")
    await look("user")
    page = await visit("teacher", color_scheme=scheme, viewport={"width": width, "height": 900})
    await table_of(page, course, MEMBERS)
    await look("users-lead")
    await page.goto(address(course, "users/nobody"))
    await look("no-such-user")
