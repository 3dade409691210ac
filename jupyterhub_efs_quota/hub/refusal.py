"""How a spawn is refused so that the user reads why and the hub does not count a failure.

What each kind of exception shows, on the fast and the slow path, differs by version of
JupyterHub; this is the one place that knows.
"""

from __future__ import annotations

import logging
from typing import Any

from tornado.web import HTTPError

log = logging.getLogger(__name__)

REASON = "quota-lockout"


def refusal(spawner: Any, message: str, html: str, log_message: str) -> HTTPError:
    """The exception to raise in the pre-spawn hook.

    `message` is shown as text (API, progress, options form), `html` on pages: it is
    taken as it is, so escape what users choose. `log_message` goes to the hub's log.
    """
    try:
        # New in JupyterHub 6: a refusal by policy, which the hub does not count.
        from jupyterhub.spawner import SpawnException
    except ImportError:
        # JupyterHub 5 answers API calls with what is meant for its log.
        error: Any = HTTPError(403, "%s", message)
        log.warning("%s", log_message)
        _uncount(spawner)
    else:
        error = SpawnException(
            message, reason=REASON, status_code=403, message_html=html, log_message=log_message
        )
    # The slow path (spawn pending, progress) reads these on every version.
    error.jupyterhub_message = message
    error.jupyterhub_html_message = html
    return error  # type: ignore[no-any-return]


def _uncount(spawner: Any) -> None:
    """Take one off JupyterHub 5's count of failures, which any exception raises by one.

    It ends the hub after `consecutive_failure_limit` of them.
    """
    handler = getattr(spawner, "handler", None)
    if handler is not None:
        handler.settings["failure_count"] = handler.settings.get("failure_count", 0) - 1
