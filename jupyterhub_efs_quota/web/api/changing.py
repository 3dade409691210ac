"""The API's answers to who wants something done: measure now, set or reset a quota."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import quote

from tornado import web

from ...board import Row
from ...errors import HomeError, LockHeld, StoreError
from ...users.as_json import change_json
from ...users.change import Change, Wish
from ...users.plans import UNSURE
from ...users.told import why
from .call import Answer, Call
from .users import shown
from .visitor import MANAGE, READ

log = logging.getLogger(__name__)

# How long a change waits for the store.
CHANGE_SECS = 10.0


async def measure_user(call: Call) -> Answer:
    """Measure a home, or join the measurement that goes on."""
    own = call.visitor.is_own(call.name)
    row = call.user(READ if own else MANAGE)
    task = call.parts.measure(row.user.name, row.user)
    # Not cancelled with the request: others may wait for it too.
    done, _ = await asyncio.wait({task}, timeout=call.given["wait"])
    if not done:
        return _goes_on(call, row)
    try:
        task.result()
    except LockHeld:
        return _goes_on(call, row)  # somebody else measures it
    except (HomeError, FileNotFoundError) as error:
        reason = f"The home cannot be measured: {error}" if call.administers else why(error)
        raise web.HTTPError(409, "%s", reason) from error
    return Answer(await shown(call, call.user()))


def _goes_on(call: Call, row: Row) -> Answer:
    look = f"{call.base}/users/{quote(row.user.name, safe='')}"
    body = {"name": row.user.name, "measuring": True, "look": look}
    return Answer(body, 202, {"Location": look})


async def set_quota(call: Call) -> Answer:
    """Give a user another quota."""
    row, given = call.user(MANAGE), call.given
    wish = Wish(given["bytes"], given["files"], given["until"], given["reason"])
    quotas, by = call.parts.quotas, call.visitor.called
    return await _change(call, row, lambda: quotas.set(row.user, wish, by=by))


async def reset_quota(call: Call) -> Answer:
    """Give a user what the settings give."""
    row, reason = call.user(MANAGE), call.given["reason"]
    quotas, by = call.parts.quotas, call.visitor.called
    return await _change(call, row, lambda: quotas.reset(row.user, by=by, reason=reason))


async def _change(call: Call, row: Row, work: Callable[[], Change]) -> Answer:
    try:
        change = await call.parts.offload.run_within(CHANGE_SECS, work)
    except StoreError as error:
        call.parts.failed(error)
        reason = error if call.administers else why(error)
        raise web.HTTPError(503, "%s", f"{reason} {UNSURE}") from None
    log.info("%s changes a quota: %s", call.visitor.called, change.sentence)
    return Answer(change_json(change, await shown(call, row)))
