"""What the page "Free up space" shows, worked out of a summary, a listing and limbo. Pure.

The tree of folders and the order of what is listed stand in `free_order.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote_from_bytes

from markupsafe import Markup

from ..errors import FreeingError
from ..freeing.desk import Job
from ..freeing.freeing import Choice, Outcome, Weighed
from ..freeing.ledger import Receipt
from ..freeing.listing import Entry, Listing, extension
from ..freeing.note import Note
from ..freeing.paths import Names, as_text, of_text, parse, quoted
from ..freeing.suggest import Candidate, Need
from ..quota.record import Record
from ..quota.sizes import format_size
from ..quota.summary import Summary, Sums
from ..words.names import plain
from .words import moment, number
from .words import size as shown_size

# Rows of a table; what is lighter is found by opening folders.
_MOST_FILES = 20
_MOST_PLACES = 30
_LONGEST_TYPE = 12


@dataclass(frozen=True)
class Row:
    """A thing that can be chosen: `pick` is what the form sends, `open` leads into it.

    `changed`: when it, or the latest file in it, was modified.
    """

    pick: str
    name: str
    size: str
    files: str = ""
    kind: str = ""
    open: str = ""
    depth: int = 0
    problem: str = ""
    checked: bool = False
    changed: datetime | None = None


def read_pick(text: str) -> Choice:
    """The choice that a form sends. Raises FreeingError for anything else."""
    inode, colon, path = text.rpartition(":")
    if colon and not (inode.isascii() and inode.isdigit() and len(inode) <= 20):
        raise FreeingError("This choice is not understood. Load the page again.")
    return Choice(parse(path), int(inode) if colon else None)


def pick(names: Names, inode: int | None = None) -> str:
    """What a form sends for a choice: the path, and before it what was shown there."""
    # A colon of the path itself is quoted.
    return quoted(names) if inode is None else f"{inode}:{quoted(names)}"


def shown(names: Names) -> str:
    """A path as text that is safe to show, and not mistaken for another."""
    return plain(as_text(names))


def need_of(record: Record) -> Need:
    """How much a user has to free."""
    if not record.quota_enabled or not record.measured:
        return Need()
    files = (record.usage_files or 0) - record.quota_files if record.quota_files else 0
    return Need(max(0, record.actual_bytes - record.quota_bytes), max(0, files))


def suggested(candidates: Iterable[Candidate]) -> list[Row]:
    """The proposal, all of it chosen."""
    return [
        Row(
            pick(each.names),
            shown(each.names),
            shown_size(each.bytes),
            number(each.files),
            kind=each.kind,
            open=opening(each.names[:-1]),
            checked=True,
        )
        for each in candidates
    ]


def largest(summary: Summary, *, allocated: bool) -> list[Row]:
    """The largest files."""
    rows = []
    for file in summary.largest[:_MOST_FILES]:
        names = of_text(file.path)
        size = shown_size(file.allocated if allocated else file.bytes)
        lies, changed = opening(names[:-1]), at(file.modified)
        rows.append(Row(pick(names), shown(names), size, open=lies, changed=changed))
    return rows


def junk(summary: Summary, *, allocated: bool) -> list[Row]:
    """Where there is known junk, the heaviest first."""
    places = sorted(summary.junk_places, key=lambda place: -place.sums[allocated])
    return [
        Row(
            pick(names := of_text(place.path)),
            shown(names),
            shown_size(place.sums[allocated]),
            number(place.sums.files),
            kind=place.kind,
            open=opening(names[:-1]),
        )
        for place in places[:_MOST_PLACES]
    ]


@dataclass(frozen=True)
class ListingView:
    """A page of a directory: `crumbs` lead to those above it, `more` to the next page."""

    crumbs: list[tuple[str, str]]
    rows: list[Row]
    total: int
    more: str


def held_in(names: Names, summary: Summary | None) -> dict[bytes, Sums]:
    """What the folders in a folder hold, by name, as far as a summary knows."""
    folders = ((of_text(each.path), each.sums) for each in (summary.folders if summary else ()))
    return {path[-1]: sums for path, sums in folders if path and path[:-1] == names}


def listing_view(
    names: Names, listing: Listing, known: Mapping[bytes, Sums], *, allocated: bool
) -> ListingView:
    """A directory as it is now; what its folders hold is as it was when last measured."""
    crumbs = [("Home", opening(()))]
    crumbs += [(shown((name,)), opening(names[: depth + 1])) for depth, name in enumerate(names)]
    more = ""
    if listing.following is not None:
        more = f"{opening(names)}&after={quote_from_bytes(listing.following, safe='')}"
    rows = [_entry(names, entry, known, allocated=allocated) for entry in listing.entries]
    return ListingView(crumbs, rows, listing.total, more)


def _entry(above: Names, entry: Entry, known: Mapping[bytes, Sums], *, allocated: bool) -> Row:
    names = (*above, entry.name)
    folder = entry.kind == "folder"
    sums = known.get(entry.name)
    size: str = shown_size(entry.allocated if allocated else entry.bytes)
    if folder:
        size = shown_size(sums[allocated]) if sums else ""
    return Row(
        pick(names, entry.inode),
        shown((entry.name,)) + ("/" if folder else ""),
        size,
        number(sums.files) if folder and sums else "",
        kind=_type(entry),
        open=opening(names) if folder else "",
        problem="" if entry.own else "belongs to somebody else",
        changed=at(entry.modified),
    )


def _type(entry: Entry) -> str:
    last = plain(as_text((extension(entry.name).lower(),))) if entry.kind == "file" else ""
    # What is no extension, but a part of a name with a dot, would only be noise.
    return last if last and len(last) <= _LONGEST_TYPE else entry.kind


@dataclass(frozen=True)
class Confirmation:
    """What was chosen, as it is now: `rows` can be deleted, `problems` cannot."""

    rows: list[Row]
    problems: list[Row]
    size: str
    bytes: int
    files: str
    others: int


def confirmation(weighed: Sequence[Weighed], *, allocated: bool) -> Confirmation:
    """The choice with its count and size."""
    rows, problems = [], []
    size = files = others = 0
    whole = True
    for each in weighed:
        names, weight = each.choice.names, each.weight
        if weight is None:
            problems.append(Row(pick(names), shown(names), "", problem=each.problem))
            continue
        size += weight.sums[allocated]
        files += weight.sums.files
        others += weight.others
        whole = whole and weight.complete
        rows.append(
            Row(
                pick(names, each.choice.inode),
                shown(names),
                _at_least(shown_size(weight.sums[allocated]), weight.complete),
                _at_least(number(weight.sums.files), weight.complete),
            )
        )
    return Confirmation(
        rows,
        problems,
        _at_least(shown_size(size), whole),
        size,
        _at_least(files_of(files), whole),
        others,
    )


@dataclass(frozen=True)
class LimboRow:
    """A thing in limbo."""

    key: str
    name: str
    size: str
    files: str
    since: str
    until: str


def limbo_rows(notes: Iterable[Note], limbo_days: float, *, allocated: bool) -> list[LimboRow]:
    """What is in limbo, the newest first."""
    return [
        LimboRow(
            note.key,
            shown(note.names),
            shown_size(note.sums[allocated]) if note.sums else "",
            number(note.sums.files) if note.sums else "",
            moment(note.time),
            moment(note.due(limbo_days)),
        )
        for note in sorted(notes, key=lambda note: note.time, reverse=True)
    ]


@dataclass(frozen=True)
class JobView:
    """An errand: how far it is, and what became of it."""

    title: str
    going: bool
    progress: Markup
    done: list[Row]
    failed: list[Row]
    for_good: list[str]
    trouble: str
    errand: str


_TITLES = {
    "aside": "Moving into limbo",
    "back": "Bringing back",
    "erase": "Deleting for good",
    "empty": "Deleting from limbo for good",
}


def job_view(job: Job, *, allocated: bool) -> JobView:
    """The errand that goes on, or the last one."""
    done = [_outcome(each, allocated=allocated) for each in job.outcomes if each.done]
    failed = [_outcome(each, allocated=allocated) for each in job.outcomes if not each.done]
    return JobView(
        title=_TITLES[job.kind.value],
        going=not job.ended,
        progress=_how_far(job),
        done=done,
        failed=failed,
        for_good=[pick(each.names) for each in job.outcomes if each.no_limbo],
        trouble=job.trouble,
        errand=job.errand.key,
    )


def _how_far(job: Job) -> Markup:
    done = Markup("{} of {} done").format(number(len(job.outcomes)), number(job.total))
    if not job.progress.entries:
        return done
    return Markup("{}, {} files and folders").format(done, number(job.progress.entries))


def _outcome(outcome: Outcome, *, allocated: bool) -> Row:
    sums = outcome.sums
    return Row(
        pick(outcome.names),
        shown(outcome.names),
        shown_size(sums[allocated]) if sums else "",
        files_of(sums.files) if sums else "",
        kind=outcome.done,
        problem=outcome.problem,
    )


def receipt_text(receipts: Iterable[Receipt], user: str, now: datetime) -> Iterator[str]:
    """Receipts as lines of text to keep."""
    yield f"What was done to free space in the storage of {plain(user)}\n"
    yield f"as of {now:%Y-%m-%d %H:%M:%S} UTC\n\n"
    for each in receipts:
        sums = each.sums or Sums()
        yield (
            f"{each.time:%Y-%m-%d %H:%M:%S} UTC  {each.done:<17}  {format_size(sums.bytes):>12}"
            f"  {sums.files:>10,} files  by {plain(each.by)}  {shown(each.names)}\n"
        )


def opening(names: Names) -> str:
    """The query that opens a directory on the page."""
    return f"?path={quote_from_bytes(quoted(names).encode(), safe='')}"


def files_of(count: int) -> Markup:
    """A number of files, in words."""
    one, many = Markup("{} file"), Markup("{} files")
    return (one if count == 1 else many).format(number(count))


def at(unix_secs: float) -> datetime | None:
    """A Unix time; None for what no calendar has."""
    try:
        return datetime.fromtimestamp(unix_secs, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None


def _at_least(text: Markup, whole: bool) -> Markup:
    return text if whole else Markup("at least {}").format(text)
