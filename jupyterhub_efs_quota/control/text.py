"""A record as the text of quota.yaml, and back.

The canonical form (one `key: value` a line, what both programs write) is read and
written here directly: that is ten times as fast as a YAML library and decides what a
cycle over 10,000 users costs. All else (hand edits, other quoting, nested values)
goes through PyYAML, and the tests hold both to the same answers. Its pure Python loader it
is: the compiled one overflows the C stack on deep nesting, and takes the hub with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from ..errors import BrokenFile
from ..quota.record import NULL_TIME, Record, from_mapping, to_mapping

# Far above any real file; below what could keep a reader busy.
MAX_BYTES = 16 * 1024
MAX_NODES = 1000
MAX_DEPTH = 20

_PLAIN = r"[A-Za-z][A-Za-z0-9@._-]*"
_CANONICAL_LINE = re.compile(
    # YAML folds the line ends of Unicode and refuses control characters: PyYAML's business.
    rf"""([a-z_]{{1,99}}):\ (?:
        (true|false)
      | (-?(?:0|[1-9][0-9]{{0,29}}))
      | (-?[0-9]+\.[0-9]+(?:e[-+][0-9]+)?)
      | '([\ -&(-\[\]-~]*)'
      | ({_PLAIN}|{re.escape(NULL_TIME)})
    )\n""",
    re.VERBOSE,
)
# The groups of that expression.
_FLAG, _WHOLE, _NUMBER, _QUOTED, _PLAIN_WORD = range(2, 7)
_PLAIN_TEXT = re.compile(_PLAIN)
_TIME_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
# Plain words that YAML 1.1 takes for something else than text.
_RESERVED = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}


class _Loader(yaml.SafeLoader):
    """No aliases: a few hundred bytes of them, merged, keep a reader busy for minutes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)


def dump(record: Record) -> str:
    """The text of a control file: block style, keys in alphabetical order."""
    mapping = to_mapping(record)
    lines = []
    for key in sorted(mapping):
        value = _dump_scalar(mapping[key]) if _PLAIN_TEXT.fullmatch(key) else None
        if value is None or key.lower() in _RESERVED:
            return _dump_any(mapping)
        lines.append(f"{key}: {value}\n")
    return "".join(lines)


def load(text: str, where: object) -> Record:
    """The record in a control file's text. Raises BrokenFile, naming `where` and why."""
    mapping = _load_canonical(text)
    if mapping is None:
        mapping = _load_any(text, where)
    # The predecessor writes in place: a file may have been cut anywhere. Keys are in
    # alphabetical order, so one cut between lines has the first key and not the last two.
    if not text.endswith("\n") or (
        "active_at_reap" in mapping and not {"user", "warn_fraction"} & mapping.keys()
    ):
        raise BrokenFile(
            f"{where} ends early: it seems to be cut off."
            " Restore it, or end its last line if it is whole."
        )
    try:
        return from_mapping(mapping)
    except ValueError as error:
        raise BrokenFile(f"{where}: {error}. Correct it by hand.") from None


def _dump_scalar(value: object) -> str | None:
    """A scalar as PyYAML writes it, or None where that takes more than a look."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int:
        return str(value)
    if type(value) is float:
        text = repr(value)
        if "n" in text:  # nan, inf
            return None
        return text if "." in text else text.replace("e", ".0e", 1)
    if type(value) is str:
        if _TIME_TEXT.fullmatch(value):
            return f"'{value}'"
        if value == NULL_TIME or (
            len(value) < 60 and _PLAIN_TEXT.fullmatch(value) and value.lower() not in _RESERVED
        ):
            return value
    return None


def _dump_any(mapping: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(mapping), default_flow_style=False))


def _load_canonical(text: str) -> dict[str, Any] | None:
    mapping: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = _CANONICAL_LINE.match(text, position)
        if match is None:
            return None
        key, kind = match[1], match.lastindex or 0
        value: Any = match[kind]
        if kind == _FLAG:
            value = value == "true"
        elif kind == _WHOLE:
            value = int(value)
        elif kind == _NUMBER:
            value = float(value)
        elif kind == _PLAIN_WORD and value.lower() in _RESERVED:
            return None
        if key in _RESERVED:
            return None
        mapping[key] = value
        position = match.end()
    return mapping or None


def _load_any(text: str, where: object) -> dict[Any, Any]:
    if not text.strip("\0 \t\r\n"):
        raise BrokenFile(
            f"{where} is empty. Restore it, or remove it to have the user measured afresh."
        )
    try:
        # Tags that make Python objects are not constructed by the safe loader.
        loaded = yaml.load(text, Loader=_Loader)  # noqa: S506
    except Exception as error:  # for a bad value under a tag, PyYAML raises just anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BrokenFile(f"{where} is not YAML: {reason}. Correct it by hand.") from None
    if not isinstance(loaded, dict):
        raise BrokenFile(
            f"{where} should hold `key: value` lines, not a {type(loaded).__name__}."
            " Correct it by hand."
        )
    if any(not isinstance(key, str) for key in loaded):
        raise BrokenFile(f"{where} has a key that is no text. Correct it by hand.")
    if _too_large(loaded):
        raise BrokenFile(f"{where} holds far more than a record. Correct it by hand.")
    return loaded


def _too_large(loaded: object) -> bool:
    """Whether nested aliases or lists would make saving or logging the record endless."""
    pending: list[tuple[object, int]] = [(loaded, 0)]
    for _ in range(MAX_NODES):
        if not pending:
            return False
        node, depth = pending.pop()
        if isinstance(node, dict):
            children: list[object] = list(node.values())
        elif isinstance(node, (list, tuple, set)):
            children = list(node)
        else:
            continue
        if depth >= MAX_DEPTH:
            return True
        pending.extend((child, depth + 1) for child in children)
    return True
