"""The sentences of logs and `check`, word for word: sites have alerts on them."""

import logging

import pytest

from jupyterhub_efs_quota.quota.messages import checked, reaped, too_slow, updated, waiting
from jupyterhub_efs_quota.quota.record import Record, State

MEASURED = Record(
    "homer@stsci.edu", quota_bytes=200 * 1024**3, actual_bytes=3_000_000, fraction_used=0.95
)


def in_state(state, **fields):
    from dataclasses import replace

    return replace(MEASURED, quota_state=State(state), **fields)


@pytest.mark.parametrize(
    "state, level, message",
    [
        ("ok", logging.INFO, "Quota for homer@stsci.edu using    2.9M of  200.0G bytes.  OK."),
        (
            "nearing-limit",
            logging.WARNING,
            "User homer@stsci.edu using    2.9M bytes nearing limit of  200.0G bytes."
            "  Fraction used: 0.95",
        ),
        (
            "timed-out",
            logging.WARNING,
            "Quota measurement for user homer@stsci.edu exceeded timeout 3600.0 secs."
            "  Usage unknown,  potentially high.",
        ),
        (
            "violation",
            logging.ERROR,
            "User homer@stsci.edu is using    2.9M bytes exceeding quota  200.0G bytes."
            "  Lockout disabled.",
        ),
        (
            "lockout",
            logging.CRITICAL,
            "User homer@stsci.edu is using    2.9M bytes exceeding quota  200.0G bytes.  LOCKOUT.",
        ),
    ],
)
def test_the_reapers_lines_are_the_predecessors(state, level, message):
    assert reaped(in_state(state), 3600.0) == (level, message)


@pytest.mark.parametrize(
    "state, level, message",
    [
        (
            "ok",
            logging.INFO,
            "You are using    2.9M bytes of  200.0G permitted bytes of $HOME storage.  Usage OK.",
        ),
        (
            "nearing-limit",
            logging.WARNING,
            "You are using    2.9M bytes of  200.0G permitted bytes of $HOME storage."
            "  If you exceed your quota logins may be disabled.",
        ),
        (
            "timed-out",
            logging.WARNING,
            "Measurement of your $HOME usage timed out and is assumed to be high. Make sure your"
            " $HOME usage is below  200.0G bytes or logins may be disabled.",
        ),
        (
            "violation",
            logging.ERROR,
            "You are using    2.9M bytes but are only permitted  200.0G bytes of $HOME storage."
            "   Please reduce storage usage as soon as possible.",
        ),
        (
            "lockout",
            logging.CRITICAL,
            "You are using    2.9M bytes but are only permitted  200.0G bytes of $HOME storage."
            "  Logins are disabled.",
        ),
    ],
)
def test_what_check_says_is_what_the_predecessor_says(state, level, message):
    assert checked(in_state(state)) == (level, message)


def test_check_tells_a_user_without_a_quota_so_whatever_the_state():
    record = in_state("lockout", quota_enabled=False)
    text = "Quotas have been disabled for this user. Be responsible..."
    assert checked(record) == (logging.INFO, text)


def test_the_monitors_line_is_the_predecessors():
    assert updated(MEASURED) == (
        "Updated quota for homer@stsci.edu using    2.9M of  200.0G bytes."
    )


def test_the_fraction_used_is_not_rounded():
    record = in_state("nearing-limit", fraction_used=0.9123456789012345)
    assert reaped(record, 1.0)[1].endswith("  Fraction used: 0.9123456789012345")


def test_a_cycle_ends_with_the_predecessors_lines():
    assert waiting(10.0, "Reaper") == "Waiting 10.0 seconds for next Reaper cycle."
    assert too_slow(6.0, 10.0, "Monitor") == (
        "Monitor cycle is 6.0 seconds too slow to sample every 10.0."
        "  Slow sampling may be mitigated by multiple monitors or few outlying users."
    )
