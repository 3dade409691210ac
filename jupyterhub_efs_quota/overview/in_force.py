"""The settings as they are in force, for people: what is secret is masked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..quota.sizes import format_size
from ..settings import EFSQuota, Size

MASK = "***"
# Longer values are cut: lists of thousands of users would make a page of megabytes.
LONGEST = 2000
_SECRET = re.compile(r"passw|secret|token|credential|api_?key|webhook", re.IGNORECASE)
# Where a file or a number is named, the name is no secret.
_HARMLESS = ("_file", "_secs", "_days", "_port", "_header")
_IN_URL = re.compile(r"(://[^:/?#@\s]*):.*@")
_IN_QUERY = re.compile(
    r"([?&;][^=&;\s]*(?:passw|secret|token|key|pwd)[^=&;\s]*=)[^&;\s]*", re.IGNORECASE
)


@dataclass(frozen=True)
class Setting:
    """A setting: its value as text, whether it is another than the default, what it is for."""

    name: str
    value: str
    changed: bool
    help: str


def in_force(settings: EFSQuota) -> list[Setting]:
    """All settings by name, those first that are not the default."""
    traits, default = settings.traits(config=True), EFSQuota()
    found = [
        Setting(
            name,
            _shown(name, getattr(settings, name), trait),
            getattr(settings, name) != getattr(default, name),
            str(trait.help).partition("\n")[0],
        )
        for name, trait in sorted(traits.items())
    ]
    return sorted(found, key=lambda each: not each.changed)


def _shown(name: str, value: Any, trait: Any) -> str:
    if value and (trait.metadata.get("secret") or _is_secret(name)):
        return MASK
    if isinstance(trait, Size):
        return _size(value)
    values = getattr(trait, "_value_trait", None)
    if isinstance(values, Size):
        value = {key: _size(each) for key, each in value.items()}
    text = _text(masked(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({_how_many(value)} in all)"


def masked(value: Any) -> Any:
    """A value with the passwords in its addresses masked, and what is secret by its name."""
    if isinstance(value, Mapping):
        return {
            key: MASK if each and _is_secret(str(key)) and isinstance(each, str) else masked(each)
            for key, each in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(each) for each in value]
    if isinstance(value, str):
        return _IN_QUERY.sub(rf"\1{MASK}", _IN_URL.sub(rf"\1:{MASK}@", value))
    return value


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not name.endswith(_HARMLESS)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if callable(value):
        module = getattr(value, "__module__", None) or "?"
        return f"{module}:{getattr(value, '__qualname__', type(value).__qualname__)}"
    return json.dumps(value, ensure_ascii=False, default=_text)


def _size(value: int) -> str:
    return f"{format_size(value)} ({value} bytes)" if value >= 1024 else format_size(value)


def _how_many(value: Any) -> str:
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        return f"{len(value)} entries"
    return f"{len(str(value))} characters"
