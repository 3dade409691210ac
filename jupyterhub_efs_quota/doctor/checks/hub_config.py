"""The hub's configuration: whether all that setup(c) adds is in it, and still there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from traitlets.config import Config

from ...configure import CUSTOM_SCOPES, SERVICE_SCOPES, value_of
from ..finding import Finding, not_looked_at, ok, wrong
from ..place import HUB_MACHINE, Place, entry
from .spawn_hook import wired_by_hand

_WHAT = "setup(c)"


def look(place: Place) -> Iterator[Finding]:
    """The service, its role, the custom scopes, and what users may."""
    if place.settings is None:
        return
    if place.config is None:
        yield not_looked_at(_WHAT, "The hub's configuration is not seen from here.", HUB_MACHINE)
        return
    name, config = place.settings.service_name, place.config
    lost = list(_lost(config, name))
    last = f"Move `setup(c)` to the end of {place.file}"
    if place.service is None and wired_by_hand(config):
        yield ok(_WHAT, "The spawn hook is wired by hand, and the hub has no service of ours.")
    elif len(lost) == len(_PARTS):
        yield wrong(
            _WHAT,
            f"{place.file} does not call it, or replaces all that it adds.",
            f"from jupyterhub_efs_quota import setup; setup(c)  # at the end of {place.file}",
        )
    elif lost:
        said = f"{' and '.join(lost)} was replaced after setup(c), so that ours is lost."
        yield wrong(_WHAT, said, last)
    else:
        yield ok(_WHAT, f"All that it adds is in {place.file}: service, role and scopes.")
    yield from _role(config, name, place)


def _service(config: Config, name: str) -> bool:
    return entry(config, "services", name) is not None


def _has_role(config: Config, name: str) -> bool:
    return any(_roles_of(config, name))


def _custom(config: Config, name: str) -> bool:
    return set(CUSTOM_SCOPES) <= set(value_of(config, "custom_scopes", {}))


def _users(config: Config, name: str) -> bool:
    """Whether users may open the pages. A role `user` goes before `extra_user_scopes`."""
    own = entry(config, "load_roles", "user")
    more = value_of(config, "extra_user_scopes", set())
    scopes = more if own is None else own.get("scopes", [])
    return not {"access:services", f"access:services!service={name}"}.isdisjoint(scopes)


_PARTS = {
    "c.JupyterHub.services": _service,
    "c.JupyterHub.load_roles": _has_role,
    "c.JupyterHub.custom_scopes": _custom,
    "c.JupyterHub.extra_user_scopes (or the role `user`)": _users,
}


def _lost(config: Config, name: str) -> Iterator[str]:
    for part, there in _PARTS.items():
        if not there(config, name):
            yield part


def _roles_of(config: Config, name: str) -> Iterator[dict[str, Any]]:
    for role in value_of(config, "load_roles", []):
        if isinstance(role, dict) and name in role.get("services", []):
            yield role


def _role(config: Config, name: str, place: Place) -> Iterator[Finding]:
    """The scopes that the configuration gives the service, whatever the running hub has."""
    roles = list(_roles_of(config, name))
    given = {scope for role in roles for scope in role.get("scopes", [])}
    missing = [scope for scope in SERVICE_SCOPES if scope not in given]
    if roles and missing:
        yield wrong(
            "role of the service",
            f"The role {roles[0].get('name')!r} in {place.file} lacks {', '.join(missing)}.",
            f"Move `setup(c)` to the end of {place.file}, or add to that role:"
            f' "scopes": {[*SERVICE_SCOPES]}'.replace("'", '"'),
        )
