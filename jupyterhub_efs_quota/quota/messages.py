"""The sentences that logs and `check` have always used: sites have alerts on them.

Word for word those of the STScI EFS quota system, double blanks included. Where a limit
on files, which it does not have, is the matter, they say files in place of bytes.
"""

from __future__ import annotations

import logging

from .record import Record, State
from .sizes import fixed_width_size


def reaped(record: Record, timeout_secs: float) -> tuple[int, str]:
    """The reaper's event line about a user: logging level and message."""
    user = record.user
    used, quota, unit = _amounts(record)
    exceeding = f"User {user} is using {used} {unit} exceeding quota {quota} {unit}."
    if record.quota_state is State.LOCKOUT:
        return logging.CRITICAL, f"{exceeding}  LOCKOUT."
    if record.quota_state is State.VIOLATION:
        return logging.ERROR, f"{exceeding}  Lockout disabled."
    if record.quota_state is State.TIMED_OUT:
        return (
            logging.WARNING,
            (
                f"Quota measurement for user {user} exceeded timeout {timeout_secs} secs."
                "  Usage unknown,  potentially high."
            ),
        )
    if record.quota_state is State.NEARING_LIMIT:
        return (
            logging.WARNING,
            (
                f"User {user} using {used} {unit} nearing limit of {quota} {unit}."
                f"  Fraction used: {record.fraction_used}"
            ),
        )
    return logging.INFO, f"Quota for {user} using {used} of {quota} {unit}.  OK."


def checked(record: Record) -> tuple[int, str]:
    """What `check` and the spawn page tell the user: logging level and message."""
    used, quota, unit = _amounts(record)
    permitted = f"You are using {used} {unit} of {quota} permitted {unit} of $HOME storage."
    exceeded = (
        f"You are using {used} {unit} but are only permitted {quota} {unit} of $HOME storage."
    )
    if not record.quota_enabled:
        return logging.INFO, "Quotas have been disabled for this user. Be responsible..."
    if record.quota_state is State.LOCKOUT:
        return logging.CRITICAL, f"{exceeded}  Logins are disabled."
    if record.quota_state is State.VIOLATION:
        return logging.ERROR, f"{exceeded}   Please reduce storage usage as soon as possible."
    if record.quota_state is State.TIMED_OUT:
        return (
            logging.WARNING,
            (
                "Measurement of your $HOME usage timed out and is assumed to be high. "
                f"Make sure your $HOME usage is below {quota} {unit} or logins may be disabled."
            ),
        )
    if record.quota_state is State.NEARING_LIMIT:
        return (
            logging.WARNING,
            f"{permitted}  If you exceed your quota logins may be disabled.",
        )
    return logging.INFO, f"{permitted}  Usage OK."


def updated(record: Record) -> str:
    """The monitor's line about a home that it has measured."""
    used, quota = fixed_width_size(record.actual_bytes), fixed_width_size(record.quota_bytes)
    return f"Updated quota for {record.user} using {used} of {quota} bytes."


def _amounts(record: Record) -> tuple[str, str, str]:
    """What is used, the quota and their unit: files where only these are the matter."""
    share = 1.0 if record.over else record.warn_fraction
    by_bytes = record.actual_bytes > record.quota_bytes * share
    by_files = bool(record.quota_files) and (record.usage_files or 0) > (
        (record.quota_files or 0) * share
    )
    if by_files and not by_bytes:
        return str(record.usage_files), str(record.quota_files), "files"
    return fixed_width_size(record.actual_bytes), fixed_width_size(record.quota_bytes), "bytes"


def waiting(secs: float, loop: str) -> str:
    """The last line of a cycle that was in time."""
    return f"Waiting {secs} seconds for next {loop} cycle."


def too_slow(secs: float, period_secs: float, loop: str) -> str:
    """The last line of a cycle that took longer than its period."""
    return (
        f"{loop} cycle is {secs} seconds too slow to sample every {period_secs}."
        "  Slow sampling may be mitigated by multiple monitors or few outlying users."
    )
