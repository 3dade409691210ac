"""The table of users, of those whom the visitor looks after: as a page, and as CSV."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from tornado import web

from ..board import Row
from ..quota.standing import STANDINGS
from ..users.as_csv import HEADER, csv_row, csv_text
from ..users.table import Page, table
from .api.visitor import Visitor
from .asked import Asked
from .growth import Growth, growth_of_all
from .handlers import Handler
from .parts import Parts
from .seen import as_seen, groups_of, groups_shown, looked_after, manages
from .show import UsageView, usage_view

PAGE_ROWS = 100
# So many lines of CSV are made at a time, in a thread.
_CSV_ROWS = 2000
# The columns, by what the table is sorted by; the others cannot be sorted.
COLUMNS = (
    ("User", "name", False),
    ("State", "state", False),
    ("Used", "size", True),
    ("Quota", None, True),
    ("Share", "fraction", True),
    ("In 30 days", "growth", True),
    ("Files", "files", True),
    ("Servers", None, False),
    ("Last active", "activity", False),
    ("Measured", "measured", False),
)


@dataclass(frozen=True)
class Person:
    """A line of the table. `link` is the end of the address of their page."""

    row: Row
    view: UsageView | None
    growth: int | None
    link: str
    managed: bool
    problem: str | None


@dataclass(frozen=True)
class Form:
    """The form below the table as it was sent: the texts, who was chosen, what is wrong."""

    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    chosen: Sequence[str] = ()
    all_that_fit: bool = False


def person_link(name: str) -> str:
    """The end of the address of a user's page."""
    return f"users/{quote(name, safe='')}"


class People(Handler):
    """What the table and its forms have in common."""

    def demand_people(self) -> None:
        """Raise a 403 for who looks after nobody."""
        if not self.table_name:
            raise web.HTTPError(403, "This page is for administrators and leads of groups.")

    async def show_table(self, asked: Asked, form: Form | None = None) -> None:
        """Answer with the page of the table."""
        form = form or Form()
        growth = await growth_of_all(self.parts)
        visitor, now = self.visitor, self.parts.clock()
        # Of a hundred thousand users it takes a moment.
        page, asked, groups = await asyncio.to_thread(
            _cut_out, self.parts, visitor, asked, growth, PAGE_ROWS
        )
        people = [
            Person(
                row,
                usage_view(row.record, now) if row.record else None,
                growth.by_name.get(row.user.name),
                person_link(row.user.name),
                manages(row, visitor),
                as_seen(row, visitor).problem,
            )
            for row in page.rows
        ]
        shown = {person.row.user.name for person in people}
        self.page(
            "users.html",
            asked=asked,
            columns=COLUMNS,
            people=people,
            found=page.total,
            pages=_pages(page.total),
            growth=growth,
            groups=groups,
            states=STANDINGS,
            form=form,
            # Chosen before, and not in this part of the table: nobody is to be lost.
            chosen_elsewhere=[name for name in form.chosen if name not in shown],
            manages=any(person.managed for person in people),
            xsrf_token=self.xsrf_token.decode(),
        )


class AllUsers(People):
    """The table as a page."""

    @web.authenticated
    async def get(self) -> None:
        """Show a part of it."""
        self.demand_people()
        await self.show_table(Asked.of(self.get_query_argument))


class UsersCsv(People):
    """The table as CSV: all that fit the filter."""

    @web.authenticated
    async def get(self) -> None:
        """Answer with it, a part at a time."""
        self.demand_people()
        asked, visitor = Asked.of(self.get_query_argument), self.visitor
        growth = await growth_of_all(self.parts)
        page, _, _ = await asyncio.to_thread(_cut_out, self.parts, visitor, asked, growth, None)
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="users.csv"')
        lines = _lines(page.rows, growth, visitor)
        while text := await asyncio.to_thread(next, lines, ""):
            self.write(text)
            await self.flush()
        await self.finish()


def _lines(rows: Sequence[Row], growth: Growth, visitor: Visitor) -> Iterator[str]:
    yield csv_text([HEADER])
    for start in range(0, len(rows), _CSV_ROWS):
        some = rows[start : start + _CSV_ROWS]
        yield csv_text(csv_row(row, growth.by_name, groups_shown(row, visitor)) for row in some)


def fitting(parts: Parts, visitor: Visitor, asked: Asked) -> tuple[list[Row], list[str]]:
    """All whom the visitor looks after and may filter by group, and these groups."""
    rows = looked_after(parts.board, visitor)
    groups = groups_of(rows, visitor)
    # Who leads one group does not learn who of it is in another.
    return ([] if asked.group and asked.group not in groups else rows), groups


def _cut_out(
    parts: Parts, visitor: Visitor, asked: Asked, growth: Growth, limit: int | None
) -> tuple[Page, Asked, list[str]]:
    """A part of the table (all of it without a limit), what was really asked, and the groups."""
    rows, groups = fitting(parts, visitor, asked)
    offset = 0 if limit is None else (asked.page - 1) * limit
    page = table(rows, asked.wanted(offset, len(rows) if limit is None else limit), growth.by_name)
    if limit is not None and page.total and not page.rows:
        last = replace(asked, page=_pages(page.total))
        return _cut_out(parts, visitor, last, growth, limit)
    return page, asked, groups


def _pages(total: int) -> int:
    return max(1, -(-total // PAGE_ROWS))
