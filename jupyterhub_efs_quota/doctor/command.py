"""`jupyterhub-efs-quota doctor`: what may be wrong, and the line that mends it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from traitlets import Bool, Float, Unicode
from traitlets.config import Config

from ..commands import SHARED_ALIASES, Command, fail
from ..errors import EFSQuotaError, SettingsError
from ..hub.client import Access, access_by_hand, access_from
from ..settings import resolve
from . import hub_app
from .checks import CHECKS
from .finding import exit_status
from .place import Place
from .run import run
from .running import Running, find
from .show import as_json, show

_OF_SERVICE = ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_NAME")
_OF_HUB = ("JupyterHub", "Spawner", "ConfigurableHTTPProxy", "Authenticator")
_CANNOT_LOOK, _INTERRUPTED = 2, 128 + signal.SIGINT


class DoctorCommand(Command):
    """Look for what is wrong, and say which line mends it."""

    name = "jupyterhub-efs-quota doctor"
    description = (
        "Look for what is wrong, and say which line mends it. Nothing is changed.\n\n"
        "On the hub's machine, name the hub's configuration: then it is looked at, too, and the"
        " service that the hub started is found. In the environment of a service that runs"
        " elsewhere, no option is needed. What cannot be seen from here is said to be so, with"
        " where to look. Exit status: 0 if nothing is wrong, 1 for warnings only, 2 if something"
        " is wrong."
    )
    examples = (
        "jupyterhub-efs-quota doctor --config=/srv/jupyterhub/jupyterhub_config.py\n"
        "jupyterhub-efs-quota doctor --json | jq '.findings[] | select(.status == \"wrong\")'"
    )
    flags: dict[Any, Any] = {  # noqa: RUF012
        "json": ({"DoctorCommand": {"as_json": True}}, "Print all findings as one JSON object."),
    }
    aliases: dict[Any, Any] = {  # noqa: RUF012
        **SHARED_ALIASES,
        "config": "DoctorCommand.config_file",
        "hub-url": "DoctorCommand.hub_url",
        "api-token": "DoctorCommand.api_token",
        "api-cert": "DoctorCommand.api_cert",
        "deadline": "DoctorCommand.deadline",
    }

    config_file = Unicode(
        "", help="The hub's own configuration, or a file with `c.EFSQuota.…` lines."
    ).tag(config=True)
    as_json = Bool(False, help="Print all findings as one JSON object.").tag(config=True)
    hub_url = Unicode(
        "", help="The hub's address for browsers, such as https://hub.example.org"
    ).tag(config=True)
    api_token = Unicode("", help="A token of the hub. Default: JUPYTERHUB_API_TOKEN.").tag(
        config=True
    )
    api_cert = Unicode(
        "", help="A CA bundle to trust for the hub's https, or False to trust anything."
    ).tag(config=True)

    deadline = Float(
        0.0, min=0.0, help="Seconds for each check. 0: as many as it needs on a store that is well."
    ).tag(config=True)

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process."""
        try:
            self.take_arguments(argv)
            place = self.place()
        except EFSQuotaError as error:
            fail(error, _CANNOT_LOOK)
        try:
            status = self._look(place)
            sys.stdout.flush()
        except KeyboardInterrupt:
            status = _INTERRUPTED
        except BrokenPipeError:
            # Whoever read it has seen enough.
            status = _CANNOT_LOOK
        # Not by the usual end, which would wait for what hangs in a store.
        os._exit(status)

    def _look(self, place: Place) -> int:
        """Run the checks and print what they find; the exit status."""
        findings = run(CHECKS, place, self.deadline)
        if self.as_json:
            found = list(findings)
            print(as_json(found))  # noqa: T201
        else:
            console = Console(markup=False, emoji=False, highlight=False)
            found = show(findings, console)
        return exit_status(found)

    def place(self) -> Place:
        """What is known here. Raises HubError for a bad --hub-url."""
        try:
            config = self.gather()
        except SettingsError as error:
            return Place(settings_error=str(error), config_file=self.config_file)
        of_hub = config if any(name in config for name in _OF_HUB) else None
        settings, wrong = None, ""
        try:
            settings = resolve(config)
        except SettingsError as error:
            wrong = str(error)
        app = None
        try:
            app = hub_app.make(of_hub) if of_hub is not None else None
        except Exception as bad:  # whatever traits and plugins raise
            settings, wrong = None, f"The hub does not take this configuration: {bad}"
        place = Place(
            settings=settings,
            settings_error=wrong,
            config_file=str(Path(self.config_file).absolute()) if self.config_file else "",
            config=of_hub,
            app=app,
            hub_url=self.hub_url,
        )
        running = _running(place)
        environment = _environment(running)
        access = self._access(place, environment)
        return replace(place, running=running, environment=environment, access=access)

    def _refuse_unknown(self, config: Config) -> None:
        """The hub's own configuration has sections for all that the hub is made of."""
        if not any(name in config for name in _OF_HUB):
            super()._refuse_unknown(config)

    def _access(self, place: Place, environment: Mapping[str, str]) -> Access | None:
        """The way to the hub: what was given, what the hub told, what its file says."""
        told = {**environment}
        if self.api_token:
            told["JUPYTERHUB_API_TOKEN"] = self.api_token
        elif not environment:
            configured = (place.service or {}).get("api_token", "")
            told["JUPYTERHUB_API_TOKEN"] = os.environ.get("JUPYTERHUB_API_TOKEN") or configured
        token = told.get("JUPYTERHUB_API_TOKEN")
        if not token:
            return None
        if told.get("JUPYTERHUB_API_URL") and not (self.hub_url and self.api_token):
            return access_from(told)
        address = self.hub_url or (hub_app.address(place.app) if place.app is not None else "")
        return access_by_hand(address, token, self.api_cert) if address else None


def _running(place: Place) -> Running | None:
    """The service that the hub of this configuration started here."""
    service = place.service
    if service is None or "command" not in service:
        return None
    return find(service["name"], service["command"], service.get("url", ""))


def _environment(running: Running | None) -> Mapping[str, str]:
    """What the hub tells its service: that which runs here, or us in its place."""
    if running is not None:
        return running.environment
    return os.environ if all(os.environ.get(name) for name in _OF_SERVICE) else {}
