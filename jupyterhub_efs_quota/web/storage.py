"""The page of the visitor's own storage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from tornado import web

from ..history.reading import Point
from ..quota import ahead
from ..quota.ahead import Foresight, Lock
from ..quota.changes import Changes, changes
from ..quota.forecast import Amount, Forecast, Outlook
from ..quota.record import Record
from ..quota.times import time_left
from .current import current_record
from .handlers import Handler
from .memory import Memory, remember
from .plotly import PLOTLY_STYLES
from .rescue import rescue_of, with_rescue
from .show import usage_view
from .where import Where, treemap, where


class MyStorage(Handler):
    """The visitor's own storage."""

    styles = PLOTLY_STYLES

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        name, parts = self.own_name, self.parts
        now = parts.clock()
        (record, problem), memory = await asyncio.gather(
            current_record(parts, name), remember(parts, name, now)
        )
        rescue = None if self.keeps_servers else rescue_of(parts, record, now)
        view = usage_view(record, now, keeps_servers=self.keeps_servers) if record else None
        told = account(record, memory, now, allocated=parts.allocated)
        self.page(
            "mine.html",
            view=with_rescue(view, rescue),
            rescue=rescue,
            rescue_terms=parts.rescues.terms if parts.rescues else None,
            problem=problem,
            own_quota=parts.own_quota(self.own_user, record),
            keeps_servers=self.keeps_servers,
            measuring=parts.measuring(name),
            said=self.get_query_argument("said", ""),
            free=self.settings["free"],
            plotly=self.settings["plotly"],
            xsrf_token=self.xsrf_token.decode(),
            **told,
            coming=_coming(record, told, now, parts.foresight, exempt=self.keeps_servers),
        )


@dataclass(frozen=True)
class Coming:
    """What is to come: the lockout, the time that is left ("": none), and when it is soon full.

    `in_files`: it is their number that will be at its limit, not the bytes.
    """

    lock: Lock | None = None
    left: str = ""
    full_soon: datetime | None = None
    in_files: bool = False


def _coming(
    record: Record | None,
    told: dict[str, Any],
    now: datetime,
    foresight: Foresight,
    *,
    exempt: bool,
) -> Coming:
    """What is to come by the record and by `told`, the account of the history."""
    if record is None:
        return Coming()
    if told["memory"].points:
        # As fresh as the curve; the record says what the last measurement foretold.
        record = ahead.with_forecast(record, told["outlook"])
    lock = None if exempt else foresight.lock(record, now)
    left = time_left(lock.at, now) if lock else ""
    full_soon = foresight.full_soon(record, now)
    return Coming(lock, left, full_soon, in_files=ahead.full_in_files(record))


def account(
    record: Record | None,
    memory: Memory,
    now: datetime,
    *,
    allocated: bool,
    names: bool = True,
) -> dict[str, Any]:
    """What the history has to tell, as the templates want it.

    Without `names` there are no names of folders and files in it: for who leads a group.
    """
    found = where(memory.now.summary, allocated=allocated) if memory.now and names else None
    changed = _changes(memory, allocated=allocated)
    outlook = _outlook(record, memory, now)
    return {
        "memory": memory,
        "days": _days(memory.points),
        "outlook": outlook,
        "where": found,
        "changes": changed if names or changed is None else replace(changed, folders=()),
        "figures": _figures(memory.points, outlook, found),
    }


def _outlook(record: Record | None, memory: Memory, now: datetime) -> Forecast:
    return ahead.outlook(record, memory.points, now) if record else Forecast(Outlook.UNKNOWN)


def _changes(memory: Memory, *, allocated: bool) -> Changes | None:
    if memory.now is None or memory.before is None:
        return None
    return changes(memory.before.summary, memory.now.summary, most=8, allocated=allocated)


def _days(points: Any) -> list[Point]:
    """The last measurement of each day (UTC, as the forecast has it), the newest first."""
    last = {point.started.astimezone(timezone.utc).date(): point for point in points}
    return [last[day] for day in sorted(last, reverse=True)]


def _figures(points: Any, outlook: Forecast, found: Where | None) -> dict[str, Any]:
    """What the pictures are made of."""
    return {
        "times": [point.started.isoformat() for point in points],
        "used": [point.counted for point in points],
        "quota": [point.quota_bytes for point in points],
        # The curve is one of bytes, and files are not.
        "full": outlook.when.isoformat()
        if outlook.when and outlook.amount is Amount.BYTES
        else None,
        "treemap": treemap(found.home) if found else None,
    }
