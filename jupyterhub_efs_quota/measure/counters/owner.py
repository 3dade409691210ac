"""The owner of a home, for counters that count by user: Lustre and ZFS.

Such a figure is of all that the user owns on that file system, in the home or not, and
has nothing of what others own in the home. So `auto` never takes one.
"""

from __future__ import annotations

import os

from ...errors import CannotCount
from .neighbours import any_neighbour
from .open_home import OpenHome


def only_owner(home: OpenHome) -> int:
    """The number of the user who owns this home and none beside it. Raises CannotCount."""
    if not home.owner:
        raise CannotCount("It is root's: what root owns is not one user's.")
    if any_neighbour(home, lambda handle: os.fstat(handle).st_uid == home.owner):
        raise CannotCount("Its owner has other homes too, as where all servers run as one user.")
    return home.owner
