"""The pictures' script, from the installed package: nothing is loaded from anywhere else."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
import zlib
from pathlib import Path

from tornado import web

log = logging.getLogger(__name__)

# What plotly needs of a policy for styles, found by trying version 7.1 (plotly.js 4.1) with
# none: it makes one empty <style>, whose rules it then sets by script, which a policy
# allows; and one of 83 kB for maps, which are not drawn here. The hashes allow just these
# two; those of another version would be blocked, which the browser's console says and nobody
# sees. All else goes by script too, as long as no text has markup: plotly turns <i> into
# style="…", so all names are escaped. It needs no 'unsafe-eval' for what is drawn here.
PLOTLY_STYLES = (
    " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    " 'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
)
A_YEAR_SECS = 365 * 86400
_GZIP = 16 + zlib.MAX_WBITS


class Plotly:
    """The script's file and its name for browsers, by its content."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._content: bytes | None = None
        self._packing = asyncio.Lock()
        self.name = hashlib.sha256(file.read_bytes()).hexdigest()[:20]

    async def packed(self) -> bytes:
        """The content, compressed: once for all, in a thread."""
        async with self._packing:
            if self._content is None:
                self._content = await asyncio.to_thread(self._pack)
            return self._content

    def _pack(self) -> bytes:
        press = zlib.compressobj(6, wbits=_GZIP)
        return press.compress(self._file.read_bytes()) + press.flush()


def find_plotly() -> Plotly | None:
    """The script of the installed package, which is not loaded; None if it has none."""
    found = importlib.util.find_spec("plotly")
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder, "package_data", "plotly.min.js")
        if file.is_file():
            return Plotly(file)
    log.warning("There are no pictures on the pages: plotly is not installed, or has no script.")
    return None


class PlotlyScript(web.RequestHandler):
    """Serves it, to everybody: it is no secret."""

    def initialize(self, plotly: Plotly) -> None:
        """Keep what the application hands over."""
        self._plotly = plotly

    async def get(self, name: str) -> None:
        """Answer with the script, to be kept for ever: another version has another name."""
        if name != self._plotly.name:
            raise web.HTTPError(404)
        content = await self._plotly.packed()
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", f"public, max-age={A_YEAR_SECS}, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
        else:
            content = await asyncio.to_thread(zlib.decompress, content, _GZIP)
        self.finish(content)
