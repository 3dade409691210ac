"""What a parameter or a field may be: the check and what OpenAPI says of it, in one place.

`read` takes the text of a query, `take` a value of a JSON body. Both raise ValueError, with
a sentence that goes on after the name: "limit must be ...".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

from ...activity.activity import MOST_COUNTS
from ...activity.names import LONGEST_NAME, checked_name
from ...quota.sizes import MOST, parse_size

Schema = dict[str, Any]


class Value(Protocol):
    """A kind of value."""

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""

    def read(self, text: str) -> Any:
        """The value in the text of a query."""

    def take(self, value: object) -> Any:
        """The value that a JSON body holds."""


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    least: int = 0
    most: int = MOST

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def read(self, text: str) -> int:
        """The value in the text of a query."""
        # Not by int() alone, which takes blanks, signs, and digits of any script.
        if not re.fullmatch(r"[0-9]{1,30}", text, re.ASCII):
            raise ValueError(self._wrong)
        return self.take(int(text))

    def take(self, value: object) -> int:
        """The value that a JSON body holds."""
        # JSON has one kind of number: 1.0 is a whole one.
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValueError(self._wrong)
        return value

    @property
    def _wrong(self) -> str:
        return f"must be a whole number from {self.least} to {self.most}"


@dataclass(frozen=True)
class Seconds:
    """A number of seconds, with or without a fraction."""

    most: float

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        return {"type": "number", "minimum": 0, "maximum": self.most}

    def read(self, text: str) -> float:
        """The value in the text of a query."""
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,30})?(e[-+]?[0-9]{1,3})?", text, re.ASCII):
            raise ValueError(self._wrong)
        return self.take(float(text))

    def take(self, value: object) -> float:
        """The value that a JSON body holds."""
        if type(value) not in (int, float) or not 0 <= value <= self.most:  # type: ignore[operator]
            raise ValueError(self._wrong)
        return float(value)  # type: ignore[arg-type]

    @property
    def _wrong(self) -> str:
        return f"must be a number of seconds from 0 to {self.most:g}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    schema = {"type": "boolean"}  # noqa: RUF012 - the same for all, and never changed

    def read(self, text: str) -> bool:
        """The value in the text of a query."""
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"

    def take(self, value: object) -> bool:
        """The value that a JSON body holds."""
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value


@dataclass(frozen=True)
class Text:
    """Text, of no more than so many characters."""

    most: int

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        return {"type": "string", "maxLength": self.most, "pattern": r"^[^\x00]*$"}

    def read(self, text: str) -> str:
        """The value in the text of a query."""
        return self.take(text)

    def take(self, value: object) -> str:
        """The value that a JSON body holds."""
        if not isinstance(value, str) or len(value) > self.most:
            raise ValueError(f"must be text of no more than {self.most} characters")
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("must be text without NUL and without half characters")
        return value


@dataclass(frozen=True)
class Listed:
    """Some values of a kind, at least one of them."""

    of: Value
    most: int

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        return {"type": "array", "items": self.of.schema, "minItems": 1, "maxItems": self.most}

    def read(self, text: str) -> list[Any]:
        """The value in the text of a query: there is none."""
        raise ValueError("stands in the body")

    def take(self, value: object) -> list[Any]:
        """The value that a JSON body holds."""
        if not isinstance(value, list) or not 1 <= len(value) <= self.most:
            raise ValueError(f"must be a list of 1 to {self.most}")
        return [self.of.take(each) for each in value]


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: Sequence[str]

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        return {"type": "string", "enum": list(self.words)}

    def read(self, text: str) -> str:
        """The value in the text of a query."""
        return self.take(text)

    def take(self, value: object) -> str:
        """The value that a JSON body holds."""
        if not isinstance(value, str) or value not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}")
        return value


# A beginning of what `activity.names` says, as far as a pattern can.
_JOB = r"^[^\x00-\x20#\x7f-\xa0]([^\x00-\x1f#\x7f-\xa0]*[^\x00-\x20#\x7f-\xa0])?$"


@dataclass(frozen=True)
class JobName:
    """The name of a job or a host."""

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        return {"type": "string", "maxLength": LONGEST_NAME, "pattern": _JOB}

    def read(self, text: str) -> str:
        """The value in the text of a query."""
        return self.take(text)

    def take(self, value: object) -> str:
        """The value that a JSON body holds."""
        if not isinstance(value, str) or len(value) > LONGEST_NAME or not re.search(_JOB, value):
            raise ValueError(
                f"must be 1 to {LONGEST_NAME} characters of text, with no blank at either end,"
                " no control character and no #"
            )
        # What no pattern can say: the error is another.
        return checked_name(value)


@dataclass(frozen=True)
class Counts:
    """Whole numbers by name."""

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        return {
            "type": "object",
            "maxProperties": MOST_COUNTS,
            "propertyNames": JobName().schema,
            "additionalProperties": Whole().schema,
        }

    def read(self, text: str) -> dict[str, int]:
        """The value in the text of a query: there is none."""
        raise ValueError("stands in the body")

    def take(self, value: object) -> dict[str, int]:
        """The value that a JSON body holds."""
        if not isinstance(value, dict) or len(value) > MOST_COUNTS:
            raise ValueError(f"must be an object of at most {MOST_COUNTS} numbers")
        return {JobName().take(name): Whole().take(number) for name, number in value.items()}


_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[-+]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True)
class Time:
    """A time with its zone, as RFC 3339 writes it."""

    schema = {"type": "string", "format": "date-time"}  # noqa: RUF012 - as above

    def read(self, text: str) -> datetime:
        """The value in the text of a query."""
        # A plus that nobody encoded is a blank in a query.
        return self.take(text.replace(" ", "+"))

    def take(self, value: object) -> datetime:
        """The value that a JSON body holds."""
        wrong = "must be a time with its zone, like 2026-12-24T18:00:00Z"
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise ValueError(wrong)
        text = value.upper().replace("Z", "+00:00")
        # Before Python 3.11, fromisoformat takes 3 or 6 digits only; never more than 6.
        text = re.sub(r"\.(\d+)", lambda found: "." + found[1][:6].ljust(6, "0"), text)
        try:
            return datetime.fromisoformat(text).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            raise ValueError(wrong) from None


# What parse_size takes, and no more than MOST: so that all that fits is a size.
_SIZE = "^([0-9]{1,24}|[0-9]{1,9}([.][0-9]{1,15})? ?[KMGTPkmgtp][iI]?[bB]?)$"


@dataclass(frozen=True)
class Size:
    """A size: a number of bytes, or text as settings have it, `20Gi`."""

    @property
    def schema(self) -> Schema:
        """What OpenAPI says of it."""
        text = {"type": "string", "pattern": _SIZE, "examples": ["20Gi"]}
        return {"anyOf": [Whole().schema, text]}

    def read(self, text: str) -> int:
        """The value in the text of a query."""
        number = text.isascii() and text.isdigit()
        return Whole().read(text) if number else self.take(text)

    def take(self, value: object) -> int:
        """The value that a JSON body holds."""
        if not isinstance(value, str):
            return Whole().take(value)
        if not re.fullmatch(_SIZE, value):
            raise ValueError('must be a number of bytes, or text like "20Gi"')
        return parse_size(value)
