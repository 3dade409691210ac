"""What the token may do in the hub, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from ...configure import SERVICE_SCOPES
from ...errors import HubUnreachable
from ...hub.ask import ask
from ...settings import EFSQuota
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import SERVICE_ENVIRONMENT, Place

_WHAT = "token"
# What goes missing with each scope.
_WITHOUT = {
    "list:users": "no user is seen, and nothing is measured",
    "read:users:activity": "nobody knows whose home to measure",
    "read:users:groups": "group_quotas and group_file_limits have no effect",
    "read:servers": "no server is seen, and none is stopped",
    "delete:servers": "servers of users in lockout are not stopped",
}
_ENDANGERING = ("admin:", "tokens", "users", "servers", "self", "inherit", "shares")


def look(place: Place) -> Iterator[Finding]:
    """Whose token it is, and its scopes."""
    if place.access is None:
        yield not_looked_at(_WHAT, "The service's token is not known here.", SERVICE_ENVIRONMENT)
        return
    try:
        answer = ask(
            f"{place.access.api_url.rstrip('/')}/user", place.access.tls, place.access.token
        )
    except HubUnreachable:
        yield not_looked_at(_WHAT, "The hub does not answer.")
        return
    if answer.code in (401, 403):
        yield wrong(
            _WHAT,
            "The hub does not know this token.",
            "Restart the service with its hub; one that runs apart needs the api_token of setup(c)",
        )
        return
    model = answer.values
    if answer.code != 200 or "scopes" not in model:
        said = f"The hub answers {answer.code} to the question whose token this is."
        yield wrong(_WHAT, said, "Use JupyterHub 5.4 or later, and read the hub's log")
        return
    yield _judge(place, model["kind"], str(model["name"]), set(map(str, model["scopes"])))


def _judge(place: Place, kind: str, name: str, scopes: set[str]) -> Finding:
    whose = f"That of the {kind} {name}"
    missing = [scope for scope in SERVICE_SCOPES if not _some(scope, scopes)]
    partly = [scope for scope in SERVICE_SCOPES if scope not in scopes and scope not in missing]
    if missing:
        without = "; ".join(f"without {scope} {_WITHOUT[scope]}" for scope in missing)
        make = warning if _harmless(missing, place.settings) else wrong
        return make(_WHAT, f"{whose} lacks {', '.join(missing)}: {without}.", _role(kind, name))
    if partly:
        filtered = sorted(s for s in scopes if s.partition("!")[0] in partly and "!" in s)
        return warning(
            _WHAT,
            f"{whose} has some scopes for a part of the users only: {', '.join(filtered)}.",
            _role(kind, name),
        )
    more = sorted(scope for scope in scopes if _endangers(scope))
    if more and kind == "service":
        return warning(
            _WHAT,
            f"{whose} has all that is needed, and more than that: {', '.join(more)}.",
            f"Take these out of the roles of the service {name}",
        )
    return ok(_WHAT, f"{whose} has all that is needed: {', '.join(SERVICE_SCOPES)}.")


def _some(scope: str, scopes: set[str]) -> bool:
    return any(held.partition("!")[0] == scope for held in scopes)


def _endangers(scope: str) -> bool:
    base = scope.partition("!")[0]
    return base in _ENDANGERING or base.startswith("admin:")


def _harmless(missing: list[str], settings: EFSQuota | None) -> bool:
    by_group = settings is not None and (settings.group_quotas or settings.group_file_limits)
    return missing == ["read:users:groups"] and not by_group


def _role(kind: str, name: str) -> str:
    scopes = ", ".join(f'"{scope}"' for scope in SERVICE_SCOPES)
    return (
        f'c.JupyterHub.load_roles.append({{"name": "efs-quota-{kind}", "{kind}s": ["{name}"],'
        f' "scopes": [{scopes}]}})'
    )
