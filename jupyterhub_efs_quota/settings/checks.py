"""What a value must be besides of its kind: called by the validators of `subjects/`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from traitlets import TraitError

Value = TypeVar("Value")


def absolute(proposal: Any) -> str:
    """The path, which is absolute or empty, or a TraitError."""
    path = Path(proposal["value"])
    if proposal["value"] and (not path.is_absolute() or ".." in path.parts):
        raise TraitError(
            f"{proposal['trait'].name} must be an absolute path without '..',"
            f" not {proposal['value']!r}"
        )
    return str(proposal["value"])


def finite(proposal: Any) -> float:
    """The number, or a TraitError."""
    if not math.isfinite(proposal["value"]):
        raise TraitError(f"{proposal['trait'].name} must be a finite number")
    return float(proposal["value"])


def checked(proposal: Any, check: Callable[[Value], Value]) -> Value:
    """What a check makes of the value; its ValueError as a TraitError."""
    try:
        return check(proposal["value"])
    except ValueError as error:
        raise TraitError(f"{proposal['trait'].name}: {error}") from None
