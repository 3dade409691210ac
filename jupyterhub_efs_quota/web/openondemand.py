"""All users' quotas as Open OnDemand reads them, for a token that may see them."""

from __future__ import annotations

import asyncio

from tornado import web

from ..openondemand import dump, quotas
from .parts import Parts
from .tokens import allowed_for, scopes_of

SCOPE = "custom:efs-quota:read"


class OpenOnDemandQuotas(web.RequestHandler):
    """The quotas of those users whom the token may see: all, a group, or one."""

    def initialize(self, parts: Parts) -> None:
        """Keep what the application hands over."""
        self._parts = parts

    async def get(self) -> None:
        """Answer with the JSON."""
        scopes = await scopes_of(self)
        if not any(scope == SCOPE or scope.startswith(f"{SCOPE}!") for scope in scopes):
            raise web.HTTPError(403)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(await asyncio.to_thread(self._document, scopes))

    def _document(self, scopes: frozenset[str]) -> bytes:
        everybody = self._parts.board.rows()
        rows = [row for row in everybody if allowed_for(SCOPE, scopes, row.user)]
        return dump(quotas(rows, self._parts.directories, self._parts.clock(), among=everybody))
