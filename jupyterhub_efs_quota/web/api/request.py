"""Reads a request's parameters and body by the contract: a 400 names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tornado import web

from .contract import Operation, Parameter

# A page's script may send its XSRF token so.
_XSRF = "_xsrf"


def read_query(operation: Operation, arguments: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """The values of all parameters of an operation, by name."""
    _refuse_unknown("parameter", {*arguments} - {_XSRF}, operation.parameters)
    values = {}
    for each in operation.parameters:
        given = arguments.get(each.name)
        if given is None and each.needed:
            raise web.HTTPError(400, f"{each.name} is missing: {each.text}")
        if given is None:
            values[each.name] = each.default
            continue
        if len(given) > 1:
            raise web.HTTPError(400, "%s", f"{each.name} is given more than once.")
        try:
            values[each.name] = each.value.read(given[0].decode())
        except UnicodeDecodeError:
            raise web.HTTPError(400, "%s", f"{each.name} is not UTF-8.") from None
        except ValueError as error:
            raise web.HTTPError(400, "%s", f"{each.name} {error}.") from None
    return values


def read_body(operation: Operation, data: bytes) -> dict[str, Any]:
    """The values of all fields of the body of an operation, by name."""
    body = operation.body
    if body is None:
        return {}
    if len(data) > body.most:
        raise web.HTTPError(413, f"The body is larger than {body.most} bytes.")
    given = _object(data)
    _refuse_unknown("field", set(given), body.fields)
    missing = next((name for name in body.needed if given.get(name) is None), None)
    if missing is not None:
        raise web.HTTPError(400, f"The body needs {missing}.")
    if body.some and not any(given.get(name) is not None for name in body.some):
        raise web.HTTPError(400, f"The body needs one of {', '.join(body.some)}.")
    values = {}
    for each in body.fields:
        try:
            values[each.name] = each.value.take(given[each.name]) if each.name in given else None
        except ValueError as error:
            raise web.HTTPError(400, "%s", f"{each.name} {error}.") from None
    return values


def _object(data: bytes) -> dict[str, Any]:
    def refuse(text: str) -> Any:
        raise ValueError(f"{text} is no number in JSON")

    try:
        given = json.loads(data.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise web.HTTPError(400, "%s", f"The body is not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise web.HTTPError(400, "The body must be a JSON object.")
    return given


def _refuse_unknown(what: str, names: set[str], known: Sequence[Parameter]) -> None:
    unknown = sorted(names - {each.name for each in known})
    if unknown:
        there = ", ".join(each.name for each in known) or "none"
        said = f"There is no {what} {unknown[0][:100]!r} here; there are: {there}."
        raise web.HTTPError(400, "%s", said)
