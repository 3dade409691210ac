"""Free up space in a real browser, from the lockout to the limbo, wide and narrow."""

import os
from pathlib import Path

import pytest
from jupyterhub.tests.utils import public_url

from jupyterhub_efs_quota.quota.record import State

from ..conftest import come_about as until
from ..conftest import fill
from .conftest import QUOTA
from .test_browser import CHROMIUM, browser, visit  # noqa: F401

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
# Where to leave pictures of the page, for whoever wants to look at it.
PICTURES = os.environ.get("FREEING_PICTURES")


async def picture(page, name):
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


@pytest.fixture
async def locked(user):
    """Over the quota by what is in caches and in one large folder."""
    fill(user.home / ".cache" / "pip" / "http", 7_000, "wheel")
    fill(user.home / "project" / "__pycache__", 1_500, "m.pyc")
    fill(user.home / "project" / "data" / "<b>runs</b>", 4_000, "run-1.parquet")
    fill(user.home / "project" / "data", 2_500, "new\nline \u202e.csv")
    user.write(quota_bytes=QUOTA, quota_source="hand")
    return user


async def test_a_user_is_back_by_two_clicks_and_undoes_it_by_two_more(visit, hub, locked):  # noqa: F811
    page = await visit(locked.name)
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    assert locked.read().quota_state is State.LOCKOUT
    await page.click("#free")
    await page.wait_for_selector("h1:has-text('Free up space')")
    while not await page.query_selector("#proposal"):  # the history writes in its own time
        await page.reload()
    await picture(page, "free-wide-light")
    await page.click("#proposal button")
    assert "6.8 KiB in 1 file" in await page.inner_text("#count")
    await picture(page, "confirm-light")
    await page.click("#aside")
    await page.wait_for_selector("#done")
    assert "put into limbo" in await page.inner_text("#done")
    await until(lambda: locked.read().quota_state is not State.LOCKOUT)
    await page.reload()
    assert await page.inner_text("#state") == "ok"
    await picture(page, "after-light")
    async with page.expect_download() as download:
        await page.click("#receipt")
    text = Path(await (await download.value).path()).read_text()
    assert ".cache" in text and "6.8 KiB" in text
    await page.check("#limbo input[name=key]")
    await page.click("#limbo button[value=back]")
    await page.wait_for_selector("#failed, #done")
    # 7,000 bytes have no room under the quota: that is said, and they stay.
    assert "no room" in await page.inner_text("#failed")
    assert [said for said in page.said if "Content Security Policy" in said] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_narrow_screen_needs_no_sideways_scrolling(visit, hub, locked, scheme):  # noqa: F811
    page = await visit(locked.name, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    await page.goto(public_url(hub, path="services/efs-quota/free?path=project/data"))
    while not await page.query_selector("#proposal"):
        await page.reload()
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 360
    await picture(page, f"free-narrow-{scheme}")
    shown = await page.inner_text("#listing")
    assert "new\\nline" in shown and "\u202e" not in shown
    assert await page.query_selector("#listing b") is None


async def test_it_is_dark_where_the_visitor_wants_it_dark(visit, hub, locked):  # noqa: F811
    page = await visit(locked.name, color_scheme="dark")
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    await page.click("#free")
    await page.wait_for_selector("h1:has-text('Free up space')")
    while not await page.query_selector("#folders"):
        await page.reload()
    await picture(page, "free-wide-dark")
    colour = "e => getComputedStyle(e).backgroundColor"
    assert await page.eval_on_selector("body", colour) != "rgb(255, 255, 255)"
