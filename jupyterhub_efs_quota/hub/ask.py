"""One question to the hub or to a service of it, asked once, for the doctor.

Unlike `client.py` it takes any answer, and says how long that took.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from ..errors import HubUnreachable

ASK_SECS = 8.0


@dataclass(frozen=True)
class Answer:
    """What was answered.

    `asked` and `secs`: when, by our clock, and how long it took. `date`: when, by theirs.
    """

    code: int
    body: bytes
    asked: datetime
    secs: float
    date: datetime | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            values = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) else {}


def ask(url: str, tls: ssl.SSLContext | None = None, token: str = "") -> Answer:
    """Get a page. Blocking. Raises HubUnreachable, in words without the token."""
    return asyncio.run(_ask(url, tls, token))


async def _ask(url: str, tls: ssl.SSLContext | None, token: str) -> Answer:
    headers = {"Authorization": f"token {token}"} if token else {}
    asked, began = datetime.now(timezone.utc), time.monotonic()
    client = AsyncHTTPClient(force_instance=True)
    try:
        response = await client.fetch(
            HTTPRequest(
                url,
                headers=headers,
                ssl_options=tls,
                connect_timeout=ASK_SECS,
                request_timeout=ASK_SECS,
                follow_redirects=False,
            ),
            raise_error=False,
        )
    except Exception as error:  # whatever tornado makes of what is no HTTP
        raise HubUnreachable(f"{url} does not answer: {error or type(error).__name__}") from None
    finally:
        client.close()
    if response.code == 599:
        raise HubUnreachable(f"{url} does not answer: {response.reason}")
    return Answer(
        response.code,
        bytes(response.body or b""),
        asked,
        time.monotonic() - began,
        _date(response),
    )


def _date(response: HTTPResponse) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(timezone.utc)
    except (KeyError, ValueError, TypeError):
        return None
