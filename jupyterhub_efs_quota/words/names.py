"""File names as text that does a terminal no harm and is not mistaken for another name."""

from __future__ import annotations

import unicodedata

# Controls, formats (which turn text around or hide it), surrogates, private and unassigned
# characters, ends of lines and paragraphs.
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
# As many marks on one letter as any script has.
_MOST_MARKS = 4


def plain(name: str) -> str:
    """A name with whatever is not safe to print escaped; odd bytes are surrogate escapes."""
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    shown = []
    marks = 0
    for character in name:
        kind = unicodedata.category(character)
        marks = marks + 1 if kind in {"Mn", "Me"} else 0
        unsafe = kind in _UNSAFE or marks > _MOST_MARKS or character == "\\"
        # Of all kinds of space only the usual one looks like itself.
        unsafe = unsafe or (kind == "Zs" and character != " ")
        shown.append(_escaped(character) if unsafe else character)
    return "".join(shown)


def _escaped(character: str) -> str:
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
