"""Who asks with a token of the hub, and what it allows: for programs, never for browsers.

A cookie is no token: what these answer must not be had by a link that somebody clicks.
"""

from __future__ import annotations

from collections.abc import Collection

from jupyterhub.services.auth import HubOAuth, check_scopes
from tornado import web

from ..hub.client import HubUser


async def scopes_of(handler: web.RequestHandler) -> frozenset[str]:
    """The scopes of the request's token. Raises a 403 where there is none that is valid."""
    hub = HubOAuth.instance()
    token = hub.get_token(handler, in_cookie=False)
    model = await hub.user_for_token(token, sync=False) if token else None
    if not model:
        raise web.HTTPError(403, "A token of the hub is needed.")
    return frozenset(model.get("scopes", ()))


def allowed(scope: str, scopes: Collection[str]) -> bool:
    """Whether some scopes contain this one, without any filter."""
    return bool(check_scopes({scope}, set(scopes)))


def allowed_for(scope: str, scopes: Collection[str], user: HubUser) -> bool:
    """Whether some scopes contain this one for a user, by name or by group."""
    if scope in scopes or f"{scope}!user={user.name}" in scopes:
        return True
    return any(f"{scope}!group={group}" in scopes for group in user.groups or ())
