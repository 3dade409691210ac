"""The note that lies beside each thing in limbo: what it is, whose, from where, since when.

Pure. Written before the thing is moved, so that what is in limbo always has one.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from ..quota.summary import Sums
from .paths import Names, parse, quoted

_KEY = re.compile(r"[0-9]{1,12}-[0-9a-f]{16}")


@dataclass(frozen=True)
class Note:
    """`key` names the thing in the user's drawer, `names` its path in the home.

    `by` took it there at `time`, on errand `errand`. `inode` and `mode` are what it had.
    `sums` are None until it has been weighed; `others` is how many entries in it belong to
    somebody else.
    """

    key: str
    user: str
    names: Names
    time: datetime
    by: str
    errand: str
    inode: int
    mode: int
    sums: Sums | None = None
    others: int = 0

    def due(self, limbo_days: float) -> datetime:
        """When it is purged."""
        return self.time + timedelta(days=limbo_days)


def new_key(now: datetime) -> str:
    """A name in a drawer that is not used yet; later ones sort after earlier ones."""
    return f"{int(now.timestamp()):010d}-{secrets.token_hex(8)}"


def is_key(text: str) -> bool:
    """Whether this names a thing in a drawer: what a browser sends may be anything."""
    return _KEY.fullmatch(text) is not None


def dump(note: Note) -> bytes:
    """The note as the file beside the thing."""
    values = {**asdict(note), "names": quoted(note.names), "time": note.time.isoformat()}
    return json.dumps(values).encode()


def load(data: bytes) -> Note:
    """The note in such a file. Raises ValueError."""
    try:
        values = json.loads(data)
        sums = values.pop("sums")
        values["names"] = parse(values["names"])
        values["time"] = datetime.fromisoformat(values["time"])
        return Note(**values, sums=None if sums is None else Sums(*sums))
    except Exception as error:  # whatever a damaged file holds
        raise ValueError(f"no note: {error}") from None
