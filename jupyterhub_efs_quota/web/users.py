"""The table of all users, for administrators."""

from __future__ import annotations

from tornado import web

from ..board import Row
from ..quota.record import State
from .handlers import Handler
from .show import usage_view

PAGE_ROWS = 200
_STATES = [state.value for state in State]


class AllUsers(Handler):
    """The table of all users, for administrators."""

    @web.authenticated
    async def get(self) -> None:
        """Show a part of the table: `q` in the name, `state`, `page` from 1."""
        self.demand_administrator()
        wanted = self.get_query_argument("q", "").strip()
        state = self.get_query_argument("state", "")
        rows = [row for row in self.parts.board.rows() if _matches(row, wanted, state)]
        pages = max(1, -(-len(rows) // PAGE_ROWS))
        page = min(max(_whole(self.get_query_argument("page", "1")), 1), pages)
        now = self.parts.clock()
        self.page(
            "users.html",
            rows=[
                (row, usage_view(row.record, now) if row.record else None)
                for row in rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
            ],
            found=len(rows),
            number=page,
            pages=pages,
            wanted=wanted,
            state=state,
            states=_STATES,
        )


def _matches(row: Row, wanted: str, state: str) -> bool:
    if wanted.casefold() not in row.user.name.casefold():
        return False
    return not state or (row.record is not None and row.record.quota_state.value == state)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 1
