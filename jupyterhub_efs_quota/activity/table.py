"""The list of jobs for a terminal. Called by `activity list`, with what `as_json.py` made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..words.figures import took
from ..words.names import plain

_STYLES = {"success": "green", "failure": "red", "skipped": "dim"}


def draw(jobs: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Print a table of jobs."""
    table = Table(box=None, pad_edge=False)
    for title in ("Job", "Last run", "Host", "Outcome", "Took", "Next", "Checks"):
        table.add_column(title, overflow="fold")
    for job in jobs:
        table.add_row(*_cells(job))
    console = Console()
    console.print(table if jobs else "No job has run yet.")


def _cells(job: Mapping[str, Any]) -> list[Text]:
    last = job["last"]
    checks = [check["text"] for check in job["checks"] if not check["holds"]]
    said = "\n".join(plain(text) for text in checks) or ("all hold" if job["checks"] else "")
    return [
        Text(plain(job["job"]) + ("" if job["on"] else " (off)")),
        Text(_time(last and last["started"])),
        Text(plain(last["host"]) if last else ""),
        _outcome(last),
        Text(took(_secs(last)) if last else ""),
        Text(_time(job["due"])),
        Text(said, style="red" if checks else "green"),
    ]


def _outcome(last: Mapping[str, Any] | None) -> Text:
    if last is None:
        return Text("never ran", style="dim")
    text = Text(last["outcome"], style=_STYLES.get(last["outcome"], ""))
    return text.append(f": {plain(last['error'])}") if last["error"] else text


def _time(text: str | None) -> str:
    return text[:16].replace("T", " ") + " UTC" if text else ""


def _secs(last: Mapping[str, Any]) -> float:
    started, completed = (_parsed(last[name]) for name in ("started", "completed"))
    return (completed - started).total_seconds()


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
