"""What the walk in Python has counted so far: walkers find, one book counts.

Made by `twin.py` for each walk. Several threads may count into one book.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Sequence

from ...quota.usage import Usage
from ..summary.part import NAMES_KEPT, Identity, Link, Part, Path
from ..summary.tally import Opened, Tally
from ..task import Task

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

_BLOCK = 512
# The bits of a mode that say what it is, and what they may say. Plain numbers: a call of
# the stat module for each entry would show.
_KIND = 0o170000
_SIZED = (stat.S_IFREG, stat.S_IFLNK)


class Book:
    """The counts of a home, or of a part of it, with a tally if its task has rules.

    The counts have everything that was met, files with several names once.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._tally = None
        if task.rules is not None:
            self._tally = Tally(task.rules, allocated=task.allocated)
        # Size and blocks of files with several names, where no tally keeps them.
        self._linked: dict[Identity, tuple[int, int]] = {}
        self._bytes = self._allocated = self._files = self._dirs = 0
        self._unreadable = self._vanished = self._lost_dirs = 0
        self._names: list[str] = []
        self._left: list[Path] = []
        self.device = 0
        self.changed = 0.0

    def begin(self, path: Path, found: os.stat_result) -> Opened | None:
        """Count the home, or a folder where this part of it begins."""
        with self._lock:
            self._count_directory(found)
            return self._tally.begin(path, found.st_blocks) if self._tally else None

    def enter(self, parent: Opened | None, name: str, found: os.stat_result) -> Opened | None:
        """Count a folder that is entered; what it is to be counted under, if anything."""
        with self._lock:
            self._count_directory(found)
            if self._tally is None or parent is None:
                return None
            return self._tally.enter(parent, os.fsencode(name), found.st_blocks)

    @property
    def wants_names(self) -> bool:
        """Whether entries are to be counted with their names."""
        return self._tally is not None

    def count(
        self, folder: Opened | None, names: Sequence[str], entries: Sequence[os.stat_result]
    ) -> None:
        """Count some entries of a folder that are no folders; names only where wanted."""
        with self._lock:
            if self._tally is not None and folder is not None:
                self._count_with_details(self._tally, folder, names, entries)
            else:
                self._count(entries)

    def _count(self, entries: Sequence[os.stat_result]) -> None:
        """The loop that has to be quick."""
        size = blocks = files = 0
        linked = self._linked
        for found in entries:
            sized = found.st_mode & _KIND in _SIZED
            if found.st_nlink > 1:
                identity = (found.st_dev, found.st_ino)
                if identity in linked:
                    continue
                linked[identity] = (found.st_size, found.st_blocks) if sized else (0, 0)
            files += 1
            if sized:
                size += found.st_size
                blocks += found.st_blocks
        self._add(size, blocks, files)

    def _count_with_details(
        self,
        tally: Tally,
        folder: Opened,
        names: Sequence[str],
        entries: Sequence[os.stat_result],
    ) -> None:
        size = blocks = files = 0
        for name, found in zip(names, entries, strict=True):
            if tally.count(folder, os.fsencode(name), found):
                files += 1
                if found.st_mode & _KIND in _SIZED:
                    size += found.st_size
                    blocks += found.st_blocks
        self._add(size, blocks, files)

    def leave(self, folder: Opened | None) -> None:
        """Say that a folder has been read."""
        if self._tally is not None and folder is not None:
            with self._lock:
                self._tally.leave(folder)

    def hold(self, folder: Opened | None) -> None:
        """Say that something below a folder is given away, to be entered by another walker.

        To be left, once it is entered, or else handed over.
        """
        if self._tally is not None and folder is not None:
            with self._lock:
                self._tally.hold(folder)

    def hand_over(self, folder: Opened | None) -> None:
        """Say that what was given away from a folder is counted in another process."""
        if self._tally is not None and folder is not None:
            with self._lock:
                self._tally.keep_open(folder)

    def leave_to_others(self, folder: Opened | None, path: Path) -> None:
        """Say that the folder at `path`, which was given away from `folder`, is left."""
        self._left.append(path)
        self.hand_over(folder)

    def skipped(self, name: str, error: OSError, *, directory: bool = False) -> None:
        """Note an entry that could not be looked at; `directory`: known to be one."""
        number = error.errno or 0
        with self._lock:
            self._unreadable += 1
            if number in GONE:
                self._vanished += 1
                self._lost_dirs += directory
            else:
                # The first by name, so that they do not depend on the order of the walk.
                self._names = sorted([*self._names, show(os.fsencode(name), number)])[:NAMES_KEPT]

    @property
    def dirs(self) -> int:
        """How many directories were entered."""
        return self._dirs

    def counted(self) -> tuple[int, int, int]:
        """Files, bytes and folders so far."""
        return self._files, self._bytes, self._dirs

    def over_ceiling(self) -> bool:
        """Whether the home is proven over the ceiling of its task."""
        ceiling = self._task.ceiling
        return ceiling is not None and ceiling.passed(self._bytes, self._allocated, self._files)

    def part(self, *, timed_out: bool, proven_over: bool, shared: bool) -> Part:
        """What was counted; `shared`: other parts may hold further names of its files."""
        links = self._tally.links() if self._tally else self._plain_links() if shared else {}
        return Part(
            Usage(
                bytes=self._bytes - sum(link.bytes for link in links.values()),
                allocated=self._allocated - sum(link.allocated for link in links.values()),
                files=self._files - len(links),
                dirs=self._dirs,
                unreadable=self._unreadable,
                vanished=self._vanished,
                lost_dirs=self._lost_dirs,
                unreadable_names=tuple(self._names),
                changed=self.changed,
                timed_out=timed_out,
                proven_over=proven_over,
                meter="walk",
            ),
            links=links,
            left=self._left,
            details=self._tally.details() if self._tally else None,
            device=self.device,
        )

    def _plain_links(self) -> dict[Identity, Link]:
        return {
            identity: Link(size, blocks * _BLOCK, 0, 0, 0, 0, ())
            for identity, (size, blocks) in self._linked.items()
        }

    def _count_directory(self, found: os.stat_result) -> None:
        self._dirs += 1
        self._allocated += found.st_blocks * _BLOCK

    def _add(self, size: int, blocks: int, files: int) -> None:
        self._bytes += size
        self._allocated += blocks * _BLOCK
        self._files += files


def show(name: bytes, number: int) -> str:
    """A name that could not be read and why, for a log line; odd bytes are escaped."""
    shown = name.decode(errors="backslashreplace").encode("unicode_escape").decode()
    return f"{shown}: {os.strerror(number)}"
