"""The API's answers about freeing space: for the user whose token it is, in their own home.

The same desk as the page's, and the same words for paths: see `web/free_view.py`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from tornado import web

from ...errors import FreeingError, SettingsError
from ...freeing.desk import Desk, Job, Kind
from ...freeing.freeing import Choice
from ...freeing.listing import Entry
from ...freeing.note import Note
from ...freeing.paths import parse, quoted
from ...freeing.suggest import Candidate, candidates, suggest
from ...quota.record import Record
from ...quota.summary import Sums
from ..current import current_record
from ..free_order import read_order
from ..free_view import held_in, need_of, read_pick
from ..freeing import LOOK_SECS, summary_of
from ..measuring import BUTTON_WAIT_SECS
from .call import Answer, Call

_STOP = "stop"


async def get_freeing(call: Call) -> Answer:
    """How things stand."""
    desk, record = await _own(call)
    freeing = desk.freeing
    standing = await desk.look(LOOK_SECS, freeing.standing, record)
    summary = await summary_of(call.parts, record.user)
    able = candidates(summary, allocated=freeing.allocated) if summary else []
    proposal = suggest(able, need_of(record))
    return Answer(
        {
            "why_not": standing.why_not,
            "full": standing.full,
            "limbo_room": standing.limbo_room,
            "limbo": [_limbo(note, freeing.limbo_days) for note in standing.notes],
            "delete_to_be_back": [_candidate(each) for each in proposal.chosen],
            "enough": proposal.enough,
            **_errand(desk.job(record.user)),
        }
    )


async def list_folder(call: Call) -> Answer:
    """A page of a folder."""
    desk, record = await _own(call)
    names, after = parse(call.given["path"]), unquote_to_bytes(call.given["after"])
    known = held_in(names, await summary_of(call.parts, record.user))
    order = read_order(call.given["sort"], known, allocated=desk.freeing.allocated)
    try:
        listing = await desk.look(LOOK_SECS, desk.freeing.listing, record, names, after, order)
    except FileNotFoundError as error:
        raise FreeingError(str(error)) from None
    following = listing.following
    return Answer(
        {
            "entries": [_entry(each) for each in listing.entries],
            "total": listing.total,
            "following": None if following is None else quote_from_bytes(following),
        }
    )


async def do_errand(call: Call) -> Answer:
    """Begin an errand, wait for it a while, and say how far it is; or stop one."""
    desk, record = await _own(call)
    things = _things(call)
    if call.given["do"] == _STOP:
        desk.stop(record.user)
    else:
        desk.begin(Kind(call.given["do"]), record, things)
    await desk.waited(record.user, BUTTON_WAIT_SECS)
    job = desk.job(record.user)
    return Answer(_errand(job), 202 if job and not job.ended else 200)


def _things(call: Call) -> list[Choice] | list[str]:
    """What something is to be done with. Raises FreeingError."""
    do = call.given["do"]
    if do == _STOP:
        return []
    field = "keys" if do in (Kind.BACK.value, Kind.EMPTY.value) else "paths"
    texts = call.given[field]
    if not texts:
        raise FreeingError(f"Nothing is named: {do} needs {field}.")
    return list(texts) if field == "keys" else [read_pick(text) for text in texts]


async def _own(call: Call) -> tuple[Desk, Record]:
    """The desk, and the record of whose token it is."""
    visitor = call.visitor
    if visitor.own is None or not visitor.opens:
        raise web.HTTPError(403, "A token of a user is needed that opens the pages.")
    if call.parts.desk is None:
        raise SettingsError("Nothing can be freed until the settings are mended.")
    record, _ = await current_record(call.parts, visitor.own.name)
    return call.parts.desk, record or Record(visitor.own.name)


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


def _errand(job: Job | None) -> dict[str, Any]:
    if job is None:
        return {"errand": None}
    told = {
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
    return {"errand": told}
