"""Who reaches whom: the hub from here, and the service directly and through the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ...errors import HubUnreachable
from ...hub.ask import Answer, ask
from .. import hub_app
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import HUB_MACHINE, SERVICE_ENVIRONMENT, Place

_HUB, _SERVICE, _PROXY = "hub", "service", "service by the proxy"
_GIVE_URL = "Give that address: --hub-url=https://hub.example.org"
# A page that takes longer than this is one that people give up on.
_SLOW_SECS = 2.0


def look(place: Place) -> Iterator[Finding]:
    """The hub's API, the service as the hub reaches it, and as browsers do."""
    yield _hub(place)
    yield _direct(place)
    yield _by_proxy(place)


def _hub(place: Place) -> Finding:
    if place.access is None:
        return not_looked_at(_HUB, "Its address is not known here.", SERVICE_ENVIRONMENT)
    url = f"{place.access.api_url.rstrip('/')}/"
    try:
        answer = ask(url, place.access.tls)
    except HubUnreachable as error:
        return wrong(_HUB, str(error), "Start the hub, or give the right --hub-url")
    if answer.code != 200 or "version" not in answer.values:
        said = f"{url} answers {answer.code}, and is no JupyterHub's API."
        return wrong(_HUB, said, "Give the right --hub-url, with the base_url of the hub")
    version = str(answer.values["version"])
    return _timely(_HUB, f"JupyterHub {version} answers at {url}", answer)


def _direct(place: Place) -> Finding:
    """As the hub and the proxy reach it."""
    service = place.service or {}
    url = place.environment.get("JUPYTERHUB_SERVICE_URL") or service.get("url")
    if not url:
        return not_looked_at(_SERVICE, "Its address is not known here.", HUB_MACHINE)
    if urlsplit(url).scheme == "https" and place.tls is None:
        said = f"{url} wants a certificate of the hub's, which is not known here."
        return not_looked_at(_SERVICE, said, SERVICE_ENVIRONMENT)
    try:
        answer = ask(f"{url.rstrip('/')}{_prefix(place)}health", place.tls)
    except HubUnreachable as error:
        return wrong(
            _SERVICE,
            f"{error}. It does not run, or may not be reached from here.",
            "Start it (the hub does, if it has a command) and read its log; on Kubernetes, see the"
            " network policies in docs/how-to/z2jh.md",
        )
    return _health(_SERVICE, answer, f"It answers at {url}")


def _by_proxy(place: Place) -> Finding:
    address = _public(place)
    if address is None:
        return not_looked_at(
            _PROXY,
            "The hub's public address is not known here.",
            _GIVE_URL,
        )
    url = f"{address}services/{_name(place)}/health"
    try:
        answer = ask(url, place.access.tls if place.access and _same_host(place, url) else None)
    except HubUnreachable as error:
        return wrong(_PROXY, str(error), "Start the proxy, or give the right --hub-url")
    if 300 <= answer.code < 400:
        said = f"{url} leads elsewhere ({answer.code}): browsers reach the hub at another address."
        return not_looked_at(_PROXY, said, _GIVE_URL)
    if answer.code == 404:
        return wrong(
            _PROXY,
            f"{url} answers 404: the proxy has no route to the service.",
            f"Restart the hub, with `setup(c)` at the end of {place.file}",
        )
    if answer.code in (502, 503, 504) and "status" not in answer.values:
        return wrong(
            _PROXY,
            f"{url} answers {answer.code}: the proxy does not reach the service.",
            "Start the service; on Kubernetes, see the network policies in docs/how-to/z2jh.md",
        )
    return _health(_PROXY, answer, f"It answers at {url}")


def _health(what: str, answer: Answer, said: str) -> Finding:
    status = answer.values.get("status")
    if status == "ok":
        return _timely(what, said, answer)
    if status == "degraded":
        return warning(
            what,
            f"{said}, and says that something is wrong.",
            "See the page of all users, or the service's log",
        )
    return wrong(
        what,
        f"{said} with {answer.code}, and is another program or an older version.",
        "See what listens there: ss -ltnp",
    )


def _timely(what: str, said: str, answer: Answer) -> Finding:
    took = f"{said}, in {answer.secs * 1000:.0f} ms."
    if answer.secs <= _SLOW_SECS:
        return ok(what, took)
    return warning(what, took, "See what keeps it busy: top, and the log")


def _name(place: Place) -> str:
    told = place.environment.get("JUPYTERHUB_SERVICE_NAME")
    return told or (place.settings.service_name if place.settings else "efs-quota")


def _prefix(place: Place) -> str:
    told = place.environment.get("JUPYTERHUB_SERVICE_PREFIX")
    if told:
        return told
    base = place.app.base_url if place.app is not None else "/"
    return f"{base}services/{_name(place)}/"


def _public(place: Place) -> str | None:
    """Where the hub is for browsers; ends with a slash."""
    if place.hub_url:
        return place.hub_url.removesuffix("/").removesuffix("/hub/api") + "/"
    told = place.environment.get("JUPYTERHUB_PUBLIC_HUB_URL", "")
    if told:
        return told.removesuffix("/").removesuffix("/hub") + "/"
    return hub_app.address(place.app) if place.app is not None else None


def _same_host(place: Place, url: str) -> bool:
    assert place.access is not None
    return urlsplit(place.access.api_url).netloc == urlsplit(url).netloc
