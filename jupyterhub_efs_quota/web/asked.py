"""What of the table of users is asked for, as it stands in the page's address. Pure.

The names are those of the API. What makes no sense is left out: a page is for people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from ..quota.standing import STANDINGS
from ..users.table import SORTS, Wanted

# Of these the largest are of interest first.
_FROM_THE_TOP = frozenset({"size", "files", "fraction", "state", "growth", "measured"})


@dataclass(frozen=True)
class Asked:
    """The filter, the order and the page; "" filters nothing."""

    q: str = ""
    state: str = ""
    group: str = ""
    sort: str = "name"
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, read: Callable[[str, str], str]) -> Asked:
        """What stands in a query or a form; `read` gives an argument, or a default."""
        sort, state = read("sort", "name"), read("state", "")
        by = sort.removeprefix("-")
        known = by in SORTS
        page = read("page", "1")
        return cls(
            q=read("q", "").strip(),
            state=state if state in STANDINGS else "",
            group=read("group", ""),
            sort=by if known else "name",
            descending=known and (sort.startswith("-") or read("order", "") == "descending"),
            page=max(1, int(page)) if page.isdecimal() and len(page) < 10 else 1,
        )

    def wanted(self, offset: int, limit: int) -> Wanted:
        """As the table takes it."""
        return Wanted(
            self.q,
            self.state or None,
            self.group or None,
            self.sort,
            self.descending,
            offset,
            limit,
        )

    @property
    def fields(self) -> dict[str, str]:
        """As a query or a form has it: only what is not as ever."""
        sort = f"{'-' if self.descending else ''}{self.sort}"
        given = {
            "q": self.q,
            "state": self.state,
            "group": self.group,
            "sort": "" if sort == "name" else sort,
            "page": "" if self.page == 1 else str(self.page),
        }
        return {name: value for name, value in given.items() if value}

    @property
    def filters(self) -> bool:
        """Whether not all are shown."""
        return bool(self.q or self.state or self.group)

    @property
    def query(self) -> str:
        """The end of an address that asks for it."""
        return f"?{urlencode(self.fields)}" if self.fields else ""

    def turned_to(self, page: int) -> str:
        """The end of the address of another page."""
        return replace(self, page=page).query

    def sorted_by(self, sort: str) -> str:
        """The end of the address that a column's heading leads to: a second click turns it."""
        descending = not self.descending if sort == self.sort else sort in _FROM_THE_TOP
        return replace(self, sort=sort, descending=descending, page=1).query

    def order_of(self, sort: str) -> str | None:
        """What a screen reader is told of a column: None if the table is not sorted by it."""
        if sort != self.sort:
            return None
        return "descending" if self.descending else "ascending"
