"""The pages in a real browser: what runs there, what it forbids, how it looks."""

import os
import re
import shutil
import socket
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jupyterhub.tests.utils import public_url

from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Measurement
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.packing import pack
from jupyterhub_efs_quota.history.writing import write_events
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import walk
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.quota.sizes import format_size
from jupyterhub_efs_quota.remeasure import utcnow
from jupyterhub_efs_quota.words.figures import percent

from ..conftest import come_about, fill
from .conftest import QUOTA, hub_config
from .visits import LOOKS, visits

CHROMIUM = shutil.which("chromium")
AXE = os.environ.get("AXE_CORE", "")
# Names of folders that are markup, turn text around, end lines, or are no text at all.
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<b>bold<|b> & <a href='javascript:alert(1)'>",
    "right\u202eto left",
    "two\nlines",
    "no\udcfftext",
    "\u05e9\u05dc\u05d5\u05dd",
)
DAY = timedelta(days=1)
GERMAN_MONTHS = r"Jan\.|Feb\.|März|Apr\.|Mai|Juni|Juli|Aug\.|Sept\.|Okt\.|Nov\.|Dez\."
# The times in the page's figures, as a reader in a zone has them.
TIMES_OF_THE_CURVE = """timeZone => {
    const told = { dateStyle: "medium", timeStyle: "short", timeZone };
    const format = new Intl.DateTimeFormat("de-DE", told);
    const { times } = JSON.parse(document.getElementById("figures").textContent);
    return times.map((time) => format.format(new Date(time)));
}"""
# Of a hub whose users and services have hosts of their own.
DOMAIN = "hub.test"
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
                f"--host-resolver-rules=MAP {DOMAIN} 127.0.0.1, MAP *.{DOMAIN} 127.0.0.1",
            ],
        )
        yield browser
        await browser.close()


@pytest.fixture
async def visit(hub, browser):
    """Open our page as a user, logged in by hand; gives the page and what its console said."""
    address = public_url(hub, path="services/efs-quota/")
    async with visits(browser) as open_as:
        yield lambda name, **look: open_as(address, name, name, ignore_https_errors=True, **look)


@pytest.fixture
def remembered(hub, user):
    """A user who grew to be nearly full in two weeks, with folders of hostile names."""
    for number, name in enumerate(HOSTILE):
        fill(user.home / name, 1_000 + number)
    home = str(user.home)
    before = walk(Task(home, 60, rules=Rules(now=int((utcnow() - 7 * DAY).timestamp()))))
    fill(user.home / "grown" / "much", 2_000)
    found = walk(Task(home, 60, rules=Rules(now=int(utcnow().timestamp()))))
    now = utcnow()
    events = [
        Measurement(
            user.name,
            now - day * DAY,
            0.1,
            counted=9_000 - 100 * day,
            quota_bytes=QUOTA,
            bytes=9_000 - 100 * day,
            files=8,
            summary=pack({0: found, 7: before}[day].summary) if day in (0, 7) else None,
        )
        for day in range(14, -1, -1)
    ]
    database = Database(whole_url(f"sqlite:///{hub.efs}/history.sqlite"))
    database.open()
    with database.writing() as connection:
        write_events(connection, events)
    database.close()
    user.write(
        quota_bytes=QUOTA,
        quota_source="hand",
        actual_bytes=9_000,
        fraction_used=0.9,
        usage_files=8,
        unreadable=3,
        started=now,
        stopped=now,
    )
    return user


async def texts(page, selector):
    """What is written in all that fit."""
    return await page.eval_on_selector_all(selector, "all => all.map(e => e.textContent)")


def complaints(page):
    # On a busy machine the hub's own scripts may be late, and say so.
    return [said for said in page.said if "Load timeout for modules" not in said]


@pytest.mark.over_both
async def test_the_button_measures_and_shows_the_new_figure(visit, measured):
    page = await visit(measured.name)
    assert await page.inner_text("#used") == "9.3 KiB"
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    assert await page.inner_text("#used") == "2.0 KiB"
    assert await page.inner_text("#state") == "ok"


async def test_nothing_on_the_page_breaks_our_own_security_policy(visit, measured):
    page = await visit(measured.name)
    assert complaints(page) == []
    # The hub's style sheet is there, and so is ours.
    colour = "e => getComputedStyle(e).backgroundColor"
    assert await page.eval_on_selector("#measure", colour) != "rgba(0, 0, 0, 0)"
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


async def test_the_pictures_are_drawn_under_a_policy_without_unsafe_words(visit, remembered):
    page = await visit(remembered.name)
    await page.wait_for_selector("#curve .scatterlayer path")
    await page.wait_for_selector("#treemap .slice")
    assert complaints(page) == []
    answer = await page.reload()
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_the_page_tells_when_it_is_full_what_changed_and_where_the_space_goes(
    visit, remembered
):
    page = await visit(remembered.name)
    full = await page.get_attribute("#forecast time", "datetime")
    assert full[:10] == (utcnow() + 10 * DAY).date().isoformat()
    assert "+2.0 KiB" in await page.inner_text("#changes tr:has-text('grown/much')")
    assert await page.inner_text("#unreadable") == "3 entries could not be read"
    tree = await page.inner_text("ul.tree")
    for shown in (
        "<img src=x onerror=alert(1)>",
        "right\\u202eto left",
        "two\\nlines",
        "no\\xfftext",
    ):
        assert shown in tree
    assert (
        await page.eval_on_selector_all("main img, main a[href^=javascript]", "e => e.length") == 0
    )
    await page.click("summary:has-text('Day by day')")
    assert await page.eval_on_selector_all("table.days tbody tr", "rows => rows.length") == 15


async def test_hostile_names_are_text_in_the_pictures_too(visit, remembered):
    page = await visit(remembered.name)
    await page.wait_for_selector("#treemap .slice")
    assert await page.eval_on_selector_all("#treemap img, #treemap a", "e => e.length") == 0
    labels = await page.eval_on_selector_all("#treemap text", "all => all.map(e => e.textContent)")
    assert any("<img src=x onerror=alert(1)>" in label for label in labels)


async def test_numbers_and_times_are_those_of_the_reader_s_locale(visit, remembered):
    page = await visit(remembered.name, locale="de-DE", timezone_id="Asia/Tokyo")
    assert await page.inner_text("#used") == "8,8 KiB"
    full = utcnow() + 10 * DAY
    shown = await page.inner_text("#forecast time")
    assert shown in {(full + n * DAY).strftime("%d.%m.%Y") for n in (0, 1)}


async def test_the_curve_has_the_numbers_and_dates_of_the_reader_s_locale_and_zone(
    visit, remembered
):
    page = await visit(remembered.name, locale="de-DE", timezone_id="Asia/Tokyo")
    await page.wait_for_selector("#curve .xtick text")
    ticks = await texts(page, "#curve .xtick text")
    assert ticks
    assert all(re.fullmatch(rf"\d{{1,2}}\. ({GERMAN_MONTHS})(20\d\d)?", tick) for tick in ticks)
    await page.evaluate("() => Plotly.relayout('curve', {'yaxis.dtick': 2.5})")
    assert "2,5 KiB" in await texts(page, "#curve .ytick text")
    await page.hover("#curve .nsewdrag")
    await page.wait_for_selector("#curve .hoverlayer .legend text")
    (when,) = await texts(page, "#curve .hoverlayer .legendtitletext")
    assert when in await page.evaluate(TIMES_OF_THE_CURVE, "Asia/Tokyo")
    assert when not in await page.evaluate(TIMES_OF_THE_CURVE, "UTC")
    assert any(text.endswith("9,8 KiB") for text in await texts(page, "#curve .hoverlayer text"))


async def test_hours_are_those_of_the_reader_s_clock_where_the_curve_is_of_a_day(visit, remembered):
    page = await visit(remembered.name, locale="en-US", timezone_id="America/New_York")
    await page.wait_for_selector("#curve .xtick text")
    day = f"{utcnow():%Y-%m-%d}"
    await page.evaluate(
        "day => Plotly.relayout('curve', {'xaxis.range': [day + ' 10:00', day + ' 15:30']})", day
    )
    ticks = await texts(page, "#curve .xtick text")
    assert any(re.match(r"1:00\sPM", tick) for tick in ticks), ticks
    await page.evaluate(
        "() => Plotly.relayout('curve', {'xaxis.range': ['2024-01-01', '2026-12-01']})"
    )
    ticks = await texts(page, "#curve .xtick text")
    assert any(re.match(r"Jul 2025|2025", tick) for tick in ticks), ticks


async def test_a_day_of_the_table_is_the_same_day_in_every_zone(visit, remembered):
    # Where it is another day than in UTC now.
    zone = "Pacific/Kiritimati" if utcnow().hour > 10 else "Pacific/Pago_Pago"
    page = await visit(remembered.name, locale="de-DE", timezone_id=zone)
    await page.click("summary:has-text('Day by day')")
    days = await texts(page, "table.days tbody time")
    begun = utcnow()
    assert days[0] in {(begun - n * DAY).strftime("%d.%m.%Y") for n in (0, 1)}
    assert len(set(days)) == len(days) == 15
    said = await page.eval_on_selector_all(
        "table.days tbody time", "all => all.map(e => e.dateTime)"
    )
    assert days == [datetime.fromisoformat(day).strftime("%d.%m.%Y") for day in said]


async def test_sentences_have_the_numbers_and_dates_of_the_reader_s_locale_too(visit, hub):
    page = await visit("admin", locale="de-DE")
    await page.goto(public_url(hub, path="services/efs-quota/users/admin"))
    why = await page.inner_text("#state-why")
    assert "of 9,8 KiB" in why and "iB" not in why.replace("9,8 KiB", "")


async def test_the_scripts_tell_sizes_and_shares_as_the_pages_do_without_them(
    visit, hub, remembered
):
    page = await visit(remembered.name, locale="en-US")
    sizes = [0, 1, 1000, 1023, 1280, 1331, 2**40 + 2**38, 2**61, *(2**n for n in range(10, 56))]
    sizes += [2**n - 1 for n in range(2, 53)] + [2**n * 20479 // 20 for n in range(10, 41)]
    sizes += [2**n * 20479 // 20 + 1 for n in range(10, 41)] + [3**n for n in range(1, 33)]
    told = await page.evaluate("sizes => sizes.map(efsQuota.size)", sizes)
    assert dict(zip(sizes, told)) == {size: format_size(size) for size in sizes}
    shares = [0, 1e-9, 0.0049, 0.005, 0.015, 0.025, 0.5, 0.934, 0.995, 0.9999, 1, 1.0001, 9.9, 10]
    told = await page.evaluate("shares => shares.map(efsQuota.percent)", shares)
    assert dict(zip(shares, told)) == {share: percent(share) for share in shares}
    # The script of the hub's own pages.
    for size in (1000, 2**20 - 1, 1280):
        remembered.write(
            quota_bytes=2**41,
            quota_source="hand",
            actual_bytes=size,
            fraction_used=size / 2**41,
            started=utcnow(),
            stopped=utcnow(),
        )
        await page.goto(public_url(hub, path="hub/home"))
        await page.wait_for_selector("#efs-quota-bar:not([hidden])")
        words = f"{format_size(size)} of 2.0 TiB, under 1 %"
        assert words in await page.inner_text("#efs-quota-bar")


async def test_the_page_without_a_script_has_the_same_figures_in_english_and_utc(
    visit, browser, hub, remembered
):
    page = await visit(remembered.name, locale="de-DE")
    context = await browser.new_context(
        java_script_enabled=False,
        ignore_https_errors=True,
        locale="de-DE",
        storage_state=await page.context.storage_state(),
    )
    plain = await context.new_page()
    await plain.goto(public_url(hub, path="services/efs-quota/"))
    assert await plain.inner_text("#used") == "8.8 KiB"
    assert (await plain.inner_text("#forecast time")).count("-") == 2
    assert "grown" in await plain.inner_text("ul.tree")
    assert not await plain.is_visible("#curve")
    await context.close()


async def test_a_measurement_shows_how_far_it_is(visit, measured):
    page = await visit(measured.name)
    far = {"files": 4321, "bytes": 5 * 2**30, "known_files": 10_000, "outcome": None}
    left = [True, True, False]

    async def answer(route):
        measuring = left.pop(0)
        said = {**far, "measuring": measuring, "outcome": None if measuring else "measured"}
        if not measuring:
            await page.evaluate("() => window.seen = document.querySelector('#progress').innerText")
            said_before.append(await page.evaluate("() => window.seen"))
        await route.fulfill(json=said)

    said_before = []
    await page.route("**/measuring", answer)
    await page.route(
        "**/measure", lambda route: route.fulfill(status=202, json={**far, "measuring": True})
    )
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    assert "4,321 files, 5.0 GiB so far" in said_before[0]


async def test_who_is_locked_out_reads_the_way_out_first(visit, measured):
    measured.write(
        quota_bytes=QUOTA,
        quota_source="hand",
        actual_bytes=2 * QUOTA,
        fraction_used=2.0,
        usage_files=7,
        quota_state=State.LOCKOUT,
        started=utcnow(),
        stopped=utcnow(),
    )
    page = await visit(measured.name)
    assert "at least 9.8 KiB" in await page.inner_text("#way-out")
    first = "() => document.querySelector('main h1').nextElementSibling.id"
    assert await page.evaluate(first) == "way-out"


@pytest.mark.skipif(not AXE, reason="needs axe-core: AXE_CORE names its script")
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(
    visit, hub, remembered, scheme, width
):
    page = await visit(
        remembered.name, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    await page.wait_for_selector("#treemap .slice")
    await page.eval_on_selector_all("main details", "all => all.forEach(e => e.open = true)")
    assert await findings(page) == []
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
    await page.goto(public_url(hub, path="services/efs-quota/free"))
    await page.wait_for_selector("#treemap .slice")
    assert await findings(page) == []
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
    await page.goto(public_url(hub, path="services/efs-quota/no-such-page"))
    assert await findings(page) == []
    await page.goto(public_url(hub, path="hub/home"))
    await page.wait_for_selector("#efs-quota-bar:not([hidden])")
    assert await findings(page, "#efs-quota-bar") == []
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= width


async def findings(page, within="html"):
    """What axe-core calls serious or critical."""
    await page.evaluate(Path(AXE).read_text())
    found = await page.evaluate("within => axe.run(within)", within)
    return [
        (rule["id"], node["html"][:200])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


async def test_everything_on_the_page_is_reached_by_keyboard(visit, remembered):
    page = await visit(remembered.name)
    reached = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate("() => document.activeElement.outerHTML.slice(0, 80)"))
    for part in ("#main", 'id="measure"', "<summary", "dark-theme-toggle", "logout"):
        assert any(part in each for each in reached), part


@pytest.mark.over_both
async def test_the_hub_s_home_page_shows_the_visitor_s_own_bar(visit, hub, remembered):
    page = await visit(remembered.name)
    # The service has never seen this browser: it is logged in unseen.
    cookies = await page.context.cookies()
    await page.context.clear_cookies()
    await page.context.add_cookies([c for c in cookies if "/services/" not in c["path"]])
    await page.goto(public_url(hub, path="hub/home"))
    await page.wait_for_selector("#efs-quota-bar:not([hidden])")
    assert "8.8 KiB of 9.8 KiB, 90 %" in await page.inner_text("#efs-quota-bar")
    assert await page.get_attribute("#efs-quota-bar [role=progressbar]", "aria-valuenow") == "90"
    assert complaints(page) == []
    await page.click("#efs-quota-bar a")
    await page.wait_for_selector("h1:has-text('My storage')")


async def test_the_bar_on_the_hub_s_pages_says_what_is_to_come(visit, hub, remembered):
    record = remembered.read()
    with hub.control.held(record.user) as held:
        held.write(replace(record, full_at=utcnow() + 5 * DAY))
    page = await visit(remembered.name, locale="en-US")
    await page.goto(public_url(hub, path="hub/home"))
    await page.wait_for_selector("#efs-quota-bar:not([hidden])")
    day = f"{utcnow() + 5 * DAY:%b} {(utcnow() + 5 * DAY).day}"
    assert f"full about {day}" in await page.inner_text("#efs-quota-bar")
    with hub.control.held(record.user) as held:
        held.write(replace(record, full_at=utcnow() + 5 * DAY, full_in="files"))
    await page.reload()
    await page.wait_for_selector("#efs-quota-bar:not([hidden])")
    assert f"full in files about {day}" in await page.inner_text("#efs-quota-bar")
    over = {"actual_bytes": 2 * QUOTA, "quota_state": State.VIOLATION, "over_since": utcnow()}
    with hub.control.held(record.user) as held:
        held.write(replace(record, **over))
    await page.reload()
    await page.wait_for_selector("#efs-quota-bar:not([hidden])")
    # This hub has no time of grace.
    assert "about to be stopped" in await page.inner_text("#efs-quota-bar")
    await page.goto(public_url(hub, path="services/efs-quota/"))
    assert "about to be stopped" in await page.inner_text("#countdown")
    await page.click("#free-in-time")
    await page.wait_for_selector("h1:has-text('Free up space')")


async def test_the_bar_tells_of_files_where_there_is_a_limit_on_them(visit, hub, remembered):
    record = remembered.read()
    over = {"usage_files": 1_200, "quota_files": 1_000, "quota_state": State.LOCKOUT}
    page = await visit(remembered.name, locale="de-DE")

    async def bar(**fields):
        with hub.control.held(record.user) as held:
            held.write(replace(record, **fields))
        await page.goto(public_url(hub, path="hub/home"))
        await page.wait_for_selector("#efs-quota-bar:not([hidden])")
        return await page.inner_text("#efs-quota-bar")

    assert "8,8 KiB of 9,8 KiB; 1.200 of 1.000 files, 120 %" in await bar(**over)
    track = "#efs-quota-bar [role=progressbar]"
    assert await page.get_attribute(track, "aria-valuenow") == "100"
    assert "8,8 KiB of 9,8 KiB, 90 %; 1.200 of 5.000 files" in await bar(
        usage_files=1_200, quota_files=5_000
    )
    assert complaints(page) == []


async def test_the_hub_s_home_page_is_as_ever_while_the_service_is_away(visit, hub, remembered):
    page = await visit(remembered.name)
    await page.route("**/services/efs-quota/bar", lambda route: route.fulfill(status=503))
    await page.goto(public_url(hub, path="hub/home"))
    await page.wait_for_selector("iframe[src$='/bar']", state="attached")
    await page.wait_for_load_state("networkidle")
    assert not await page.is_visible("#efs-quota-bar")
    assert await page.is_visible("#start")
    assert [said for said in page.said if "503" not in said] == []


async def test_no_other_page_learns_the_visitor_s_figure(visit, hub, remembered):
    page = await visit(remembered.name)
    answer = await page.goto(public_url(hub, path="services/efs-quota/bar"))
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


async def test_the_pages_and_the_bar_work_where_services_have_a_host_of_their_own(
    hub_app, browser, tmp_path
):
    fill(tmp_path / "users" / "admin" / "data", 5_000)
    config = hub_config(tmp_path)
    # The hub's links to services with hosts of their own have no port, so it must be this one.
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 80))
        except OSError:
            pytest.skip("port 80 is not to be had")
    config.JupyterHub.subdomain_host = f"http://{DOMAIN}"
    config.JupyterHub.bind_url = "http://127.0.0.1:80/@/space%20word/"
    hub = await hub_app(config)
    await come_about(lambda: (record := hub.control.read("admin")) and record.measured)
    service = hub._service_map["efs-quota"]
    assert urlsplit(service.host).hostname != DOMAIN
    context = await browser.new_context()
    context.set_default_timeout(120_000)
    page = await context.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    await page.goto(f"{hub.subdomain_host}{hub.hub_prefix}login")
    await page.fill("#username_input", "admin")
    await page.fill("#password_input", "admin")
    await page.click("#login_submit")
    await page.goto(f"{hub.subdomain_host}{hub.hub_prefix}home")
    await page.wait_for_selector("#efs-quota-bar:not([hidden])")
    assert "4.9 KiB of 9.8 KiB" in await page.inner_text("#efs-quota-bar")
    await page.click("#efs-quota-bar a")
    await page.wait_for_selector("h1:has-text('My storage')")
    assert urlsplit(page.url).hostname == urlsplit(service.host).hostname
    await page.wait_for_selector("#treemap .slice")
    await page.click("#measure")
    await page.wait_for_selector("text=has just been measured")
    # The hub lets no other host have its fonts, which its own style sheet names.
    assert [text for text in said if "/webfonts/" not in text and "ERR_FAILED" not in text] == []
    await context.close()
