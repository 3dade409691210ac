"""From a home that is 100 % full back to work: by a rescue server, or by the page alone.

A real hub with its proxy and our service, JupyterLab as the users' servers, and homes on a small
file system of their own, which is really full.
"""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from jupyterhub_efs_quota.remeasure import utcnow

from ..conftest import as_root
from .full_site import MIB, USERS, FullSite
from .test_browser import AXE, CHROMIUM, browser, findings  # noqa: F401
from .visits import visits

pytestmark = as_root
# Where to leave pictures, for whoever wants to look at them.
PICTURES = os.environ.get("RESCUE_PICTURES")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    pytest.importorskip("jupyterlab")
    site = FullSite(tmp_path_factory.mktemp("full") / "hub")
    try:
        yield site
    finally:
        try:
            if site.process is not None:
                site.stop_servers()
        finally:
            site.stop()
            site.unmount()


@pytest.fixture(scope="module")
def rescuing(full):
    """The site, after its administrator has changed the setting."""
    full.stop()
    full.configure("rescue")
    full.start()
    return full


@pytest.fixture
def emptied(rescuing):
    yield rescuing
    rescuing.stop_servers()
    for user in USERS:
        rescuing.home(user)


def test_a_user_whose_home_is_full_is_refused_without_rescues(full):
    full.configure("refuse")
    full.start()
    full.full("alice")
    full.locked("alice")
    assert "Logins are disabled" in full.refusal("alice")


async def test_a_user_is_back_by_a_rescue_server_and_labs_own_way_to_delete(emptied):
    site = emptied
    home = site.full("alice")
    site.locked("alice")
    site.spawn("alice")
    environment = site.environment("alice")
    until = site.record("alice").rescue_until
    assert environment["EFS_QUOTA_RESCUE"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    assert (environment["OF_THE_SITE"], environment["CPU_LIMIT"]) == ("yes", "0.5")
    assert not environment["JUPYTER_RUNTIME_DIR"].startswith(str(home))
    assert os.stat(environment["JUPYTER_RUNTIME_DIR"]).st_mode & 0o077 == 0
    assert os.statvfs(home).f_bavail == 0, "the home is not full any more: this shows nothing"
    # Lab, a notebook, a kernel.
    page = site.get("/user/alice/lab")
    assert "JupyterLab" in page
    opened = site.ask("/user/alice/api/contents/notebook.ipynb?content=1")
    assert opened["type"] == "notebook"
    printed = await site.run("alice", "import os; print(os.environ['EFS_QUOTA_RESCUE'])")
    assert printed == environment["EFS_QUOTA_RESCUE"]
    # The reaper has come by several times, and knows that this one is a rescue.
    site.wait(lambda: site.record("alice").rescue_bytes)
    seen = site.record("alice").reaper_time
    site.wait(lambda: site.record("alice").reaper_time > seen + timedelta(seconds=3))
    assert site.servers("alice")[""]["ready"]
    told = site.ask("/services/efs-quota/api/users/alice")["rescue"]
    assert (told["server"], told["ended"], told["back"]) == ("", None, None)
    # No second one.
    assert "You have a rescue server already" in site.refusal("alice", "second")
    # Deleted for good, folders too, though the user's configuration wants a trash.
    site.ask("/user/alice/api/contents/.cache/pip", "DELETE")
    site.ask("/user/alice/api/contents/filler", "DELETE")
    assert not (home / ".local/share/Trash").exists()
    assert os.statvfs(home).f_bavail * os.statvfs(home).f_frsize > 30 * MIB
    site.wait(lambda: site.record("alice").rescue_back)
    assert site.record("alice").quota_state.value == "ok"
    # Back: a usual server, of which nothing is left of the rescue.
    site.stop_server("alice")
    site.spawn("alice")
    usual = site.environment("alice")
    assert usual["OF_THE_SITE"] == "yes"
    assert not {"EFS_QUOTA_RESCUE", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "CPU_LIMIT"} & set(usual)
    assert site.record("alice").rescue_until is None
    (rescued,) = site.done("alice", "spawn-rescued")
    assert rescued["until"] and rescued["server"] == ""


def test_a_rescue_survives_a_restart_of_hub_and_service_and_ends_in_its_time(emptied):
    site = emptied
    site.full("bart")
    site.locked("bart")
    site.spawn("bart")
    site.wait(lambda: site.record("bart").rescue_bytes)
    before = site.record("bart")
    site.stop()
    site.start()
    site.wait(lambda: site.servers("bart").get("", {}).get("ready"))
    seen = site.record("bart").reaper_time
    site.wait(lambda: site.record("bart").reaper_time > seen + timedelta(seconds=3))
    assert site.servers("bart")[""]["ready"]
    assert site.record("bart").rescue_until == before.rescue_until
    site.edit("bart", rescue_until=utcnow())
    site.wait(lambda: not site.servers("bart"))
    assert "The next one can begin at" in site.refusal("bart")
    stops = site.done("bart", "server-stopped")
    assert [(each["by"], each["reason"]) for each in stops] == [
        ("Rescue", "A rescue is ended: its time is over.")
    ]


def test_who_goes_on_filling_the_home_in_a_rescue_is_stopped(emptied):
    site = emptied
    home = site.home("lisa")
    (home / "data").write_bytes(b"x" * 14 * MIB)
    site.locked("lisa")
    site.spawn("lisa", "gpu")
    site.wait(lambda: site.record("lisa").rescue_bytes)
    (home / "more").write_bytes(b"x" * 4 * MIB)
    site.wait(lambda: not site.servers("lisa"))
    assert site.record("lisa").rescue_ended == "grown"
    (stop,) = site.done("lisa", "server-stopped")
    assert (
        stop["server"] == "gpu"
        and "the home grew in it from 14.0 MiB to 18.0 MiB" in stop["reason"]
    )


@pytest.fixture
async def look(emptied, browser):  # noqa: F811
    """Open My storage as a user, in a browser."""
    address = f"{emptied.url}/services/efs-quota/"
    async with visits(browser) as open_as:
        yield lambda user, **wanted: open_as(address, user, "any", **wanted)


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (320, "dark")], ids=["wide-light", "narrow-dark"]
)
async def test_the_page_says_where_a_user_is_with_a_rescue(emptied, look, width, scheme):
    site, now = emptied, utcnow()
    home = site.home("lisa")
    (home / "data").write_bytes(b"x" * 14 * MIB)
    site.locked("lisa")
    page = await look("lisa", viewport={"width": width, "height": 800}, color_scheme=scheme)
    hour = timedelta(hours=1)
    begun = {
        "rescue_began": now, "rescue_until": now + hour, "rescue_server": "gpu",
        "rescue_started": now,
    }  # fmt: skip

    async def shown(phase):
        await page.goto(f"{site.url}/services/efs-quota/")
        await page.wait_for_selector("#rescue")
        await picture(page, f"{phase}-{width}-{scheme}")
        assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert not AXE or await findings(page) == []
        text = await page.inner_text("#rescue")
        await page.goto(f"{site.url}/hub/home")
        await page.wait_for_selector("#efs-quota-bar p:nth-of-type(2)")
        await picture(page, f"bar-{phase}-{width}-{scheme}")
        return text, await page.inner_text("#efs-quota-bar")

    said, bar = await shown("offered")
    assert "for 60 minutes" in said.replace("runs for", "for") and "rescue server" in bar
    site.edit("lisa", **begun)
    said, bar = await shown("on")
    assert "Delete at least 2.0 MiB" in said and "Until" in bar
    table = await look("root-of-the-hub", viewport={"width": 1280, "height": 800})
    while "rescue" not in await table.inner_text("main"):  # the table shows what the loops saw
        await table.goto(f"{site.url}/services/efs-quota/users?q=lisa")
    await picture(table, f"users-{scheme}")
    site.edit("lisa", rescue_ended="grown", rescue_until=now)
    said, bar = await shown("pause")
    assert "Your storage grew in it" in said and "is over" in bar
    site.edit("lisa", **begun, rescue_ended=None)
    (home / "data").unlink()
    site.wait(lambda: site.record("lisa").rescue_back)
    said, bar = await shown("back")
    assert "restart your server" in said and "back under your quota" in bar


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
async def test_lab_opens_on_a_full_home_without_a_word_of_trouble(emptied, look):
    site = emptied
    _, page = await lab_in_a_rescue(site, look)

    def keeps_layout(answer):
        return answer.request.method == "PUT" and "/lab/api/workspaces/" in answer.url

    # Lab keeps its layout a moment after something was opened.
    async with page.expect_response(keeps_layout) as kept:
        await page.dblclick(".jp-DirListing-item:has-text('notebook.ipynb')")
        await page.wait_for_selector(".jp-Notebook")
    await picture(page, "lab")
    assert (await kept.value).ok
    assert os.statvfs(site.homes).f_bavail == 0
    assert await page.locator(".jp-Dialog").all_inner_texts() == []


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
async def test_a_notebook_that_was_never_opened_opens_as_soon_as_there_is_room(emptied, look):
    home, page = await lab_in_a_rescue(emptied, look)
    (home / "filler").unlink()

    def checkpoint(answer):
        return answer.request.method == "POST" and "unopened.ipynb/checkpoints" in answer.url

    async with page.expect_response(checkpoint) as made:
        await page.dblclick(".jp-DirListing-item:has-text('unopened.ipynb')")
    assert (await made.value).ok
    await page.wait_for_selector(".jp-Notebook")
    assert await page.locator(".jp-Dialog").all_inner_texts() == []


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
async def test_a_user_is_back_by_the_page_alone_in_a_browser(emptied, look):
    site = emptied
    home = site.full("homer")
    site.locked("homer")
    page = await look("homer")
    assert "You may start a rescue server" in await page.inner_text("#rescue")
    await page.click("#way-out #free")
    await page.wait_for_selector("h1:has-text('Free up space')")
    while not await page.query_selector("#proposal"):  # the history writes in its own time
        await page.reload()
    assert await page.query_selector("#full"), "the page does not see that the store is full"
    await page.click("#proposal button")
    await page.click("#erase")
    await page.wait_for_selector("#done")
    site.wait(lambda: site.record("homer").quota_state.value != "lockout")
    assert not (home / ".cache").exists() or not (home / "filler").exists()
    await page.goto(f"{site.url}/hub/spawn/homer")
    await page.wait_for_url("**/user/homer/lab**", timeout=300_000)
    assert "EFS_QUOTA_RESCUE" not in site.environment("homer")


async def lab_in_a_rescue(site, look):
    """The full home of a user in lockout, and Lab in the rescue server that they have started."""
    home = site.full("bart")
    site.locked("bart")
    page = await look("bart")
    await page.click("#rescue-start")
    await page.wait_for_url("**/user/bart/lab**", timeout=300_000)
    await page.wait_for_selector(".jp-Launcher-body")
    return home, page


async def picture(page, name):
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
