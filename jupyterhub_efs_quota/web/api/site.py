"""The API's answer about the site as a whole."""

from __future__ import annotations

from tornado import web

from ...overview.as_json import overview_json
from ...overview.wanted import Wanted
from ..look import look
from .call import Answer, Call
from .visitor import ADMIN


async def get_overview(call: Call) -> Answer:
    """How the site stands."""
    if not call.visitor.may_all(ADMIN):
        raise web.HTTPError(403, f"The overview is for who has {ADMIN} without a filter.")
    given = call.given
    found = await look(call.parts, Wanted(given["months"], given["top"], given["quota"]))
    return Answer(overview_json(found))
