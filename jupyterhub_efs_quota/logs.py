"""Log lines: one JSON object each, as sites already parse them, or text for people.

Built on the standard logging module: `event` attaches fields to a record, and a site's
own handlers see the same records.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, TextIO

from .errors import EFSQuotaError
from .quota.record import Record, format_time, to_mapping

ROOT = "jupyterhub_efs_quota"
# What a log line says of where it comes from.
LOG_ENVIRONMENT = ("DEPLOYMENT_NAME", "ENVIRONMENT", "POD_NAME")
# The predecessor's word for one level; the others are the standard ones.
_STATUS = {logging.WARNING: "WARN"}


def event(
    log: logging.Logger,
    level: int,
    message: str,
    *,
    subsystem: str,
    record: Record | None = None,
    exc_info: bool = False,
    **fields: Any,
) -> None:
    """Log a message with the fields of a quota record and others beside it."""
    if log.isEnabledFor(level):
        shown = {**(to_mapping(record) if record else {}), **fields}
        extra = {"subsystem": subsystem, "fields": shown}
        log.log(level, "%s", message, extra=extra, exc_info=exc_info)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: the caller's fields, then who says what, when and where.

    `service`, `env` and `pod_id` come from DEPLOYMENT_NAME, ENVIRONMENT and POD_NAME.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        environment = os.environ if environment is None else environment
        self._service = environment.get("DEPLOYMENT_NAME", "efs-quota")
        self._env = "dmd-" + environment.get("ENVIRONMENT", "").replace("prod", "ops")
        # The last two parts of a pod's name tell the replica: 6d4978cb5c-6vqdm
        self._pod = "-".join(environment.get("POD_NAME", "0").split("-")[-2:])

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {}
        if record.exc_info and record.exc_info[0] is not None:
            line["error.stack"] = "".join(traceback.format_exception(*record.exc_info))
            line["error.message"] = str(record.exc_info[1])
            line["error.kind"] = record.exc_info[0].__name__
            line["logger.name"] = "efs-quota"
            line["logger.thread_name"] = self._pod
        line["status"] = _STATUS.get(record.levelno, record.levelname)
        line["subsystem"] = getattr(record, "subsystem", "Service")
        line["pod_id"] = self._pod
        line["timestamp"] = format_time(datetime.fromtimestamp(record.created, timezone.utc))
        line["message"] = record.getMessage()
        line["service"] = self._service
        line["env"] = self._env
        # The caller's fields stand first and win.
        fields = getattr(record, "fields", {})
        return json.dumps(
            {**fields, **{k: v for k, v in line.items() if k not in fields}},
            default=str,
            # A key that is a date, nested in a control file, must not cost the whole line.
            skipkeys=True,
        )


class ConsoleFormatter(logging.Formatter):
    """`2026-11-22 10:15:02 WARN Monitor: message`, with the traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = datetime.fromtimestamp(record.created, timezone.utc).astimezone()
        when = moment.strftime("%Y-%m-%d %H:%M:%S")
        status = _STATUS.get(record.levelno, record.levelname)
        # Names are the users' to choose: none may forge a line of its own.
        message = _printable(record.getMessage())
        text = f"{when} {status} {getattr(record, 'subsystem', 'Service')}: {message}"
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, EFSQuotaError):
            # It says all itself; the JSON form has the traceback.
            text += f" {_printable(str(error))}"
        elif record.exc_info and error is not None:
            stack = self.formatException(record.exc_info)
            text += "".join(f"\n    {_printable(line)}" for line in stack.splitlines())
        return text


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def start_logging(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send our log lines to standard output, in `json` or `console` form."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    log = logging.getLogger(ROOT)
    log.handlers[:] = [handler]
    log.setLevel(logging.WARNING if level == "WARN" else level)
    log.propagate = False
    # The libraries' own lines take the same road.
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
