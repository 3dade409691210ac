"""What jobs and hosts may be called. Names stand in files, metrics and mails, one in a line."""

from __future__ import annotations

from ..errors import BadRun

LONGEST_NAME = 200
# What a cycle of ours is called: nobody else may report these.
MONITOR, REAPER, RESCUE, LIMBO = OWN_JOBS = ("monitor", "reaper", "rescue", "limbo")


def checked_name(name: object) -> str:
    """The name of a job. Raises BadRun, saying what is wrong with it."""
    return _checked(name, "name of a job")


def checked_host(name: object) -> str:
    """The name of a host, in which no colon is: HOST:NAME. Raises BadRun."""
    host = _checked(name, "name of a host")
    if ":" in host or host == "*":
        raise BadRun(f"{host!r} is no name of a host: it has no colon, and is not '*'.")
    return host


def _checked(name: object, what: str) -> str:
    if (
        not isinstance(name, str)
        or not name.isprintable()
        or name != name.strip()
        or not 0 < len(name) <= LONGEST_NAME
        # Where a note begins in the file of the jobs that are switched off.
        or name.startswith("#")
        or " #" in name
    ):
        shown = repr(name)[:60]
        raise BadRun(
            f"{shown} is no {what}: it has 1 to {LONGEST_NAME} characters that can be printed,"
            " no blank at either end, and no # at its beginning or after a blank."
        )
    return name
