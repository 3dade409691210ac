"""Our own scripts and styles, which browsers keep for ever under a name with their hash."""

from __future__ import annotations

from tornado import web

from .plotly import A_YEAR_SECS


class StaticFiles(web.StaticFileHandler):
    """Serves the folder `static`; `make_static_url` makes the names."""

    def set_extra_headers(self, path: str) -> None:
        """Say how long it may be kept: without the hash of its content, asked for each time."""
        hashed = self.get_query_argument("v", "") == self.get_version(
            {"static_path": self.root}, path
        )
        kept = f"public, max-age={A_YEAR_SECS}, immutable" if hashed else "no-cache"
        self.set_header("Cache-Control", kept)
        self.set_header("X-Content-Type-Options", "nosniff")
