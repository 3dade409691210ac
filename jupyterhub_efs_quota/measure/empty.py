"""The empty home: looked at by the meters that cannot see that there is nothing."""

from __future__ import annotations

import os
from pathlib import Path

from ..quota.usage import Usage


def empty_home(home: str, meter: str) -> Usage | None:
    """The usage of an empty home; None if there is anything in it, or it cannot be read.

    An empty directory takes space too, in which it must not pass for a home that shrank:
    it may be the mount point of one that is not mounted.
    """
    try:
        with os.scandir(home) as entries:
            if next(entries, None) is not None:
                return None
        changed = Path(home).stat().st_mtime
    except OSError:
        return None
    return Usage(bytes=0, allocated=0, files=0, dirs=1, changed=changed, meter=meter)
