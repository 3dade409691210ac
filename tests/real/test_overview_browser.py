"""The administrator's overview in a real browser, of a hub with homes and without."""

import os
from urllib.parse import unquote

import pytest
from jupyterhub.tests.utils import add_user, public_url

from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Action, Fill
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.surroundings import write_fills
from jupyterhub_efs_quota.history.writing import write_events
from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.overview.volume import read_fill
from jupyterhub_efs_quota.quota.sizes import MIB
from jupyterhub_efs_quota.remeasure import utcnow

from ..conftest import come_about, fill
from .conftest import hub_config, start_hub, stop_hub
from .test_browser import (  # noqa: F401 - the fixture is used by its name
    AXE,
    CHROMIUM,
    DAY,
    browser,
    complaints,
    findings,
)
from .visits import LOOKS, visits

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
USERS = {"anna": 12_000, "bert@example.org": 9_500, "carl": 4_000}
HOSTILE = "a/b <b>&\u202eß"


def remember(tmp):
    """A volume that grows by 1 MiB a day, and a refusal."""
    place = tmp / "users"
    now = read_fill(place, utcnow())
    database = Database(whole_url(f"sqlite:///{tmp}/history.sqlite"))
    database.open()
    with database.writing() as connection:
        fills = [
            Fill(now.time - n * DAY, now.used - n * MIB, now.free + n * MIB) for n in range(1, 30)
        ]
        write_fills(connection, fills)
        write_events(connection, [Action("spawn-refused", "anna", now.time, "hook", "", None)])
    database.close()


@pytest.fixture(scope="module")
async def site(tmp_path_factory):
    """A hub with a few users; one has no home, one folder has no user."""
    tmp = tmp_path_factory.mktemp("overview")
    config = hub_config(tmp, monitor_period_secs=1, reaper_period_secs=1)
    config.Spawner.options_form = '<label>Size <input name="size"></label>'
    for name, size in {**USERS, HOSTILE: 300, "admin": 5}.items():
        fill(tmp / "users" / escape(name), size)
    fill(tmp / "users" / "gone <i>", 1)
    remember(tmp)
    hub = await start_hub(config, tmp)
    try:
        for name in (*USERS, HOSTILE, "homeless"):
            add_user(hub.db, hub, name=name)
        await come_about(lambda: (record := hub.control.read("anna")) and record.measured, 60)
        yield hub
    finally:
        await stop_hub(hub)


@pytest.fixture
async def visit(site, browser):  # noqa: F811
    """Open the overview as a user, logged in by hand."""
    address = public_url(site, path="services/efs-quota/overview")
    async with visits(browser) as open_as:

        async def visit(name="admin", **look):
            page = await open_as(address, name, name, ready="main h1", **look)
            while await page.query_selector("#incomplete, #volume:has-text('not looked at')"):
                await page.reload()  # the monitor is at its first cycle
            return page

        yield visit


async def test_the_page_tells_how_the_site_stands_and_breaks_no_policy(visit):
    page = await visit()
    assert await page.inner_text("#users") == "7"  # with the two of the mock hub
    assert await page.inner_text("#held") == "25.2 KiB"
    assert "1.0 MiB a day" in await page.inner_text("#forecast")
    assert await page.get_attribute("#forecast time", "datetime")
    assert "gone <i>" in await page.inner_text("#unclaimed")
    assert "homeless" in await page.inner_text("main")
    assert "anna" in await page.inner_text("#refused")
    assert "monitor" in await page.inner_text("#jobs")
    assert complaints(page) == []
    assert await page.eval_on_selector_all("main b, main i:not(.fa)", "all => all.length") == 0


async def test_every_link_of_the_page_leads_somewhere(visit, site):
    page = await visit()
    links = set(await page.eval_on_selector_all("main a", "all => all.map(a => a.href)"))
    base = public_url(site, path="services/efs-quota/users")
    people = {link for link in links if link.startswith(f"{base}/")}
    # One part of a path for each user, whatever the name.
    names = {unquote(link.removeprefix(f"{base}/")) for link in people}
    assert all("/" not in link.removeprefix(f"{base}/") for link in people)
    assert {HOSTILE, "anna", "bert@example.org", "homeless"} <= names
    assert any(link == f"{base}?state=lockout" for link in links)
    for link in sorted(links - people):
        answer = await page.goto(link)
        assert answer.status == 200, link


async def test_the_slider_answers_as_one_moves_it_and_a_number_is_asked_for(visit):
    page = await visit()
    assert await page.inner_text("#over") == "1"
    await page.focus("#slider")
    await page.keyboard.press("Home")
    assert await page.inner_text("#over") == "4"
    await page.keyboard.press("End")
    assert await page.inner_text("#over") == "0"
    assert await page.inner_text("#freed") == "1"
    await page.select_option("#unit", "bytes")
    await page.fill("#quota", "9400")
    await page.wait_for_selector("#over:text-is('2')")
    assert await page.inner_text("#excess") == "2.6 KiB"
    assert await page.get_attribute("#slider", "aria-valuetext")
    assert complaints(page) == []


async def test_without_a_script_the_form_answers(visit, site, browser):  # noqa: F811
    page = await visit()
    context = await browser.new_context(
        java_script_enabled=False, storage_state=await page.context.storage_state()
    )
    plain = await context.new_page()
    await plain.goto(public_url(site, path="services/efs-quota/overview"))
    assert not await plain.is_visible("#slider")
    await plain.select_option("#unit", "bytes")
    await plain.fill("#quota", "9400")
    await plain.click("#try")
    assert await plain.inner_text("#over") == "2"
    assert await plain.input_value("#quota") == "9400"
    await context.close()


async def test_who_is_no_administrator_is_refused(visit):
    page = await visit("carl")
    assert "administrators" in await page.inner_text("main")
    assert await page.query_selector("nav a:has-text('Overview')") is None


async def test_a_spawn_page_with_options_shows_the_bar_above_them(visit, site):
    page = await visit()
    await page.goto(public_url(site, path="hub/spawn"))
    await page.wait_for_selector("#efs-quota-bar:not([hidden])")
    assert "5 bytes of 9.8 KiB" in await page.inner_text("#efs-quota-bar")
    tops = [
        await page.evaluate("css => document.querySelector(css).getBoundingClientRect().top", css)
        for css in ("#efs-quota-bar", "#spawn_form")
    ]
    assert tops[0] < tops[1], "the bar is not above the form"
    assert complaints(page) == []


@pytest.mark.skipif(not AXE, reason="needs axe-core: AXE_CORE names its script")
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(
    visit, site, scheme, width
):
    page = await visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    for path in ("overview", "overview/settings", "jobs"):
        await page.goto(public_url(site, path=f"services/efs-quota/{path}"))
        if folder := os.environ.get("PICTURES"):
            name = f"{path.replace('/', '-')}-{width}-{scheme}.png"
            await page.screenshot(path=f"{folder}/{name}", full_page=True)
        assert await findings(page) == []
        assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
