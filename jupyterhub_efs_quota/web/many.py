"""One change of quota for many users: chosen in the table, shown first, then carried out."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado import web

from ..board import Row
from ..errors import CannotChange, SettingsError
from ..users.form import FILES, HOW, PERCENT, REASON, SIZE, UNTIL, read_many
from ..users.plan import LeftOut, Line, Many, Plan
from ..users.plans import Errand
from ..users.table import table
from .api.visitor import Visitor
from .asked import Asked
from .parts import Parts
from .seen import manages
from .users import Form, People, fitting, person_link

# So many lines of a plan stand on a page.
PLAN_ROWS = 500
# Without a script, a page that shows how far it is comes again after so many seconds.
AGAIN_SECS = 2
# Who waits a moment sees a small change done at once.
WAIT_SECS = 2.0
_FIELDS = (HOW, SIZE, FILES, PERCENT, UNTIL, REASON)
_NOT_YOURS = "There is no such user, or you may not change their quota."


class PlanMany(People):
    """The form below the table: what would come of it is shown next."""

    @web.authenticated
    async def get(self) -> None:
        """Nothing is planned by a link."""
        self.redirect(f"{self.hub_auth.base_url}users")

    @web.authenticated
    async def post(self) -> None:
        """Make a plan, and show it; or the form again, with what is wrong in it."""
        self.demand_people()
        asked = Asked.of(self.get_body_argument)
        names = list(dict.fromkeys(self.get_body_arguments("user", strip=False)))
        everybody = self.get_body_argument("all", "") == "1"
        texts = {name: self.get_body_argument(name, "") for name in _FIELDS}
        many, errors = read_many(texts, self.parts.clock())
        if not names and not everybody:
            errors["user"] = "Choose users in the table, or all who fit the filter."
        plan = None
        if not errors:
            chosen = asked if everybody else names
            try:
                plan = await asyncio.to_thread(_plan, self.parts, self.visitor, chosen, many)
            except SettingsError as error:
                errors["form"] = str(error)
        if plan is None:
            self.set_status(400)
            await self.show_table(asked, Form(texts, errors, names, everybody))
            return
        key = self.parts.plans.keep(plan, self.visitor.called)
        self.redirect(f"{self.hub_auth.base_url}quotas/{key}", status=303)


class CarryOut(People):
    """A plan: what would change, and the button that does it."""

    @web.authenticated
    async def get(self, key: str) -> None:
        """Show it, how far it is, or what became of it."""
        self.demand_people()
        errand = self._errand(key)
        if errand.begun and not errand.ended:
            self.set_header("Refresh", f"{AGAIN_SECS}; url={self.request.path}")
        page = self.get_query_argument("page", "1")
        number = max(1, int(page)) if page.isdecimal() and len(page) < 8 else 1
        lines = errand.plan.lines
        left_out = [*errand.plan.left_out, *errand.left_out]
        self.page(
            "plan.html",
            key=key,
            errand=errand,
            plan=errand.plan,
            number=number,
            pages=max(1, -(-len(lines) // PLAN_ROWS)),
            lines=lines[(number - 1) * PLAN_ROWS : number * PLAN_ROWS],
            left_out=left_out[:PLAN_ROWS],
            more_left_out=max(0, len(left_out) - PLAN_ROWS),
            link=person_link,
            xsrf_token=self.xsrf_token.decode(),
        )

    @web.authenticated
    async def post(self, key: str) -> None:
        """Carry it out: once, however often the button is pressed."""
        self.demand_people()
        errand = self._errand(key)
        parts, visitor, quotas = self.parts, self.visitor, self.parts.quotas
        many, by = errand.plan.many, visitor.called

        def change(line: Line) -> None:
            row = parts.board.get(line.name)
            # What somebody may do is asked anew: a role may be lost meanwhile.
            if row is None or not manages(row, visitor):
                raise CannotChange(_NOT_YOURS)
            quotas.carry_out(row.user, many, line, by=by)

        task = parts.plans.begin(errand, parts.offload, change)
        # Not cancelled with the request.
        await asyncio.wait({task}, timeout=WAIT_SECS)
        self.redirect(self.request.path, status=303)

    def _errand(self, key: str) -> Errand:
        errand = self.parts.plans.find(key, self.visitor.called)
        if errand is None:
            raise web.HTTPError(404, "This preview is not there any more. Make it again.")
        return errand


def _plan(parts: Parts, visitor: Visitor, chosen: Asked | list[str], many: Many) -> Plan:
    """The plan for all who fit a filter, or for those who are named."""
    if isinstance(chosen, Asked):
        rows, _ = fitting(parts, visitor, chosen)
        rows = [row for row in rows if manages(row, visitor)]
        return parts.quotas.plan(table(rows, chosen.wanted(0, len(rows))).rows, many)
    rows, strangers = _named(parts, visitor, chosen)
    plan = parts.quotas.plan(rows, many)
    left_out = (*plan.left_out, *(LeftOut(name, _NOT_YOURS) for name in strangers))
    return Plan(plan.many, plan.lines, left_out, plan.as_before)


def _named(parts: Parts, visitor: Visitor, names: list[str]) -> tuple[list[Row], list[str]]:
    rows, strangers = [], []
    for name in names:
        row = parts.board.get(name)
        if row is not None and manages(row, visitor):
            rows.append(row)
        else:
            strangers.append(name)
    return rows, strangers


def routes(prefix: str, given: dict[str, Any]) -> list[Any]:
    """The routes below the service's prefix."""
    return [
        (f"{prefix}quotas", PlanMany, given),
        (rf"{prefix}quotas/([^/]+)", CarryOut, given),
    ]
