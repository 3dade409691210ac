"""What one measurement of one home found."""

from __future__ import annotations

from dataclasses import dataclass

from .summary import Summary


@dataclass(frozen=True)
class Usage:
    """What a home holds, and how sure that is.

    `bytes` is the apparent size, `allocated` the space taken on disk (512-byte blocks
    times 512); `files` counts everything that is not a directory, hard links once.
    None: this meter cannot tell.

    `unreadable` counts entries that were skipped, `vanished` those among them that
    were deleted while we looked (they are no loss), and `lost_dirs` those among these
    that were folders, which may have been moved to where we had looked.
    `timed_out`: the deadline passed.
    `changed`: when an entry of the home itself was last made or removed (Unix time).
    `proven_over`: stopped early, the home being over its limit beyond doubt. After
    either, the numbers are lower bounds. `summary`: where the space goes, if that was
    asked for and this meter can tell.
    `why_walked`: why the file system's own counter was not asked, where that was wanted.
    """

    bytes: int | None = None
    allocated: int | None = None
    files: int | None = None
    dirs: int | None = None
    unreadable: int = 0
    vanished: int = 0
    lost_dirs: int = 0
    unreadable_names: tuple[str, ...] = ()
    changed: float | None = None
    timed_out: bool = False
    proven_over: bool = False
    meter: str = "walk"
    summary: Summary | None = None
    why_walked: str = ""

    @property
    def complete(self) -> bool:
        """Whether the meter came to the end of the home."""
        return not (self.timed_out or self.proven_over)

    @property
    def hidden(self) -> int:
        """Entries that are there but could not be looked at."""
        return self.unreadable - self.vanished

    @property
    def empty(self) -> bool:
        """Whether nothing at all was found: as in an empty mount point."""
        return self.files == 0 and (self.dirs or 0) <= 1
