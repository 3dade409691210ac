"""Every meter by its name, and what it can tell.

Read by the settings, which refuse what cannot work, and by `counters`, which choose.
It loads nothing, since the hub's hook reads the settings too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

APPARENT, ALLOCATED = "apparent", "allocated"
# Where file systems show old copies of themselves. No counter counts those.
_SNAPSHOTS = frozenset({".snap", ".snapshot", ".zfs"})


@dataclass(frozen=True)
class Facts:
    """What a meter can tell.

    `sizes`: which of the two. `files`: how many there are, folders left out. `chooses`:
    it leaves out directories by name, and enters other mounts where that is asked for.
    """

    sizes: tuple[str, ...]
    files: bool = False
    chooses: bool = False

    def amiss(self, size_basis: str, *, cross_mounts: bool, skip: Sequence[str]) -> str | None:
        """Why this meter cannot measure under these settings, in words; None if it can."""
        if size_basis not in self.sizes:
            return f"it tells the {self.sizes[0]} size, and size_basis is {size_basis!r}"
        if not self.chooses and cross_mounts:
            return "it does not count other file systems inside a home, as cross_mounts wants"
        if not self.chooses and not _SNAPSHOTS.issuperset(skip):
            return "it counts all that is in a home, whatever skip_directories names"
        return None


_COUNTS_SPACE = Facts(sizes=(ALLOCATED,))

WALK, AUTO, DU = "walk", "auto", "du"
# The file systems' own counters.
COUNTERS = {
    "cephfs": Facts(sizes=(APPARENT,), files=True),
    "xfs": _COUNTS_SPACE,
    "ext4": _COUNTS_SPACE,
    "btrfs": _COUNTS_SPACE,
    "lustre": _COUNTS_SPACE,
    "lustre-user": _COUNTS_SPACE,
    "zfs": _COUNTS_SPACE,
    "zfs-user": _COUNTS_SPACE,
}
METERS = {
    WALK: Facts(sizes=(APPARENT, ALLOCATED), files=True, chooses=True),
    # Whatever no counter can tell, this one walks for.
    AUTO: Facts(sizes=(APPARENT, ALLOCATED), files=True, chooses=True),
    DU: Facts(sizes=(APPARENT, ALLOCATED), chooses=True),
    **COUNTERS,
}
