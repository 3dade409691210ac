"""The page of the visitor's own storage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from tornado import web

from ..history.reading import Point
from ..quota.changes import Changes, changes
from ..quota.forecast import Forecast, Outlook, forecast
from ..quota.record import Record
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
        rescue = None if self._exempt else rescue_of(parts, record, now)
        view = usage_view(record, now, keeps_servers=self._exempt) if record else None
        self.page(
            "mine.html",
            view=with_rescue(view, rescue),
            rescue=rescue,
            rescue_terms=parts.rescues.terms if parts.rescues else None,
            problem=problem,
            measuring=parts.measuring(name),
            said=self.get_query_argument("said", ""),
            free=self.settings["free"],
            plotly=self.settings["plotly"],
            xsrf_token=self.xsrf_token.decode(),
            **account(record, memory, now, allocated=parts.allocated),
        )

    @property
    def _exempt(self) -> bool:
        return self.parts.admins_exempt and self.current_user.get("admin") is True


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
    """The forecast, of bytes or of files, whichever is sooner full."""
    if record is None or not record.quota_enabled:
        return Forecast(Outlook.UNKNOWN)
    points = [point for point in memory.points if point.complete]
    bytes_ = forecast([(point.started, point.counted) for point in points], record.quota_bytes, now)
    if not record.quota_files:
        return bytes_
    counted = [(point.started, point.files) for point in points if point.files is not None]
    files = forecast(counted, record.quota_files, now)
    if files.when and (bytes_.when is None or files.when < bytes_.when):
        return files
    return bytes_


def _changes(memory: Memory, *, allocated: bool) -> Changes | None:
    if memory.now is None or memory.before is None:
        return None
    return changes(memory.before.summary, memory.now.summary, most=8, allocated=allocated)


def _days(points: Any) -> list[Point]:
    """The last measurement of each day, the newest first."""
    last = {point.started.date(): point for point in points}
    return [last[day] for day in sorted(last, reverse=True)]


def _figures(points: Any, outlook: Forecast, found: Where | None) -> dict[str, Any]:
    """What the pictures are made of."""
    return {
        "times": [point.started.isoformat() for point in points],
        "used": [point.counted for point in points],
        "quota": [point.quota_bytes for point in points],
        "full": outlook.when.isoformat() if outlook.when else None,
        "treemap": treemap(found.home) if found else None,
    }
