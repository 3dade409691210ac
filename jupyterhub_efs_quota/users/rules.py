"""Which rule gives whom which quota, each as data with a sentence. Pure.

The order is that of `quota/limits.py`: default < group < user < set by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ..quota.limits import GRANDFATHERED, HAND, Limits
from ..quota.record import Record
from ..words.sentence import Moment, Number, Part, Sentence, Size, joined, sentence
from .change import amount

BYTES, FILES = "bytes", "files"


@dataclass(frozen=True)
class Ruled:
    """The quota on record, and the rule that gave it."""

    bytes: int
    files: int
    source: str | None
    until: datetime | None
    reason: str | None
    enforced: bool
    sentence: Sentence


@dataclass(frozen=True)
class Rule:
    """What one rule gives; None: it says nothing of it. `gives`: of what it has the last word."""

    rule: str
    bytes: int | None
    files: int | None
    gives: tuple[str, ...]
    sentence: Sentence


def which_rule(record: Record) -> Ruled:
    """The quota on record and the rule that gave it."""
    said = [origin(record)]
    if record.quota_until is not None:
        said.append(sentence("It ends at {}.", Moment(record.quota_until)))
    if record.quota_reason:
        said.append(sentence("The reason given: {}", record.quota_reason))
    return Ruled(
        record.quota_bytes,
        record.quota_files or 0,
        record.quota_source,
        record.quota_until,
        record.quota_reason,
        record.quota_enabled,
        joined(" ", said),
    )


def origin(record: Record) -> Sentence:
    """Which quota is on record, and which rule gave it; not until when, nor why."""
    said = sentence("{} may hold {}: {}.", record.user, amount(record), _origin(record))
    if record.quota_enabled:
        return said
    off = "But it is not enforced: quota_enabled is false in the control file."
    return joined(" ", [said, off])


def rules_of(record: Record, groups: Collection[str] | None, limits: Limits) -> Iterator[Rule]:
    """All rules that say something of a user, the weakest first.

    `groups` is None where the hub does not tell them: then no group's rule is known.
    """
    found = list(_of_settings(record.user, groups or (), limits))
    if record.quota_source in (HAND, GRANDFATHERED):
        yield from found
        yield _own(record)
        return
    limit = limits.limit_for(record.user, groups or ())
    # The first that gives this number of files, from the strongest down.
    by_files = next((each.rule for each in reversed(found) if each.files == limit.files), "")
    for each in found:
        gives = [BYTES] if each.rule == limit.source else []
        gives += [FILES] if each.rule == by_files else []
        yield replace(each, gives=tuple(gives))


def _of_settings(user: str, groups: Collection[str], limits: Limits) -> Iterator[Rule]:
    yield _rule("default", limits.default_bytes, limits.default_files, "The default")
    for group in sorted(groups, key=lambda name: (limits.group_bytes.get(name, -1), name)):
        size, files = limits.group_bytes.get(group), limits.group_files.get(group)
        if size is not None or files is not None:
            yield _rule(f"group:{group}", size, files, f"The group {group}")
    size, files = limits.user_bytes.get(user), limits.user_files.get(user)
    if size is not None or files is not None:
        yield _rule("user", size, files, f"The settings for {user} alone")


def _rule(rule: str, size: int | None, files: int | None, who: str) -> Rule:
    parts: list[Part] = [] if size is None else [Size(size)]
    if files is not None:
        parts.append(sentence("{} files", Number(files)) if files else "no limit on files")
    verb = "give" if rule == "user" else "gives"
    return Rule(rule, size, files, (), sentence("{} {} {}.", who, verb, joined(" and ", parts)))


def _own(record: Record) -> Rule:
    how = "An edit by hand" if record.quota_source == HAND else "What was held at first sight"
    said = sentence("{} gives {}, and wins over all settings.", how, amount(record))
    return Rule(
        record.quota_source or "",
        record.quota_bytes,
        record.quota_files or 0,
        (BYTES, FILES),
        said,
    )


def _origin(record: Record) -> str:
    source = record.quota_source or ""
    if source.startswith("group:"):
        return f"the most that one of their groups gives, {source.removeprefix('group:')}"
    return {
        "default": "the default",
        "user": "what the settings give this user alone",
        HAND: "it was set by hand, which wins over all settings",
        GRANDFATHERED: "what they held when they were first seen, over the quota then",
    }.get(source, "which rule gave it is not on record yet")
