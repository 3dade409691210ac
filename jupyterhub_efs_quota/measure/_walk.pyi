# What walk.py calls in _walk.c.

from typing import TypedDict

class Found(TypedDict):
    bytes: int
    allocated: int
    files: int
    dirs: int
    unreadable: int
    vanished: int
    lost_dirs: int
    changed: float
    names: tuple[tuple[bytes, int], ...]
    timed_out: bool
    proven_over: bool
    threads: int

def walk(
    home: int,
    most_open: int,
    threads: int,
    deadline_secs: float,
    cross_mounts: bool,
    skip: tuple[bytes, ...],
    has_ceiling: bool,
    ceiling: tuple[int, int, bool],
    pace: int = -1,
    /,
) -> Found: ...
def matches(pattern: bytes, name: bytes, /) -> bool: ...
