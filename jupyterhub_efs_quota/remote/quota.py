"""`jupyterhub-efs-quota set-quota` and `reset-quota`: another quota for one user."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from traitlets import Int, Unicode

from ..errors import SettingsError
from ..quota.sizes import parse_size
from ..service_client import ServiceClient, segment
from .command import STATUSES, RemoteCommand
from .output import Output
from .show import show_user
from .when import local, parse, to_api

# What stands for the size where the settings are to give it again.
DEFAULT = "default"
_REASON = "Why. It is on record, and the user sees it."


class ResetQuotaCommand(RemoteCommand):
    """Give a user the quota that the settings give."""

    name = "jupyterhub-efs-quota reset-quota"
    description = (
        "Give a user the quota that the settings give.\n\n"
        f"    jupyterhub-efs-quota reset-quota [OPTION ...] USER --reason=TEXT\n\n{STATUSES}"
    )
    examples = 'jupyterhub-efs-quota reset-quota alice --reason="The course is over"'
    arguments = ("USER",)
    aliases = {  # noqa: RUF012 - as traitlets has it
        **RemoteCommand.aliases,
        "reason": "ResetQuotaCommand.reason",
    }

    reason = Unicode("", help=_REASON).tag(config=True)

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """Reset it; what the API says of that."""
        return reset(client, given[0], _given(self.reason))

    def show(self, output: Output, answer: Any) -> None:
        """The sentence of the API, and how the user stands now."""
        show_change(output, answer)


class SetQuotaCommand(RemoteCommand):
    """Give a user another quota, for a time or until it is reset."""

    name = "jupyterhub-efs-quota set-quota"
    description = (
        "Give a user another quota, for a time or until it is reset.\n\n"
        "    jupyterhub-efs-quota set-quota [OPTION ...] USER [SIZE] --reason=TEXT\n\n"
        "SIZE is 20Gi, 500M, 1.5T or a number of bytes; without it the size stays, and --files"
        " is needed. It goes before all that the settings say. SIZE `default` is `reset-quota`."
        f" {STATUSES}"
    )
    examples = (
        'jupyterhub-efs-quota set-quota alice 50Gi --until=2026-12-24 --reason="Thesis"\n'
        'jupyterhub-efs-quota set-quota alice 50Gi --until=+30d --files=200000 --reason="Thesis"\n'
        'jupyterhub-efs-quota set-quota alice default --reason="Done"'
    )
    arguments = ("USER", "[SIZE]")
    aliases = {  # noqa: RUF012 - as traitlets has it
        **RemoteCommand.aliases,
        "files": "SetQuotaCommand.files",
        "until": "SetQuotaCommand.until",
        "reason": "SetQuotaCommand.reason",
    }

    files = Int(
        None, min=0, allow_none=True, help="How many files and links; 0: no limit on files."
    ).tag(config=True)
    until = Unicode(
        "",
        help="When it ends: 2026-12-24 (the end of that day), 2026-12-24 18:00, or +30d. Without"
        " a zone, it is in the zone of this machine. Default: it stays until it is reset.",
    ).tag(config=True)
    reason = Unicode("", help=_REASON).tag(config=True)

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """Set it; what the API says of that."""
        user, size = given[0], given[1] if len(given) > 1 else None
        reason = _given(self.reason)
        if size == DEFAULT:
            if self.files is not None or self.until:
                raise SettingsError("The default has no --files and no --until of its own.")
            return reset(client, user, reason)
        return client.send(
            "PUT", f"users/{segment(user)}/quota", {**self._limits(size), "reason": reason}
        )

    def show(self, output: Output, answer: Any) -> None:
        """The sentence of the API, when it ends, and how the user stands now."""
        show_change(output, answer)

    def _limits(self, size: str | None) -> dict[str, Any]:
        limits: dict[str, Any] = {}
        if size is not None:
            try:
                limits["bytes"] = parse_size(size)
            except ValueError as error:
                raise SettingsError(f"{error}.") from None
        if self.files is not None:
            limits["files"] = self.files
        if not limits:
            raise SettingsError("Give a SIZE, or --files. See --help.")
        if self.until:
            limits["until"] = self._end()
        return limits

    def _end(self) -> str:
        now = datetime.now(timezone.utc)
        until = parse(self.until, "until", now, ends=True)
        if until <= now:
            shown = local(to_api(until))
            raise SettingsError(f"--until {self.until!r} is {shown}, which is over.")
        return to_api(until)


def reset(client: ServiceClient, user: str, reason: str) -> Any:
    """Have the settings give the quota again."""
    query = urlencode({"reason": reason})
    return client.send("DELETE", f"users/{segment(user)}/quota?{query}")


def show_change(output: Output, answer: dict[str, Any]) -> None:
    """Print what a change of a quota did."""
    output.line(answer["sentence"])
    quota = answer["user"]["quota"]
    if quota is not None and quota["until"]:
        output.line(f"It ends at {local(quota['until'])} ({quota['until']}).")
    output.line()
    show_user(output, answer["user"])


def _given(reason: str) -> str:
    if not reason.strip():
        raise SettingsError("--reason is missing: say why, it is on record.")
    return reason
