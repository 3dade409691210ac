"""The service: settings -> parts -> loops and pages.

Started by the hub. It listens before anything else, and serves a page that says what is
wrong rather than end: a managed service that ends takes the hub down with it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback

from .activity.jobs import Jobs, jobs_of
from .activity.timings import Timings
from .board import Board
from .directories import Directories
from .errors import HistoryError, SettingsError
from .freeing.freeing import Freeing
from .history.history import History
from .history.opening import history_of
from .history.recent import past_of
from .history.recorder import Recorder
from .hub.client import hub_from, internal_tls
from .loops.cycle import Rooms, make_rooms
from .loops.limbo import NAME as LIMBO
from .loops.limbo import PERIOD_SECS as LIMBO_PERIOD_SECS
from .loops.limbo import Keeper
from .loops.loop import Loop
from .loops.monitor import NAME as MONITOR
from .loops.monitor import Monitor
from .loops.reaper import NAME as REAPER
from .loops.reaper import Reaper
from .loops.record_run import recorded
from .loops.rescue import NAME as RESCUE
from .loops.rescue import Rescues
from .measure.cluster.cluster import Cluster
from .measure.meters import AUTO, WALK
from .measure.walk.engine import log_engine
from .measure.workers.workers import Workers
from .metrics.dirsize import make_dirsize
from .metrics.exposition import Exposition
from .metrics.recall import recalling
from .openondemand import QuotaFile
from .remeasure import Remeasure, make_workers, utcnow
from .settings import EFSQuota
from .users.quotas import Quotas
from .web.application import load_templates, make_application
from .web.metrics import serve_metrics
from .web.parts import Parts

log = logging.getLogger(__name__)

_PARENT_POLL_MS = 1000
# How often there is a look at all jobs, for the metrics.
_JOBS_SECS = 30.0
# The loops without which users' figures grow old: also where the store or the hub is away.
_KEEP_FIGURES = (MONITOR, REAPER, RESCUE)
# Whoever sends more is cut off. What is asked of us is a few lines.
MOST_BODY_BYTES = 1024 * 1024


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
        self._workers: Workers | Cluster | None = None
        # What else is wrong, that nothing but a restart mends.
        self._wanting: list[str] = []
        self._quota_file: QuotaFile | None = None
        self._parent = os.getppid()
        self._history: History | None = None
        self._freeing: Freeing | None = None
        self._jobs: Jobs | None = None
        self._timings: Timings | None = None
        self._recalling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, or until the hub is gone."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        parts = self._build()
        servers = [self._listen(parts), self._serve_metrics(parts.exposition)]
        parent = PeriodicCallback(lambda: self._look_at_parent(stop), _PARENT_POLL_MS)
        if self._settings.exit_with_hub:
            parent.start()
        jobs = PeriodicCallback(lambda: self._look_at_jobs(parts), _JOBS_SECS * 1000)
        jobs.start()
        if self._history is not None:
            self._history.start()
        for loop in self._loops:
            loop.start()
        log.info("The quota service is up at %s", self._environment["JUPYTERHUB_SERVICE_URL"])
        if self._settings.meter in (AUTO, WALK):
            log_engine()
        try:
            await stop.wait()
        finally:
            parent.stop()
            jobs.stop()
            for server in filter(None, servers):
                server.stop()
            for loop in self._loops:
                loop.stop()
            if self._workers is not None:
                await self._workers.end()
            log.info("The quota service ends.")

    def close(self) -> None:
        """Write what is left of the history: when nothing runs any more."""
        if self._history is not None:
            self._history.close()
        if self._timings is not None:
            self._timings.close()

    def trouble(self) -> list[str]:
        """What is wrong now, in sentences."""
        if self._wrong is not None:
            return [str(self._wrong)]
        of_loops = [f"{loop.name}: {loop.trouble}" for loop in self._loops if loop.trouble]
        of_file = self._quota_file.trouble if self._quota_file is not None else None
        of_history = self._history.trouble if self._history is not None else None
        return [*of_loops, *self._wanting, *(each for each in (of_file, of_history) if each)]

    def figures_old(self) -> bool:
        """Whether users' figures may be old: by no fault of the history or of what others read."""
        keep = (loop for loop in self._loops if loop.name in _KEEP_FIGURES)
        return self._wrong is not None or any(loop.trouble for loop in keep)

    def _build(self) -> Parts:
        board = Board()
        self._history = self._open_history(board)
        history: Recorder = self._history or Recorder()
        rooms = make_rooms(self._settings, hub_from(self._environment), history, board)
        self._quota_file = rooms.quota_file
        self._timings = rooms.timings
        self._jobs = None if self._wrong else jobs_of(rooms)
        remeasure = rescues = None
        if self._wrong is None:
            remeasure = self._remeasure(rooms)
            rescues = Rescues(rooms, remeasure)
            self._freeing = Freeing(self._settings, rooms.clock)
            period_secs = self._settings.monitor_period_secs
            counted = rooms.counted.cycles_of
            monitor = recorded(rooms, MONITOR, Monitor(rooms, remeasure, patience_secs=period_secs))
            reaper = recorded(rooms, REAPER, Reaper(rooms, rescues=rescues))
            self._loops = [
                Loop(MONITOR, counted(MONITOR, monitor), period_secs),
                Loop(REAPER, counted(REAPER, reaper), self._settings.reaper_period_secs),
            ]
            if rescues.terms is not None:
                watch = counted(RESCUE, recorded(rooms, RESCUE, rescues, rescues.idle))
                self._loops.append(Loop(RESCUE, watch, rescues.period_secs, quiet=True))
            if self._settings.allow_delete:
                keeper = recorded(rooms, LIMBO, Keeper(rooms, self._freeing))
                self._loops.append(Loop(LIMBO, counted(LIMBO, keeper), LIMBO_PERIOD_SECS))
        else:
            log.error("%s", self._wrong)
        return Parts(
            board=rooms.board,
            store=rooms.store,
            offload=rooms.offload,
            remeasure=remeasure,
            templates=load_templates(),
            trouble=self.trouble,
            figures_old=self.figures_old,
            clock=rooms.clock,
            menu_text=self._settings.menu_text,
            admins_exempt=self._settings.admins_exempt,
            history=history,
            allocated=self._settings.size_basis == "allocated",
            freeing=self._freeing,
            quotas=None if self._wrong else self._quotas(rooms),
            rescues=rescues,
            jobs=self._jobs,
            settings=self._settings,
            counted=rooms.counted,
            exposition=self._exposition(rooms),
            directories=Directories(rooms.homes),
        )

    def _quotas(self, rooms: Rooms) -> Quotas:
        return Quotas(self._settings, rooms.store, rooms.clock, rooms.history, rooms.board)

    def _open_history(self, board: Board) -> History | None:
        if self._wrong is not None:
            return None
        try:
            return history_of(self._settings, utcnow, board.remember)
        except SettingsError as error:
            # Quotas go on without; the pages say what is wrong.
            self._lacks(str(error))
            return None

    def _exposition(self, rooms: Rooms) -> Exposition:
        dirsize = None
        try:
            dirsize = make_dirsize(self._settings, rooms.counted.trees)
        except SettingsError as error:
            # Quotas are enforced all the same, and no name is shown by mistake.
            self._lacks(f"There are no metrics of single homes. {error}")
        if dirsize is not None:
            self._recalling = recalling(rooms.history, rooms.counted.trees)
        return Exposition(
            rooms.counted,
            rooms.board,
            lambda: self._loops,
            self.trouble,
            dirsize=dirsize,
            governor=lambda: self._workers.governor if self._workers is not None else None,
            jobs=lambda: self._jobs.overview.jobs if self._jobs is not None else (),
            history=lambda: rooms.history.counts,
        )

    def _serve_metrics(self, exposition: Exposition) -> HTTPServer | None:
        try:
            return serve_metrics(self._settings, exposition)
        except SettingsError as error:
            self._lacks(str(error))
            return None

    def _lacks(self, trouble: str) -> None:
        log.error("%s", trouble)
        self._wanting.append(trouble)

    def _remeasure(self, rooms: Rooms) -> Remeasure:
        self._workers, spread = make_workers(self._settings)
        return Remeasure(
            self._settings,
            rooms.store,
            self._workers,
            rooms.offload,
            rooms.clock,
            spread=spread,
            counted=rooms.counted,
            history=rooms.history,
            past=past_of(rooms.history),
        )

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
            max_body_size=MOST_BODY_BYTES,
        )
        listen(server, self._environment["JUPYTERHUB_SERVICE_URL"])
        return server

    async def _look_at_jobs(self, parts: Parts) -> None:
        """Look at all jobs for the metrics, which show what was seen last."""
        jobs = self._jobs
        if jobs is None:
            return
        try:
            await parts.asking.ask(lambda _: jobs.overview.look())
        except HistoryError as error:
            log.debug("The jobs are not looked at: %s", error)

    def _look_at_parent(self, stop: asyncio.Event) -> None:
        # A hub that was killed leaves us with a token that the next one does not know.
        if os.getppid() != self._parent:
            log.warning("The hub that started this service is gone.")
            stop.set()


def listen(server: HTTPServer, service_url: str) -> None:
    """Listen at the URL of the service.

    On Kubernetes its host is the name of a Service, by which the proxy reaches us, and no
    address of our own: then on all addresses.
    """
    url = urlsplit(service_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        server.listen(port, url.hostname or "")
    except OSError as error:
        if not isinstance(error, socket.gaierror) and error.errno != errno.EADDRNOTAVAIL:
            raise
        log.info("%s is no address of this machine: listening on all of its own", url.hostname)
        server.listen(port)
