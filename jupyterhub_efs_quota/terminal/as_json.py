"""What was found in a folder, as one line of JSON. Called by `measure.py`.

Names in it are text that any reader takes. Where a path has bytes that are no UTF-8, these
are shown as U+FFFD, and `path_base64` beside it has the path as it is.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import asdict
from typing import Any

from ..quota.summary import Sums
from ..quota.usage import Usage

_NO_TEXT = re.compile("[\ud800-\udfff]")


def line(path: str, answer: Usage | str) -> str:
    """A usage, or why there is none."""
    if isinstance(answer, str):
        return _dump({"path": path, "error": answer})
    values = asdict(answer)
    summary = values.pop("summary")
    complete = {"complete": answer.complete and not answer.hidden}
    return _dump({"path": path, "usage": {**values, **complete}, "summary": _named(summary)})


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(_readable(values), ensure_ascii=True)


def _named(values: Any) -> Any:
    """Sums by their names: a list of three numbers tells nobody anything."""
    if isinstance(values, dict):
        return {key: _named(value) for key, value in values.items()}
    if isinstance(values, Sums):
        return {"bytes": values.bytes, "allocated": values.allocated, "files": values.files}
    if isinstance(values, list | tuple):
        return [_named(value) for value in values]
    return values


def _readable(values: Any) -> Any:
    if isinstance(values, list | tuple):
        return [_readable(value) for value in values]
    if isinstance(values, dict):
        read = {_text(key): _readable(value) for key, value in values.items()}
        path = values.get("path")
        if isinstance(path, str) and _text(path) != path:
            read["path_base64"] = base64.b64encode(os.fsencode(path)).decode()
        return read
    return _text(values) if isinstance(values, str) else values


def _text(value: str) -> str:
    # Bytes of a name that are no text, as Python has them, and other halves of signs.
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", value)
