"""A real hub with its real proxy and our real service, once for each way it can run.

The hub (a MockHub: PAM and the spawner are the only mocks, and both are the hub's own)
is configured by `setup(c)`, as a site's is. Users and their homes are made per test.
"""

import os
from itertools import count
from types import SimpleNamespace

import pytest
from jupyterhub.tests.mocking import MockHub
from jupyterhub.tests.utils import AsyncSession, add_user
from tornado.httpclient import AsyncHTTPClient
from traitlets.config import Config

from jupyterhub_efs_quota import setup
from jupyterhub_efs_quota.control.store import ControlStore
from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.quota.record import Record, State

from ..conftest import NOW, fill
from ..conftest import come_about as until
from ..ports import free_port, use_in_hubs
from .site import Site

SERVICE = "efs-quota"
QUOTA = 10_000
use_in_hubs()


class Hub(MockHub):
    def session(self, cookies=None):
        session = AsyncSession()
        if self.internal_ssl:
            session.verify = self.external_certs["files"]["ca"]
        if cookies is not None:
            session.cookies = cookies
        return session

    async def login(self, name):
        return self.session(await self.login_user(name))


def hub_config(tmp, ssl=False, **settings):
    """A site's configuration, with our one line at its end."""
    for name in ("quota-control", "users"):
        (tmp / name).mkdir(exist_ok=True)
    c = Config()
    c.JupyterHub.internal_ssl = ssl
    c.JupyterHub.cookie_secret_file = str(tmp / "cookie_secret")
    c.JupyterHub.allow_named_servers = True
    c.ConfigurableHTTPProxy.pid_file = str(tmp / "proxy.pid")
    if os.environ.get("CONFIGURABLE_HTTP_PROXY"):
        c.ConfigurableHTTPProxy.command = os.environ["CONFIGURABLE_HTTP_PROXY"].split()
    setup(
        c,
        url=f"{'https' if ssl else 'http'}://127.0.0.1:{free_port()}",
        **{
            "quota_control": str(tmp / "quota-control"),
            "home_root": str(tmp / "users"),
            "default_quota": QUOTA,
            "monitor_period_secs": 3600,
            "reaper_period_secs": 3600,
            "log_format": "console",
            "history_url": f"sqlite:///{tmp}/history.sqlite",
            "allow_delete": True,
            **settings,
        },
    )
    return c


async def start_hub(config, tmp, ssl=False):
    kwargs = {"internal_ssl": True, "internal_certs_location": str(tmp / "certs")} if ssl else {}
    Hub.clear_instance()
    hub = Hub.instance(config=config, **kwargs)
    hub.efs = tmp
    hub.control = ControlStore(tmp / "quota-control")
    try:
        await hub.initialize([])
        for service in hub._service_map.values():
            service.timeout = 120  # the machine may be busy; only JupyterHub 6 asks for it
        await hub.start()
    except BaseException:
        await hub.cleanup()
        raise
    return hub


async def stop_hub(hub):
    hub.log.handlers = []
    await hub.cleanup()
    hub.http_server.stop()
    for callback in getattr(hub, "_periodic_callbacks", {}).values():
        callback.stop()
    if getattr(hub, "metrics_collector", None):
        hub.metrics_collector.stop()
    hub.db.close()
    Hub.clear_instance()
    # Tornado keeps one for the event loop, which JupyterHub 5 gives its certificates:
    # the next hub has others.
    AsyncHTTPClient().close()


def pytest_generate_tests(metafunc):
    """What does not go between hub and service is the same over either: it is tried over one."""
    if "hub" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("over_both")
        over = ["http", "ssl"] if both else ["http"]
        metafunc.parametrize("hub", over, indirect=True, scope="session")


@pytest.fixture(scope="session")
async def hub(request, tmp_path_factory):
    """The hub that most tests share: over HTTP, or with `internal_ssl`."""
    tmp, ssl = tmp_path_factory.mktemp("hub"), request.param == "ssl"
    fill(tmp / "users" / "admin", 100)
    hub = await start_hub(hub_config(tmp, ssl), tmp, ssl)
    # Its first cycle sees no user of a test, then.
    await until(lambda: (record := hub.control.read("admin")) and record.measured)
    yield hub
    await stop_hub(hub)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A hub, its proxy and our service, each a process of its own, as a site has them.

    alice is over her quota of 10,000 bytes, homer@example.org is not.
    """
    site = Site(tmp_path_factory.mktemp("site") / "hub")
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture
async def hub_app(tmp_path):
    """A hub of one test alone, by its configuration.

    In place of pytest-jupyterhub's own: at its end that cancels every task on the event
    loop, and with them those of the hub that the other tests share.
    """
    hubs = []

    async def start(config):
        hubs.append(await start_hub(config, tmp_path))
        return hubs[-1]

    yield start
    for hub in hubs:
        await stop_hub(hub)


_numbers = count(1)


@pytest.fixture
async def user(hub):
    """A user of the hub with a home; `write` gives them a record."""
    name = f"user-{next(_numbers)}@example.org"
    orm_user = add_user(hub.db, hub, name=name)
    home = fill(hub.efs / "users" / escape(name), 100)

    def write(**fields):
        with hub.control.held(name, create=True) as held:
            held.write(Record(name, **fields))

    yield SimpleNamespace(
        name=name, home=home, write=write, read=lambda: hub.control.read(name), orm=orm_user
    )
    for server, spawner in list(orm_user.spawners.items()):
        if spawner.active:
            await hub.proxy.delete_user(orm_user, server)
            await orm_user.stop(server)
    hub.users.delete(orm_user.id)


@pytest.fixture
def measured(user):
    """A user near the limit on record, whose home holds less by now."""
    fill(user.home, 2_000)
    user.write(
        quota_bytes=QUOTA,
        quota_source="hand",
        actual_bytes=9_500,
        fraction_used=0.95,
        usage_files=7,
        quota_state=State.NEARING_LIMIT,
        started=NOW,
        stopped=NOW,
    )
    return user
