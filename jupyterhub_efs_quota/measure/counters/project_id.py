"""The project of a home: the number under which a file system counts what is in it.

Used for XFS, ext4 and Lustre. A number counts for a home only if everything in the home
has it, and nothing else.
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass

from ...errors import CannotCount
from .neighbours import any_entry, any_neighbour
from .open_home import OpenHome

# FS_IOC_FSGETXATTR fills: xflags, extsize, nextents, projid, cowextsize, 8 bytes unused.
_GET_ATTRIBUTES = 0x801C581F
_ATTRIBUTES = struct.Struct("5I8x")
_INHERIT = 0x200


@dataclass(frozen=True)
class Project:
    """A project id, and whether new files in that directory get it."""

    number: int
    inherited: bool


def project_of(handle: int) -> Project:
    """The project of an open file. Raises OSError where the file system has none."""
    answer = fcntl.ioctl(handle, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size))
    flags, _, _, number, _ = _ATTRIBUTES.unpack(answer)
    return Project(number, bool(flags & _INHERIT))


def own_project(home: OpenHome) -> int:
    """The project id of the home, if it is the home's alone. Raises CannotCount."""
    project = _at(home, ".")
    if not project.number:
        raise CannotCount("It has no project id: give each home one of its own.")
    if not project.inherited:
        raise CannotCount(
            "New files in it do not get its project id: set the id and its inheritance on all"
            " folders in it."
        )
    if _parent_has(home, project.number):
        raise CannotCount("Its project id is its parent directory's too: give it one of its own.")
    if any_neighbour(home, lambda handle: _has(handle, project.number)):
        raise CannotCount("Other homes have its project id too: give each one of its own.")
    if any_entry(home, lambda handle: _has_another(handle, project.number)):
        raise CannotCount("Something in it has another project id: set its own on all of it again.")
    return project.number


def _at(home: OpenHome, name: str) -> Project:
    handle = home.read(name)
    try:
        return project_of(handle)
    except OSError:
        raise CannotCount("Its file system was made without project ids.") from None
    finally:
        os.close(handle)


def _parent_has(home: OpenHome, number: int) -> bool:
    handle = home.read("..")
    try:
        return os.fstat(handle).st_dev == home.device and _has(handle, number)
    finally:
        os.close(handle)


def _has(handle: int, number: int) -> bool:
    try:
        return project_of(handle).number == number
    except OSError:
        return False


def _has_another(handle: int, number: int) -> bool:
    try:
        return project_of(handle).number != number
    except OSError:
        return False
