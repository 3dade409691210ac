"""The shapes of what the API answers: component schemas of its OpenAPI text.

What fills them is in `users/as_json.py`, and the tests hold both together.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from ...history.events import Outcome
from ...quota.forecast import Amount, Outlook
from ...quota.record import COMMON_FIELDS, OWN_FIELDS, State
from ...quota.rescue import End
from ...quota.standing import STANDINGS
from ...users.explain import Cause, WouldChange

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TIME: Schema = {"type": "string", "format": "date-time"}


def one_of(words: type[Enum]) -> Schema:
    """One of the words of an enumeration."""
    return {"type": "string", "enum": [word.value for word in words]}


STATE = one_of(State)
STANDING: Schema = {"type": "string", "enum": list(STANDINGS)}


def ref(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def said(schema: Schema, description: str) -> Schema:
    """A schema with a sentence about it."""
    return {**schema, "description": description}


def known(schema: Schema, description: str = "") -> Schema:
    """A schema of what may be null: it is not known, or there is none."""
    nullable = (
        {"anyOf": [schema, {"type": "null"}]}
        if "type" not in schema or "enum" in schema
        else {**schema, "type": [schema["type"], "null"]}
    )
    return said(nullable, description) if description else nullable


def array(items: Schema, description: str = "") -> Schema:
    """A list."""
    listed: Schema = {"type": "array", "items": items}
    return said(listed, description) if description else listed


def thing(description: str, /, **properties: Schema) -> Schema:
    """An object that has just these properties, all of them."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def page(name: str) -> Schema:
    """A part of a list."""
    return thing(
        "A part of a list.",
        items=array(ref(name)),
        total=said(WHOLE, "How many there are in all, of those that you may see."),
        limit=WHOLE,
        offset=WHOLE,
    )


_TYPES: dict[str, Schema] = {
    "user": TEXT,
    "fraction_used": NUMBER,
    "warn_fraction": NUMBER,
    "quota_enabled": FLAG,
    "lockout_enabled": FLAG,
    "quota_state": STATE,
    "timed_out": FLAG,
    "meter": TEXT,
    "quota_source": TEXT,
    "quota_reason": TEXT,
    **dict.fromkeys(("home", "full_in", "rescue_server", "rescue_ended"), TEXT),
    **dict.fromkeys(("rescue_began", "rescue_until", "rescue_started", "rescue_back"), TIME),
    **dict.fromkeys(("last_activity", "reaper_time", "started", "stopped"), TIME),
    **dict.fromkeys(("over_since", "quota_until", "full_at"), TIME),
}
_NEVER = ("last_activity", "reaper_time", "started", "stopped")


def _record() -> Schema:
    """The record: our own fields are there only when they are known."""
    fields = {name: _TYPES.get(name, WHOLE) for name in (*COMMON_FIELDS, *OWN_FIELDS)}
    fields.update({name: known(TIME, "null: never") for name in _NEVER})
    schema = thing(
        "The record as the control file has it (see the control file's reference), but that"
        " times have their zone, and null is the time that never was. `home` is there for"
        " administrators only.",
        **fields,
    )
    return {**schema, "required": list(COMMON_FIELDS)}


_USER: dict[str, Schema] = {
    "name": TEXT,
    "admin": said(FLAG, "Whether they administer the hub."),
    "groups": known(
        array(TEXT),
        "null: the service may not read groups. Who leads groups is told those alone.",
    ),
    "servers": array(TEXT, 'The names of the servers that run; "" is the default one.'),
    "record": known(ref("Record"), "null: there is none yet, or it was never readable."),
    "state": known(
        STANDING, "The state on record, or no-quota for who has none; null: there is no record."
    ),
    "share": known(
        ref("Share"), "How much of the quota is used; null: no quota, or not measured yet."
    ),
    "problem": known(
        TEXT,
        "What is wrong with this user's measurement or record. Only administrators"
        " (`custom:efs-quota:admin`) read what may name paths; all others, that something is.",
    ),
    "rescue": known(ref("Rescue"), "null: there was none in this lockout."),
}
_QUOTA: dict[str, Schema] = {
    "bytes": WHOLE,
    "files": said(WHOLE, "0: no limit on files."),
    "source": known(
        TEXT,
        "Which rule gave it: default, group:NAME, user, hand (a file's edit, or this API) or"
        " grandfathered.",
    ),
    "until": known(TIME, "When it ends, and what the settings give holds again."),
    "reason": known(TEXT, "Why it was set, in the words of who set it."),
}
_PATH = said(TEXT, "Below the home, with % and two digits for what is special: `a%20b/c`.")
_SENTENCE = said(TEXT, "The same in words.")
_LISTED = ref("Listed")

SCHEMAS: dict[str, Schema] = {
    "Error": thing("What went wrong.", status=WHOLE, message=TEXT),
    "Record": _record(),
    "Quota": thing("What a user may hold.", **_QUOTA),
    "Row": thing(
        "A user, as the service last saw them.",
        **_USER,
        growth=known(
            WHOLE,
            "By how many bytes the usage grew in the 30 days before the last measurement;"
            " null: not known, or not asked for.",
        ),
    ),
    "Rows": page("Row"),
    "Share": thing(
        "The larger of the shares of bytes and of files, where there is a limit on these.",
        fraction=said(NUMBER, "1 is all of it. Of bytes it is `fraction_used` of the record."),
        of=one_of(Amount),
    ),
    "QuotaThen": thing(
        "What the settings give when `until` of the quota has come, and how the user stands then"
        " with what the home holds now.",
        bytes=WHOLE,
        files=said(WHOLE, "0: no limit on files."),
        source=known(TEXT, "As of a quota."),
        state=STATE,
        excess_bytes=said(WHOLE, "By how much they are over it."),
        excess_files=WHOLE,
    ),
    "Rescue": thing(
        "The rescue of a lockout: for a while the user may start a server, to delete with.",
        server=said(TEXT, 'Which server was started last; "" is the default one.'),
        until=said(TIME, "When it ends, or ended."),
        back=known(TIME, "Since when the user is back under the quota."),
        ended=known(one_of(End), "Why it has ended; null: it goes on, or its time is over."),
    ),
    "User": thing(
        "A user, as their record stands now.",
        **_USER,
        quota=known(ref("Quota")),
        quota_then=known(
            ref("QuotaThen"), "null: the quota has no end, or it is not known what comes then."
        ),
        problems=array(
            thing("Something that is wrong.", by=TEXT, kind=TEXT, text=said(TEXT, "As `problem`.")),
            "What is wrong, by the part of the service that says so.",
        ),
        lock=known(
            ref("Lock"), "null: nothing says that they will be locked out, or they are already."
        ),
        measuring=said(FLAG, "Whether a measurement that somebody asked for is going on."),
    ),
    "Lock": thing(
        "A lockout that is to come if nothing is deleted.",
        at=TIME,
        sure=said(
            FLAG,
            "true: the user is over, and then the time of grace ends. false: the growth of the"
            " last weeks foretells it (see `full_at` of the record).",
        ),
    ),
    "Explanation": thing(
        "Why a user has this quota and this state, and what would change them.",
        name=TEXT,
        quota=thing(
            "The quota and the rule that gave it.",
            **_QUOTA,
            enforced=said(FLAG, "Whether it is enforced at all."),
            sentence=_SENTENCE,
        ),
        rules=array(
            thing(
                "A rule that says something of this user.",
                rule=said(TEXT, "As `source` of a quota."),
                bytes=known(WHOLE, "null: it says nothing of bytes."),
                files=known(WHOLE, "0: no limit on files; null: it says nothing of files."),
                gives=array(
                    {"type": "string", "enum": ["bytes", "files"]},
                    "Of what this rule has the last word.",
                ),
                sentence=_SENTENCE,
            ),
            "All of them, the weakest first.",
        ),
        state=thing(
            "The state and what led to it.",
            state=STATE,
            causes=array(one_of(Cause)),
            used_bytes=known(WHOLE, "null: never measured."),
            used_files=known(WHOLE),
            measured=known(TIME, "When the last measurement ended."),
            sentence=_SENTENCE,
        ),
        would_change=array(
            thing(
                "Something that would change the state or the quota.",
                change=one_of(WouldChange),
                bytes=known(WHOLE, "How many: to free, of a quota large enough, or more used."),
                files=known(WHOLE, "The same of files."),
                time=known(TIME, "When it happens by itself."),
                state=known(STATE, "The state that follows."),
                sentence=_SENTENCE,
            ),
        ),
    ),
    "Measurement": thing(
        "A measurement of a home, and the quota at that time.",
        started=TIME,
        secs=said(NUMBER, "How long it took."),
        counted=said(WHOLE, "The usage on record afterwards, in bytes."),
        quota_bytes=WHOLE,
        quota_files=known(WHOLE),
        bytes=known(WHOLE, "What was found; null: what measured cannot tell."),
        allocated=known(WHOLE),
        files=known(WHOLE),
        dirs=known(WHOLE),
        unreadable=WHOLE,
        complete=said(FLAG, "Whether the whole home was seen."),
        timed_out=FLAG,
    ),
    "Series": thing(
        "A user's measurements in a time, in order.",
        name=TEXT,
        since=TIME,
        until=TIME,
        items=array(ref("Measurement")),
    ),
    "Change": thing(
        "A change of state, or something that was done.",
        kind=said(
            TEXT,
            "state-changed, quota-changed, server-stopped, spawn-refused, spawn-rescued, or"
            " what other parts of the service do.",
        ),
        user=known(TEXT, "null: it concerns nobody in particular."),
        time=TIME,
        by=said(TEXT, "Who did it: a user, `service NAME`, or a part of the service."),
        server=known(TEXT),
        before={"description": "A state, a quota (an object), or null."},
        after={"description": "As `before`."},
        reason=known(TEXT),
        until=known(TIME),
        counted=known(WHOLE, "At a change of state: the usage, in bytes."),
        quota_bytes=known(WHOLE, "At a change of state: the quota."),
    ),
    "Changes": page("Change"),
    "Run": thing(
        "A run of a job.",
        job=TEXT,
        host=TEXT,
        started=TIME,
        completed=TIME,
        outcome=one_of(Outcome),
        error=known(TEXT),
        counts={"type": "object", "additionalProperties": WHOLE},
    ),
    "Runs": page("Run"),
    "Job": thing(
        "A job, as it stands.",
        job=TEXT,
        on=FLAG,
        note=said(TEXT, "Who switched it off and when, or what stands beside it in the file."),
        last=known(ref("Run"), "The run that began last."),
        success=known(ref("Run"), "The success that began last."),
        due=known(TIME, "When it should begin next; null: nobody can tell."),
        checks=array(
            thing(
                "A check.",
                check=TEXT,
                host=known(TEXT, "null: any host."),
                holds=FLAG,
                text=known(TEXT, "What is wrong."),
            )
        ),
    ),
    "Jobs": thing("All jobs, by name.", items=array(ref("Job"))),
    "Switch": thing("Whether a job is on.", job=TEXT, on=FLAG, note=TEXT),
    "Freeing": thing(
        "How you stand with freeing space in your home. Sizes are in bytes.",
        why_not=said(TEXT, 'Why nothing can be deleted, in words; "" if it can.'),
        full=said(
            FLAG, "Whether the store is nearly full: what goes to limbo frees nothing there."
        ),
        limbo_room=known(WHOLE, "What may still be put into limbo; null: no limit."),
        limbo=array(ref("InLimbo")),
        delete_to_be_back=array(ref("Candidate"), "The shortest list that brings you back."),
        enough=said(FLAG, "Whether that list is enough."),
        errand=known(ref("Errand"), "What goes on, or the last one since the service began."),
    ),
    "InLimbo": thing(
        "What you deleted, and can bring back.",
        key=TEXT,
        path=_PATH,
        time=TIME,
        until=said(TIME, "When it is purged."),
        bytes=known(WHOLE),
        files=known(WHOLE),
    ),
    "Candidate": thing(
        "What could be deleted.",
        path=_PATH,
        bytes=WHOLE,
        files=WHOLE,
        kind=said(TEXT, 'The kind of what can be done without; "" for all else.'),
    ),
    "FolderPage": thing(
        "A page of a folder.",
        entries=array(
            thing(
                "An entry.",
                name=_PATH,
                kind={"type": "string", "enum": ["folder", "file", "link", "other"]},
                bytes=said(WHOLE, "Of the file itself; 0 for a folder."),
                allocated=WHOLE,
                modified=said(NUMBER, "Unix time."),
                own=said(FLAG, "Whether it is yours, and may be deleted."),
                inode=WHOLE,
            )
        ),
        total=said(WHOLE, "How many there are in the folder."),
        following=known(TEXT, "What to give as `after` for the next page; null: this is the last."),
    ),
    "ErrandAnswer": thing("What goes on, or was done.", errand=known(ref("Errand"))),
    "Errand": thing(
        "Something that was to be done, and how far it is.",
        do=TEXT,
        errand=said(TEXT, "Its name on receipts."),
        ended=FLAG,
        total=said(WHOLE, "How many things."),
        entries=said(WHOLE, "Files and folders so far."),
        trouble=said(TEXT, 'What ended it early; "" if nothing did.'),
        outcomes=array(
            thing(
                "What became of one thing.",
                path=_PATH,
                done=said(TEXT, '"" if it was not done.'),
                problem=TEXT,
                no_limbo=said(FLAG, "Whether it can only be deleted for good."),
                bytes=known(WHOLE),
                files=known(WHOLE),
            )
        ),
    ),
    "Measuring": thing(
        "A measurement is going on.",
        name=TEXT,
        measuring=FLAG,
        look=said(TEXT, "Where to look: the user, whose `measuring` is false when it is done."),
    ),
    "QuotaChange": thing(
        "What a change of a quota did.",
        changed=said(FLAG, "false: it was so already."),
        quota_before=known(ref("Quota")),
        state_before=known(STATE),
        state_after=STATE,
        sentence=said(TEXT, "What was done and how the user stands now; a lockout is named."),
        user=ref("User"),
    ),
    "Listed": thing(
        "Some users: the first of them, how many there are, and what these hold.",
        users=array(
            thing(
                "A user in such a list.",
                name=TEXT,
                state=known(STANDING, "As of a user."),
                bytes=known(WHOLE, "What the home held when it was measured last."),
                quota_bytes=known(WHOLE, "null: no quota, or not known."),
                growth=known(WHOLE, "In 30 days up to the last measurement; `fastest` alone."),
                active=known(TIME, "null: never."),
            )
        ),
        total=WHOLE,
        bytes=WHOLE,
        growth=said(WHOLE, "By how much all of them grew; `fastest` alone."),
    ),
    "Happened": thing(
        "What was done in the last seven days: the newest, and how much there was in all.",
        last=array(ref("Change")),
        total=WHOLE,
    ),
    "Overview": thing(
        "How the site stands as a whole.",
        time=TIME,
        complete=said(FLAG, "Whether all users were seen since the service began."),
        trouble=array(TEXT, "What is wrong with the service, in sentences."),
        missing=known(TEXT, "Why the history could not be asked, so that its part is missing."),
        totals=thing(
            "Sums over all users.",
            users=WHOLE,
            measured=WHOLE,
            bytes=said(WHOLE, "What all homes hold, by the size that counts."),
            files=WHOLE,
            limited=said(WHOLE, "Users who have a quota."),
            quota_bytes=said(WHOLE, "What their quotas promise together."),
            unseen=said(WHOLE, "Users who have no record yet."),
            states=said(
                {"type": "object", "additionalProperties": WHOLE},
                "Users by `state`: as many as `GET users?state=` finds.",
            ),
        ),
        volume=known(
            thing(
                "The file system on which most homes lie.",
                time=TIME,
                used=WHOLE,
                total=known(WHOLE, "null: it has no fixed size."),
                fraction=known(NUMBER, "How much of it is used, from 0 to 1."),
                files_fraction=known(NUMBER, "The same of its inodes."),
                forecast=thing(
                    "What is to be expected.",
                    outlook=one_of(Outlook),
                    when=known(TIME, "When it is full."),
                    a_day=known(NUMBER, "By how many bytes it grows in a day."),
                    until=known(TIME, "It is not full before."),
                    amount=one_of(Amount),
                ),
                problem=known(TEXT, "Why it could not be asked now: the figures are older."),
            )
        ),
        largest=_LISTED,
        fastest=_LISTED,
        months=said(WHOLE, "So many without activity make dormant."),
        dormant=_LISTED,
        never_active=_LISTED,
        homeless=_LISTED,
        unclaimed=known(
            thing(
                "Folders among the homes that are nobody's.",
                folders=array(
                    thing(
                        "A folder.",
                        folder=said(TEXT, "Its path below the home root, safe to show."),
                        user=known(TEXT, "Who had it, while the hub had them."),
                        bytes=known(WHOLE, "What was measured last."),
                        measured=known(TIME),
                    )
                ),
                total=WHOLE,
                bytes=WHOLE,
                whole=said(FLAG, "Whether all folders were looked through."),
                time=TIME,
            )
        ),
        default_quota=WHOLE,
        what_if=thing(
            "What `quota_bytes` as the default would do to those who have it.",
            quota_bytes=WHOLE,
            users=WHOLE,
            over=WHOLE,
            newly=said(WHOLE, "Over then, and not now."),
            freed=said(WHOLE, "Over now, and not then."),
            excess_bytes=said(WHOLE, "What would have to go until nobody is over."),
            promised_bytes=said(WHOLE, "What all of them could hold."),
        ),
        refused=ref("Happened"),
        stopped=ref("Happened"),
        errors=thing(
            "What is wrong with homes and control files.",
            users=array(thing("With one of them.", user=TEXT, text=TEXT)),
            total=WHOLE,
        ),
        jobs=known(
            array(
                thing(
                    "A job in a line.",
                    name=TEXT,
                    on=FLAG,
                    outcome=known(one_of(Outcome), "Of the last run."),
                    completed=known(TIME),
                    wrong=array(TEXT),
                )
            )
        ),
    ),
}
