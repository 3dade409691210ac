"""Who gets which limit: default < group < user < a hand edit of the control file.

A limit set over the API is such a hand edit, which may have an end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .record import DEFAULT_QUOTA_BYTES, Record, replace
from .sizes import GIB

HAND = "hand"
GRANDFATHERED = "grandfathered"


@dataclass(frozen=True)
class Limit:
    """A limit in bytes and in files (0: no limit on files), and which rule gave it."""

    bytes: int
    files: int = 0
    source: str = "default"


@dataclass(frozen=True)
class Limits:
    """The limits that the settings give, by group and user name."""

    default_bytes: int = DEFAULT_QUOTA_BYTES
    default_files: int = 0
    group_bytes: Mapping[str, int] = field(default_factory=dict)
    group_files: Mapping[str, int] = field(default_factory=dict)
    user_bytes: Mapping[str, int] = field(default_factory=dict)
    user_files: Mapping[str, int] = field(default_factory=dict)

    def limit_for(self, user: str, groups: Collection[str]) -> Limit:
        """The user's own limit, else the highest of their groups', else the default."""
        size, source = self.default_bytes, "default"
        best = max(
            (name for name in groups if name in self.group_bytes),
            # The name breaks a tie, so that the source does not flicker.
            key=lambda name: (self.group_bytes[name], name),
            default=None,
        )
        if best is not None:
            size, source = self.group_bytes[best], f"group:{best}"
        if user in self.user_bytes:
            size, source = self.user_bytes[user], "user"

        of_groups = [self.group_files[name] for name in groups if name in self.group_files]
        # 0 is "no limit", which is the highest.
        files = self.default_files if not of_groups else 0 if 0 in of_groups else max(of_groups)
        return Limit(size, self.user_files.get(user, files), source)

    def by_group(self, user: str) -> bool:
        """Whether this user's limit depends on their groups."""
        of_groups = bool(self.group_bytes) and user not in self.user_bytes
        return of_groups or (bool(self.group_files) and user not in self.user_files)


def apply_limit(record: Record, limit: Limit, *, grandfather: bool = False) -> Record:
    """The record under a limit of the settings, unless its own was set by hand.

    A hand edit shows in that `quota_bytes` (or `quota_files`) is not what the settings
    last gave. It wins until its `quota_until`, or until somebody resets it, as by writing
    another `quota_source` (`default`, say) into the file. A file without our fields comes
    from the predecessor, whose own default is 200 GiB: any other value there is a hand edit.

    `grandfather`: who is over the limit when we first see their record keeps what they have.
    """
    first_sight = record.quota_source is None
    if record.quota_source in (HAND, GRANDFATHERED):
        return record
    if record.configured_bytes is None:
        by_hand = first_sight and (
            record.quota_bytes != DEFAULT_QUOTA_BYTES or bool(record.quota_files)
        )
    else:
        by_hand = record.quota_bytes != record.configured_bytes or (record.quota_files or 0) != (
            record.configured_files or 0
        )
    if by_hand:
        return replace(
            record,
            quota_source=HAND,
            configured_bytes=None,
            configured_files=None,
            full_at=None,
            full_in=None,
        )
    files = limit.files or None
    if (record.configured_bytes, record.configured_files, record.quota_source) == (
        limit.bytes,
        files,
        limit.source,
    ):
        return record
    record = replace(
        record,
        quota_bytes=limit.bytes,
        quota_files=files,
        quota_source=limit.source,
        configured_bytes=limit.bytes,
        configured_files=files,
        quota_until=None,
        quota_reason=None,
        # It was foretold of the quota before: the next measurement says it anew.
        full_at=None,
        full_in=None,
    )
    return grandfathered(record) if grandfather and first_sight and record.over else record


def settle(
    record: Record,
    groups: Collection[str] | None,
    limits: Limits,
    now: datetime,
    *,
    grandfather: bool = False,
) -> Record:
    """The record under the limit that holds now: each loop calls it for each user.

    `groups` is None where the hub does not tell them. Then nobody falls back to a smaller
    quota, not even one whose own has ended.
    """
    if not record.quota_enabled or (groups is None and limits.by_group(record.user)):
        return record
    limit = limits.limit_for(record.user, groups or ())
    if has_ended(record, now):
        return reset(record, limit)
    return apply_limit(record, limit, grandfather=grandfather)


def has_ended(record: Record, now: datetime) -> bool:
    """Whether a quota that was set for a time is over."""
    return record.quota_until is not None and record.quota_until <= now


def reset(record: Record, limit: Limit) -> Record:
    """The record under a limit of the settings, whatever was set by hand before."""
    forgotten = replace(
        record,
        quota_source="default",
        configured_bytes=None,
        configured_files=None,
        quota_until=None,
        quota_reason=None,
    )
    return apply_limit(forgotten, limit)


def set_by_hand(
    record: Record, size: int, files: int, *, until: datetime | None, reason: str | None
) -> Record:
    """The record under a limit of its own, which wins over the settings: 0 is no limit on files."""
    return replace(
        record,
        quota_bytes=size,
        quota_files=files or None,
        quota_source=HAND,
        configured_bytes=None,
        configured_files=None,
        quota_until=until,
        quota_reason=reason,
        full_at=None,
        full_in=None,
    )


def grandfathered(record: Record) -> Record:
    """The record of a user who was over when first seen: the limit is today's usage.

    Bytes are rounded up to the next GiB, files to the next thousand, and only what is
    over is raised. Like a hand edit it stays until somebody resets it.
    """
    size, files = record.quota_bytes, record.quota_files
    if record.actual_bytes > size:
        size = -(-record.actual_bytes // GIB) * GIB
    if files and (record.usage_files or 0) > files:
        files = -(-(record.usage_files or 0) // 1000) * 1000
    return replace(
        record,
        quota_bytes=size,
        quota_files=files,
        quota_source=GRANDFATHERED,
        configured_bytes=None,
        configured_files=None,
        full_at=None,
        full_in=None,
    )
