"""A client of the service's own API: JSON in, JSON out, and errors that say what to do.

Used by the commands that ask a running service. Blocking, and nothing but the standard
library, so that it starts at once and may run far from the hub.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib import error as urllib_error
from urllib import request as urllib_request
from urllib.parse import quote, urlencode, urlsplit

from .errors import ServiceError, ServiceUnreachable, SettingsError

TIMEOUT_SECS = 30.0
# No answer of ours is as long: whatever sends more is something else.
MOST_BYTES = 64 * 1024 * 1024
_SHOWN = 300
_IS_IT_OURS = "Is this the service's address? See --url."


class ServiceClient:
    """Talks to the service at `url`, which is the address of its pages, with a token.

    `ca`: a bundle of certificates to trust for https, in place of the system's. Raises
    SettingsError for an address or a token that cannot be one.
    """

    def __init__(
        self, url: str, token: str, *, ca: str = "", timeout_secs: float = TIMEOUT_SECS
    ) -> None:
        self._url = _checked_url(url)
        self._token = _checked_token(token)
        self._timeout = timeout_secs
        self._opener = urllib_request.build_opener(
            _NoRedirects, urllib_request.HTTPSHandler(context=_trust(ca))
        )

    def get(self, path: str, **query: Any) -> Any:
        """What the service answers to `GET {url}api/{path}?…`. Raises ServiceError.

        A parameter that is None is left out.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self.send("GET", f"{path}?{urlencode(given)}" if given else path)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """What the service answers to `METHOD {url}api/{path}`; None for an empty answer.

        `path` is taken as it is: names in it go through `segment`. Raises ServiceError.
        """
        asked = urllib_request.Request(  # noqa: S310  # `_checked_url` knows the scheme
            f"{self._url}api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"token {self._token}",
                "Accept": "application/json",
                "Content-Type": "application/json",
            },
        )
        where = f"{method} {asked.full_url.partition('?')[0]}"
        try:
            with self._opener.open(asked, timeout=self._timeout) as answer:
                data = answer.read(MOST_BYTES + 1)
        except urllib_error.HTTPError as error:
            with error:
                raise _refused(where, error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(where, error) from None
        if not data:
            return None
        try:
            if len(data) > MOST_BYTES:
                raise ValueError("too long")
            return json.loads(data)
        except (ValueError, RecursionError):
            raise ServiceError(f"{where}: the answer is no JSON. {_IS_IT_OURS}") from None


def segment(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def client_from(
    environment: Mapping[str, str],
    *,
    url: str = "",
    token_file: str = "",
    ca: str = "",
    service_name: str,
) -> ServiceClient:
    """The client for an address and a token that are given, or else as the environment says.

    Raises SettingsError, naming what is missing.
    """
    address = url or environment.get("EFS_QUOTA_URL", "") or _beside_hub(environment, service_name)
    return ServiceClient(address, _token(environment, token_file), ca=ca)


def _beside_hub(environment: Mapping[str, str], service_name: str) -> str:
    """The service's address by that of the hub, which a user's server knows."""
    public = environment.get("JUPYTERHUB_PUBLIC_HUB_URL", "")
    hub = public or environment.get("JUPYTERHUB_API_URL", "").removesuffix("/").removesuffix("/api")
    if not hub:
        raise SettingsError(
            "Give the service's address: --url or EFS_QUOTA_URL,"
            " such as https://hub.example.org/services/efs-quota/"
        )
    base = hub.rstrip("/").removesuffix("/hub")
    return f"{base}/services/{segment(service_name)}/"


def _token(environment: Mapping[str, str], token_file: str) -> str:
    if token_file:
        try:
            return Path(token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SettingsError(f"--token-file {token_file} cannot be read: {reason}.") from None
    token = environment.get("EFS_QUOTA_TOKEN") or environment.get("JUPYTERHUB_API_TOKEN")
    if not token:
        raise SettingsError("Give a token of the hub: --token-file or EFS_QUOTA_TOKEN.")
    return token


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and parts.port != 0 and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        good = False
    if not good or not (url.isascii() and url.isprintable()) or " " in url:
        raise SettingsError(
            f"The service's address {url!r} should look like"
            " https://hub.example.org/services/efs-quota/"
        )
    return url.rstrip("/") + "/"


def _checked_token(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError("The token is no token: give one of the hub's, in one line.")
    return token


def _trust(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"The CA bundle {ca} cannot be used: {error}") from None


class _NoRedirects(urllib_request.HTTPRedirectHandler):
    """A token goes nowhere but where it is sent."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _refused(where: str, error: urllib_error.HTTPError) -> ServiceError:
    code, said = error.code, _said(error)
    if 300 <= code < 400:
        place = error.headers.get("Location", "elsewhere")[:_SHOWN]
        said = f"It leads to {place}. {_IS_IT_OURS}"
    elif code in (401, 403):
        said = f"{said or 'The token is not valid, or lacks a scope.'} See --token-file."
    elif code == 404:
        said = said or _IS_IT_OURS
    elif code >= 500:
        said = said or "Is the service running? Its log says more."
    text = f"{where}: the answer is {code} {error.reason}. {said}".strip()
    return ServiceError(text, code)


def _said(error: urllib_error.HTTPError) -> str:
    """What the service says of an error; nothing where something else answers."""
    try:
        told = json.loads(error.read(MOST_BYTES))["message"]
    except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError, RecursionError):
        return ""
    return " ".join(str(told).split())[:_SHOWN]


def _unreachable(where: str, error: Exception) -> ServiceUnreachable:
    reason = error.reason if isinstance(error, urllib_error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        text = f"the certificate is not trusted ({reason.verify_message}). Give its CA: --ca."
    elif isinstance(reason, TimeoutError):
        text = "there is no answer in time. Is the service running?"
    elif isinstance(reason, socket.gaierror):
        text = f"the host is not found ({reason.strerror}). Is the address right? See --url."
    else:
        said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        text = f"there is no answer ({said}). Is the service running, is the address right?"
    return ServiceUnreachable(f"{where}: {text}")
