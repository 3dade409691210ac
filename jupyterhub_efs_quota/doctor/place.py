"""Where the doctor is, and what it knows from there. Made by `command.py`, read by the checks."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from traitlets.config import Config

from ..configure import value_of
from ..hub.client import Access, internal_tls
from ..settings import EFSQuota
from .running import Running

SERVICE_ENVIRONMENT = (
    "Run `jupyterhub-efs-quota doctor` in the service's environment, or give a token in"
    " JUPYTERHUB_API_TOKEN and --hub-url"
)
ELSEWHERE = "Run `jupyterhub-efs-quota doctor` where the service runs, in its environment"
HUB_MACHINE = (
    "Run `jupyterhub-efs-quota doctor --config=jupyterhub_config.py` on the hub's machine, with"
    " that file's whole path"
)


@dataclass(frozen=True)
class Place:
    """What is known here.

    `settings` is None where they are bad: `settings_error` says why. `config` is the hub's
    own configuration, and `app` what the hub makes of it. `environment` is what the hub tells
    its service (us in its place, or that which runs here). All may be missing. `access` is
    how to ask the hub's API, `hub_url` its address for browsers, if it was given.
    """

    settings: EFSQuota | None = None
    settings_error: str = ""
    config_file: str = ""
    config: Config | None = None
    app: Any = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    running: Running | None = None
    access: Access | None = field(default=None, repr=False)
    hub_url: str = ""

    @property
    def service(self) -> dict[str, Any] | None:
        """Our service in the hub's configuration."""
        if self.config is None or self.settings is None:
            return None
        return entry(self.config, "services", self.settings.service_name)

    @property
    def service_elsewhere(self) -> bool:
        """Whether this is the hub's machine, and the service runs on another one."""
        return self.service is not None and "command" not in self.service

    @property
    def file(self) -> str:
        """The hub's configuration, as lines that mend something name it."""
        return self.config_file or "jupyterhub_config.py"

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What asking the service itself needs."""
        return internal_tls(self.environment, ssl.Purpose.SERVER_AUTH)


def entry(config: Config, trait: str, name: str) -> dict[str, Any] | None:
    """The entry of that name in a list of the hub's configuration."""
    listed = value_of(config, trait, [])
    return next(
        (item for item in listed if isinstance(item, dict) and item.get("name") == name), None
    )
