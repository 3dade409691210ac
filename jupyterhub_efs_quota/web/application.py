"""The tornado application: which page is where, under the service's prefix."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyterhub.log import log_request
from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler
from tornado import web

from . import free_api, freeing, handlers, jobs
from .api import handlers as api
from .metrics import Metrics
from .openondemand import OpenOnDemandQuotas
from .parts import Parts

_HERE = Path(__file__).parent


def load_templates() -> Environment:
    """The pages' templates: everything is escaped, a name left out is an error."""
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def make_application(
    parts: Parts, prefix: str, *, api_token: str, verify_secs: float
) -> web.Application:
    """The pages under `prefix`, which begins and ends with a slash."""
    # A token that was taken back, or a role that was lost, counts for a minute at most.
    HubOAuth.instance(cache_max_age=60)
    given = {"parts": parts}
    from_hub = {**given, "api_token": api_token, "budget_secs": verify_secs}
    routes: list[Any] = [
        (prefix, handlers.MyStorage, given),
        (prefix.rstrip("/"), web.RedirectHandler, {"url": prefix}),
        (f"{prefix}measure", handlers.MeasureAgain, given),
        *freeing.routes(prefix, given),
        *free_api.routes(prefix, given),
        (f"{prefix}users", handlers.AllUsers, given),
        (f"{prefix}jobs", jobs.AllJobs, given),
        (f"{prefix}jobs/switch", jobs.SwitchJob, given),
        (f"{prefix}health", handlers.Health, given),
        (f"{prefix}metrics", Metrics, given),
        (f"{prefix}api/open-ondemand/quotas", OpenOnDemandQuotas, given),
        (
            rf"{prefix}api/users/([^/]+)/verify",
            handlers.Verify,
            {**given, "api_token": api_token, "budget_secs": verify_secs},
        ),
        (rf"{prefix}api/users/([^/]+)/refused", handlers.Refused, from_hub),
        *api.routes(prefix, parts),
        (f"{prefix}oauth_callback", HubOAuthCallbackHandler),
        (rf"{prefix}static/(.*)", web.StaticFileHandler, {"path": str(_HERE / "static")}),
    ]
    return web.Application(
        routes,
        default_handler_class=handlers.NotFound,
        default_handler_args=given,
        # Users log in again unseen after a restart.
        cookie_secret=secrets.token_bytes(32),
        # The hub's own: it keeps OAuth codes and tokens out of the log. Tornado's
        # xsrf_cookies stays off: HubOAuth demands the token for cookies itself.
        log_function=log_request,
    )
