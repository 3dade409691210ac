"""A stand-in for the hub, in a process of its own: its list of users, and who a token is.

Started by pages.py: `python -m bench.stand_in NAME ...`. Prints its port.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Long before any measurement: nobody has been active since.
_ACTIVITY = "2020-01-01T00:00:00.000000Z"


class _Hub(BaseHTTPRequestHandler):
    names: tuple[str, ...] = ()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.endswith("/users"):
            self._answer(self._users(parse_qs(url.query)))
        elif url.path.endswith("/user"):
            self._answer(self._visitor())
        else:
            self.send_error(404)

    def _users(self, query: dict[str, list[str]]) -> dict[str, Any]:
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        more = offset + limit < len(self.names)
        items = [
            {
                "name": name,
                "admin": False,
                "groups": [],
                "last_activity": _ACTIVITY,
                "servers": {},
            }
            for name in self.names[offset : offset + limit]
        ]
        return {
            "items": items,
            "_pagination": {"next": {"offset": offset + limit} if more else None},
        }

    def _visitor(self) -> dict[str, Any]:
        return {
            "kind": "user",
            "name": self.names[0],
            "admin": False,
            "groups": [],
            "scopes": ["access:services"],
        }

    def _answer(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until killed."""
    _Hub.names = tuple(sys.argv[1:])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
