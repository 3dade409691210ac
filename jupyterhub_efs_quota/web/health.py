"""Whether the service works, for whatever watches it."""

from __future__ import annotations

from tornado import web

from .parts import Parts


class Health(web.RequestHandler):
    """Whether the service works: 200, or 503 with what is wrong. Tells nothing else."""

    def initialize(self, parts: Parts) -> None:
        """Keep what the application hands over."""
        self._parts = parts

    def get(self) -> None:
        """Say so."""
        trouble = self._parts.trouble()
        self.set_status(503 if trouble else 200)
        self.write({"status": "degraded" if trouble else "ok"})
