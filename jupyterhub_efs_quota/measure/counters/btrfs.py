"""Btrfs: what its quota groups have counted for a home that is a subvolume.

Read from the quota tree itself: no program to install, no output to parse. The figures
are those of the last commit, up to 30 seconds ago.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from ...errors import CannotCount
from ...quota.usage import Usage
from .counter import Counter
from .open_home import OpenHome

_SYNC = 0x9408
_TREE_SEARCH = 0xD0009411
_INODE_LOOKUP = 0xD0009412
_ARGUMENT_SIZE = 4096

# The inode number of every subvolume's top directory.
_TOP = 256
_ROOT_TREE, _QUOTA_TREE = 1, 8
_CHILD_SUBVOLUME, _QUOTA_STATUS, _QUOTA_GROUP = 156, 240, 242
_QUOTA_ON, _SCANNING, _INCONSISTENT, _SIMPLE = 1, 2, 4, 8
_MOST = 2**64 - 1

# tree, lowest and highest object, offset and transaction, type; how many items; unused.
_SEARCH = struct.Struct("=7Q3I4x32x")
_ITEM_HEADER = struct.Struct("=3Q2I")
_NUMBER = struct.Struct("<Q")


class Btrfs(Counter):
    """The quota group of a home's own subvolume. Needs CAP_SYS_ADMIN."""

    name = "btrfs"
    kinds = ("btrfs",)

    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """What the home's quota group refers to. Raises CannotCount."""
        if home.inode != _TOP:
            raise CannotCount("It is no subvolume: `btrfs subvolume create` makes one.")
        handle = home.read()
        try:
            if fresh:
                fcntl.ioctl(handle, _SYNC)
            return Usage(allocated=_referenced(handle))
        except PermissionError:
            raise CannotCount("Only root with CAP_SYS_ADMIN may read quota groups.") from None
        finally:
            os.close(handle)


def _referenced(handle: int) -> int:
    subvolume = _subvolume(handle)
    status = _find(handle, _QUOTA_TREE, 0, _QUOTA_STATUS, 0)
    group = _find(handle, _QUOTA_TREE, 0, _QUOTA_GROUP, subvolume)
    if status is None or group is None:
        raise CannotCount("Quotas are not enabled on it: `btrfs quota enable` does that.")
    flags = _number(status, 2)
    if not flags & _QUOTA_ON or flags & (_SCANNING | _INCONSISTENT):
        raise CannotCount(
            "Its quota groups are being counted or out of step: `btrfs quota rescan -w` mends them."
        )
    if flags & _SIMPLE:
        raise CannotCount("Simple quotas charge what is shared to whoever wrote it first.")
    if _find(handle, _ROOT_TREE, subvolume, _CHILD_SUBVOLUME) is not None:
        raise CannotCount("It holds subvolumes of its own, which are counted apart from it.")
    return _number(group, 1)


def _subvolume(handle: int) -> int:
    """The number of the subvolume that an open file is in."""
    return _number(_ask(handle, _INODE_LOOKUP, _NUMBER.pack(0) + _NUMBER.pack(_TOP)), 0)


def _find(handle: int, tree: int, thing: int, kind: int, offset: int | None = None) -> bytes | None:
    """The first item of a kind about a thing, at one offset or at any; None if there is none."""
    low, high = (0, _MOST) if offset is None else (offset, offset)
    search = _SEARCH.pack(tree, thing, thing, low, high, 0, _MOST, kind, kind, 1)
    try:
        answer = _ask(handle, _TREE_SEARCH, search)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None  # there is no such tree
        raise
    if not _SEARCH.unpack_from(answer)[-1]:
        return None
    start = _SEARCH.size + _ITEM_HEADER.size
    return answer[start:]


def _ask(handle: int, what: int, question: bytes) -> bytes:
    """What the file system writes over a question."""
    # Python hands the kernel no more than 1 KiB, but for what it may write into.
    space = bytearray(question.ljust(_ARGUMENT_SIZE, b"\0"))
    fcntl.ioctl(handle, what, space)
    return bytes(space)


def _number(item: bytes, place: int) -> int:
    """One of the 64-bit numbers that an item begins with."""
    return int(_NUMBER.unpack_from(item, place * _NUMBER.size)[0])
