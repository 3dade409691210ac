"""XFS and ext4: what their project quota has counted under the home's project id.

Three ways to ask, each for where the one before is not to be had: quotactl_fd on the
home's own handle (Linux 5.14), quotactl on the device, both for root only; and statfs of
the home, which tells anybody, but only where a limit is set.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

from ...errors import CannotCount
from ...quota.usage import Usage
from .counter import Counter
from .open_home import OpenHome
from .project_id import own_project

_QUOTACTL_FD = 443
_GET_PROJECT_QUOTA = 0x800007 << 8 | 2
# struct if_dqblk: limits and figures, of which the third is the space used; what is valid.
_QUOTA = struct.Struct("8QI4x")
# A kernel without quotactl_fd says ENOSYS too, and is asked by the device then.
_NO_QUOTA = (errno.ESRCH, errno.EOPNOTSUPP)
_NO_QUOTA_ON_DEVICE = (*_NO_QUOTA, errno.ENOSYS)

_libc = ctypes.CDLL(None, use_errno=True)


class ProjectQuota(Counter):
    """The project quota of XFS, ext4 or another file system with Linux's generic quotas."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kinds = (name,)

    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """What is counted under the home's project id. Raises CannotCount."""
        project = own_project(home)
        used = _by_handle(home, project)
        if used is None:
            used = _by_device(home, project)
        if used is None:
            used = _by_statfs(home)
        return Usage(allocated=used)


def _by_handle(home: OpenHome, project: int) -> int | None:
    """The space used, or None if this way is closed to us."""
    handle = home.read()
    try:
        space = ctypes.create_string_buffer(_QUOTA.size)
        failed = _libc.syscall(
            ctypes.c_long(_QUOTACTL_FD),
            ctypes.c_uint(handle),
            ctypes.c_uint(_GET_PROJECT_QUOTA),
            ctypes.c_uint(project),
            space,
        )
        return _answer(failed, space, home, _NO_QUOTA)
    finally:
        os.close(handle)


def _by_device(home: OpenHome, project: int) -> int | None:
    """The space used, or None if this way is closed to us."""
    space = ctypes.create_string_buffer(_QUOTA.size)
    device = os.fsencode(home.mount.source)
    failed = _libc.quotactl(
        ctypes.c_int(_GET_PROJECT_QUOTA), ctypes.c_char_p(device), ctypes.c_int(project), space
    )
    return _answer(failed, space, home, _NO_QUOTA_ON_DEVICE)


def _answer(
    failed: int, space: ctypes.Array[ctypes.c_char], home: OpenHome, no_quota: tuple[int, ...]
) -> int | None:
    if not failed:
        return int(_QUOTA.unpack(space.raw)[2])
    if ctypes.get_errno() in no_quota:
        raise CannotCount(
            f"Project quota is not on at {home.mount.point}: mount it with the option prjquota."
        )
    return None


def _by_statfs(home: OpenHome) -> int:
    """The space used, as `df` of the home tells it where the project has a limit."""
    here = os.fstatvfs(home.handle)
    try:
        whole = os.statvfs(home.mount.point)
        same = Path(home.mount.point).stat().st_dev == home.device
    except OSError:
        same = False
    # Without a limit the figures are those of the whole file system.
    if not same or here.f_blocks >= whole.f_blocks:
        raise CannotCount(
            "Only root may ask for its project's figures, unless the project has a limit:"
            " run the service as root with CAP_SYS_ADMIN, or set a limit on every project."
        )
    if not here.f_bfree:
        raise CannotCount("It is at its project's limit: how far over, only root is told.")
    return (here.f_blocks - here.f_bfree) * here.f_frsize
