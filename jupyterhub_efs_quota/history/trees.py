"""What the last measurements told of each home besides its size: for the metrics after a restart.

Asked in parts by `metrics/recall.py`, since there may be a hundred thousand homes. Blocking.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, ScalarSelect, and_, func, select

from .tables import latest, measurements, summaries, users


@dataclass(frozen=True)
class Tree:
    """A user's home: its folders, and when the oldest and the newest file were modified.

    `number` is the user's, by which parts are asked for. `dirs` is None where no folders were
    counted. `summed_up`: whether a walk told how old the files are; if then there are no times,
    there were no files.
    """

    number: int
    user: str
    dirs: int | None
    summed_up: bool
    oldest: int | None = None
    newest: int | None = None


def trees(connection: Connection, after: int, most: int) -> list[Tree]:
    """The homes of so many users whom the hub has, in the order of their numbers, after one.

    From whole measurements only: what was cut short has not seen all files.
    """
    theirs = and_(summaries.c.user_id == users.c.id, summaries.c.week == _last_week())
    statement = (
        select(users.c.id, users.c.name, latest.c.dirs, latest.c.complete, summaries.c.data)
        .join(latest, latest.c.user_id == users.c.id, isouter=True)
        .join(summaries, theirs, isouter=True)
        .where(users.c.id > after, users.c.gone.is_(None))
        .order_by(users.c.id)
        .limit(most)
    )
    return [_tree(row) for row in connection.execute(statement)]


def _last_week() -> ScalarSelect[Any]:
    """That of a user's last summary that saw the whole home."""
    each = summaries.alias()
    cut_short = (
        select(measurements.c.user_id)
        .where(
            measurements.c.user_id == each.c.user_id,
            measurements.c.started == each.c.started,
            ~measurements.c.complete,
        )
        .exists()
    )
    last = select(func.max(each.c.week)).where(each.c.user_id == users.c.id, ~cut_short)
    return last.correlate(users).scalar_subquery()


def _tree(row: Any) -> Tree:
    dirs = row.dirs if row.complete else None
    if row.data is None:
        return Tree(row.id, row.name, dirs, summed_up=False)
    try:
        # Of all that a summary lists nothing else is wanted.
        values = json.loads(zlib.decompress(row.data))
        return Tree(row.id, row.name, dirs, True, values["oldest"], values["newest"])
    except (ValueError, KeyError, zlib.error):
        return Tree(row.id, row.name, dirs, summed_up=False)  # of another version
