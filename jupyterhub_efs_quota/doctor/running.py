"""The service that a hub started on this machine, found by its command and its address.

So that one command on the hub's machine sees what only the service is told: its token, and
where the hub is. The kernel shows it to whom the process belongs, and to root.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Running:
    """A running service. Its environment holds secrets, which no `repr` shows."""

    pid: int
    uid: int
    directory: Path
    environment: Mapping[str, str] = field(repr=False)


def find(name: str, command: Sequence[str], url: str) -> Running | None:
    """The service of that name, started with that command, that listens at that URL."""
    for process in _PROC.iterdir():
        if process.name.isdecimal() and _is(_command(process), list(command)):
            running = _running(process)
            told = running.environment if running else {}
            if (told.get("JUPYTERHUB_SERVICE_NAME"), told.get("JUPYTERHUB_SERVICE_URL")) == (
                name,
                url,
            ):
                return running
    return None


def _is(found: list[str], command: list[str]) -> bool:
    """Whether it is that command: itself, or as a script, with its interpreter before it."""
    script = found[1:2] and Path(found[1]).name == Path(command[0]).name
    return found == command or bool(script and found[2:] == command[1:])


def _command(process: Path) -> list[str]:
    try:
        return os.fsdecode((process / "cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return []


def _running(process: Path) -> Running | None:
    try:
        lines = os.fsdecode((process / "environ").read_bytes()).split("\0")
        return Running(
            pid=int(process.name),
            uid=process.stat().st_uid,
            directory=(process / "cwd").readlink(),
            environment=dict(line.split("=", 1) for line in lines if "=" in line),
        )
    except OSError:
        return None
