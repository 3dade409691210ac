"""The runs of jobs, asked of the history. Blocking."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from .events import Run
from .reading import Page, columns_of
from .tables import BEGAN, marks, runs

LONGEST_RUN = timedelta(days=31)


def all_runs(
    connection: Connection,
    *,
    name: str | None = None,
    host: str | None = None,
    outcome: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    offset: int = 0,
    limit: int = 100,
) -> Page[Run]:
    """The runs of a job, or of all; the newest by its start first."""
    conditions: list[ColumnElement[bool]] = []
    if name is not None:
        conditions.append(runs.c.name == name)
    if host is not None:
        conditions.append(runs.c.host == host)
    if outcome is not None:
        conditions.append(runs.c.outcome == outcome)
    if since is not None:
        conditions.append(runs.c.started >= since)
    if until is not None:
        conditions.append(runs.c.started < until)
    statement = columns_of(Run, runs).where(*conditions)
    order = (runs.c.started.desc(), runs.c.id.desc())
    found = connection.execute(statement.order_by(*order).offset(offset).limit(limit))
    total = connection.scalar(select(func.count()).select_from(runs).where(*conditions))
    return Page([_run(row) for row in found], total or 0)


def job_runs(
    connection: Connection,
    name: str,
    *,
    host: str | None = None,
    outcomes: Collection[str] | None = None,
    completed_since: datetime | None = None,
    limit: int | None = 100,
) -> list[Run]:
    """The last runs of a job, the newest by its start first; not counted, so it is soon told."""
    conditions: list[ColumnElement[bool]] = [runs.c.name == name]
    if host is not None:
        conditions.append(runs.c.host == host)
    if outcomes is not None:
        conditions.append(runs.c.outcome.in_(sorted(outcomes)))
    if completed_since is not None:
        # Those that began long before are not looked for: no run takes as long.
        conditions.append(runs.c.started >= completed_since - LONGEST_RUN)
        conditions.append(runs.c.completed >= completed_since)
    statement = columns_of(Run, runs).where(*conditions).limit(limit)
    order = (runs.c.started.desc(), runs.c.id.desc())
    return [_run(row) for row in connection.execute(statement.order_by(*order))]


def job_names(connection: Connection, most: int | None = None) -> list[str]:
    """The names of all jobs that ever ran, as far as that is on record, or the first of them."""
    # From one name to the next by the index: there are few names, and many runs.
    names: list[str] = []
    while most is None or len(names) < most:
        statement = select(func.min(runs.c.name))
        if names:
            statement = statement.where(runs.c.name > names[-1])
        following = connection.scalar(statement)
        if following is None:
            break
        names.append(following)
    return names


def began(connection: Connection) -> datetime | None:
    """Since when runs are on record; None where nothing is."""
    mark = connection.scalar(select(marks.c.time).where(marks.c.name == BEGAN))
    first = connection.scalar(select(func.min(runs.c.started)))
    return min((time for time in (mark, first) if time is not None), default=None)


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)
    return Run(**{**values, "counts": json.loads(values["counts"])})
