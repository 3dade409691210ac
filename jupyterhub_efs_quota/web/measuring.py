"""The button "Measure again" on the visitor's own page, and how far that is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tornado import web

from ..errors import EFSQuotaError
from ..hub.client import HubUser
from .handlers import Handler
from .parts import Outcome, Parts

# Without a script the button waits this long, then the page says that it goes on.
BUTTON_WAIT_SECS = 4.0


class HowFar(Handler):
    """Asked by the page's script while a home is measured."""

    def get_login_url(self) -> str:
        """A script has no use for a page to log in."""
        raise web.HTTPError(403)

    @web.authenticated
    async def get(self) -> None:
        """Say how far the measurement of the visitor's home is, or how it ended."""
        self.write(how_far(self.parts, self.own_name))


def how_far(parts: Parts, name: str) -> dict[str, Any]:
    """How far a home is, as JSON. `known_files`: how many the last measurement found."""
    so_far = parts.so_far(name)
    row = parts.board.get(name)
    return {
        "measuring": so_far is not None,
        "files": so_far.files if so_far else 0,
        "bytes": so_far.bytes if so_far else 0,
        "known_files": row.record.usage_files if row and row.record else None,
        "outcome": None if so_far else parts.outcome(name),
    }


class MeasureAgain(Handler):
    """The button."""

    @web.authenticated
    async def get(self) -> None:
        """Nothing is measured by a link."""
        self.redirect(self.hub_auth.base_url)

    @web.authenticated
    async def post(self) -> None:
        """Measure the visitor's home.

        The script is answered at once and asks how far it is. Without it, the page comes
        back when the home is measured, or says that it goes on.
        """
        await measure_for(self, self.own_user, self.hub_auth.base_url)


async def measure_for(handler: Handler, user: HubUser, page: str) -> None:
    """Answer the button on a page about a user by measuring their home."""
    name = user.name
    measuring = handler.parts.measure(name, user)
    if handler.request.headers.get("Accept") == "application/json":
        handler.set_status(202)
        handler.write(how_far(handler.parts, name))
        return
    with contextlib.suppress(asyncio.TimeoutError, TimeoutError, EFSQuotaError, OSError):
        await asyncio.wait_for(asyncio.shield(measuring), BUTTON_WAIT_SECS)
    outcome = handler.parts.outcome(name) or Outcome.BY_ANOTHER
    handler.redirect(f"{page}?said={outcome.value}", status=303)
