"""wrstat's files: a scan of a file system, one line for each file and folder.

Both generations of the format, read and written line by line. Called by `export.py` and
`scan.py`. A line is made of columns with a tab between them:

    path size uid gid atime mtime ctime type inode links device [apparent size]

The path is in base64 in the older generation, which ends with the device, and quoted as Go
does in the one since October 2024. In the older one, `size` is the smaller one of the
file's length and the space that it takes; in the other, the length again or the space.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, NoReturn

from ...errors import ScanError

QUOTED, BASE64 = "quoted", "base64"
FORMATS = (QUOTED, BASE64)
_BLOCK = 512
# A path of 1,000 folders with long names, each byte escaped.
_LONGEST_LINE = 4 * 1024 * 1024
_GZIP = b"\x1f\x8b"

KINDS = {
    b"f": stat.S_IFREG,
    b"l": stat.S_IFLNK,
    b"d": stat.S_IFDIR,
    b"s": stat.S_IFSOCK,
    b"b": stat.S_IFBLK,
    b"c": stat.S_IFCHR,
    b"F": stat.S_IFIFO,
    b"X": 0,
}
_LETTERS = {kind: letter for letter, kind in KINDS.items()}

_NUMBER, _TIME = rb"(\d{1,19})", rb"(-?\d{1,19})"
_LINE = re.compile(
    rb"\t".join(
        (
            rb'("[^"\\\t]*(?:\\[^\t][^"\\\t]*)*"|[A-Za-z0-9+/]+={0,2})',
            *(_NUMBER, _NUMBER, _NUMBER),
            *(_TIME, _TIME, _TIME),
            rb"([flsdbcFX])",
            *(rb"(\d{1,20})", _NUMBER, rb"(\d{1,20})"),
        )
    )
    + rb"(?:\t(\d{1,19}))?"
)
_HEX = rb"[0-9a-fA-F]"
_ESCAPE = re.compile(
    rb"\\(?:x(" + _HEX + rb"{2})|u(" + _HEX + rb"{4})|U(" + _HEX + rb"{8})|([0-7]{3})|(.))",
    re.DOTALL,
)
# What needs no escapes: nearly all paths.
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_SHORT = {b"a": 7, b"b": 8, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11, b"\\": 92, b'"': 34}
_SHORT_FOR = {
    chr(number): f"\\{letter.decode()}" for letter, number in _SHORT.items() if letter not in b"'"
}


class Entry(NamedTuple):
    """One file or folder. `path` is absolute, without a slash at its end.

    `size` is what the second column says; `apparent` is None in the older generation.
    `kind` is the part of a mode that says what it is, 0 if that is not known.
    """

    path: bytes
    size: int
    uid: int
    gid: int
    accessed: int
    modified: int
    changed: int
    kind: int
    inode: int
    links: int
    device: int
    apparent: int | None


def parse_line(line: bytes) -> Entry:
    """The entry in a line without its end. Raises ValueError, saying what is wrong."""
    match = _LINE.fullmatch(line)
    if match is None:
        _explain(line)
    path, size, uid, gid, accessed, modified, changed, kind, *rest = match.groups()
    name = _unquote(path) if path[:1] == b'"' else _decode(path)
    if name[:1] != b"/" or b"\0" in name:
        raise ValueError(f"{os.fsdecode(name)!r} is no absolute path")
    inode, links, device, apparent = rest
    return Entry(
        path=name.rstrip(b"/") or b"/",
        size=int(size),
        uid=int(uid),
        gid=int(gid),
        accessed=int(accessed),
        modified=int(modified),
        changed=int(changed),
        kind=KINDS[kind],
        inode=int(inode),
        links=int(links),
        device=int(device),
        apparent=None if apparent is None else int(apparent),
    )


def _explain(line: bytes) -> NoReturn:
    columns = line.split(b"\t")
    if len(columns) not in (11, 12):
        raise ValueError(f"{len(columns)} columns with a tab between them, not 11 or 12")
    if not re.fullmatch(rb'".*"|[A-Za-z0-9+/]+={0,2}', columns[0], re.DOTALL):
        raise ValueError("the path is neither quoted nor in base64")
    names = "path size uid gid atime mtime ctime type inode links device apparent size"
    wrong = [
        f"{names.split(maxsplit=11)[number]} {column[:40]!r}"
        for number, column in enumerate(columns)
        if number and not re.fullmatch(rb"[flsdbcFX]" if number == 7 else rb"-?\d{1,20}", column)
    ]
    raise ValueError(f"no line of wrstat: {', '.join(wrong) or 'a number is out of range'}")


def _decode(path: bytes) -> bytes:
    try:
        return base64.b64decode(path, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the path is no base64 ({error})") from None


def _unquote(path: bytes) -> bytes:
    """The bytes that Go quoted."""
    path = path[1:-1]
    return _ESCAPE.sub(_unescape, path) if b"\\" in path else path


def _unescape(match: re.Match[bytes]) -> bytes:
    byte, short, long, octal, letter = match.groups()
    if letter is not None:
        if letter not in _SHORT:
            raise ValueError(f"the path has an escape that Go does not know: {match[0]!r}")
        return bytes([_SHORT[letter]])
    if byte is not None or octal is not None:
        return bytes([int(byte, 16) if byte is not None else int(octal, 8) & 0xFF])
    try:
        return chr(int(short or long, 16)).encode()
    except (ValueError, OverflowError):
        raise ValueError(f"the path has a character that does not exist: {match[0]!r}") from None


def quote(path: bytes) -> bytes:
    """A path in double quotes, with escapes as Go writes them."""
    if _PLAIN.fullmatch(path):
        return b'"' + path + b'"'
    return f'"{"".join(map(_escape, path.decode("utf-8", "surrogateescape")))}"'.encode()


def _escape(character: str) -> str:
    if character in _SHORT_FOR:
        return _SHORT_FOR[character]
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def make_line(path: bytes, found: os.stat_result, form: str = QUOTED) -> bytes:
    """The line of one file or folder, with its end.

    The newer generation gets both sizes: the space that it takes, and its length.
    """
    kind = stat.S_IFMT(found.st_mode)
    on_disk = found.st_blocks * _BLOCK
    if kind == stat.S_IFDIR and form == QUOTED and path != b"/":
        path += b"/"
    size = on_disk if form == QUOTED else min(found.st_size, on_disk)
    columns = (
        *(size, found.st_uid, found.st_gid),
        *(found[stat.ST_ATIME], found[stat.ST_MTIME], found[stat.ST_CTIME]),
        _LETTERS.get(kind, b"X").decode(),
        *(found.st_ino, found.st_nlink, found.st_dev),
        *((found.st_size,) if form == QUOTED else ()),
    )
    first = quote(path) if form == QUOTED else base64.b64encode(path)
    return first + b"\t" + "\t".join(map(str, columns)).encode() + b"\n"


def entries(path: str) -> Iterator[tuple[int, Entry]]:
    """The entries of a scan, each with the number of its line. Raises ScanError.

    The file may be packed with gzip, in several pieces; its name does not matter.
    """
    number = 0
    with _unpacked(path) as file:
        try:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if line[-1:] != b"\n":
                    raise ScanError(
                        f"{path}, line {number}: the scan ends within a line. It was cut off,"
                        " or is still being written."
                    )
                try:
                    yield number, parse_line(line[:-1])
                except ValueError as error:
                    raise ScanError(f"{path}, line {number}: {error}.") from None
        except EOFError:
            raise ScanError(
                f"{path} ends after line {number}, within its packed data. It was cut off, or is"
                " still being written."
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ScanError(f"{path} is damaged after line {number}: {error}.") from None
        except OSError as error:
            raise ScanError(
                f"{path} cannot be read after line {number}: {error.strerror}."
            ) from None


@contextmanager
def _unpacked(path: str) -> Iterator[BinaryIO]:
    try:
        # Neither waits for a pipe nor takes a folder for an empty file.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise ScanError(f"{path} is no file: name a scan that wrstat or --export wrote.")
        with os.fdopen(handle, "rb") as raw:
            if raw.peek(2)[:2] == _GZIP:
                with gzip.GzipFile(fileobj=raw) as packed:
                    yield io.BufferedReader(packed, 1024 * 1024)
            else:
                yield raw
    except OSError as error:
        raise ScanError(f"The scan {path} cannot be opened: {error.strerror}.") from None
