"""Commands to copy into a terminal, where the service may not delete by itself.

Pure. Names may hold anything: what a shell makes of them is tested with one.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable

from .paths import Names, as_text

# Controls, formats (which turn text around or hide it), odd bytes, ends of lines, and the
# like: written as numbers, so that what is shown is what is pasted.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def commands(paths: Iterable[Names]) -> str:
    """Lines for bash that delete these paths of the home one is in."""
    return "".join(f"rm -rf -- ~/{shell_quoted(as_text(names))}\n" for names in paths)


def shell_quoted(name: str) -> str:
    """A name as one word of a shell; odd bytes in it are surrogate escapes."""
    if not any(unicodedata.category(each) in _HIDDEN for each in name):
        return shlex.quote(name)
    return "$'" + "".join(_escaped(each) for each in name) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if unicodedata.category(character) in _HIDDEN:
        return "".join(f"\\{byte:03o}" for byte in character.encode(errors="surrogateescape"))
    return character
