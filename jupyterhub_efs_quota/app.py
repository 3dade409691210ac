"""The service: settings -> parts -> loops and pages.

Started by the hub. It listens before anything else, and serves a page that says what is
wrong rather than end: a managed service that ends takes the hub down with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from jupyterhub.utils import make_ssl_context
from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback

from .board import Board
from .control.store import ControlStore
from .errors import SettingsError
from .hub.client import HubClient
from .loops.cycle import Rooms
from .loops.loop import Loop
from .loops.monitor import NAME as MONITOR
from .loops.monitor import Monitor
from .loops.reaper import NAME as REAPER
from .loops.reaper import Reaper
from .measure.walk import log_engine
from .measure.workers import Workers
from .offload import Offload
from .remeasure import Remeasure, utcnow
from .settings import EFSQuota
from .web.application import load_templates, make_application
from .web.parts import Parts

log = logging.getLogger(__name__)

# Calls to the store that may be stuck before it is taken for dead.
_STORE_CALLS = 64
# Measurements that people wait for do not queue behind those of the monitor.
_AT_ONCE = 2
_PARENT_POLL_MS = 1000


class Service:
    """The running service. `wrong` is what is wrong with its settings, if anything."""

    def __init__(
        self,
        settings: EFSQuota,
        environment: Mapping[str, str],
        wrong: SettingsError | None = None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._wrong = wrong
        self._loops: list[Loop] = []
        self._pools: list[Workers] = []
        self._parent = os.getppid()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, or until the hub is gone."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        server = self._listen(self._build())
        parent = PeriodicCallback(lambda: self._look_at_parent(stop), _PARENT_POLL_MS)
        if self._settings.exit_with_hub:
            parent.start()
        for loop in self._loops:
            loop.start()
        log.info("The quota service is up at %s", self._environment["JUPYTERHUB_SERVICE_URL"])
        if self._settings.meter == "walk":
            log_engine()
        try:
            await stop.wait()
        finally:
            parent.stop()
            server.stop()
            for loop in self._loops:
                loop.stop()
            for pool in self._pools:
                pool.close()
            log.info("The quota service ends.")

    def trouble(self) -> list[str]:
        """What is wrong now, in sentences."""
        if self._wrong is not None:
            return [str(self._wrong)]
        return [f"{loop.name}: {loop.failure}" for loop in self._loops if loop.failure]

    def _build(self) -> Parts:
        board, offload = Board(), Offload(_STORE_CALLS)
        store = ControlStore(self._settings.quota_control)
        pages = None
        if self._wrong is None:
            rooms = Rooms(
                self._settings,
                hub_from(self._environment),
                store,
                offload,
                board,
                utcnow,
            )
            many, pages = (self._remeasure(rooms, most) for most in self._most_at_a_time())
            monitor, reaper = Monitor(rooms, many), Reaper(rooms)
            self._loops = [
                Loop(MONITOR, monitor.run_once, self._settings.monitor_period_secs),
                Loop(REAPER, reaper.run_once, self._settings.reaper_period_secs),
            ]
        else:
            log.error("%s", self._wrong)
        return Parts(
            board=board,
            store=store,
            offload=offload,
            remeasure=pages,
            templates=load_templates(),
            trouble=self.trouble,
            clock=utcnow,
            menu_text=self._settings.menu_text,
        )

    def _most_at_a_time(self) -> tuple[int, int]:
        return self._settings.measure_concurrency, _AT_ONCE

    def _remeasure(self, rooms: Rooms, most: int) -> Remeasure:
        pool = Workers(most)
        self._pools.append(pool)
        return Remeasure(self._settings, rooms.store, pool, rooms.offload, rooms.clock)

    def _listen(self, parts: Parts) -> HTTPServer:
        application = make_application(
            parts,
            self._environment["JUPYTERHUB_SERVICE_PREFIX"],
            api_token=self._environment["JUPYTERHUB_API_TOKEN"],
            verify_secs=self._settings.verify_secs,
        )
        server = HTTPServer(
            application,
            ssl_options=internal_tls(self._environment, ssl.Purpose.CLIENT_AUTH),
            xheaders=True,
        )
        url = urlsplit(self._environment["JUPYTERHUB_SERVICE_URL"])
        server.listen(url.port or (443 if url.scheme == "https" else 80), url.hostname or "")
        return server

    def _look_at_parent(self, stop: asyncio.Event) -> None:
        # A hub that was killed leaves us with a token that the next one does not know.
        if os.getppid() != self._parent:
            log.warning("The hub that started this service is gone.")
            stop.set()


def hub_from(environment: Mapping[str, str]) -> HubClient:
    """The hub's API as a service finds it in its environment."""
    return HubClient(
        environment["JUPYTERHUB_API_URL"],
        environment["JUPYTERHUB_API_TOKEN"],
        internal_tls(environment, ssl.Purpose.SERVER_AUTH),
    )


def internal_tls(environment: Mapping[str, str], purpose: ssl.Purpose) -> ssl.SSLContext | None:
    """The TLS context of a hub with internal SSL, or None without."""
    key, certificate, ca = (
        environment.get(f"JUPYTERHUB_SSL_{name}", "")
        for name in ("KEYFILE", "CERTFILE", "CLIENT_CA")
    )
    if not key:
        return None
    context: ssl.SSLContext = make_ssl_context(key, certificate, cafile=ca, purpose=purpose)
    return context
