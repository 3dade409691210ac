"""Deleting: whether the service can write the homes where it should, and limbo is of use."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...measure.counters.open_home import Mount
from ...settings import EFSQuota
from ..finding import Finding, not_looked_at, ok, wrong
from ..mounted import mount_of, mounts
from ..place import ELSEWHERE, Place
from .settings import user_name

HOMES, LIMBO = "writing to the homes", "limbo"
# Homes are alike: a few show whether they are on file systems of their own.
_HOMES = 20
_NAME = ".efs-quota-limbo"


@dataclass(frozen=True)
class _At:
    """A directory, and where it lies: a rename needs the same device, and the same mount."""

    path: Path
    device: int
    mount: Mount | None
    owner: int
    read_only: bool

    def with_(self, other: _At) -> bool:
        """Whether something can be moved from one to the other."""
        return (self.device, self.mount) == (other.device, other.mount)

    @property
    def point(self) -> Path:
        """Where its file system is mounted."""
        return Path(self.mount.point) if self.mount else self.path


def look(place: Place) -> Iterator[Finding]:
    """The homes, then limbo, where users are to delete."""
    settings = place.settings
    if settings is None:
        return
    if place.service_elsewhere:
        if settings.allow_delete:
            yield not_looked_at(HOMES, "The service has the homes, on another machine.", ELSEWHERE)
        return
    table = mounts()
    try:
        root = _at(Path(settings.home_root), table)
        homes = [_at(path, table) for path in islice(_homes(settings), _HOMES)] or [root]
    except OSError:
        return  # what is wrong with the home root is said by the mounts
    if not settings.allow_delete:
        yield _need_not(root)
        return
    uid = place.running.uid if place.running is not None else os.geteuid()
    yield _writable(homes, uid)
    yield _limbo(settings, root, homes, table, uid)


def _need_not(root: _At) -> Finding:
    """Nothing is deleted: the service does not write there."""
    if root.read_only:
        return ok(
            HOMES, f"{root.path} is mounted read-only, as is right while allow_delete is off."
        )
    return ok(HOMES, f"{root.path} is only read, since allow_delete is off.")


def _writable(homes: Sequence[_At], uid: int) -> Finding:
    locked = next((home for home in homes if home.read_only), None)
    if locked is not None:
        return wrong(
            HOMES,
            f"{locked.path} is mounted read-only, and allow_delete is on: nobody can delete.",
            f"mount -o remount,rw {_quoted(locked.point)}",
        )
    foreign = next((home for home in homes if uid not in (0, home.owner)), None)
    if foreign is not None:
        return wrong(
            HOMES,
            f"{foreign.path} belongs to {user_name(foreign.owner)}, for whom"
            f" {user_name(uid)} may not delete.",
            "Run the service as root, or as the one user whom all homes belong to",
        )
    return ok(HOMES, f"{homes[0].path} can be written by {user_name(uid)}.")


def _limbo(
    settings: EFSQuota, root: _At, homes: Sequence[_At], table: list[Mount], uid: int
) -> Finding:
    limbo = settings.limbo_place()
    mend = _better(settings, root, homes)
    if _in_a_home(settings, limbo):
        return wrong(LIMBO, f"{limbo} lies in a home, whose user could get at it.", mend)
    try:
        there = _at(limbo if os.path.lexists(limbo) else limbo.parent, table)
    except OSError as error:
        return wrong(LIMBO, f"{limbo.parent}: {error.strerror}: no limbo can be made there.", mend)
    apart = next((home for home in homes if not home.with_(there)), None)
    if apart is not None:
        return _apart(settings, limbo, there, apart, mend)
    return _own(limbo, there, uid) or ok(
        LIMBO, f"{limbo} is on the file system of the homes, mounted at {there.point}."
    )


def _apart(settings: EFSQuota, limbo: Path, there: _At, home: _At, mend: str) -> Finding:
    said = (
        f"{limbo} is on what is mounted at {there.point}, and {home.path} on what is mounted at"
        f" {home.point}: nothing can be moved from one to the other."
    )
    if not settings.limbo_share:
        return ok(LIMBO, f"{said} limbo_share is 0, so all is deleted for good.")
    return wrong(LIMBO, f"{said} Users can only delete for good.", mend)


def _own(limbo: Path, there: _At, uid: int) -> Finding | None:
    """What keeps the service from having it for itself, if anything does."""
    if there.read_only:
        mend = f"mount -o remount,rw {_quoted(there.point)}"
        return wrong(LIMBO, f"{there.path} is mounted read-only.", mend)
    make = f"install -d -m 0700 -o {user_name(uid)} {_quoted(limbo)}"
    try:
        found = limbo.lstat()
    except OSError:
        able = uid != os.geteuid() or os.access(there.path, os.W_OK | os.X_OK)
        return None if able else wrong(LIMBO, f"{limbo} cannot be made by {user_name(uid)}.", make)
    if not stat.S_ISDIR(found.st_mode):
        return wrong(LIMBO, f"{limbo} is no directory.", f"ls -l {_quoted(limbo)}")
    if found.st_uid != uid or found.st_mode & 0o077:
        return wrong(
            LIMBO,
            f"{limbo} belongs to {user_name(found.st_uid)} with the mode"
            f" {stat.S_IMODE(found.st_mode):04o}, and is not used: it must be {user_name(uid)}'s"
            " alone.",
            make,
        )
    return None


def _better(settings: EFSQuota, root: _At, homes: Sequence[_At]) -> str:
    """The line that puts limbo where all homes are; where there is no such place, does without."""
    for place in (root, homes[0]):
        above = place.path if place is root else place.point
        usable = not _in_a_home(settings, above / _NAME)
        if usable and all(home.with_(place) for home in homes):
            return f'c.EFSQuota.limbo = "{above / _NAME}"'
    return "c.EFSQuota.limbo_share = 0  # no place is on the file system of all homes"


def _in_a_home(settings: EFSQuota, path: Path) -> bool:
    root = Path(settings.home_root)
    inside = path.is_relative_to(root) and len(path.parts) - len(root.parts) > _depth(settings)
    return inside or path == root


def _depth(settings: EFSQuota) -> int:
    """How deep below the home root homes are."""
    if callable(settings.home_path):
        return 1
    return len(settings.homes().named("a").parts) - len(Path(settings.home_root).parts)


def _homes(settings: EFSQuota) -> Iterator[Path]:
    yield from _below(Path(settings.home_root), _depth(settings))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
                continue
            if depth == 1:
                yield Path(entry.path)
                continue
            with suppress(OSError):
                yield from _below(Path(entry.path), depth - 1)


def _at(path: Path, table: list[Mount]) -> _At:
    real = path.resolve(strict=True)
    found, disk = real.stat(), os.statvfs(real)
    read_only = bool(disk.f_flag & os.ST_RDONLY)
    return _At(path, found.st_dev, mount_of(real, table), found.st_uid, read_only)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
