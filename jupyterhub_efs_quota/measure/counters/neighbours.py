"""The directories beside a home, to see whether what it is counted by is its own.

A project id or an owner that other homes share would give a number that is not this
home's. A few neighbours tell: what is shared is mostly shared by all.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from .open_home import OpenHome

_ENTRIES_LOOKED_AT = 100
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Test = Callable[[int], bool]


def any_neighbour(home: OpenHome, test: Test) -> bool:
    """Whether a directory beside the home passes a test of its handle. Raises CannotCount."""
    return _any(home, "..", test, files=False)


def any_entry(home: OpenHome, test: Test) -> bool:
    """Whether a file or directory in the home passes a test of its handle. Raises CannotCount."""
    return _any(home, ".", test, files=True)


def _any(home: OpenHome, where: str, test: Test, *, files: bool) -> bool:
    directory = home.read(where)
    try:
        looked_at = 0
        with os.scandir(directory) as entries:
            for entry in entries:
                if looked_at == _ENTRIES_LOOKED_AT:
                    break
                a_file = files and entry.is_file(follow_symlinks=False)
                if not a_file and not entry.is_dir(follow_symlinks=False):
                    continue  # what is not opened for its own sake: links, pipes, devices
                looked_at += 1
                if _passes(entry.name, directory, home, test):
                    return True
        return False
    finally:
        os.close(directory)


def _passes(name: str, directory: int, home: OpenHome, test: Test) -> bool:
    try:
        handle = os.open(name, _OPEN, dir_fd=directory)
    except OSError:
        return False  # gone, or kept from us
    try:
        found = os.fstat(handle)
        # Another file system says nothing about this one; nor is a home its own neighbour.
        if found.st_dev != home.device or found.st_ino == home.inode:
            return False
        return test(handle)
    finally:
        os.close(handle)
