"""The hub's configuration as the hub itself takes it, without anything being started."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from traitlets.config import Config

_ANYWHERE = {"", "*", "0.0.0.0", "::"}  # noqa: S104 - what they mean, not where to listen


def make(config: Config) -> Any:
    """A JupyterHub with this configuration, that does nothing."""
    from jupyterhub.app import JupyterHub

    quiet = logging.getLogger("jupyterhub_efs_quota.doctor.hub")
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    return JupyterHub(config=config, log=quiet)


def address(app: Any) -> str:
    """Where the proxy of that hub listens, as this machine reaches it; ends with a slash."""
    of_chart = [os.environ.get(f"PROXY_PUBLIC_SERVICE_{name}") for name in ("HOST", "PORT")]
    if all(of_chart):  # Zero to JupyterHub: the proxy is another pod
        return f"http://{of_chart[0]}:{of_chart[1]}{app.base_url}"
    url = urlsplit(app.bind_url)
    named = url.hostname or ""
    host = "127.0.0.1" if named in _ANYWHERE else f"[{named}]" if ":" in named else named
    port = url.port or (443 if url.scheme == "https" else 80)
    return str(urlunsplit((url.scheme, f"{host}:{port}", app.base_url, "", "")))


def values(config: Config, spawner: type, name: str) -> Iterator[tuple[str, Any]]:
    """Each value of a setting of the spawner, with its section: the first one counts."""
    for kind in spawner.mro():
        section = config.get(kind.__name__)
        if isinstance(section, Config) and name in section:
            yield kind.__name__, section[name]
