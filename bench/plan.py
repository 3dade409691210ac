"""What a run is asked for, and where its trees lie. Handed to every part."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .timing import BenchError

# What an entry takes while a tree lies there: ext4 has one inode for each 16 KiB, and a small
# file takes a block.
_BYTES_AN_ENTRY = 1024


@dataclass(frozen=True)
class Plan:
    """How much is to be measured, and where.

    `scale`: sizes of trees are multiplied by it; 1 are those of the targets. `pairs`: how
    many runs of each side by side.
    """

    place: Path
    pairs: int = 7
    scale: float = 1.0

    def sized(self, entries: int) -> int:
        """A number of entries, at the scale of this run."""
        return max(50, round(entries * self.scale))

    def tree(self, name: str, entries: int, make: Callable[[Path], None]) -> Path:
        """The tree of that name and size, made by `make` unless it is there already.

        Raises BenchError if the disk is too small for it.
        """
        tree = self.place / f"{name}-{entries}"
        if tree.is_dir():
            return tree
        self._check_room(entries)
        unfinished = tree.with_suffix(".unfinished")
        remove(unfinished)
        make(unfinished)
        unfinished.rename(tree)
        return tree

    def _check_room(self, entries: int) -> None:
        room = os.statvfs(self.place)
        # A file system that makes inodes as it needs them says 0 or very many.
        if room.f_files and room.f_favail < entries * 1.05:
            raise BenchError(f"{entries:,} entries, and {room.f_favail:,} inodes are free")
        if room.f_bavail * room.f_frsize < entries * _BYTES_AN_ENTRY:
            raise BenchError(f"{entries:,} entries need {entries * _BYTES_AN_ENTRY >> 30} GiB")


def prepare(place: Path) -> None:
    """Make the directory for the trees, for this user alone. Raises BenchError if it is not."""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.lstat()
    except OSError as error:
        raise BenchError(f"{place} cannot be made: {error.strerror}") from None
    if found.st_uid != os.getuid() or place.is_symlink():
        raise BenchError(f"{place} is another user's. Name another directory with --dir.")


def remove(tree: Path) -> None:
    """Remove a tree, however deep: `shutil.rmtree` calls itself at each level."""
    if tree.exists():
        rm = shutil.which("rm") or "/bin/rm"
        subprocess.run([rm, "-rf", "--one-file-system", str(tree)], check=True)
