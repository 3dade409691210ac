"""`jupyterhub-efs-quota history` and `runs`: what was measured and done, and by what."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from traitlets import Bool, Enum, Int, Unicode

from ..service_client import ServiceClient, segment
from ..words.figures import took
from .command import STATUSES, RemoteCommand, pages
from .output import Output, growth, number, size, state
from .when import local, parse, secs_between, to_api

_SINCE = "Not before this time: 2026-12-24 (its beginning), 2026-12-24 18:00, or -30d."
_UNTIL = "Before this time: 2026-12-24 (the end of that day), 2026-12-24 18:00, or -1d."
# More lines than this are asked for by name.
_TOP = 50


class TimeCommand(RemoteCommand):
    """A command about some time."""

    aliases = {  # noqa: RUF012 - as traitlets has it
        **RemoteCommand.aliases,
        "since": "TimeCommand.since",
        "until": "TimeCommand.until",
        "top": "TimeCommand.top",
    }

    since = Unicode("", help=_SINCE).tag(config=True)
    until = Unicode("", help=_UNTIL).tag(config=True)
    top = Int(_TOP, min=1, help="Show the newest so many only.").tag(config=True)

    def times(self) -> dict[str, str | None]:
        """The two as parameters of the API."""
        now = datetime.now(timezone.utc)
        since = parse(self.since, "since", now, ends=False) if self.since else None
        until = parse(self.until, "until", now, ends=True) if self.until else None
        return {
            "since": to_api(since) if since else None,
            "until": to_api(until) if until else None,
        }


class HistoryCommand(TimeCommand):
    """Show what a user's home held, or what happened to the user."""

    name = "jupyterhub-efs-quota history"
    description = (
        "Show what a user's home held at each measurement, or with --changes what happened to"
        " the user: changes of state and of the quota, servers stopped and refused. Times are"
        " those of this machine's zone.\n\n"
        f"    jupyterhub-efs-quota history [OPTION ...] USER\n\n{STATUSES}"
    )
    examples = (
        "jupyterhub-efs-quota history alice --since=-30d\n"
        "jupyterhub-efs-quota history alice --changes"
    )
    arguments = ("USER",)
    aliases = {**TimeCommand.aliases}  # noqa: RUF012
    flags = {  # noqa: RUF012
        **RemoteCommand.flags,
        "changes": (
            {"HistoryCommand": {"changes": True}},
            "Show changes and actions in place of measurements.",
        ),
    }

    changes = Bool(False, help="Show changes and actions in place of measurements.").tag(
        config=True
    )

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """The measurements, or the changes."""
        path = f"users/{segment(given[0])}"
        if self.changes:
            return pages(client, f"{path}/changes", self.top, **self.times())
        answer = client.get(f"{path}/history", **self.times())
        return {**answer, "items": answer["items"][-self.top :]}

    def show(self, output: Output, answer: Any) -> None:
        """A table; measurements with what changed since the one before."""
        if self.changes:
            _show_changes(output, answer)
        else:
            _show_measurements(output, answer)


class RunsCommand(TimeCommand):
    """List the runs of jobs: cycles of the monitor and the reaper, and others."""

    name = "jupyterhub-efs-quota runs"
    description = (
        "List the runs of jobs: cycles of the monitor and the reaper, and what else reports"
        " here; the newest first.\n\n"
        f"    jupyterhub-efs-quota runs [OPTION ...]\n\n{STATUSES}"
    )
    examples = (
        "jupyterhub-efs-quota runs --job=monitor --top=5\n"
        "jupyterhub-efs-quota runs --outcome=failure --since=-7d"
    )
    aliases = {  # noqa: RUF012
        **TimeCommand.aliases,
        "job": "RunsCommand.job",
        "outcome": "RunsCommand.outcome",
    }

    job = Unicode("", help="Only runs of this job, such as monitor.").tag(config=True)
    outcome = Enum(["", "success", "failure", "skipped"], "", help="Only runs that ended so.").tag(
        config=True
    )

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """The runs."""
        query = {"job": self.job or None, "outcome": self.outcome or None}
        return pages(client, "runs", self.top, **query, **self.times())

    def show(self, output: Output, answer: Any) -> None:
        """A table, and how many there are."""
        output.table(
            ("Job", "Host", "Started", ">Took", "Outcome", "Counts"),
            [
                (
                    run["job"],
                    run["host"],
                    local(run["started"]),
                    took(secs_between(run["started"], run["completed"])),
                    run["outcome"],
                    run["error"] or _counts(run["counts"]),
                )
                for run in answer["items"]
            ],
        )
        _show_sum(output, answer, "runs")


def _show_measurements(output: Output, answer: dict[str, Any]) -> None:
    rows: list[tuple[str, ...]] = []
    before: int | None = None
    for each in answer["items"]:
        change = None if before is None else int(each["counted"]) - before
        before = each["counted"]
        rows.append(
            (
                local(each["started"]),
                took(each["secs"]),
                size(each["counted"]),
                growth(change),
                size(each["quota_bytes"]),
                number(each["files"]),
                _remark(each),
            )
        )
    output.table(("Measured", ">Took", ">Used", ">Change", ">Quota", ">Files", ""), rows)
    output.line()
    output.line(f"From {local(answer['since'])} to {local(answer['until'])}.")


def _remark(measurement: dict[str, Any]) -> str:
    if measurement["timed_out"]:
        return "not to the end"
    if measurement["unreadable"]:
        return f"{measurement['unreadable']:,} unreadable"
    return ""


def _show_changes(output: Output, answer: dict[str, Any]) -> None:
    output.table(
        ("Time", "What", "Before", "After", "By", "Reason"),
        [
            (
                local(each["time"]),
                each["kind"] + (f" {each['server']}" if each["server"] else ""),
                _value(each["before"]),
                _value(each["after"]),
                each["by"],
                each["reason"] or "",
            )
            for each in answer["items"]
        ],
    )
    _show_sum(output, answer, "changes")


def _value(value: Any) -> Any:
    """A state, a quota, or nothing."""
    if isinstance(value, str):
        return state(value)
    if isinstance(value, dict) and isinstance(value.get("quota_bytes"), int):
        files = f", {number(value['quota_files'])} files" if value.get("quota_files") else ""
        off = "" if value.get("enabled", True) else " (not enforced)"
        return size(value["quota_bytes"]) + files + off
    return "" if value is None else json.dumps(value)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def _show_sum(output: Output, answer: dict[str, Any], what: str) -> None:
    output.line()
    output.line(f"{len(answer['items']):,} of {answer['total']:,} {what}")
