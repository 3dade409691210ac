"""What the commands over the API have in common: arguments, errors, JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from traitlets import Bool

from ..commands import ApiCommand
from ..errors import EFSQuotaError, ServiceError, ServiceUnreachable, SettingsError
from ..service_client import ServiceClient
from ..words.names import plain
from .output import Output

_MISTAKE, _NO_USER, _NOT_ALLOWED, _NO_SERVICE = 2, 3, 4, 5
_BY_STATUS = {404: _NO_USER, 401: _NOT_ALLOWED, 403: _NOT_ALLOWED}
STATUSES = (
    "Exit status: 0, or with the reason on standard error 1 if the service cannot do it,"
    " 2 for a mistake in the command, 3 if there is no such user or you may not see them,"
    " 4 if you may not do it, 5 if the service does not answer."
)
# A page of the API, at most.
PAGE_ROWS = 1000


class RemoteCommand(ApiCommand):
    """A command that asks the service, and prints its answer."""

    takes_paths = True
    # The names of what is no flag; those in brackets may be left out.
    arguments: tuple[str, ...] = ()
    flags: dict[Any, Any] = {  # noqa: RUF012 - as traitlets has it
        "json": ({"RemoteCommand": {"as_json": True}}, "Print what the API answers, as JSON."),
    }

    as_json = Bool(False, help="Print what the API answers, as JSON.").tag(config=True)

    def ask(self, client: ServiceClient, *given: str) -> Any:
        """The answer to show. Raises ServiceError, SettingsError."""
        raise AssertionError("each command has its own")

    def show(self, output: Output, answer: Any) -> None:
        """Print the answer for people."""
        raise AssertionError("each command has its own")

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process."""
        # Names that the output's encoding does not have.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            settings = self.read_settings(argv)
            answer = self.ask(self.client(settings), *self._given())
            if self.as_json:
                print(json.dumps(answer))  # noqa: T201
            else:
                self.show(Output(), answer)
            sys.stdout.flush()
        except EFSQuotaError as error:
            _fail(error)
        except BrokenPipeError:
            # Whoever read it has seen enough. Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)

    def _given(self) -> list[str]:
        """The arguments that are no flags, as many as there have to be."""
        given = list(self.extra_args)
        least = sum(not name.startswith("[") for name in self.arguments)
        usage = f"{self.name} {' '.join(self.arguments)}".strip()
        if len(given) < least:
            raise SettingsError(f"{self.arguments[len(given)]} is missing: {usage}. See --help.")
        if len(given) > len(self.arguments):
            extra = given[len(self.arguments)]
            raise SettingsError(f"{extra!r} is not understood: {usage}. See --help.")
        return given


def pages(client: ServiceClient, path: str, most: int, **query: Any) -> dict[str, Any]:
    """The first so many items of a list (0: all), put together from its pages."""
    items: list[Any] = []
    while True:
        wanted = min(PAGE_ROWS, most - len(items)) if most else PAGE_ROWS
        page = client.get(path, **query, limit=wanted, offset=len(items))
        items += page["items"]
        if not page["items"] or len(items) >= (most or page["total"]):
            return {"items": items, "total": page["total"]}


def _fail(error: EFSQuotaError) -> None:
    """End with the reason, which may quote what somebody else wrote."""
    status = _MISTAKE if isinstance(error, SettingsError) else 1
    if isinstance(error, ServiceUnreachable):
        status = _NO_SERVICE
    elif isinstance(error, ServiceError):
        status = _BY_STATUS.get(error.status or 0, 1)
    print(f"jupyterhub-efs-quota: {plain(str(error))}", file=sys.stderr)  # noqa: T201
    sys.exit(status)
