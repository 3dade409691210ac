"""From a home that is 100 % full back to work: by a rescue server, or by the page alone.

A real hub with its proxy and our service, JupyterLab as the users' servers, and homes on a small
file system of their own, which is really full.
"""

import json
import os
import subprocess
import uuid
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.remeasure import utcnow

from ..conftest import as_root, fill_up, processes
from .site import ADMIN_TOKEN, BEGIN, Site
from .test_browser import AXE, CHROMIUM, browser, findings  # noqa: F401

pytestmark = as_root
MIB = 1024 * 1024
QUOTA = 12 * MIB
# Where to leave pictures, for whoever wants to look at them.
PICTURES = os.environ.get("RESCUE_PICTURES")

USERS = ("alice", "homer", "lisa", "bart")
SERVERS = """
import sys
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{"OF_THE_SITE": "yes"}}
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
c.SimpleLocalProcessSpawner.home_dir_template = "{tmp}/users/{{username}}"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = False
c.Authenticator.allowed_users = {{"alice", "homer", "lisa", "bart"}}
c.JupyterHub.load_roles.append(
    {{"name": "servers", "services": ["tests"], "scopes": ["access:servers", "servers"]}}
)
"""
END = """
from jupyterhub_efs_quota import setup
setup(
    c,
    url="http://127.0.0.1:{service}",
    quota_control="{tmp}/quota-control",
    home_root="{tmp}/users",
    home_path="{{home_root}}/{{username}}",
    default_quota={quota},
    log_format="console",
    history_url="sqlite:///{tmp}/history.sqlite",
    allow_delete=True,
    on_lockout="{on_lockout}",
    rescue_measure_secs=1,
    rescue_growth="1Mi",
    rescue_overrides={{"cpu_limit": 0.5}},
    reaper_period_secs=2,
    monitor_period_secs=2,
)
"""


class FullSite(Site):
    """A hub whose homes are on a small file system."""

    def __init__(self, tmp):
        super().__init__(tmp, begin=BEGIN + SERVERS, end="")
        self.values["quota"] = QUOTA
        self.store = ControlStore(self.control)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48m,mode=755", "tmpfs", str(self.homes)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.decode()}")

    def configure(self, on_lockout):
        end = END.format(**self.values, on_lockout=on_lockout)
        self.config = self.write(self.begin + end)

    def unmount(self):
        subprocess.run(["umount", "--lazy", str(self.homes)], check=True)

    def home(self, user):
        """An empty home, and no record of its user: as on the first day."""
        home = self.homes / user
        subprocess.run(["rm", "-rf", str(home), str(self.control / user)], check=True)
        home.mkdir()
        return home

    def full(self, user):
        """A home with junk, that fills the whole file system."""
        home = self.home(user)
        junk = home / ".cache" / "pip" / "wheels"
        junk.mkdir(parents=True)
        (junk / "large.whl").write_bytes(b"x" * 20 * MIB)
        config = home / ".jupyter"
        config.mkdir()
        # A trash in the home: what is deleted would free nothing, and need space itself.
        trash = {"FileContentsManager": {"delete_to_trash": True}}
        (config / "jupyter_server_config.json").write_text(json.dumps(trash))
        (home / "notebook.ipynb").write_text(NOTEBOOK)
        fill_up(home)
        assert os.statvfs(home).f_bavail == 0
        return home

    def record(self, user):
        return self.store.read(user)

    def locked(self, user):
        """Wait until the monitor has found a user over."""
        self.wait(lambda: (r := self.record(user)) and r.quota_state.value == "lockout")

    def spawn(self, user, server=""):
        path = (
            f"/hub/api/users/{user}/servers/{server}" if server else f"/hub/api/users/{user}/server"
        )
        self.ask(path, "POST")
        self.wait(lambda: self.servers(user).get(server, {}).get("ready"), 300)

    def get(self, path):
        """A page, as text."""
        request = Request(f"{self.url}{path}", headers={"Authorization": f"token {ADMIN_TOKEN}"})
        with urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def done(self, user, kind):
        """What was done to a user, of a kind: the history writes in its own time."""
        path = f"/services/efs-quota/api/users/{user}/changes"
        return self.wait(lambda: [e for e in self.ask(path)["items"] if e["kind"] == kind])

    def servers(self, user):
        return self.ask(f"/hub/api/users/{user}")["servers"]

    def stop_servers(self):
        for user in USERS:
            for server in self.servers(user):
                path = f"servers/{server}" if server else "server"
                self.ask(f"/hub/api/users/{user}/{path}", "DELETE")

    def stop_server(self, user):
        self.ask(f"/hub/api/users/{user}/server", "DELETE")
        self.wait(lambda: not self.servers(user))

    def environment(self, user):
        """The environment of a user's server, as the kernel has it."""
        for pid in processes("jupyterhub.singleuser"):
            text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            found = dict(line.split("=", 1) for line in text.split("\0") if "=" in line)
            if found.get("JUPYTERHUB_USER") == user and str(self.tmp) in found.get("HOME", ""):
                return found
        raise AssertionError(f"{user} has no server")

    def edit(self, user, **fields):
        from dataclasses import replace

        with self.store.held(user, wait_secs=30) as held:
            held.write(replace(held.read(), **fields))

    def refusal(self, user, server=""):
        with pytest.raises(HTTPError) as refused:
            self.spawn(user, server)
        assert refused.value.code == 403
        return json.loads(refused.value.read())["message"]

    async def run(self, user, code):
        """What a piece of Python prints in a kernel of the user's server."""
        base = f"/user/{user}/api/kernels"
        kernel = self.ask(base, "POST", {})["id"]
        url = f"{self.url}{base}/{kernel}/channels".replace("http", "ws", 1)
        socket = await websocket_connect(
            HTTPRequest(url, headers={"Authorization": f"token {ADMIN_TOKEN}"}, request_timeout=120)
        )
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3",
                  "username": "", "session": uuid.uuid4().hex}  # fmt: skip
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        await socket.write_message(json.dumps({**message, "channel": "shell"}))
        printed = ""
        while True:
            said = json.loads(await socket.read_message())
            if said["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            if said["msg_type"] == "stream":
                printed += said["content"]["text"]
            elif said["msg_type"] == "error":
                raise AssertionError(said["content"])
            elif said["msg_type"] == "execute_reply":
                break
        while "\n" not in printed:  # what was printed may come after the reply
            said = json.loads(await socket.read_message())
            printed += said["content"].get("text", "")
        socket.close()
        return printed.strip()


NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


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
    contexts = []

    async def look(user, **wanted):
        context = await browser.new_context(**wanted)
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = await context.new_page()
        await page.goto(f"{emptied.url}/services/efs-quota/")
        await page.fill("#username_input", user)
        await page.fill("#password_input", "any")
        await page.click("#login_submit")
        await page.wait_for_selector("h1:has-text('My storage')")
        return page

    yield look
    for context in contexts:
        await context.close()


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


async def picture(page, name):
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
