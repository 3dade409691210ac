"""Where the history database is: its URL made whole, and what kind of disk it lies on."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import SettingsError

# File systems that other machines reach too: SQLite's log wants memory that all share.
_OF_THE_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "smb2", "smb3", "smbfs", "virtiofs",
}  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")


def whole_url(text: str) -> URL:
    """The URL with the driver that we use, and with an absolute path. Raises SettingsError."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise SettingsError(f"c.EFSQuota.history_url = {text!r} is no URL of a database.") from None
    kind = url.get_backend_name()
    if kind in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite" or not url.database or url.database == ":memory:":
        raise SettingsError(
            "c.EFSQuota.history_url must be sqlite:///PATH or postgresql://USER@HOST/NAME."
        )
    return url.set(drivername="sqlite", database=str(Path(url.database).absolute()))


def file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The type of the file system that a path is on; None if the system does not tell."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
        real = path.resolve()
    except (OSError, RuntimeError):
        return None
    best, kind = -1, None
    for line in lines:
        left, _, right = line.partition(" - ")
        place = Path(_unescaped(left.split()[4]))
        # Of two mounts at one place the later one covers the other.
        if real.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), right.split()[0]
    return kind


def of_the_network(kind: str | None) -> bool:
    """Whether other machines may have this type of file system mounted too."""
    return kind in _OF_THE_NETWORK or (kind or "").startswith("fuse.")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
