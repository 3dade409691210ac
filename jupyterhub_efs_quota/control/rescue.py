"""The rescue in a user's control file: read, decided and written under its lock.

Called by the spawn hook, or by the service for a hub that may not write; and by the loops.
Blocking. All raise StoreError, BrokenFile or LockHeld.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..quota import rescue
from ..quota.rescue import Admission, End, Server, Terms
from .store import ControlStore


def admit(
    store: ControlStore,
    user: str,
    server: Server,
    running: Sequence[Server],
    now: datetime,
    terms: Terms,
) -> Admission | None:
    """Let a server start as a rescue, and write that; None if the user is not locked out now.

    `running` are the user's servers that run or start.
    """
    with store.held(user) as held:
        record = held.read()
        if record is None or not rescue.locked(record):
            return None
        admission = rescue.admit(record, server, running, now, terms)
        if admission.granted:
            held.write(admission.record)
        return admission


def follow(
    store: ControlStore,
    user: str,
    running: Sequence[Server],
    now: datetime,
    terms: Terms | None,
    end: End | None = None,
    *,
    exempt: bool = False,
) -> None:
    """Keep up the rescue on record, as `quota.rescue.follow`; `end`: why it is ended now."""
    with store.held(user) as held:
        record = held.read()
        if record is None:
            return
        after = rescue.follow(record, running, now, terms, exempt=exempt)
        if end is not None and after.rescue_until is not None:
            after = rescue.ended(after, end, now)
        if after != record:
            held.write(after)


def forget(store: ControlStore, user: str) -> None:
    """Forget a rescue: its user starts a server that is none."""
    with store.held(user) as held:
        record = held.read()
        if record is not None and not rescue.locked(record):
            held.write(rescue.without(record))
