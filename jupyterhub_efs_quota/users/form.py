"""A quota as somebody writes it into a form: the texts, and what is wrong with each. Pure.

For one user or for many; `plan.py` says what comes of the latter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from ..quota.sizes import MOST, parse_size
from .change import LONGEST_REASON, Wish
from .plan import How, Many
from .when import read_time

# The names of the fields.
SIZE, FILES, PERCENT, UNTIL, REASON, HOW = "size", "files", "percent", "until", "reason", "how"
_LONGEST = 60
_LEAST_PERCENT, _MOST_PERCENT = -99, 1000
# How people group digits; a point may stand for something else.
_BETWEEN_DIGITS = re.compile("[ ,'_\u00a0\u202f\u2019]")
Errors = dict[str, str]


def read_wish(texts: Mapping[str, str], now: datetime) -> tuple[Wish, Errors]:
    """The quota that a form asks for, and what is wrong with it, by the field's name."""
    errors: Errors = {}
    wish = Wish(
        bytes=_field(texts, SIZE, _size, errors),
        files=_field(texts, FILES, _files, errors),
        until=_field(texts, UNTIL, lambda text: _until(text, now), errors),
        reason=read_reason(texts, errors),
    )
    if wish.bytes is None and wish.files is None and not errors.keys() & {SIZE, FILES}:
        errors[SIZE] = "Say how much the quota is to be, or how many files."
    return wish, errors


def read_reason(texts: Mapping[str, str], errors: Errors) -> str | None:
    """Why; it has to be said."""
    if not texts.get(REASON, "").strip():
        errors[REASON] = "Say why: it is on record, and the user sees it."
    return _field(texts, REASON, _reason, errors)


def read_many(texts: Mapping[str, str], now: datetime) -> tuple[Many, Errors]:
    """The change that a form asks for many users, and what is wrong with it."""
    how = next((each for each in How if each.value == texts.get(HOW)), None)
    if how is None:
        _, errors = read_wish(texts, now)
        errors.pop(SIZE, None)
        return Many(How.SET, Wish()), {**errors, HOW: "Choose one of the three."}
    if how is How.SET:
        wish, errors = read_wish(texts, now)
        return Many(how, wish), errors
    errors = {}
    reason, percent, until = read_reason(texts, errors), None, None
    if how is How.ADD:
        percent = _field(texts, PERCENT, _percent, errors)
        until = _field(texts, UNTIL, lambda text: _until(text, now), errors)
        if percent is None and PERCENT not in errors:
            errors[PERCENT] = "Say by how many percent."
    return Many(how, Wish(until=until, reason=reason), percent or 0), errors


def _field(
    texts: Mapping[str, str], name: str, read: Callable[[str], Any], errors: Errors
) -> Any | None:
    text = texts.get(name, "").strip()
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        said = str(error)
        errors[name] = f"{said[0].upper()}{said[1:]}."
        return None


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError("this is too long")
    return text


def _size(text: str) -> int:
    return parse_size(_short(text))


def _files(text: str) -> int:
    digits = _BETWEEN_DIGITS.sub("", _short(text))
    if not re.fullmatch(r"\d{1,24}", digits, re.ASCII) or int(digits) > MOST:
        raise ValueError(f"{text!r} is no number of files: write 200000, or 0 for no limit")
    return int(digits)


def _percent(text: str) -> int:
    found = re.fullmatch(r"([+\u2212-]?)\s*(\d{1,4})\s*%?", _short(text), re.ASCII)
    number = 0 if found is None else int(found[2]) * (-1 if found[1] in ("-", "\u2212") else 1)
    if number == 0 or not _LEAST_PERCENT <= number <= _MOST_PERCENT:
        raise ValueError(
            f"{text!r} is no such percentage: write a whole number from {_LEAST_PERCENT} to"
            f" {_MOST_PERCENT}, such as 10 or -10"
        )
    return number


def _until(text: str, now: datetime) -> datetime:
    until = read_time(_short(text), now, ends=True, zone=timezone.utc)
    try:
        until = until.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"{text!r} is too far away") from None
    if until <= now:
        raise ValueError(f"{text!r} is over already")
    return until


def _reason(text: str) -> str:
    if len(text) > LONGEST_REASON:
        raise ValueError(f"this is longer than {LONGEST_REASON} characters")
    if "\0" in text:
        raise ValueError("this has a character that is no text")
    return text
