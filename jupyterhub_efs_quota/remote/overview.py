"""`jupyterhub-efs-quota overview`: how the site stands as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from traitlets import Int, Unicode

from ..errors import SettingsError
from ..overview.wanted import MONTHS, MOST_MONTHS, MOST_TOP, TOP
from ..quota.sizes import parse_size
from ..service_client import ServiceClient
from ..words.figures import counted
from .command import STATUSES, RemoteCommand
from .output import Output, growth, number, percent, size, state
from .when import local


class OverviewCommand(RemoteCommand):
    """Show how the site stands as a whole."""

    name = "jupyterhub-efs-quota overview"
    description = (
        "Show how the site stands as a whole: sums, users by state, the volume and when it will"
        " be full, who holds and grows the most, who is dormant, homes without a user, what"
        " another default quota would do, and what went wrong lately.\n\n"
        f"    jupyterhub-efs-quota overview [OPTION ...]\n\n{STATUSES}"
    )
    examples = (
        "jupyterhub-efs-quota overview\n"
        "jupyterhub-efs-quota overview --months=12 --top=50\n"
        "jupyterhub-efs-quota overview --quota=50Gi --json"
    )
    aliases = {  # noqa: RUF012 - as traitlets has it
        **RemoteCommand.aliases,
        "months": "OverviewCommand.months",
        "top": "OverviewCommand.top",
        "quota": "OverviewCommand.quota",
    }

    months = Int(
        MONTHS, min=1, max=MOST_MONTHS, help="So many months without activity make dormant."
    ).tag(config=True)
    top = Int(TOP, min=1, max=MOST_TOP, help="Name so many of each kind.").tag(config=True)
    quota = Unicode("", help="A default quota to try out, such as 50Gi.").tag(config=True)

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """All of it."""
        try:
            quota = parse_size(self.quota) if self.quota else None
        except ValueError as error:
            raise SettingsError(f"--quota: {error}.") from None
        return client.get("overview", months=self.months, top=self.top, quota=quota)

    def show(self, output: Output, answer: Any) -> None:
        """The sums, then the lists."""
        for trouble in answer["trouble"]:
            output.line(trouble, "red")
        if not answer["complete"]:
            output.line("Not all users were seen yet since the service began.", "yellow")
        if answer["missing"]:
            output.line(answer["missing"], "yellow")
        output.fields(_totals(answer["totals"]))
        output.fields((("Volume", _volume(answer["volume"])),))
        output.fields((("What if", _what_if(answer["what_if"])),))
        _show_lists(output, answer)
        _show_strays(output, answer["unclaimed"])
        _show_recent(output, answer)


def _totals(totals: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Users", f"{number(totals['users'])}, {number(totals['measured'])} measured"
    yield "Hold", f"{size(totals['bytes'])}, {counted(totals['files'], 'file')}"
    yield "Promised", f"{size(totals['quota_bytes'])}, to {counted(totals['limited'], 'user')}"
    for name, count in totals["states"].items():
        yield name, number(count)


def _volume(volume: dict[str, Any] | None) -> str:
    if volume is None:
        return "not looked at yet"
    text = f"{size(volume['used'])} used of a store without a fixed size"
    if volume["total"] is not None:
        text = f"{size(volume['used'])} of {size(volume['total'])}, {percent(volume['fraction'])}"
    sentences = [text, *_outlook(volume["forecast"], endless=volume["total"] is None)]
    if volume["problem"]:
        sentences.append(f"as of {local(volume['time'])}: {volume['problem']}")
    return "; ".join(sentences)


def _outlook(forecast: dict[str, Any], *, endless: bool) -> Iterator[str]:
    if forecast["outlook"] == "full":
        yield f"full about {local(forecast['when'])[:10]}"
    elif forecast["outlook"] == "far" and not endless:
        yield f"not full before {local(forecast['until'])[:10]}"
    elif forecast["outlook"] == "not growing":
        yield "not growing"
    if forecast["a_day"] is not None and forecast["a_day"] > 0:
        yield f"{growth(int(forecast['a_day']))} a day"


def _what_if(found: dict[str, Any]) -> str:
    return (
        f"With a default of {size(found['quota_bytes'])}, {number(found['over'])} of"
        f" {counted(found['users'], 'user')} who have it would be over,"
        f" {number(found['newly'])} newly; {size(found['excess_bytes'])} would have to go."
    )


def _show_lists(output: Output, answer: dict[str, Any]) -> None:
    dormant, fastest, never = answer["dormant"], answer["fastest"], answer["never_active"]
    for title, listed in (
        ("Largest", answer["largest"]),
        (f"Fastest growing, {growth(fastest['growth'])} in 30 days", fastest),
        (f"Dormant for {counted(answer['months'], 'month')}: {_sum(dormant)}", dormant),
        (f"Never active here: {_sum(never)}", never),
        (f"Users without a home: {number(answer['homeless']['total'])}", answer["homeless"]),
    ):
        if listed["users"]:
            _title(output, title)
            output.table(
                ("User", "State", ">Holds", ">Quota", ">In 30 days", "Last active"),
                [_cells(user) for user in listed["users"]],
            )


def _sum(listed: dict[str, Any]) -> str:
    return f"{counted(listed['total'], 'user')}, {size(listed['bytes'])}"


def _cells(user: dict[str, Any]) -> list[Any]:
    return [
        user["name"],
        state(user["state"] or ""),
        size(user["bytes"]),
        size(user["quota_bytes"]),
        growth(user["growth"]),
        local(user["active"]),
    ]


def _show_strays(output: Output, strays: dict[str, Any] | None) -> None:
    if strays is None or not strays["folders"]:
        return
    least = "" if strays["whole"] else "at least "
    held = f", {size(strays['bytes'])} when measured" if strays["bytes"] else ""
    _title(output, f"Homes without a user: {least}{number(strays['total'])}{held}")
    output.table(
        ("Folder", "Was of", ">Held", "Measured"),
        [
            (each["folder"], each["user"] or "", size(each["bytes"]), local(each["measured"]))
            for each in strays["folders"]
        ],
    )


def _show_recent(output: Output, answer: dict[str, Any]) -> None:
    for what in ("refused", "stopped"):
        if answer[what]["last"]:
            _title(output, f"Servers {what} in 7 days: {number(answer[what]['total'])}")
            output.table(
                ("Time", "User", "Server", "Reason"),
                [
                    (local(each["time"]), each["user"], each["server"] or "", each["reason"] or "")
                    for each in answer[what]["last"]
                ],
            )
    if answer["errors"]["users"]:
        _title(output, f"Users with whom something is wrong: {number(answer['errors']['total'])}")
        rows = [(each["user"], each["text"]) for each in answer["errors"]["users"]]
        output.table(("User", "What"), rows)
    if answer["jobs"]:
        _title(output, "Jobs")
        output.table(("Job", "", "Last", "Wrong"), [_job(job) for job in answer["jobs"]])


def _job(job: dict[str, Any]) -> tuple[str, ...]:
    how = job["outcome"] or "never ran" if job["on"] else "off"
    return job["name"], how, local(job["completed"]), " ".join(job["wrong"])


def _title(output: Output, text: str) -> None:
    output.line()
    output.line(text, "bold")
