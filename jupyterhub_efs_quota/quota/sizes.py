"""Sizes in bytes, read from settings and written for people."""

from __future__ import annotations

import re
from fractions import Fraction

KIB, MIB, GIB, TIB, PIB = (1024**n for n in range(1, 6))
# Far above any store; below what arithmetic with fractions could not hold.
MOST = 1024**8

_UNITS = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB, "P": PIB}
_SHOWN_UNITS = (("KiB", KIB), ("MiB", MIB), ("GiB", GIB), ("TiB", TIB), ("PiB", PIB))
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B|i)?", re.IGNORECASE | re.ASCII)


def parse_size(size: str | int) -> int:
    """Bytes in a size as a setting gives it: `10Gi`, `500M`, `1.5T`, `"4096"` or `4096`.

    Units are powers of 1024, with or without the `i` and a final `B`. A fraction of
    a byte is rounded down. Raises ValueError, saying what is allowed.
    """
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return _possible(size)
    match = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    if match is None:
        raise ValueError(f"{size!r} is not a size: write 10Gi, 500M, 1.5T or a number of bytes")
    number, unit = match.groups()
    return _possible(int(Fraction(number) * _UNITS[unit.upper()]))


def _possible(size: int) -> int:
    if size > MOST:
        raise ValueError(f"the size is more than {MOST} bytes, which no store holds")
    return size


def format_size(size: int) -> str:
    """A size for people, to one decimal: `2.9 MiB`, `10 bytes`, `1 byte`."""
    if size < KIB:
        return f"{size} byte" if size == 1 else f"{size} bytes"
    shown = ""
    for unit, factor in _SHOWN_UNITS:
        # Halves go up, as in the pages' scripts: static/locale.js, static/hub.js.
        tenths = (20 * size + factor) // (2 * factor)
        shown = f"{tenths // 10}.{tenths % 10} {unit}"
        # Never `1024.0 KiB`, which is 1.0 MiB.
        if tenths < 10 * KIB:
            break
    return shown


def typed_size(size: int) -> str:
    """A size as somebody would write it into a setting or a form, exactly: `20Gi`, `1.5Ti`."""
    for unit, factor in (("Pi", PIB), ("Ti", TIB), ("Gi", GIB), ("Mi", MIB), ("Ki", KIB)):
        # No more than two digits after the point, and none of them rounded.
        if size >= factor and size * 100 % factor == 0:
            whole, hundredths = divmod(size * 100 // factor, 100)
            return f"{whole}.{hundredths:02}".rstrip("0").rstrip(".") + unit
    return str(size)


def fixed_width_size(size: int) -> str:
    """A size seven wide, right-aligned, as log lines and `check` have always shown it.

    A unit is used from one byte above it: `   1024`, then `   1.0K`; never above T.
    """
    for unit, factor in (("T", TIB), ("G", GIB), ("M", MIB), ("K", KIB)):
        if size > factor:
            return f"{size / factor:6.1f}{unit}"
    return f"{size:7d}"
