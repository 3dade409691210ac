"""A user's record as the control file has it now, for pages and API."""

from __future__ import annotations

from ..errors import BrokenFile, EFSQuotaError
from ..quota.record import Record
from .parts import Parts

READ_TIMEOUT_SECS = 5.0


async def current_record(parts: Parts, user: str) -> tuple[Record | None, str | None]:
    """The user's record, and what is wrong with it; the last good one if it is broken."""
    row = parts.board.get(user)
    try:
        record = await parts.offload.run_within(READ_TIMEOUT_SECS, parts.store.read, user)
        if record is None:
            # No file is a new user; no directory is a store that is not mounted.
            await parts.offload.run_within(READ_TIMEOUT_SECS, parts.store.check)
    except BrokenFile:
        return row.record if row else None, "The quota file is damaged; these are older figures."
    except EFSQuotaError:
        return row.record if row else None, "The store does not answer; these are older figures."
    return record, None
