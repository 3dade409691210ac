"""The metrics, for Prometheus: below the service's prefix by token, and on a port of its own."""

from __future__ import annotations

from typing import Any

from tornado import web

from ..metrics.exposition import CONTENT_TYPE
from .parts import Parts
from .tokens import allowed, scopes_of


class OpenMetrics(web.RequestHandler):
    """The metrics for everybody who reaches the port: it is the site that keeps it closed."""

    def initialize(self, parts: Parts) -> None:
        """Keep what the application hands over."""
        self._exposition = parts.exposition

    async def get(self) -> None:
        """Answer with the text."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.set_header("Cache-Control", "no-store")
        self.finish(await self._exposition.scrape())

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """An error in one line."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")


class Metrics(OpenMetrics):
    """The metrics for whoever has a token with the scope `read:metrics`, as those of the hub."""

    async def prepare(self) -> None:
        """Refuse everybody else."""
        if not allowed("read:metrics", await scopes_of(self)):
            raise web.HTTPError(403)


def metrics_application(parts: Parts) -> web.Application:
    """What the port of its own serves: /metrics, and nothing else."""
    return web.Application([("/metrics", OpenMetrics, {"parts": parts})])
