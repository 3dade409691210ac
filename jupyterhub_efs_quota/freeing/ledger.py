"""Receipts: what was put aside, brought back or deleted of a user's, when, by whom, how large.

Lines of JSON in the user's drawer, of which the last few thousand are kept.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from ..quota.summary import Sums
from .limbo import Drawer
from .paths import Names, parse, quoted

log = logging.getLogger(__name__)

_FILE, _OLD = b"receipts", b"receipts.old"
# Two files of this size are kept: some 10,000 lines.
_MOST_BYTES = 2 << 20
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# What was done.
ASIDE = "put into limbo"
BACK = "brought back"
ERASED = "deleted for good"
PURGED = "purged from limbo"


@dataclass(frozen=True)
class Receipt:
    """One thing that was done; `errand` is the same for all of one click.

    `sums` are None where nobody has weighed it. `note` says what is to be known besides.
    """

    errand: str
    time: datetime
    by: str
    done: str
    names: Names
    sums: Sums | None = None
    note: str = ""


def append(drawer: Drawer, receipts: Iterable[Receipt]) -> None:
    """Put some on record. A full store keeps none, and stops nobody from freeing it."""
    lines = b"".join(as_line(receipt) for receipt in receipts)
    if not lines:
        return
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _FLAGS
        handle = os.open(_FILE, flags, 0o600, dir_fd=drawer.handle)
        try:
            os.write(handle, lines)
            os.fsync(handle)
            full = os.fstat(handle).st_size > _MOST_BYTES
        finally:
            os.close(handle)
        if full:
            os.rename(_FILE, _OLD, src_dir_fd=drawer.handle, dst_dir_fd=drawer.handle)
    except OSError as error:
        log.warning("A receipt of %s is not kept: %s", drawer.user, error.strerror)


def read(drawer: Drawer) -> list[Receipt]:
    """All that is on record, the oldest first. What is damaged is left out."""
    found = []
    for name in (_OLD, _FILE):
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=drawer.handle)
            with open(handle, "rb") as lines:
                for line in lines:
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        found.append(_load(line))
    return found


def as_line(receipt: Receipt) -> bytes:
    """A receipt as a line of JSON."""
    values = {
        **asdict(receipt),
        "names": quoted(receipt.names),
        "time": receipt.time.isoformat(),
    }
    return json.dumps(values).encode() + b"\n"


def _load(line: bytes) -> Receipt:
    values = json.loads(line)
    sums = values.pop("sums")
    values["names"] = parse(values["names"])
    values["time"] = datetime.fromisoformat(values["time"])
    return Receipt(**values, sums=None if sums is None else Sums(*sums))
