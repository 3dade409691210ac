"""The home root and the control directory: there, mounted, and with the right permissions."""

from __future__ import annotations

import os
import re
import shlex
import stat
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ...control.store import RECORD
from ...measure.counters.open_home import Mount
from ...quota.sizes import MIB, format_size
from ...settings import EFSQuota
from ...words.figures import counted
from ..finding import Finding, Status, not_looked_at, ok, warning, wrong
from ..mounted import PASSING, mount_of, mounts, unmounted
from ..place import ELSEWHERE, Place
from .settings import user_name

HOMES, CONTROL = "home root", "control directory"
# Folders of users that are looked at: permissions are right or wrong for all alike.
_MOST_FOLDERS = 500
_FEW = 3
# What a user's name becomes; other files may lie beside these folders.
_FOLDER = re.compile(r"[A-Za-z0-9-]+")
_TEMPORARY = ".efs-quota-doctor-"
_LEAST_BYTES, _LEAST_SHARE = 100 * MIB, 0.01
_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def look(place: Place) -> Iterator[Finding]:
    """Both directories, then what is in them."""
    if place.settings is None:
        return
    table = mounts()
    homes, control = Path(place.settings.home_root), Path(place.settings.quota_control)
    if place.service_elsewhere and not homes.exists():
        said = f"{homes} is not on this machine, and need not be: the service measures elsewhere."
        yield not_looked_at(HOMES, said, ELSEWHERE)
    else:
        found = list(_directory(HOMES, homes, table))
        yield from found
        if not any(finding.mend for finding in found):
            yield from _inside_homes(place.settings, homes, table)
    found = list(_directory(CONTROL, control, table))
    yield from found
    if any(finding.status is Status.WRONG for finding in found):
        return
    yield _writable(place, control)
    yield _permissions(place, control)
    yield _space(control)


def _directory(what: str, path: Path, table: list[Mount]) -> Iterator[Finding]:
    """Whether it is there, can be read, and is on what it should be on."""
    missing = unmounted(path, table)
    if missing is not None:
        yield wrong(
            what, f"{path}: /etc/fstab has {missing}, which is not mounted.", _mount(missing)
        )
        return
    try:
        real = path.resolve(strict=True)
        with os.scandir(real) as entries:
            empty = next(entries, None) is None
    except OSError as error:
        yield _unreadable(what, path, error)
        return
    mount = mount_of(real, table)
    on = f"{mount.kind}, mounted at {mount.point}" if mount else "an unknown file system"
    setting = "home_root" if what == HOMES else "quota_control"
    if mount is not None and mount.kind in PASSING:
        yield warning(
            what,
            f"{path} is on {on}: what is there is gone after a restart, and other machines have"
            " something else.",
            f"Mount the shared store there, or set c.EFSQuota.{setting} to where it is mounted",
        )
    elif empty and what == HOMES:
        yield warning(
            what,
            f"{path} is empty, on {on}: is the store with the homes mounted there?",
            f"findmnt {_quoted(path)}; mount it, or set c.EFSQuota.home_root",
        )
    else:
        yield ok(what, f"{path} can be read; it is on {on}.")


def _unreadable(what: str, path: Path, error: OSError) -> Finding:
    setting = "home_root" if what == HOMES else "quota_control"
    said = f"{path}: {error.strerror}."
    if isinstance(error, FileNotFoundError):
        made = f"mkdir {_quoted(path)}, or " if what == CONTROL else "Mount the store, or "
        return wrong(what, said, f"{made}set c.EFSQuota.{setting} to where it is")
    if isinstance(error, PermissionError):
        me = user_name(os.geteuid())
        return wrong(
            what,
            f"{said} This runs as {me}.",
            f"chmod o+rx {_quoted(path)}, or run the service as root",
        )
    return wrong(what, said, f"umount -l {_quoted(path)}; mount {_quoted(path)}")


def _inside_homes(settings: EFSQuota, root: Path, table: list[Mount]) -> Iterator[Finding]:
    """Other file systems mounted deeper than a home is: they are not counted."""
    if settings.cross_mounts or callable(settings.home_path):
        return
    real = root.resolve()
    depth = len(settings.homes().named("a").parts) - len(root.parts)
    points = [Path(mount.point) for mount in table]
    inside = [
        point
        for point in points
        if point.is_relative_to(real) and len(point.parts) - len(real.parts) > depth
    ]
    if inside:
        yield warning(
            HOMES,
            f"{counted(len(inside), 'file system is', 'file systems are')} mounted inside homes,"
            f" as at {inside[0]}, and not counted with them.",
            "c.EFSQuota.cross_mounts = True  # if they should be",
        )


def _writable(place: Place, control: Path) -> Finding:
    what = f"writing to the {CONTROL}"
    if os.statvfs(control).f_flag & os.ST_RDONLY:
        if place.service_elsewhere:
            return ok(what, f"{control} is mounted read-only here: the hub only needs to read it.")
        return wrong(
            what, f"{control} is mounted read-only.", f"mount -o remount,rw {_point(control)}"
        )
    try:
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=control)
        os.close(descriptor)
        Path(name).unlink()
    except OSError as error:
        if place.service_elsewhere:
            return ok(what, f"{control} is read here only, which is enough for the hub.")
        me = user_name(os.geteuid())
        return wrong(
            what,
            f"{control} cannot be written by {me}: {error.strerror}.",
            f"chown {me} {_quoted(control)}"
            if isinstance(error, PermissionError)
            else f"df -h {_quoted(control)}; df -i {_quoted(control)}",
        )
    return ok(what, f"{control} can be written.")


def _permissions(place: Place, control: Path) -> Finding:
    what = f"permissions of the {CONTROL}"
    root = control.stat()
    trusted = {0, root.st_uid, os.geteuid()} | ({place.running.uid} if place.running else set())
    if root.st_mode & _BY_OTHERS:
        return wrong(
            what,
            f"{control} has the mode {_mode(root)}: others can remove the control files.",
            f"chmod 0755 {_quoted(control)}",
        )
    with os.scandir(control) as entries:
        folders = list(islice((e for e in entries if _FOLDER.fullmatch(e.name)), _MOST_FOLDERS))
    bad = [trouble for entry in folders for trouble in _of_folder(Path(entry.path), trusted)]
    if bad:
        serious = [trouble for trouble in bad if trouble.status is Status.WRONG]
        first = (serious or bad)[0]
        if len(bad) > 1:
            said = f"{first.said} So it is at {counted(len(bad), 'place')} of those looked at."
            return Finding(what, first.status, said, first.mend)
        return Finding(what, first.status, first.said, first.mend)
    return ok(what, f"{control} and {counted(len(folders), 'folder')} in it: 0755, files 0644.")


def _of_folder(folder: Path, trusted: set[int]) -> Iterator[Finding]:
    for path, mode in ((folder, 0o755), (folder / RECORD, 0o644)):
        try:
            found = path.lstat()
        except OSError:
            continue
        right = stat.S_ISDIR if mode == 0o755 else stat.S_ISREG
        if not right(found.st_mode):
            kind = "folder" if mode == 0o755 else "regular file"
            yield wrong("", f"{path} is no {kind}: it is not used.", f"ls -l {_quoted(path)}")
        elif found.st_mode & _BY_OTHERS:
            yield wrong(
                "",
                f"{path} has the mode {_mode(found)}: others can change it.",
                f"chmod {mode:04o} {_quoted(path)}",
            )
        elif found.st_uid not in trusted:
            yield wrong(
                "",
                f"{path} belongs to {user_name(found.st_uid)}, who can change it.",
                f"chown {user_name(os.geteuid())} {_quoted(path)}",
            )
        elif found.st_mode & mode != mode:
            yield warning(
                "",
                f"{path} has the mode {_mode(found)}: `check-quota` in a user's server may not"
                " read it.",
                f"chmod {mode:04o} {_quoted(path)}",
            )


def _space(control: Path) -> Finding:
    what = f"space of the {CONTROL}"
    disk = os.statvfs(control)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    # Some file systems have no end, and say 0.
    few_bytes = total > 0 and free < min(_LEAST_BYTES, _LEAST_SHARE * total)
    few_files = disk.f_files > 0 and disk.f_favail < _LEAST_SHARE * disk.f_files
    if total and not free:
        return wrong(what, f"No space is left where {control} is.", f"df -h {_quoted(control)}")
    if few_bytes or few_files:
        return warning(
            what,
            f"{format_size(free)} and {disk.f_favail:,} inodes are left where {control} is.",
            f"df -h {_quoted(control)}; df -i {_quoted(control)}",
        )
    return ok(what, f"{format_size(free)} are free." if total else "The store knows no end.")


def _mount(point: str) -> str:
    return f"mount {_quoted(Path(point))}"


def _point(path: Path) -> str:
    mount = mount_of(path.resolve(), mounts())
    return _quoted(Path(mount.point)) if mount else _quoted(path)


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
