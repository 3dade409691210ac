"""The pages in a real browser: what runs there, what it forbids, how it looks."""

import os
import shutil

import pytest
from jupyterhub.tests.utils import public_url

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")


@pytest.fixture(scope="session")
async def browser():
    playwright = pytest.importorskip("playwright.async_api")
    async with playwright.async_playwright() as p:
        browser = await p.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        await browser.close()


@pytest.fixture
async def visit(hub, browser):
    """Open our page as a user, logged in by hand; gives the page and what its console said."""
    contexts = []

    async def open_as(name, **look):
        context = await browser.new_context(ignore_https_errors=True, **look)
        contexts.append(context)
        page = await context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        await page.goto(public_url(hub, path="services/efs-quota/"))
        await page.fill("#username_input", name)
        await page.fill("#password_input", name)
        await page.click("#login_submit")
        await page.wait_for_selector("h1:has-text('My storage')")
        return page

    yield open_as
    for context in contexts:
        await context.close()


async def test_the_button_measures_and_shows_the_new_figure(visit, measured):
    page = await visit(measured.name)
    assert await page.inner_text("#used") == "9.3 KiB"
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    assert await page.inner_text("#used") == "2.0 KiB"
    assert await page.inner_text("#state") == "ok"


async def test_nothing_on_the_page_breaks_our_own_security_policy(visit, measured):
    page = await visit(measured.name)
    assert [said for said in page.said if "Content Security Policy" in said] == []
    # The hub's style sheet is there, and so is ours.
    colour = "e => getComputedStyle(e).backgroundColor"
    assert await page.eval_on_selector(".btn-jupyter", colour) != "rgba(0, 0, 0, 0)"
    box = "e => e.getBoundingClientRect().width"
    bar = await page.eval_on_selector("svg.usage rect", box)
    whole = await page.eval_on_selector("svg.usage", box)
    assert 0.94 < bar / whole < 0.96
    assert await page.eval_on_selector("svg.usage rect", "e => getComputedStyle(e).fill") != (
        "rgb(0, 0, 0)"
    )


async def test_the_page_is_dark_where_the_visitor_wants_it_dark(visit, measured):
    page = await visit(measured.name, color_scheme="dark")
    theme = "() => document.documentElement.getAttribute('data-bs-theme')"
    assert await page.evaluate(theme) == "dark"
    await page.click("#dark-theme-toggle")
    assert await page.evaluate(theme) == "light"


async def test_a_narrow_screen_needs_no_sideways_scrolling(visit, measured):
    page = await visit(measured.name, viewport={"width": 320, "height": 640})
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 320


async def test_the_page_tells_everything_without_javascript(visit, measured, browser, hub):
    page = await visit(measured.name)
    context = await browser.new_context(
        java_script_enabled=False,
        ignore_https_errors=True,
        storage_state=await page.context.storage_state(),
    )
    plain = await context.new_page()
    await plain.goto(public_url(hub, path="services/efs-quota/"))
    assert await plain.inner_text("#used") == "9.3 KiB"
    await plain.click("#measure")
    assert await plain.inner_text("#used") == "2.0 KiB"
    await context.close()


async def test_our_page_is_reached_from_the_services_menu_of_the_hub(visit, hub, measured):
    page = await visit(measured.name)
    await page.goto(public_url(hub, path="hub/home"))
    await page.click("text=Services")
    await page.click("a.dropdown-item:has-text('Storage')")
    await page.wait_for_selector("h1:has-text('My storage')")
