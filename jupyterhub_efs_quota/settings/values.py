"""The kinds of values that a setting may hold, besides those of traitlets."""

from __future__ import annotations

import importlib
import math
from typing import Any

from traitlets import Float, TraitError, TraitType

from ..errors import SettingsError
from ..homes import check_template
from ..quota.sizes import parse_size

# Less is what any store does by itself.
_LEAST_TIMES = 1.5


class Size(TraitType[int, int | str]):
    """A size in bytes: `10Gi`, `500M`, `1.5T`, or a number."""

    info_text = "a size like 10Gi, 500M, 1.5T, or a number of bytes"

    def validate(self, obj: Any, value: Any) -> int:
        """The size in bytes, or a TraitError."""
        try:
            return parse_size(value)
        except ValueError as error:
            raise TraitError(f"{self.name}: {error}") from None

    def from_string(self, s: str) -> int:
        """A size given on the command line."""
        return parse_size(s)


class HomeMapping(TraitType[Any, Any]):
    """A template, a callable, or the name of one as `module:function`."""

    info_text = "a template, a callable, or its name as module:function"

    def validate(self, obj: Any, value: Any) -> Any:
        """The template or the callable, or a TraitError."""
        if callable(value):
            return value
        if not isinstance(value, str):
            self.error(obj, value)
        module, colon, function = value.partition(":")
        if colon and "{" not in value and "/" not in value:
            try:
                return getattr(importlib.import_module(module), function)
            except Exception as error:  # whatever the site's own module raises
                raise TraitError(f"home_path: {value!r} cannot be imported: {error}") from None
        try:
            check_template(value)
        except SettingsError as error:
            raise TraitError(str(error)) from None
        return value


class Seconds(Float[float, float]):
    """A time in seconds, above 0."""

    def validate(self, obj: Any, value: Any) -> float:
        """The time, or a TraitError."""
        seconds = float(super().validate(obj, value))
        if not 0 < seconds < math.inf:
            raise TraitError(f"{self.name} must be a time above 0 seconds, not {value!r}")
        return seconds


class Times(Float[float, float]):
    """How many times as much as usual is too much: 1.5 or more, or 0 for never."""

    def validate(self, obj: Any, value: Any) -> float:
        """The number, or a TraitError."""
        times = float(super().validate(obj, value))
        if times and not _LEAST_TIMES <= times < math.inf:
            raise TraitError(
                f"{self.name} must be {_LEAST_TIMES} or more, or 0 for never, not {value!r}"
            )
        return times
