"""The hub's REST API: users, page by page, and stopping servers.

The one door to the hub. Every fault comes out as a HubError that says what to do.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap, zip_longest
from typing import Any
from urllib.parse import quote, urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from ..errors import HubError, HubUnreachable
from ..quota.record import parse_time
from ..quota.rescue import Server

PAGE_SIZE = 200
REQUEST_TIMEOUT_SECS = 10.0
# The hub itself waits 10 seconds for a server to stop before it answers.
STOP_TIMEOUT_SECS = 20.0
# Waits between tries of one request; a longer Retry-After is honoured up to the most.
RETRY_WAITS_SECS = (1.0, 2.0, 4.0)
MOST_WAIT_SECS = 30.0
_TRY_AGAIN = {429, 500, 502, 503, 504, 599}


@dataclass(frozen=True)
class HubUser:
    """A user as the hub lists them.

    `groups` is None where our token may not read them. `servers` are the names of the
    servers that run; "" is the default one. `started`: when the hub started each of them.
    """

    name: str
    admin: bool = False
    groups: tuple[str, ...] | None = ()
    last_activity: datetime | None = None
    servers: tuple[str, ...] = ()
    started: tuple[datetime | None, ...] = field(default=(), compare=False)

    @property
    def running(self) -> tuple[Server, ...]:
        """The servers that run, each with its start."""
        return tuple(starmap(Server, zip_longest(self.servers, self.started)))


class HubClient:
    """Talks to the hub at `api_url` (ends with /hub/api) with a token.

    `tls` is the context for https, or None for the system's own trust.
    """

    def __init__(self, api_url: str, token: str, tls: ssl.SSLContext | None = None) -> None:
        self._api_url = api_url.rstrip("/")
        self._token = token
        self._tls = tls
        self._waits = RETRY_WAITS_SECS

    async def pages(self) -> AsyncIterator[list[HubUser]]:
        """All users, a page at a time. Raises HubError."""
        offset = 0
        while True:
            query = urlencode({"limit": PAGE_SIZE, "offset": offset})
            response = await self._request(
                "GET", f"users?{query}", ok=(200,), timeout=REQUEST_TIMEOUT_SECS
            )
            page = _json(response)
            try:
                users = [_user(item) for item in page["items"]]
                following = page["_pagination"]["next"]
                offset_then = None if following is None else following["offset"]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise HubError(
                    f"The hub's list of users is not as expected ({error!r}):"
                    f" is {self._api_url} a JupyterHub of version 5 or later?"
                ) from None
            yield users
            if offset_then is None:
                return
            # By offset: next's url is built from a Host header that may not reach the hub.
            if not isinstance(offset_then, int) or offset_then <= offset:
                raise HubError(f"The hub's list of users does not go on after {offset}.")
            offset = offset_then

    async def user(self, name: str) -> HubUser | None:
        """One user as they stand now; None if the hub has none of that name. Raises HubError."""
        path = f"users/{quote(name, safe='')}"
        response = await self._request("GET", path, ok=(200, 404), timeout=REQUEST_TIMEOUT_SECS)
        if response.code == 404:
            return None
        try:
            return _user(_json(response))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HubError(
                f"What the hub says of {name!r} is not as expected ({error!r})."
            ) from None

    async def stop_server(self, user: str, server: str) -> None:
        """Stop one server; one that is already gone is fine. Raises HubError."""
        path = f"users/{quote(user, safe='')}/server"
        if server:
            path += f"s/{quote(server, safe='')}"
        await self._request("DELETE", path, ok=(202, 204, 404), timeout=STOP_TIMEOUT_SECS)

    async def _request(
        self, method: str, path: str, *, ok: tuple[int, ...], timeout: float
    ) -> HTTPResponse:
        """One request, tried again where that may help. Raises HubError."""
        for wait in (*self._waits, None):
            try:
                response = await AsyncHTTPClient().fetch(
                    HTTPRequest(
                        f"{self._api_url}/{path}",
                        method=method,
                        headers={
                            "Authorization": f"token {self._token}",
                            "Accept": "application/jupyterhub-pagination+json",
                        },
                        ssl_options=self._tls,
                        connect_timeout=REQUEST_TIMEOUT_SECS,
                        request_timeout=timeout,
                        follow_redirects=False,
                    ),
                    raise_error=False,
                )
                code, reason = response.code, response.reason
                retry_after = response.headers.get("Retry-After", "")
            except Exception as error:  # whatever tornado makes of what is no HTTP
                code, reason, retry_after = 599, str(error) or type(error).__name__, ""
            else:
                if code in ok:
                    return response
            if code not in _TRY_AGAIN or wait is None:
                kind = HubUnreachable if code == 599 else HubError
                raise kind(self._say(method, path, code, reason))
            asked = float(retry_after) if retry_after.isdecimal() else 0.0
            # A little chance keeps several monitors from knocking together.
            await asyncio.sleep(min(max(wait, asked), MOST_WAIT_SECS) * random.uniform(1, 1.2))
        raise AssertionError("the last try returns or raises")

    def _say(self, method: str, path: str, code: int, reason: str) -> str:
        where = f"{method} {self._api_url}/{path.partition('?')[0]}"
        if code == 599:
            return f"{where}: the hub does not answer ({reason}). Is it running, is the URL right?"
        if code in (401, 403):
            return (
                f"{where}: the hub answers {code} {reason}. Is the token valid?"
                " It needs the scopes list:users, read:users:activity, read:users:groups,"
                " read:servers and delete:servers."
            )
        return f"{where}: the hub answers {code} {reason}."


def _json(response: HTTPResponse) -> Any:
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        raise HubError(
            f"{response.effective_url}: the answer is no JSON. Is this the hub's API?"
        ) from None


def _user(item: Any) -> HubUser:
    name = item["name"]
    if not isinstance(name, str) or not name:
        raise ValueError(f"a user's name is {name!r}")
    for key, scope in (("servers", "read:servers"), ("last_activity", "read:users:activity")):
        if key not in item:
            # Taken for none, no server would ever be stopped, and nobody would know why.
            raise HubError(f"The hub lists users without {key!r}: the token needs {scope}.")
    groups = item.get("groups")
    ready = {n: each for n, each in (item["servers"] or {}).items() if each.get("ready")}
    return HubUser(
        name=name,
        admin=item.get("admin") is True,
        groups=None if groups is None else tuple(str(group) for group in groups),
        last_activity=parse_time(item["last_activity"]),
        servers=tuple(ready),
        started=tuple(parse_time(each.get("started")) for each in ready.values()),
    )


def tls_context(ca: str | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """A client's TLS context that trusts a CA bundle (default: the system's).

    Raises HubError if the bundle cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise HubError(f"The CA bundle {ca} cannot be used: {error}") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True)
class Access:
    """How the hub's API is reached: what a `HubClient` is made of."""

    api_url: str
    token: str = field(repr=False)
    tls: ssl.SSLContext | None = None


def access_from(environment: Mapping[str, str]) -> Access:
    """The hub's API as a service finds it in its environment."""
    return Access(
        environment["JUPYTERHUB_API_URL"],
        environment["JUPYTERHUB_API_TOKEN"],
        internal_tls(environment, ssl.Purpose.SERVER_AUTH),
    )


def access_by_hand(hub_url: str, token: str, ca: str = "") -> Access:
    """The API of the hub at an address that somebody gives.

    `ca`: a bundle to trust for https, or False to trust anything. Raises HubError.
    """
    if not hub_url.startswith(("http://", "https://")):
        raise HubError(f"--hub-url {hub_url!r} must begin with http:// or https://")
    tls = None
    if hub_url.startswith("https:"):
        unverified = ca.capitalize() == "False"
        tls = tls_context(None if unverified else ca or None, verify=not unverified)
    base = hub_url.rstrip("/")
    return Access(base if base.endswith("/hub/api") else f"{base}/hub/api", token, tls)


def hub_at(access: Access) -> HubClient:
    """The client for it."""
    return HubClient(access.api_url, access.token, access.tls)


def hub_from(environment: Mapping[str, str]) -> HubClient:
    """The client for the hub of an environment."""
    return hub_at(access_from(environment))


def internal_tls(environment: Mapping[str, str], purpose: ssl.Purpose) -> ssl.SSLContext | None:
    """The TLS context of a hub with internal SSL, or None without."""
    key, certificate, ca = (
        environment.get(f"JUPYTERHUB_SSL_{name}", "")
        for name in ("KEYFILE", "CERTFILE", "CLIENT_CA")
    )
    if not key:
        return None
    from jupyterhub.utils import make_ssl_context

    context: ssl.SSLContext = make_ssl_context(key, certificate, cafile=ca, purpose=purpose)
    return context
