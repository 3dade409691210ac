"""Free up space for programs: JSON, with a token of the hub, for that user's own home.

The same desk as the page's, and the same words for paths: see `free_view`.
"""

from __future__ import annotations

import json
from typing import Any

from jupyterhub.services.auth import HubOAuth, check_scopes
from tornado import web

from ..errors import Busy, EFSQuotaError, FreeingError, StoreError
from ..freeing.desk import MOST, Desk, Job, Kind
from ..freeing.freeing import Choice
from ..freeing.listing import Entry
from ..freeing.note import Note
from ..freeing.paths import parse, quoted
from ..freeing.suggest import Candidate, candidates, suggest
from ..quota.record import Record
from ..quota.summary import Sums
from .current import current_record
from .free_view import need_of, read_pick
from .freeing import LOOK_SECS, summary_of
from .measuring import BUTTON_WAIT_SECS
from .parts import Parts


class FreeApi(web.RequestHandler):
    """How things stand, and errands."""

    def initialize(self, parts: Parts) -> None:
        """Keep what the application hands over."""
        self._parts = parts

    async def prepare(self) -> None:
        """Find out whose token it is: a cookie is none, so no link can do anything here."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        hub = HubOAuth.instance()
        token = hub.get_token(self, in_cookie=False)
        model = await hub.user_for_token(token, sync=False) if token else None
        opens = model and check_scopes(set(hub.access_scopes), set(model.get("scopes", ())))
        if not model or not opens or model.get("kind") != "user":
            raise web.HTTPError(403, "A token of a user is needed that opens the pages.")
        self._name = str(model["name"])

    def check_xsrf_cookie(self) -> None:
        """Not by cookie: the token is the proof."""

    async def get(self) -> None:
        """Say how things stand."""
        record, freeing = await self.own_record(), self.desk.freeing
        standing = await self.desk.look(LOOK_SECS, freeing.standing, record)
        summary = await summary_of(self._parts, self._name)
        able = candidates(summary, allocated=freeing.allocated) if summary else []
        proposal = suggest(able, need_of(record))
        job = self.desk.job(self._name)
        self.write(
            {
                "why_not": standing.why_not,
                "full": standing.full,
                "limbo_room": standing.limbo_room,
                "limbo": [_limbo(note, freeing.limbo_days) for note in standing.notes],
                "delete_to_be_back": [_candidate(each) for each in proposal.chosen],
                "enough": proposal.enough,
                "errand": _errand(job) if job else None,
            }
        )

    async def post(self) -> None:
        """Begin an errand, wait for it a while, and say how far it is."""
        do, things = self._asked()
        record = await self.own_record()
        if do == "stop":
            self.desk.stop(self._name)
        elif not things:
            raise web.HTTPError(400, "Nothing is named.")
        else:
            self.desk.begin(Kind(do), record, things)
        await self.desk.waited(self._name, BUTTON_WAIT_SECS)
        job = self.desk.job(self._name)
        self.set_status(202 if job and not job.ended else 200)
        self.write({"errand": _errand(job) if job else None})

    def _asked(self) -> tuple[str, list[Choice] | list[str]]:
        """What is to be done with what. Raises a 400."""
        try:
            body = json.loads(self.request.body)
            do = body["do"]
            texts = [
                str(each) for each in body.get("keys" if do in ("back", "empty") else "paths", [])
            ]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise web.HTTPError(
                400, 'The body must be JSON like {"do": "aside", "paths": []}.'
            ) from None
        if do not in ("stop", *(kind.value for kind in Kind)) or len(texts) > MOST:
            raise web.HTTPError(
                400, f"do is aside, erase, back, empty or stop; at most {MOST} things."
            )
        if do in ("back", "empty", "stop"):
            return do, texts
        try:
            return do, [read_pick(text) for text in texts]
        except FreeingError as error:
            raise web.HTTPError(400, "%s", error) from None

    @property
    def desk(self) -> Desk:
        """The desk. Raises a 503 where the settings are bad."""
        if self._parts.desk is None:
            raise web.HTTPError(503, "Nothing can be freed until the settings are mended.")
        return self._parts.desk

    async def own_record(self) -> Record:
        """The record of whose token it is."""
        record, _ = await current_record(self._parts, self._name)
        return record or Record(self._name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """An error as JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        message = str(self._reason)
        if isinstance(error, web.HTTPError) and error.log_message:
            message = error.log_message % error.args
        elif isinstance(error, EFSQuotaError):
            status_code = 503 if isinstance(error, StoreError) else 409
            message = str(error)
        self.set_status(status_code)
        self.finish({"status": status_code, "message": message})

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """What is said to the user is no defect of ours."""
        if not isinstance(value, (FreeingError, Busy)):
            super().log_exception(kind, value, trace)


class FreeListApi(FreeApi):
    """A folder as it is now."""

    async def get(self) -> None:
        """List a page of it."""
        try:
            names = parse(self.get_query_argument("path", ""))
        except FreeingError as error:
            raise web.HTTPError(400, "%s", error) from None
        after = b"/".join(parse(self.get_query_argument("after", "")))
        record = await self.own_record()
        listing = await self.desk.look(LOOK_SECS, self.desk.freeing.listing, record, names, after)
        following = listing.following
        self.write(
            {
                "entries": [_entry(each) for each in listing.entries],
                "total": listing.total,
                "following": None if following is None else quoted((following,)),
            }
        )

    async def post(self) -> None:
        """Nothing is done here."""
        raise web.HTTPError(405)


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": quoted((entry.name,)),
        "kind": entry.kind,
        "bytes": entry.bytes,
        "allocated": entry.allocated,
        "modified": entry.modified,
        "own": entry.own,
        "inode": entry.inode,
    }


def _sums(sums: Sums | None) -> dict[str, Any]:
    return {"bytes": sums.bytes if sums else None, "files": sums.files if sums else None}


def _limbo(note: Note, limbo_days: float) -> dict[str, Any]:
    return {
        "key": note.key,
        "path": quoted(note.names),
        "time": note.time.isoformat(),
        "until": note.due(limbo_days).isoformat(),
        **_sums(note.sums),
    }


def _candidate(each: Candidate) -> dict[str, Any]:
    return {
        "path": quoted(each.names),
        "bytes": each.bytes,
        "files": each.files,
        "kind": each.kind,
    }


def _errand(job: Job) -> dict[str, Any]:
    return {
        "do": job.kind.value,
        "errand": job.errand.key,
        "ended": job.ended,
        "total": job.total,
        "entries": job.progress.entries,
        "trouble": job.trouble,
        "outcomes": [
            {
                "path": quoted(each.names),
                "done": each.done,
                "problem": each.problem,
                "no_limbo": each.no_limbo,
                **_sums(each.sums),
            }
            for each in job.outcomes
        ],
    }


def routes(prefix: str, given: dict[str, Any]) -> list[Any]:
    """Where these are, under the service's prefix."""
    return [(f"{prefix}api/free", FreeApi, given), (f"{prefix}api/free/list", FreeListApi, given)]
