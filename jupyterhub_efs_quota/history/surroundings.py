"""What is remembered besides the users of the hub: the volume's fill, and who is gone.

Written by `writing.py`; asked by `History` for the administrator's overview. Blocking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, select

from . import tables
from .events import Fill
from .rows import insert_new
from .tables import latest, number_of, users


@dataclass(frozen=True)
class Gone:
    """A user whom the hub has no more: since when, and what was measured last."""

    user: str
    since: datetime
    counted: int | None
    measured: datetime | None


def write_fills(connection: Connection, events: Sequence[Fill]) -> None:
    """Write how full the volume was; of two monitors at the same moment one is enough."""
    rows = [{**asdict(event), "time": number_of(event.time)} for event in events]
    insert_new(connection, tables.fills, rows)


def fills(connection: Connection, since: datetime) -> list[Fill]:
    """How full the volume was since a time, in order."""
    columns = [tables.fills.c[field.name] for field in fields(Fill)]
    time = tables.fills.c.time
    found = connection.execute(select(*columns).where(time >= since).order_by(time))
    return [Fill(*row) for row in found]


def gone(connection: Connection) -> list[Gone]:
    """The users whom the hub has no more."""
    columns = (users.c.name, users.c.gone, latest.c.counted, latest.c.measured)
    statement = select(*columns).join_from(
        users, latest, latest.c.user_id == users.c.id, isouter=True
    )
    found = connection.execute(statement.where(users.c.gone.is_not(None)).order_by(users.c.name))
    return [
        Gone(name, since, None if measured is None else counted, measured)
        for name, since, counted, measured in found
    ]
