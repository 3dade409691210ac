"""Sentences that know which of their parts are sizes, numbers and times.

For API, commands and logs they are text, in English and UTC. Pages show the parts as all their
figures (`web/words.py`), so that a script can put them into the reader's locale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from string import Formatter

from ..quota.sizes import format_size
from ..quota.times import date_of, minute


@dataclass(frozen=True)
class Size:
    """A size in bytes."""

    bytes: int

    def __str__(self) -> str:
        return format_size(self.bytes)


@dataclass(frozen=True)
class Number:
    """How many there are of something."""

    count: int

    def __str__(self) -> str:
        return f"{self.count:,}"


@dataclass(frozen=True)
class Moment:
    """A time, to the minute."""

    time: datetime

    def __str__(self) -> str:
        return minute(self.time)


@dataclass(frozen=True)
class Day:
    """The day of a time."""

    time: datetime

    def __str__(self) -> str:
        return date_of(self.time)


Part = str | Size | Number | Moment | Day


class Sentence(str):
    """The text of its parts; those that are text are as somebody gave them, not safe to show."""

    __slots__ = ("parts",)
    parts: tuple[Part, ...]

    def __new__(cls, parts: Iterable[Part]) -> Sentence:  # noqa: PYI034 - Self is not in Python 3.10
        """Put it together; a sentence among the parts is taken apart."""
        whole = tuple(inner for part in parts for inner in parts_of(part))
        made = super().__new__(cls, "".join(map(str, whole)))
        made.parts = whole
        return made


def parts_of(text: Part) -> tuple[Part, ...]:
    """The parts of a sentence; any other text is a part itself."""
    return text.parts if isinstance(text, Sentence) else (text,)


def sentence(words: str, *values: Part, **named: Part) -> Sentence:
    """Words with a value for each `{}` or `{name}`: `sentence("It holds {}.", Size(2048))`."""
    parts: list[Part] = []
    following = iter(values)
    for text, name, _, _ in Formatter().parse(words):
        parts.append(text)
        if name is not None:
            parts.append(named[name] if name else next(following))
    return Sentence(parts)


def joined(between: str, parts: Iterable[Part]) -> Sentence:
    """Parts with some text between each two."""
    made: list[Part] = []
    for part in parts:
        made += [between, part] if made else [part]
    return Sentence(made)
