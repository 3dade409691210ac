"""`jupyterhub-efs-quota users`: who holds what."""

from __future__ import annotations

from typing import Any

from traitlets import Enum, Int, Unicode

from ..quota.standing import STANDINGS
from ..service_client import ServiceClient
from ..users.table import SORTS
from .command import STATUSES, RemoteCommand, pages
from .output import Output, growth, number, percent, size, state
from .when import local

_COLUMNS = ("User", "State", ">Used", ">Quota", ">Share", ">Files", ">In 30 days", "Measured")


class UsersCommand(RemoteCommand):
    """List users, with what they hold and may hold."""

    name = "jupyterhub-efs-quota users"
    description = (
        "List users, with what they hold and may hold: those whom your token may see.\n\n"
        f"    jupyterhub-efs-quota users [OPTION ...]\n\n{STATUSES}"
    )
    examples = (
        "jupyterhub-efs-quota users --state=lockout\n"
        "jupyterhub-efs-quota users --sort=-size --top=20\n"
        "jupyterhub-efs-quota users --group=students --json > students.json"
    )
    aliases = {  # noqa: RUF012 - as traitlets has it
        **RemoteCommand.aliases,
        "name": "UsersCommand.part",
        "state": "UsersCommand.state",
        "group": "UsersCommand.group",
        "sort": "UsersCommand.sort",
        "top": "UsersCommand.top",
    }
    flags = {  # noqa: RUF012
        **RemoteCommand.flags,
        "growth": (
            {"UsersCommand": {"with_growth": "true"}},
            "Show how much each home grew in the 30 days before its last measurement.",
        ),
    }

    part = Unicode("", help="Only users with this in their name.").tag(config=True)
    state = Enum(["", *STANDINGS], "", help="Only users in this state.").tag(config=True)
    group = Unicode("", help="Only members of this group of the hub.").tag(config=True)
    sort = Enum(
        [sign + by for by in SORTS for sign in ("", "-")],
        "name",
        help="What to sort by; with a - before it, the largest first.",
    ).tag(config=True)
    top = Int(0, min=0, help="Show so many users only. 0: all.").tag(config=True)
    with_growth = Enum(["", "true"], "", help="Show the growth in 30 days.").tag(config=True)

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """The users, from as many pages as there are."""
        return pages(
            client,
            "users",
            self.top,
            q=self.part or None,
            state=self.state or None,
            group=self.group or None,
            sort=self.sort,
            growth=self.with_growth or None,
        )

    def show(self, output: Output, answer: Any) -> None:
        """A table, and how many there are."""
        rows = answer["items"]
        with_growth = any(row["growth"] is not None for row in rows)
        wrong = any(row["problem"] for row in rows)
        columns = [title for title in _COLUMNS if with_growth or title != ">In 30 days"]
        output.table(
            [*columns, *(["Problem"] if wrong else [])],
            [_cells(row, with_growth=with_growth, wrong=wrong) for row in rows],
        )
        output.line()
        output.line(f"{len(rows):,} of {answer['total']:,} users")


def _cells(row: dict[str, Any], *, with_growth: bool, wrong: bool) -> list[Any]:
    record = row["record"]
    cells = [row["name"], "", "", "", "", "", *([""] if with_growth else []), "never"]
    if record is not None:
        cells = [
            row["name"],
            state(row["state"]),
            size(record["actual_bytes"]),
            size(record["quota_bytes"]) if record["quota_enabled"] else "none",
            _share(row["share"]),
            _files(record),
            *([growth(row["growth"])] if with_growth else []),
            local(record["stopped"]),
        ]
    return [*cells, row["problem"] or ""] if wrong else cells


def _share(share: dict[str, Any] | None) -> str:
    if share is None:
        return ""
    return f"{percent(share['fraction'])}{' of files' if share['of'] == 'files' else ''}"


def _files(record: dict[str, Any]) -> str:
    files = number(record.get("usage_files"))
    most = record.get("quota_files") if record["quota_enabled"] else None
    return f"{files} of {number(most)}" if files and most else files
