"""`setup(c)`: one line in jupyterhub_config.py that installs everything in the hub.

Call it last: it reads what the site has set and adds to it.
"""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path
from typing import Any

import jupyterhub
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from .errors import SettingsError
from .hub.spawn import make_hook
from .logs import LOG_ENVIRONMENT
from .settings import HANDED_OVER, hand_over, resolve

# What the service may do in the hub, and nothing else: see users, and stop their servers.
SERVICE_SCOPES = (
    "list:users",
    "read:users:activity",
    "read:users:groups",
    "read:servers",
    "delete:servers",
)
CUSTOM_SCOPES: dict[str, dict[str, Any]] = {
    "custom:efs-quota:read": {"description": "See storage use and quotas"},
    "custom:efs-quota:manage": {
        "description": "Change storage quotas",
        "subscopes": ["custom:efs-quota:read"],
    },
    "custom:efs-quota:report": {"description": "Report runs of jobs to the quota service"},
    "custom:efs-quota:admin": {
        "description": "Administer storage quotas",
        "subscopes": ["custom:efs-quota:manage", "custom:efs-quota:report"],
    },
}
TEMPLATES = Path(__file__).parent / "hub" / "templates"
DEFAULT_PORT = 10189


def setup(
    c: Config,
    *,
    url: str | None = None,
    api_token: str | None = None,
    command: list[str] | None = None,
    **settings: Any,
) -> None:
    """Add storage quotas to a hub: service, role, scopes, spawn hook, links.

    Settings stand in `c.EFSQuota` or are given here by name:
    `setup(c, home_root="/home", default_quota="10Gi")`.

    - `url`: where the service listens, as the proxy and the hub reach it. Default:
      port 10189 on 127.0.0.1, with https where the hub uses internal SSL.
    - `api_token`: the service runs elsewhere, with this token; the hub does not start it.
    - `command`: another command that starts the service.

    Raises SettingsError, naming what is wrong, if a setting is bad or a name is taken.
    """
    c.EFSQuota.update(settings)
    resolved = resolve(c)
    name = resolved.service_name
    internal_ssl = bool(c.JupyterHub.get("internal_ssl", False))

    service: dict[str, Any] = {
        "name": name,
        "url": url or f"{'https' if internal_ssl else 'http'}://127.0.0.1:{DEFAULT_PORT}",
        "oauth_no_confirm": True,
        "oauth_client_allowed_scopes": list(CUSTOM_SCOPES),
    }
    if api_token is None:
        service["command"] = command or [sys.executable, "-m", "jupyterhub_efs_quota"]
        # The hub hands nothing of its own environment to a service.
        named = {name: os.environ[name] for name in LOG_ENVIRONMENT if name in os.environ}
        service["environment"] = {HANDED_OVER: hand_over(c), **named}
    else:
        service["api_token"] = api_token

    _append_named(c, "services", service)
    _append_named(
        c, "load_roles", {"name": name, "services": [name], "scopes": list(SERVICE_SCOPES)}
    )
    _add_custom_scopes(c)
    _add_user_scopes(c, {f"access:services!service={name}", "custom:efs-quota:read!user"})
    _add_hook(c, resolved)
    _add_templates(c, name, resolved.menu_text)
    if internal_ssl and api_token is None:
        _mend_internal_ssl()


def value_of(c: Config, name: str, initial: Any) -> Any:
    """What the site has set for `c.JupyterHub.NAME`, by assignment or by appending."""
    value = c.JupyterHub.get(name, initial)
    # The first answer of get_value is kept for good: ask a copy, and it stays open.
    return copy.deepcopy(value).get_value(initial) if isinstance(value, LazyConfigValue) else value


def _add(c: Config, trait: str, more: Any) -> None:
    """Add to a list, set or dict of the hub: to what is there, and to what is not seen here.

    A file that another one loads with `load_subconfig`, as The Littlest JupyterHub loads
    those in jupyterhub_config.d, has a `c` of its own. What is assigned there replaces
    what the other file has; what is appended is added to it.
    """
    value = c.JupyterHub.get(trait)
    if value is None or isinstance(value, LazyConfigValue):
        pending = c.JupyterHub[trait]
        if isinstance(more, list):
            pending.extend(more)
        else:
            pending.update(more)
    elif isinstance(more, list):
        c.JupyterHub[trait] = [*value, *more]
    else:
        c.JupyterHub[trait] = type(more)(value) | more


def _append_named(c: Config, trait: str, item: dict[str, Any]) -> None:
    existing = value_of(c, trait, [])
    if any(isinstance(other, dict) and other.get("name") == item["name"] for other in existing):
        raise SettingsError(
            f"c.JupyterHub.{trait} already has an entry named {item['name']!r}. Call setup(c)"
            " once, or choose another name with c.EFSQuota.service_name."
        )
    _add(c, trait, [item])


def _add_custom_scopes(c: Config) -> None:
    existing = value_of(c, "custom_scopes", {})
    for name, definition in CUSTOM_SCOPES.items():
        if existing.get(name, definition) != definition:
            raise SettingsError(
                f"c.JupyterHub.custom_scopes already has another {name!r}: remove it."
            )
    _add(c, "custom_scopes", CUSTOM_SCOPES)


def _add_user_scopes(c: Config, scopes: set[str]) -> None:
    """Let every user open the pages and see their own figures.

    JupyterHub 6 has a setting for it, which it ignores where the site defines the role
    `user` itself; JupyterHub 5 has only the role.
    """
    roles = value_of(c, "load_roles", [])
    own = next((role for role in roles if role.get("name") == "user"), None)
    if own is not None:
        own["scopes"] = [*own.get("scopes", ["self"]), *sorted(scopes)]
        c.JupyterHub.load_roles = roles
    elif jupyterhub.version_info[0] >= 6:
        _add(c, "extra_user_scopes", scopes)
    else:
        _add(c, "load_roles", [{"name": "user", "scopes": ["self", *sorted(scopes)]}])


def _add_hook(c: Config, resolved: Any) -> None:
    """Put our hook before the site's, in each section that has one.

    A spawner's own section (`c.KubeSpawner`) goes before `c.Spawner`.
    """
    sections = [
        section
        for section in c.values()
        if isinstance(section, Config) and "pre_spawn_hook" in section
    ]
    if "pre_spawn_hook" not in c.Spawner:
        sections.append(c.Spawner)
    for section in sections:
        site_hook = section.get("pre_spawn_hook")
        section.pre_spawn_hook = make_hook(resolved, site_hook)


def _add_templates(c: Config, name: str, menu_text: str) -> None:
    """Put our templates after the site's own, which win, and before the hub's."""
    from jupyterhub._data import DATA_FILES_PATH

    hub_templates = str(Path(DATA_FILES_PATH) / "templates")
    if "template_paths" in c.JupyterHub:
        paths = [str(path) for path in value_of(c, "template_paths", [])]
        before = paths.index(hub_templates) if hub_templates in paths else len(paths)
        c.JupyterHub.template_paths = [*paths[:before], str(TEMPLATES), *paths[before:]]
    else:
        c.JupyterHub.template_paths.prepend([str(TEMPLATES)])
    _add(c, "template_vars", {"efs_quota": {"service": name, "menu_text": menu_text}})


def _mend_internal_ssl() -> None:
    """Let a hub with internal SSL start a managed service that has a URL.

    JupyterHub 6.1 waits for it with the TLS context of a server, with which no client
    can connect, so the hub gives up and exits. Without one it makes the right one.
    """
    from jupyterhub.app import JupyterHub

    start_service = JupyterHub.start_service
    if getattr(start_service, "_efs_quota_mended", False):
        return

    async def mended(self: Any, service_name: str, service: Any, ssl_context: Any = None) -> bool:
        return bool(await start_service(self, service_name, service))

    mended._efs_quota_mended = True  # type: ignore[attr-defined]
    JupyterHub.start_service = mended
