"""CephFS: its metadata servers keep the sums of every directory, told as extended attributes.

The sums follow the files by some seconds, and include no snapshots.
"""

from __future__ import annotations

import os

from ...errors import CannotCount
from ...quota.usage import Usage
from .counter import Counter
from .open_home import OpenHome


class CephFS(Counter):
    """Recursive statistics of a directory. Whoever may list the home may ask."""

    name = "cephfs"
    kinds = ("ceph", "fuse.ceph-fuse", "fuse.ceph")

    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """The sums of the home. Raises CannotCount."""
        return Usage(
            bytes=_sum(home, "ceph.dir.rbytes"),
            files=_sum(home, "ceph.dir.rfiles"),
            dirs=_sum(home, "ceph.dir.rsubdirs"),  # the home itself among them
        )


def _sum(home: OpenHome, attribute: str) -> int:
    try:
        text = os.getxattr(home.proc_path, attribute)
    except PermissionError:
        raise CannotCount("It cannot be read: the service needs to run as root.") from None
    except OSError as error:
        raise CannotCount(
            f"It has no {attribute} ({error.strerror}): does an old client mount it?"
        ) from None
    # Digits and no more: damaged statistics are known to go below zero.
    if not text.isdigit():
        raise CannotCount(f"Its {attribute} is no count. Let Ceph scrub its statistics.")
    return int(text)
