"""The tornado application: which page is where, under the service's prefix."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyterhub.log import log_request
from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler
from tornado import web

from . import freeing, jobs, many, overview
from .api import handlers as api
from .bar import Bar
from .from_hub import Refused, Verify
from .handlers import NotFound
from .health import Health
from .measuring import HowFar, MeasureAgain
from .metrics import Metrics
from .openondemand import OpenOnDemandQuotas
from .parts import Parts
from .plotly import PlotlyScript, find_plotly
from .rescue import BeginRescue, RescueBegan
from .static_files import StaticFiles
from .storage import MyStorage
from .user import ChangeQuota, HowFarUser, MeasureUser, OneUser
from .users import AllUsers, UsersCsv
from .words import add_filters

_HERE = Path(__file__).parent


def load_templates() -> Environment:
    """The pages' templates: everything is escaped, a name left out is an error."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    add_filters(environment)
    return environment


def make_application(
    parts: Parts, prefix: str, *, api_token: str, verify_secs: float
) -> web.Application:
    """The pages under `prefix`, which begins and ends with a slash."""
    # A token that was taken back, or a role that was lost, counts for a minute at most.
    HubOAuth.instance(cache_max_age=60)
    given = {"parts": parts}
    from_hub = {**given, "api_token": api_token, "budget_secs": verify_secs}
    files = {"static_path": str(_HERE / "static"), "static_url_prefix": f"{prefix}static/"}
    routes: list[Any] = [
        (prefix, MyStorage, given),
        (prefix.rstrip("/"), web.RedirectHandler, {"url": prefix}),
        (f"{prefix}measure", MeasureAgain, given),
        (f"{prefix}measuring", HowFar, given),
        (f"{prefix}bar", Bar, given),
        *freeing.routes(prefix, given),
        (f"{prefix}users", AllUsers, given),
        (rf"{prefix}users\.csv", UsersCsv, given),
        (rf"{prefix}users/([^/]+)", OneUser, given),
        (rf"{prefix}users/([^/]+)/quota", ChangeQuota, given),
        (rf"{prefix}users/([^/]+)/measure", MeasureUser, given),
        (rf"{prefix}users/([^/]+)/measuring", HowFarUser, given),
        *many.routes(prefix, given),
        *overview.routes(prefix, given),
        (f"{prefix}jobs", jobs.AllJobs, given),
        (f"{prefix}jobs/switch", jobs.SwitchJob, given),
        (f"{prefix}health", Health, given),
        (f"{prefix}metrics", Metrics, given),
        (f"{prefix}api/open-ondemand/quotas", OpenOnDemandQuotas, given),
        (rf"{prefix}api/users/([^/]+)/verify", Verify, from_hub),
        (rf"{prefix}api/users/([^/]+)/refused", Refused, from_hub),
        (rf"{prefix}api/users/([^/]+)/rescue", BeginRescue, from_hub),
        (rf"{prefix}api/users/([^/]+)/rescued", RescueBegan, from_hub),
        *api.routes(prefix, parts),
        (f"{prefix}oauth_callback", HubOAuthCallbackHandler),
        (rf"{prefix}static/(.*)", StaticFiles, {"path": files["static_path"]}),
    ]
    plotly = find_plotly()
    if plotly is not None:
        routes.append((rf"{prefix}plotly-([0-9a-f]+)\.js", PlotlyScript, {"plotly": plotly}))
    free = f"{prefix}free"
    return web.Application(
        routes,
        default_handler_class=NotFound,
        default_handler_args=given,
        static_files=files,
        # Where the pages' links lead, if it is there.
        free=free if any(route[0] == free for route in routes) else None,
        plotly=plotly and f"{prefix}plotly-{plotly.name}.js",
        # Users log in again unseen after a restart.
        cookie_secret=secrets.token_bytes(32),
        # The hub's own: it keeps OAuth codes and tokens out of the log. Tornado's
        # xsrf_cookies stays off: HubOAuth demands the token for cookies itself.
        log_function=log_request,
    )
