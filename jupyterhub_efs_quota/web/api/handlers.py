"""The tornado handlers of the API: who asks, with what, and the answer or error as JSON.

What is answered stands in `users.py`, `past.py`, `changing.py`, `freeing.py` and `jobs.py`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import yaml
from jupyterhub.services.auth import HubOAuthenticated
from tornado import web

from ... import __version__
from ...errors import (
    BadRun,
    BrokenFile,
    CannotChange,
    EFSQuotaError,
    FreeingError,
    HomeError,
    LockHeld,
    WishError,
)
from ...users.told import why
from ..parts import Parts
from . import changing, freeing, jobs, past, site, users
from .call import Answer, Call
from .contract import OPERATIONS, Operation, document, pattern
from .request import read_body, read_query
from .visitor import visitor_of

log = logging.getLogger(__name__)

ANSWERS: Mapping[str, Callable[[Call], Awaitable[Answer]]] = {
    "listUsers": users.list_users,
    "getUser": users.get_user,
    "explainUser": users.explain_user,
    "getHistory": past.get_history,
    "listUserChanges": past.list_user_changes,
    "measureUser": changing.measure_user,
    "setQuota": changing.set_quota,
    "resetQuota": changing.reset_quota,
    "getFreeing": freeing.get_freeing,
    "listFolder": freeing.list_folder,
    "doErrand": freeing.do_errand,
    "listChanges": past.list_changes,
    "getOverview": site.get_overview,
    "listRuns": past.list_runs,
    "reportRun": jobs.report_run,
    "listJobs": jobs.list_jobs,
    "getSwitch": jobs.get_switch,
    "setSwitch": jobs.set_switch,
}
# Errors of ours that are no fault of the service, or of the store or database behind it.
_STATUS: Mapping[type[EFSQuotaError], int] = {
    WishError: 409,  # a time that has passed: all else is seen by the contract
    BadRun: 409,
    CannotChange: 409,
    LockHeld: 409,
    BrokenFile: 409,
    FreeingError: 409,
    HomeError: 409,
}


class Json(web.RequestHandler):
    """Answers in JSON, errors too."""

    # What an error says beside its text: tornado clears what was set before.
    error_headers: Mapping[str, str] = {}

    def set_default_headers(self) -> None:
        """Nothing here is for a page to show, or for anybody to keep."""
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def answer(self, answer: Answer) -> None:
        """Send an answer."""
        self.set_status(answer.status)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json")
        # What is no number in JSON is a fault of ours: better an error than a broken answer.
        self.finish(json.dumps(answer.body, allow_nan=False))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """An error as JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        message = str(self._reason)
        if isinstance(error, web.HTTPError) and error.log_message:
            message = error.log_message % error.args
        told = {"status": status_code, "message": message}
        self.answer(Answer(told, status_code, self.error_headers))


class Api(HubOAuthenticated, Json):  # type: ignore[misc]
    """One path of the contract, for all its methods."""

    def initialize(self, parts: Parts, path: str, base: str) -> None:
        """Keep what the application hands over."""
        self._parts = parts
        self._base = base
        self._operations = {each.method: each for each in OPERATIONS if each.path == path}

    async def prepare(self) -> None:
        """Find out what is asked, by whom, and whether it makes sense."""
        self._operation = self._asked()
        # Asks the hub without blocking. A cookie counts only with its XSRF token.
        model = await self.hub_auth.get_user(self, sync=False)
        if not model:
            self.error_headers = {"WWW-Authenticate": "Bearer"}
            raise web.HTTPError(
                401,
                "A valid token of the hub is needed in the header Authorization; or, from a"
                " page, the cookie and the XSRF token.",
            )
        self._visitor = visitor_of(model, set(self.hub_auth.access_scopes))
        if not self._visitor.may_anything:
            raise web.HTTPError(403, "Your token has none of the scopes custom:efs-quota:….")
        try:
            self._given = {
                **read_query(self._operation, self.request.query_arguments),
                **read_body(self._operation, self.request.body),
            }
        except EFSQuotaError as error:
            raise _refusal(error, str(error)) from error

    def _asked(self) -> Operation:
        operation = self._operations.get(self.request.method.lower())
        if operation is None:
            allowed = ", ".join(method.upper() for method in sorted(self._operations))
            self.error_headers = {"Allow": allowed}
            raise web.HTTPError(405, f"Here goes only: {allowed}.")
        return operation

    async def _call(self, name: str = "") -> None:
        call = Call(self._parts, self._visitor, self._given, self._base, name)
        try:
            self.answer(await ANSWERS[self._operation.name](call))
        except EFSQuotaError as error:
            raise _refusal(error, str(error) if call.administers else why(error)) from error

    get = post = put = delete = _call


def _refusal(error: EFSQuotaError, told: str) -> web.HTTPError:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 503)
    return web.HTTPError(status, "%s", told)


class OpenAPI(Json):
    """The contract as text: for everybody, since it tells of no one."""

    def initialize(self, text: Mapping[str, Any], *, as_yaml: bool = False) -> None:
        """Keep what the application hands over."""
        self._text = text
        self._as_yaml = as_yaml

    def get(self) -> None:
        """Answer with it."""
        if not self._as_yaml:
            self.answer(Answer(self._text))
            return
        self.set_header("Content-Type", "application/yaml")
        self.finish(yaml.safe_dump(json.loads(json.dumps(self._text)), sort_keys=False))


class NoRoute(Json):
    """Whatever else there is below the API's path."""

    def prepare(self) -> None:
        """No need to know who asks."""
        raise web.HTTPError(404, "There is no such route.")


def routes(prefix: str, parts: Parts) -> list[Any]:
    """The API's routes below the service's prefix, which ends with a slash."""
    base = f"{prefix}api"
    text = document(base, __version__)
    given = {"parts": parts, "base": base}
    paths = dict.fromkeys(operation.path for operation in OPERATIONS)
    return [
        *((f"{base}{pattern(path)}", Api, {**given, "path": path}) for path in paths),
        (f"{base}/openapi.json", OpenAPI, {"text": text}),
        (f"{base}/openapi.yaml", OpenAPI, {"text": text, "as_yaml": True}),
        (f"{base}(/.*)?", NoRoute),
    ]
