"""`jupyterhub-efs-quota show` and `explain`: one user, and why they stand so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from ..quota.forecast import Amount
from ..service_client import ServiceClient, segment
from ..words.figures import counted
from ..words.names import plain
from .command import STATUSES, RemoteCommand
from .output import Cell, Output, number, percent, size, state
from .when import local


class ShowCommand(RemoteCommand):
    """Show one user: usage, quota, state, servers, and what is wrong."""

    name = "jupyterhub-efs-quota show"
    description = (
        "Show one user: usage, quota, state, servers, and what is wrong.\n\n"
        f"    jupyterhub-efs-quota show [OPTION ...] USER\n\n{STATUSES}"
    )
    examples = "jupyterhub-efs-quota show alice"
    arguments = ("USER",)

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """The user, as their record stands now."""
        return client.get(f"users/{segment(given[0])}")

    def show(self, output: Output, answer: Any) -> None:
        """All of it, below one another."""
        show_user(output, answer)


class ExplainCommand(RemoteCommand):
    """Say which rule gave a user the quota, why the state, and what would change it."""

    name = "jupyterhub-efs-quota explain"
    description = (
        "Say which rule gave a user the quota, why the state is what it is, and what would"
        f" change it.\n\n    jupyterhub-efs-quota explain [OPTION ...] USER\n\n{STATUSES}"
    )
    examples = "jupyterhub-efs-quota explain alice"
    arguments = ("USER",)

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """The explanation, as the API has it."""
        return client.get(f"users/{segment(given[0])}/explain")

    def show(self, output: Output, answer: Any) -> None:
        """Its sentences, in their order."""
        output.line(answer["name"], "bold")
        output.line()
        output.line("Quota", "bold")
        output.line(f"  {answer['quota']['sentence']}")
        for rule in answer["rules"]:
            mark, style = ("*", "") if rule["gives"] else ("-", "dim")
            output.line(f"  {mark} {rule['sentence']}", style)
        output.line()
        output.line(Text.assemble(("State ", "bold"), state(answer["state"]["state"])))
        output.line(f"  {answer['state']['sentence']}")
        if answer["would_change"]:
            output.line()
            output.line("What would change it", "bold")
            for change in answer["would_change"]:
                output.line(f"  - {change['sentence']}")


def show_user(output: Output, user: dict[str, Any]) -> None:
    """Print what `GET users/NAME` answers."""
    record = user["record"]
    title = Text(plain(user["name"]), style="bold")
    if record is not None:
        title = Text.assemble(title, "  ", state(user["state"]))
    output.line(title)
    output.fields(_fields(user, record))
    for problem in user["problems"]:
        output.line(f"  {problem['by']}: {problem['text']}", "red")


def _fields(user: dict[str, Any], record: dict[str, Any] | None) -> Iterator[tuple[str, Cell]]:
    if record is None:
        yield "Record", "There is none yet: the monitor has not seen this user's home."
    else:
        yield "Uses", _usage(record, user["share"])
        yield from _quota_fields(user, enabled=record["quota_enabled"])
        yield "Measured", _measured(record)
        if record.get("over_since"):
            yield "Over since", local(record["over_since"])
        if user["lock"] is not None and user["lock"]["sure"]:
            yield "Locked out", f"from {local(user['lock']['at'])} on, when the time of grace ends"
        elif record.get("full_at"):
            yield "Full", _full(user["lock"], record)
        if user["rescue"] is not None:
            yield "Rescue", _rescue(user["rescue"])
        if record.get("unreadable"):
            yield "Not counted", f"{counted(record['unreadable'], 'entry', 'entries')}: unreadable"
        yield "Last active", local(record["last_activity"])
    yield "Servers", ", ".join(name or "the default one" for name in user["servers"]) or "none"
    if user["groups"]:
        yield "Groups", ", ".join(user["groups"])
    if user["admin"]:
        yield "Administrator", "yes"
    if record is not None and record.get("home"):
        yield "Home", record["home"]
    if user["measuring"]:
        yield "Now", "A measurement is going on."


def _quota_fields(user: dict[str, Any], *, enabled: bool) -> Iterator[tuple[str, Cell]]:
    if user["quota"] is not None:
        yield "Quota", _quota(user["quota"], enabled=enabled)
    if user["quota_then"] is not None:
        yield "After that", _then(user["quota_then"])


def _full(lock: dict[str, Any] | None, record: dict[str, Any]) -> str:
    in_files = "in files " if record.get("full_in") == Amount.FILES.value else ""
    text = f"{in_files}about {local(record['full_at'])}, at the present growth"
    return f"{text}; locked out about {local(lock['at'])}" if lock is not None else text


def _usage(record: dict[str, Any], share: dict[str, Any] | None) -> str:
    """`3.0 GiB, 120 % of the files, 1,200 of 1,000 files`."""
    if record["actual_bytes"] < 0:
        return "not known yet"
    parts = [size(record["actual_bytes"])]
    if share is not None:
        of_bytes = "space" if record.get("quota_files") else "quota"
        what = "files" if share["of"] == "files" else of_bytes
        parts.append(f"{percent(share['fraction'])} of the {what}")
    if record.get("usage_files") is not None:
        most = record.get("quota_files") if record["quota_enabled"] else None
        of = f"{number(record['usage_files'])} of " if most else ""
        parts.append(f"{of}{counted(most or record['usage_files'], 'file')}")
    return ", ".join(parts)


def _quota(quota: dict[str, Any], *, enabled: bool) -> str:
    """`9.8 KiB, from default, until …: reason`."""
    text = size(quota["bytes"])
    if quota["files"]:
        text += f" and {number(quota['files'])} files"
    if quota["source"]:
        text += f", from {quota['source']}"
    if quota["until"]:
        text += f", until {local(quota['until'])}"
    if quota["reason"]:
        text += f": {quota['reason']}"
    return text if enabled else f"{text} (not enforced)"


def _then(then: dict[str, Any]) -> str:
    """`10.0 KiB, from default: 2.0 KiB too much, and the state is lockout`."""
    text = size(then["bytes"])
    if then["files"]:
        text += f" and {number(then['files'])} files"
    if then["source"]:
        text += f", from {then['source']}"
    over = [size(then["excess_bytes"])] if then["excess_bytes"] else []
    over += [counted(then["excess_files"], "file")] if then["excess_files"] else []
    if over:
        text += f"; {' and '.join(over)} too {'many' if then['excess_files'] else 'much'}"
        text += f" with what is held now: the state is {then['state']}"
    return text


def _rescue(rescue: dict[str, Any]) -> str:
    """`the default server, until …`."""
    server = repr(rescue["server"]) if rescue["server"] else "the default one"
    if rescue["ended"]:
        why = {"grown": ", since the home grew in it", "back": ", back under the quota"}
        return f"{server}, ended {local(rescue['until'])}{why.get(rescue['ended'], '')}"
    back = ", back under the quota" if rescue["back"] else ""
    return f"{server}, until {local(rescue['until'])}{back}"


def _measured(record: dict[str, Any]) -> str:
    when = local(record["stopped"])
    how = f", by {record['meter']}" if record.get("meter") else ""
    return f"{when}{how}{', not to the end' if record['timed_out'] else ''}"
