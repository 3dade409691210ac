"""Measuring on a Dask cluster, whose workers mount the store. Stands for `workers.py`.

Made by `app.py` and the monitor's command where `dask_scheduler` is set. Whatever the
cluster cannot do is done by the worker processes here: all of it while it is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from ...errors import MeasureError
from ...quota.usage import Usage
from ..task import Task
from ..workers.governor import Governor
from ..workers.workers import Workers
from .job import Away, Job
from .node import Footing, footing
from .split import may_split

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

CONNECT_SECS = 10.0
# A cluster that was away is tried again with the first home after this time.
TRY_AGAIN_SECS = 60.0
FOOTING_SECS = 30.0
_LAST_WAIT_SECS = 1.0


class Cluster:
    """Measures homes on a Dask cluster; `here` are the worker processes of this machine.

    `split_files`: a home that had more files when it was last measured is measured in
    parts; 0: none is. `home_root` has to be the same directory here and on every worker.
    """

    def __init__(self, address: str, home_root: str, split_files: int, here: Workers) -> None:
        self.most = here.most
        self._address = address
        self._home_root = home_root
        self._split_files = split_files
        self._here = here
        self._client: Client | None = None
        self._own: Footing | None = None
        # Workers of the cluster by address, and whether they may measure.
        self._fit: dict[str, bool] = {}
        self._connecting = asyncio.Lock()
        self._try_after = 0.0
        self._away = False
        self._closed = False

    @property
    def governor(self) -> Governor | None:
        """What sets the pace of the walks here."""
        return self._here.governor

    async def measure(self, task: Task) -> Usage:
        """Measure one home. Raises MeasureError as `Workers.measure` does."""
        if task.ceiling is not None:
            # Somebody waits for a proof that takes seconds.
            return await self._here.measure(task)
        try:
            client, workers = await self._ready()
            return await self._there(client, workers, task)
        except Away as away:
            self._say(away)
            return await self._here.measure(task)

    def close(self) -> None:
        """Kill every worker process here; what is measured elsewhere ends with the connection."""
        self._closed = True
        self._here.close()

    async def end(self) -> None:
        """Close, and wait a moment for the end of what does not hang."""
        self.close()
        await asyncio.gather(self._here.end(), self._let_go())

    async def _ready(self) -> tuple[Client, list[str] | None]:
        """The cluster, and its workers that may measure; None: all of them. Raises Away."""
        async with self._connecting:
            if self._closed:
                raise MeasureError("Nothing is measured any more: the service ends.")
            if self._client is None:
                if time.monotonic() < self._try_after:
                    raise Away("cannot be reached")
                self._client = await self._connect()
            workers = await self._workers(self._client)
            if self._away:
                self._away = False
                log.info("The Dask cluster at %s measures homes again.", self._address)
            return self._client, workers

    async def _connect(self) -> Client:
        self._try_after = time.monotonic() + TRY_AGAIN_SECS
        try:
            from distributed import Client
        except ImportError:
            raise Away("cannot be used: pip install 'jupyterhub-efs-quota[dask]'") from None
        _have_dask_log_as_we_do()
        self._fit.clear()
        self._own = await asyncio.wait_for(footing(self._home_root), FOOTING_SECS)
        try:
            client: Client = await Client(
                self._address,
                asynchronous=True,
                set_as_default=False,
                timeout=CONNECT_SECS,
                name="jupyterhub-efs-quota",
            )
        except (OSError, asyncio.TimeoutError, TimeoutError, ValueError) as error:
            raise Away(f"cannot be reached ({error or type(error).__name__})") from None
        return client

    async def _workers(self, client: Client) -> list[str] | None:
        try:
            present = set(await asyncio.wait_for(client.nthreads(), CONNECT_SECS))
        except Exception:
            await self._let_go()
            raise Away("cannot be reached") from None
        for gone in set(self._fit) - present:
            del self._fit[gone]
        new = sorted(present - set(self._fit))
        fit = await asyncio.gather(*(self._fits(client, worker) for worker in new))
        self._fit.update(zip(new, fit, strict=True))
        workers = [worker for worker, fits in self._fit.items() if fits]
        if not workers:
            raise Away("has no worker that can measure homes" if present else "has no workers")
        return None if len(workers) == len(present) else workers

    async def _fits(self, client: Client, worker: str) -> bool:
        """Whether a worker of the cluster is as this service is."""
        assert self._own is not None
        try:
            theirs = await asyncio.wait_for(
                client.run(footing, self._home_root, workers=[worker]), FOOTING_SECS
            )
            why = _difference(self._own, Footing(*theirs[worker]), self._home_root)
        except Exception as error:  # whatever comes of another version, or of none
            why = f"cannot run our code ({type(error).__name__}: {error})"
        if why:
            log.warning("The Dask worker %s is left out: it %s.", worker, why)
        return not why

    async def _there(self, client: Client, workers: list[str] | None, task: Task) -> Usage:
        job = Job(client, workers, task)
        huge = 0 < self._split_files < (task.files or 0)
        try:
            return await (job.in_parts() if huge and may_split(task) else job.whole())
        except Away:
            if client is self._client and not job.connected:
                await self._let_go()
            raise
        finally:
            job.cancel()

    def _say(self, away: Away) -> None:
        if not self._away:
            self._away = True
            log.warning(
                "The Dask cluster at %s %s; homes are measured here until it is back.",
                self._address,
                away,
            )

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close(), _LAST_WAIT_SECS)


def _have_dask_log_as_we_do() -> None:
    """Undo what Dask does to its loggers when it is imported: lines of another form."""
    for name in list(logging.root.manager.loggerDict):
        if name == "distributed" or name.startswith("distributed."):
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).propagate = True


def _difference(own: Footing, theirs: Footing, home_root: str) -> str:
    """In which way a worker differs from the service, in words; empty if in none."""
    if (theirs.version, theirs.protocol) != (own.version, own.protocol):
        return (
            f"has jupyterhub-efs-quota {theirs.version}, the service has {own.version}:"
            " install the same there"
        )
    if theirs.python != own.python:
        return (
            f"runs Python {_dotted(theirs.python)}, the service {_dotted(own.python)}:"
            " give both the same"
        )
    if theirs.homes != own.homes:
        found = "no directory" if theirs.homes is None else "another directory"
        return f"has {found} at {home_root}: mount the store there as it is mounted here"
    return ""


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
