"""The API's answers about what was: measurements, changes, runs. All ask the history."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from tornado import web

from ...users.as_json import happened_json, page_json, plain, point_json, run_json
from .call import Answer, Call
from .visitor import READ

# How far back measurements are shown, if nobody says since when.
SHOWN = timedelta(days=90)
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


async def get_history(call: Call) -> Answer:
    """A user's measurements."""
    user = call.user().user.name
    until = call.given["until"] or call.parts.clock()
    since = call.given["since"] or max(until, _EARLIEST + SHOWN) - SHOWN
    points = call.given["points"]
    found = await call.parts.asking.ask(lambda past: past.series(user, since, until, points))
    items = [point_json(point) for point in found]
    return Answer({"name": user, "since": plain(since), "until": plain(until), "items": items})


async def list_user_changes(call: Call) -> Answer:
    """What happened to one user."""
    return await _changes(call, [call.user().user.name])


async def list_changes(call: Call) -> Answer:
    """What happened to all whom the visitor may see."""
    return await _changes(call, call.names())


async def _changes(call: Call, names: list[str] | None) -> Answer:
    given = call.given
    wanted: dict[str, Any] = {
        name: given[name] for name in ("kind", "since", "until", "limit", "offset")
    }
    page = await call.parts.asking.ask(lambda past: past.happened(names=names, **wanted))
    items = [happened_json(each) for each in page.rows]
    return Answer(page_json(items, page.total, given["limit"], given["offset"]))


async def list_runs(call: Call) -> Answer:
    """Runs of jobs: errors in them may name anybody, so they are for who may see all."""
    if not call.visitor.may_all(READ):
        raise web.HTTPError(403, f"Runs are for who has {READ} without a filter.")
    given = call.given
    wanted = {name: given[name] for name in ("outcome", "since", "until", "limit", "offset")}
    job = given["job"]
    page = await call.parts.asking.ask(lambda past: past.runs(name=job, **wanted))
    items = [run_json(run) for run in page.rows]
    return Answer(page_json(items, page.total, given["limit"], given["offset"]))
