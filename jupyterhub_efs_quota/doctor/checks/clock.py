"""The clocks: ours next to the hub's, and next to the file server's."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ...errors import HubUnreachable
from ...hub.ask import ask
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import SERVICE_ENVIRONMENT, Place

# A header is in whole seconds, and so is the time of a file on some stores.
_SLACK_SECS = 2.0
_WARN_SECS, _WRONG_SECS = 5.0, 60.0
_MEND = "timedatectl set-ntp true  # on this machine and on that one"


def look(place: Place) -> Iterator[Finding]:
    """Both of them."""
    yield _hub(place)
    if place.settings is not None:
        yield _store(Path(place.settings.quota_control))


def _hub(place: Place) -> Finding:
    what = "clock of the hub"
    if place.access is None:
        return not_looked_at(what, "The hub's address is not known here.", SERVICE_ENVIRONMENT)
    try:
        answer = ask(f"{place.access.api_url.rstrip('/')}/", place.access.tls)
    except HubUnreachable:
        return not_looked_at(what, "The hub does not answer.")
    if answer.date is None:
        return not_looked_at(what, "The hub's answer has no time.")
    early = (answer.asked - answer.date).total_seconds()
    late = -early - answer.secs
    return _judge(what, max(early, late), "who is active, and for how long, is judged wrongly")


def _store(control: Path) -> Finding:
    what = "clock of the store"
    before = time.time()
    try:
        # The server sets the time of what is written to it, not we.
        descriptor, name = tempfile.mkstemp(prefix=".efs-quota-doctor-", dir=control)
        try:
            os.write(descriptor, b"now")
            os.fsync(descriptor)
            written = os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
            Path(name).unlink()
    except OSError as error:
        return not_looked_at(what, f"{control} cannot be written: {error.strerror}.")
    off = max(before - written, written - time.time())
    return _judge(what, off, "the ages of files are wrong")


def _judge(what: str, off: float, so: str) -> Finding:
    """`off`: how far it is from ours, in seconds; less than nothing is within the question."""
    if off <= _SLACK_SECS:
        return ok(what, "It agrees with ours.")
    said = f"It is {off:.0f} seconds from ours"
    if off <= _WARN_SECS:
        return ok(what, f"{said}.")
    return (wrong if off > _WRONG_SECS else warning)(what, f"{said}: {so}.", _MEND)
