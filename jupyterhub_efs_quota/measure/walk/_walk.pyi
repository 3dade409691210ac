# What compiled.py calls in _walk_module.c.

from collections.abc import Callable
from typing import TypeAlias, TypedDict

Sums: TypeAlias = tuple[int, int, int]
Row: TypeAlias = tuple[int, int, int, int, int, int, bool]
Item: TypeAlias = tuple[int, bytes, Row, tuple[int, int]]
Link: TypeAlias = tuple[int, int, tuple[int, int, int, int, int, int], bytes]
Extension: TypeAlias = tuple[bytes, int]
Pattern: TypeAlias = tuple[int, bool, bool, tuple[bytes, ...]]
Rules: TypeAlias = tuple[
    int,
    tuple[Extension, ...],
    int,
    tuple[Pattern, ...],
    tuple[int, ...],
    tuple[int, int, int],
]

class Details(TypedDict):
    rows: tuple[tuple[bytes, Row], ...]
    folders: tuple[Item, ...]
    largest: tuple[Item, ...]
    places: tuple[Item, ...]
    junk: tuple[Sums, ...]
    types: tuple[Sums, ...]
    modified: tuple[Sums, ...]
    accessed: tuple[Sums, ...]
    oldest: int
    newest: int

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
    links: tuple[Link, ...]
    details: Details | None

def walk(
    home: int,
    most_open: int,
    threads: int,
    deadline_secs: float,
    cross_mounts: bool,
    skip: tuple[bytes, ...],
    allocated: bool,
    has_ceiling: bool,
    ceiling: tuple[int, int],
    rules: Rules | None,
    part: tuple[bool, bytes, int, int, bool],
    progress: Callable[[int, int, int, bytes], object] | None,
    pace: int = -1,
    /,
) -> Found: ...
def matches(pattern: bytes, name: bytes, /) -> bool: ...
