"""One user's page, for who looks after them: how they stand, what happened, their quota."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tornado import web

from ..board import Row
from ..errors import EFSQuotaError, HistoryError, SettingsError, StoreError
from ..history.history import History
from ..quota.record import Record
from ..quota.sizes import typed_size
from ..users.change import Change
from ..users.explain import Explanation
from ..users.form import FILES, REASON, SIZE, UNTIL, Errors, read_reason, read_wish
from ..users.plans import CHANGE_SECS, why_not
from ..users.rules import origin
from .api.visitor import MANAGE
from .ask import ask_in_time
from .current import current_record
from .handlers import Handler
from .happened import Happening, happening
from .measuring import HowFar, how_far, measure_for
from .memory import Memory, remember
from .plotly import PLOTLY_STYLES
from .seen import as_seen, find, groups_shown, manages
from .show import usage_view
from .storage import account
from .users import person_link

# So much of what happened stands on a page.
HAPPENINGS = 30
_MEASUREMENTS = 60


@dataclass(frozen=True)
class Sent:
    """A form of the page as it was sent: which, the texts, and what is wrong with each."""

    how: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Past:
    """What happened, the newest first. `missing` says why that is not known."""

    happenings: tuple[Happening, ...] = ()
    total: int = 0
    offset: int = 0
    missing: str | None = None

    @property
    def older(self) -> int | None:
        """Where the next ones begin, if there are any."""
        end = self.offset + len(self.happenings)
        return end if self.happenings and end < self.total else None


class Person(Handler):
    """What the page and its forms have in common."""

    styles = PLOTLY_STYLES

    def address(self, name: str) -> str:
        """The address of a user's page."""
        return f"{self.hub_auth.base_url}{person_link(name)}"

    async def show(self, name: str, row: Row, sent: Sent | None = None) -> None:
        """Answer with the page."""
        parts, now, visitor = self.parts, self.parts.clock(), self.visitor
        (record, problem), memory, past = await asyncio.gather(
            current_record(parts, name),
            remember(parts, name, now),
            self._past(name),
        )
        manage = manages(row, visitor)
        self.page(
            "user.html",
            row=row,
            record=record,
            link=person_link(name),
            view=usage_view(record, now) if record else None,
            groups=groups_shown(row, visitor),
            problems=[each for each in (problem, as_seen(row, visitor).problem) if each],
            own_quota=parts.own_quota(row.user, record),
            keeps_servers=row.user.admin and parts.admins_exempt,
            quota_why=None if record is None else origin(record),
            explained=self._explained(row, record),
            manages=manage,
            sent=sent or Sent(texts=_texts(record)),
            said=self.get_query_argument("said", ""),
            note=parts.notes.find(self.get_query_argument("note", ""), visitor.called),
            measuring=parts.measuring(name),
            past=past,
            measurements=_newest(memory),
            plotly=self.settings["plotly"],
            xsrf_token=self.xsrf_token.decode(),
            **account(record, memory, now, allocated=parts.allocated, names=self.administers),
        )

    def _explained(self, row: Row, record: Record | None) -> Explanation | None:
        if record is None:
            return None
        with contextlib.suppress(SettingsError):
            return self.parts.quotas.explain(row.user, record)
        return None

    async def _past(self, name: str) -> Past:
        text = self.get_query_argument("older", "0")
        offset = int(text) if text.isdecimal() and len(text) < 8 else 0

        def read(history: History) -> Past:
            page = history.happened(names=[name], offset=offset, limit=HAPPENINGS)
            return Past(tuple(happening(each) for each in page.rows), page.total, offset)

        unknown = "What happened is not known: the history cannot be asked."
        try:
            return await ask_in_time(self.parts, read, without=unknown, silent=unknown)
        except HistoryError as error:
            return Past(missing=str(error))


class OneUser(Person):
    """The page."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Show it. Who is no more than this user has the page of their own storage."""
        row = find(self.parts.board, self.visitor, name)
        if not self.visitor.looks_after(row.user):
            self.redirect(self.hub_auth.base_url)
            return
        await self.show(name, row)


class ChangeQuota(Person):
    """The forms that give a user another quota, or that of the settings."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Nothing is changed by a link."""
        self.redirect(self.address(name))

    @web.authenticated
    async def post(self, name: str) -> None:
        """Change it, and go back to the page, which says what was done.

        What is wrong in the form is said there, and all that was written is still in it.
        """
        row = find(self.parts.board, self.visitor, name, MANAGE)
        how = self.get_body_argument("how", "")
        texts = {each: self.get_body_argument(each, "") for each in (SIZE, FILES, UNTIL, REASON)}
        errors: Errors = {}
        try:
            work = self._work(row, how, texts, errors)
            if not errors:
                change = await self.parts.offload.run_within(CHANGE_SECS, work)
        except EFSQuotaError as error:
            self._count(error)
            errors["form"] = why_not(error)
        if errors:
            self.set_status(400)
            await self.show(name, row, Sent(how, texts, errors))
            return
        key = self.parts.notes.keep(change.sentence, self.visitor.called)
        self.redirect(f"{self.address(name)}?note={key}", status=303)

    def _work(
        self, row: Row, how: str, texts: Mapping[str, str], errors: Errors
    ) -> Callable[[], Change]:
        quotas, by = self.parts.quotas, self.visitor.called
        if how == "reset":
            reason = read_reason(texts, errors)
            return lambda: quotas.reset(row.user, by=by, reason=reason)
        if how != "set":
            raise web.HTTPError(400, "A quota can be set or reset.")
        wish, wrong = read_wish(texts, self.parts.clock())
        errors.update(wrong)
        return lambda: quotas.set(row.user, wish, by=by)

    def _count(self, error: EFSQuotaError) -> None:
        if isinstance(error, StoreError):
            self.parts.failed(error)


class HowFarUser(HowFar):
    """How far the measurement of a user's home is, for the page's script."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Say it."""
        row = find(self.parts.board, self.visitor, name, MANAGE)
        self.write(how_far(self.parts, row.user.name))


class MeasureUser(Person):
    """The button "Measure again" on the page."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Nothing is measured by a link."""
        self.redirect(self.address(name))

    @web.authenticated
    async def post(self, name: str) -> None:
        """Measure the user's home: see `MeasureAgain`."""
        row = find(self.parts.board, self.visitor, name, MANAGE)
        await measure_for(self, row.user, self.address(name))


def _texts(record: Record | None) -> dict[str, str]:
    """What stands in the form at first: the quota as it is."""
    if record is None:
        return {}
    until = record.quota_until
    return {
        SIZE: typed_size(record.quota_bytes),
        FILES: str(record.quota_files or ""),
        UNTIL: f"{until:%Y-%m-%d %H:%M}" if until else "",
    }


def _newest(memory: Memory) -> list[Any]:
    return list(reversed(memory.points))[:_MEASUREMENTS]
