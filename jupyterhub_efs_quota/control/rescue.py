"""The rescue in a user's control file: read, decided and written under its lock.

Called by the spawn hook, or by the service for a hub that may not write; and by the loops.
Blocking. All raise StoreError, BrokenFile or LockHeld.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ..quota import rescue
from ..quota.record import Record
from ..quota.rescue import Admission, Spawning, Terms
from .store import ControlStore


def admit(
    store: ControlStore, user: str, spawning: Spawning, now: datetime, terms: Terms
) -> Admission | None:
    """Let a server start as a rescue, and write that; None if the user is not locked out now."""
    with store.held(user) as held:
        record = held.read()
        if record is None or not rescue.locked(record):
            return None
        admission = rescue.admit(record, spawning, now, terms)
        if admission.granted:
            held.write(admission.record)
        return admission


def change(store: ControlStore, user: str, to: Callable[[Record], Record]) -> None:
    """Make another record of a user's, as it is now."""
    with store.held(user) as held:
        record = held.read()
        if record is not None and (after := to(record)) != record:
            held.write(after)


def forget(store: ControlStore, user: str) -> None:
    """Forget a rescue: its user, who is not locked out, starts a server that is none."""
    change(store, user, lambda record: record if rescue.locked(record) else rescue.without(record))
