"""What is mounted where, by /proc and /etc/fstab: nothing is asked of a mount itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..measure.counters.open_home import Mount, parse_mount

_TABLE = Path("/proc/self/mountinfo")
_WANTED = Path("/etc/fstab")
# Where a container keeps what is lost with it.
PASSING = frozenset({"overlay", "aufs", "tmpfs", "ramfs"})


def mounts(table: Path = _TABLE) -> list[Mount]:
    """All mounts, in the order in which they were made."""
    return [parse_mount(line) for line in table.read_bytes().splitlines()]


def mount_of(path: Path, table: list[Mount]) -> Mount | None:
    """The mount that a path without links is on: the deepest, and of two the later one."""
    best = None
    for mount in table:
        if path.is_relative_to(mount.point) and (
            best is None or len(Path(mount.point).parts) >= len(Path(best.point).parts)
        ):
            best = mount
    return best


def unmounted(path: Path, table: list[Mount], wanted: Path = _WANTED) -> str | None:
    """A directory on the way to a path that fstab wants mounted, and that is not."""
    there = {mount.point for mount in table}
    for point in _points(wanted):
        if point != "/" and path.is_relative_to(point) and os.path.realpath(point) not in there:
            return point
    return None


def _points(wanted: Path) -> Iterator[str]:
    try:
        lines = wanted.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and not line.lstrip().startswith("#") and fields[1].startswith("/"):
            yield fields[1].replace("\\040", " ")
