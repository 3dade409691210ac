"""Paths below a home as names in bytes: read from what a browser sends, and written for it.

Pure. Everything else here takes these names and nothing else for a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ..errors import FreeingError

# The names of a path below a home, from the top; () is the home itself.
Names = tuple[bytes, ...]
LONGEST_NAME = 255
# Deeper than any tree that a person makes, and than one request could hold.
_LONGEST_PATH = 1 << 20


def parse(text: str) -> Names:
    """The names in a path as `quoted` wrote it. Raises FreeingError for any other path.

    Whatever the text decodes to once is the path: `%252e` is a name with a percent sign.
    """
    path = unquote_to_bytes(text)
    if not path:
        return ()
    names = tuple(path.split(b"/"))
    check(names)
    return names


def check(names: Names) -> None:
    """Raise FreeingError unless these are names of a path below a home."""
    if sum(map(len, names)) > _LONGEST_PATH:
        raise FreeingError("This path is too long.")
    for name in names:
        if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
            raise FreeingError("This is no path below your home.")
        if len(name) > LONGEST_NAME:
            raise FreeingError("A name in this path is longer than a name can be.")


def quoted(names: Names) -> str:
    """A path as ASCII text that survives forms, links and JSON: `a%20b/c`."""
    return quote_from_bytes(b"/".join(names))


def of_text(path: str) -> Names:
    """The names in a path of a summary, in which odd bytes are surrogate escapes."""
    return tuple(os.fsencode(path).split(b"/")) if path else ()


def as_text(names: Names) -> str:
    """A path as text; odd bytes are surrogate escapes."""
    return os.fsdecode(b"/".join(names))


def topmost(paths: Iterable[Names]) -> list[Names]:
    """The paths without those that lie below another of them, each once."""
    kept: list[Names] = []
    for path in sorted(set(paths)):
        # Sorted, so whatever is below a path comes after it, before anything else.
        if not kept or path[: len(kept[-1])] != kept[-1]:
            kept.append(path)
    return kept


def another_name(name: bytes, number: int) -> bytes:
    """A name for what cannot have its old one: `data.csv` -> `data (restored).csv`."""
    mark = b" (restored)" if number == 1 else b" (restored %d)" % number
    stem, dot, extension = name.rpartition(b".")
    if not stem or len(extension) > 15:
        stem, dot, extension = name, b"", b""
    end = mark + dot + extension
    return stem[: LONGEST_NAME - len(end)] + end
