"""The API's answers about users: the table, one of them, why they stand so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tornado import web

from ...board import Problem, Row
from ...history.history import History
from ...quota.ahead import Lock
from ...users.as_json import page_json, plain, row_json, user_json
from ...users.table import GROWTH, Wanted, table
from ..current import current_record
from .call import Answer, Call


async def list_users(call: Call) -> Answer:
    """A page of the table."""
    given = call.given
    sort = given["sort"]
    wanted = Wanted(
        q=given["q"] or "",
        state=given["state"],
        group=given["group"],
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        offset=given["offset"],
        limit=given["limit"],
    )
    growth: Mapping[str, int | None] = {}
    if given["growth"] or wanted.sort == GROWTH:
        growth = await call.parts.asking.ask(History.growth)
    # Of a hundred thousand users it takes a moment.
    return Answer(await asyncio.to_thread(_page, call, wanted, growth))


def _page(call: Call, wanted: Wanted, growth: Mapping[str, int | None]) -> object:
    page = table(call.visible(wanted.group), wanted, growth)
    rows = [row_json(call.seen(row), growth.get(row.user.name)) for row in page.rows]
    return page_json(rows, page.total, wanted.limit, wanted.offset)


async def get_user(call: Call) -> Answer:
    """One user."""
    return Answer(await shown(call, call.user()))


async def shown(call: Call, row: Row) -> dict[str, Any]:
    """A user with the record as it stands now."""
    return told(call, await current(call, row))


def told(call: Call, row: Row) -> dict[str, Any]:
    """A user as the visitor may read of them."""
    parts, name = call.parts, row.user.name
    return user_json(
        call.seen(row),
        lock=lock_of(call, row),
        measuring=parts.measuring(name),
        own=parts.own_quota(row.user, row.record),
    )


def lock_of(call: Call, row: Row) -> Lock | None:
    """When the user is locked out, if that is to come."""
    parts = call.parts
    return None if row.record is None else parts.foresight.lock(row.record, parts.clock())


async def current(call: Call, row: Row) -> Row:
    """A user's row with the record as it stands now."""
    record, problem = await current_record(call.parts, row.user.name)
    if problem is None:
        return replace(row, record=record)
    problems = {**row.problems, "API": Problem(problem, "store", for_all=True)}
    return replace(row, record=record, problems=problems)


async def explain_user(call: Call) -> Answer:
    """Why a user stands so."""
    row = await current(call, call.user())
    if row.record is None:
        raise web.HTTPError(
            409, "There is no record of this user yet: the monitor makes it in its next cycle."
        )
    return Answer(plain(call.parts.quotas.explain(row.user, row.record)))
