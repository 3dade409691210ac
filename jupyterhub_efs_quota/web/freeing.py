"""The page "Free up space" and its forms: a user's own home, whether a server runs or not.

Nobody's home but the visitor's can be named here, by nobody: no parameter says whose. What
is done is done by `Desk`; forms are checked against forgery as all of the hub's are.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from tornado import web

from ..errors import EFSQuotaError, FreeingError, HistoryError, StoreError
from ..freeing.by_hand import commands
from ..freeing.desk import MOST, Desk, Kind
from ..freeing.freeing import Choice, Standing
from ..freeing.listing import BY_NAME
from ..freeing.note import Note
from ..freeing.paths import Names, parse
from ..freeing.progress import Stopped
from ..freeing.suggest import candidates, suggest
from ..quota.record import Record
from ..quota.summary import Summary
from ..quota.times import time_left
from . import free_order
from . import free_view as view
from .current import current_record
from .free_order import Orders
from .handlers import Handler
from .measuring import BUTTON_WAIT_SECS
from .parts import Parts
from .plotly import PLOTLY_STYLES
from .show import usage_view
from .where import treemap, where
from .words import days, size

# How long a page waits for the store, when it lists or weighs.
LOOK_SECS = 30.0


class FreeHandler(Handler):
    """What these have in common: the desk, and the visitor's own record."""

    async def prepare(self) -> None:
        """As the other pages; a service is turned away whatever it asks."""
        await super().prepare()
        if self.current_user:
            _ = self.own_name

    @property
    def desk(self) -> Desk:
        """The desk. Raises a 503 where the settings are bad."""
        if self.parts.desk is None:
            raise web.HTTPError(503, "Nothing can be freed until the settings are mended.")
        return self.parts.desk

    async def own_record(self) -> Record:
        """The visitor's record; one that knows nothing where there is none yet."""
        record, _ = await current_record(self.parts, self.own_name)
        return record or Record(self.own_name)

    def picks(self) -> list[Choice]:
        """What was chosen in a form. Raises a 400."""
        try:
            chosen = [view.read_pick(text) for text in self.get_body_arguments("pick")]
        except FreeingError as error:
            raise web.HTTPError(400, "%s", error) from None
        if len(chosen) > MOST:
            raise web.HTTPError(400, f"Choose at most {MOST} at a time: a folder as a whole.")
        return chosen

    async def begin(self, kind: Kind, things: list[Choice] | list[str]) -> None:
        """Begin an errand, wait for it a while, and show the page."""
        if not things:
            self.back("nothing")
            return
        record = await self.own_record()
        try:
            self.desk.begin(kind, record, things)
        except EFSQuotaError as error:
            raise web.HTTPError(409, "%s", error) from None
        await self.desk.waited(record.user, BUTTON_WAIT_SECS)
        self.back("")

    def back(self, said: str) -> None:
        """Go to the page."""
        query = f"?said={said}" if said else ""
        self.redirect(f"{self.hub_auth.base_url}free{query}", status=303)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As the other pages; what goes wrong with files is said as it is."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, EFSQuotaError):
            status = 503 if isinstance(error, StoreError) else 409
            self.set_status(status)
            kwargs["exc_info"] = (web.HTTPError, web.HTTPError(status, "%s", error), None)
            status_code = status if status < 500 else 499
        super().write_error(status_code, **kwargs)


class FreePage(FreeHandler):
    """Where the space goes, what to do about it, and what is in limbo."""

    styles = PLOTLY_STYLES

    @web.authenticated
    async def get(self) -> None:
        """Show it; `path` is the directory to look into, `after` the place to go on after.

        `sort` and `tree` are the orders of what is in it, and of the tree of folders.
        """
        record, now = await self.own_record(), self.parts.clock()
        freeing = self.desk.freeing
        standing = await self.desk.look(LOOK_SECS, freeing.standing, record)
        summary = await summary_of(self.parts, record.user)
        orders = free_order.read_orders(self._asked("sort"), self._asked("tree"))
        looked = await self._listing(record, summary, orders)
        lock = None if self.keeps_servers else self.parts.foresight.lock(record, now)
        job = self.desk.job(record.user)
        allocated = freeing.allocated
        if job is not None and not job.ended:
            # Without a script, the page shows how far it is by coming again.
            self.set_header("Refresh", f"3; url={self.hub_auth.base_url}free")
        self.page(
            "free.html",
            view=usage_view(record, now, keeps_servers=self.keeps_servers),
            lock=lock if lock and lock.sure else None,
            left_until_lock=time_left(lock.at, now) if lock else "",
            standing=standing,
            room=None if standing.limbo_room is None else size(standing.limbo_room),
            limbo=view.limbo_rows(standing.notes, freeing.limbo_days, allocated=allocated),
            limbo_days=days(freeing.limbo_days),
            job=view.job_view(job, allocated=allocated) if job else None,
            **looked,
            plotly=self.settings["plotly"],
            measuring=self.parts.measuring(record.user),
            said=self.get_query_argument("said", ""),
            xsrf_token=self.xsrf_token.decode(),
            **self._summed_up(record, summary, orders),
        )

    def _asked(self, name: str) -> str:
        return self.get_query_argument(name, "")

    def _summed_up(self, record: Record, summary: Summary | None, orders: Orders) -> dict[str, Any]:
        """What is known of the whole home: the proposal, junk, folders and files."""
        if summary is None:
            nothing = dict.fromkeys(("proposal", "where", "summary_at"))
            figures: dict[str, Any] = {"times": [], "treemap": None}
            return {**nothing, "junk": [], "folders": [], "largest": [], "figures": figures}
        allocated = self.desk.freeing.allocated
        found = where(summary, allocated=allocated)
        proposal = suggest(candidates(summary, allocated=allocated), view.need_of(record))
        return {
            "proposal": {
                "rows": view.suggested(proposal.chosen),
                "enough": proposal.enough,
                "size": size(proposal.bytes),
            },
            "where": found,
            "summary_at": datetime.fromtimestamp(summary.now, timezone.utc),
            "junk": view.junk(summary, allocated=allocated),
            "folders": free_order.folders(summary, orders.tree, allocated=allocated),
            "largest": view.largest(summary, allocated=allocated),
            "figures": {"times": [], "treemap": treemap(found.home)},
        }

    async def _listing(
        self, record: Record, summary: Summary | None, orders: Orders
    ) -> dict[str, Any]:
        """The folder that is open, in its order; or why there is none to be seen."""
        freeing = self.desk.freeing
        names: Names = ()
        looked: dict[str, Any] = {"listing": None, "not_listed": "", "unsorted": False}
        try:
            names = parse(self._asked("path"))
            known = view.held_in(names, summary)
            order = free_order.read_order(orders.listed, known, allocated=freeing.allocated)
            after, look = self._after(), self.desk.look
            try:
                found = await look(LOOK_SECS, freeing.listing, record, names, after, order)
            except Stopped:
                # Too many to look at each of them: by name that is not needed.
                found = await look(LOOK_SECS, freeing.listing, record, names, b"", BY_NAME)
                looked["unsorted"], orders = True, Orders(tree=orders.tree)
            looked["listing"] = view.listing_view(names, found, known, allocated=freeing.allocated)
        except (EFSQuotaError, FileNotFoundError) as error:
            looked["not_listed"] = str(error)
        columns, tree_columns = orders.columns(names), orders.tree_columns(names)
        return {**looked, "columns": columns, "tree_columns": tree_columns, "kept": orders.kept}

    def _after(self) -> bytes:
        # Any bytes: names need not be UTF-8.
        return self.request.query_arguments.get("after", [b""])[-1]


class Confirm(FreeHandler):
    """What was chosen, with its count and size, before anything is done."""

    @web.authenticated
    async def post(self) -> None:
        """Show it."""
        chosen = self.picks()
        if not chosen:
            self.back("nothing")
            return
        record = await self.own_record()
        freeing = self.desk.freeing
        standing = await self.desk.look(LOOK_SECS, freeing.standing, record)
        weighed = await self.desk.look(LOOK_SECS, freeing.weigh, record, chosen)
        asked = view.confirmation(weighed, allocated=freeing.allocated)
        no_room = standing.limbo_room is not None and asked.bytes > standing.limbo_room
        self.page(
            "free_confirm.html",
            standing=standing,
            asked=asked,
            no_room=no_room,
            for_good=standing.full or no_room or self.get_body_argument("offer", "") == "good",
            limbo_days=days(freeing.limbo_days),
            commands=commands(each.choice.names for each in weighed if each.weight),
            xsrf_token=self.xsrf_token.decode(),
        )


class Delete(FreeHandler):
    """The confirmed choice is deleted: `how` is `aside` or `erase`."""

    @web.authenticated
    async def post(self) -> None:
        """Do it."""
        how = self.get_body_argument("how", "")
        if how not in (Kind.ASIDE.value, Kind.ERASE.value):
            raise web.HTTPError(400, "It is not said how to delete. Load the page again.")
        await self.begin(Kind(how), self.picks())


class InLimbo(FreeHandler):
    """What is in limbo is brought back, or deleted for good when that is confirmed."""

    @web.authenticated
    async def post(self) -> None:
        """Do it; `how` is `back`, `empty`, or `sure`."""
        how, keys = self.get_body_argument("how", ""), self.get_body_arguments("key")
        if how not in ("back", "empty", "sure") or len(keys) > MOST:
            raise web.HTTPError(400, "This is not understood. Load the page again.")
        if how == "empty" and keys:
            await self._ask(keys)
        else:
            await self.begin(Kind.BACK if how == "back" else Kind.EMPTY, keys)

    async def _ask(self, keys: list[str]) -> None:
        record = await self.own_record()
        freeing = self.desk.freeing
        standing: Standing = await self.desk.look(LOOK_SECS, freeing.standing, record)
        notes: list[Note] = [note for note in standing.notes if note.key in keys]
        self.page(
            "free_limbo.html",
            rows=view.limbo_rows(notes, freeing.limbo_days, allocated=freeing.allocated),
            size=size(sum(note.sums[freeing.allocated] for note in notes if note.sums)),
            files=view.files_of(sum(note.sums.files for note in notes if note.sums)),
            xsrf_token=self.xsrf_token.decode(),
        )


class Stop(FreeHandler):
    """The errand that goes on is stopped."""

    @web.authenticated
    async def post(self) -> None:
        """Stop it."""
        self.desk.stop(self.own_name)
        await self.desk.waited(self.own_name, BUTTON_WAIT_SECS)
        self.back("")


class ReceiptFile(FreeHandler):
    """What was done, as a text to keep; of one errand if it is named."""

    @web.authenticated
    async def get(self) -> None:
        """Hand it out."""
        name, errand = self.own_name, self.get_query_argument("errand", "")
        receipts = await self.desk.receipts(name, errand, LOOK_SECS)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="receipt.txt"')
        for line in view.receipt_text(receipts, name, self.parts.clock()):
            self.write(line)


async def summary_of(parts: Parts, user: str) -> Summary | None:
    """The last summary of a user's home, if one was kept and can be read."""
    try:
        found = await parts.asking.ask(lambda history: history.summary(user))
    except HistoryError:
        return None
    return found[1] if found else None


def routes(prefix: str, given: dict[str, Any]) -> list[Any]:
    """Where these are, under the service's prefix."""
    return [
        (f"{prefix}free", FreePage, given),
        (f"{prefix}free/confirm", Confirm, given),
        (f"{prefix}free/delete", Delete, given),
        (f"{prefix}free/limbo", InLimbo, given),
        (f"{prefix}free/stop", Stop, given),
        (f"{prefix}free/receipt", ReceiptFile, given),
    ]
