"""The metrics, for Prometheus: below the service's prefix by token, and on a port of its own."""

from __future__ import annotations

from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer

from ..errors import SettingsError
from ..metrics.exposition import CONTENT_TYPE, Exposition
from ..settings import EFSQuota
from .parts import Parts
from .tokens import allowed, scopes_of


class MetricsText(web.RequestHandler):
    """Answers with the metrics. Who may ask is for those built on it to say."""

    exposition: Exposition

    async def get(self) -> None:
        """Answer with the text."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.set_header("Cache-Control", "no-store")
        self.finish(await self.exposition.scrape())

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """An error in one line."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")


class Metrics(MetricsText):
    """The metrics for whoever has a token with the scope `read:metrics`, as those of the hub."""

    def initialize(self, parts: Parts) -> None:
        """Keep what the application hands over."""
        self.exposition = parts.exposition

    async def prepare(self) -> None:
        """Refuse everybody else."""
        if not allowed("read:metrics", await scopes_of(self)):
            raise web.HTTPError(403)


class OpenMetrics(MetricsText):
    """The metrics for everybody who reaches the port: it is the site that keeps it closed."""

    def initialize(self, exposition: Exposition) -> None:
        """Keep what the application hands over."""
        self.exposition = exposition


def serve_metrics(settings: EFSQuota, exposition: Exposition) -> HTTPServer | None:
    """Serve /metrics, and nothing else, on the port that the settings name, if they name one.

    Raises SettingsError if that port cannot be had.
    """
    port, bind = settings.metrics_port, settings.metrics_bind
    if not port:
        return None
    routes = [("/metrics", OpenMetrics, {"exposition": exposition})]
    server = HTTPServer(web.Application(routes))
    try:
        server.listen(port, bind)
    except OSError as error:
        raise SettingsError(
            f"There are no metrics at {bind}:{port}: {error.strerror or error}."
            " Set c.EFSQuota.metrics_port or metrics_bind."
        ) from None
    return server
