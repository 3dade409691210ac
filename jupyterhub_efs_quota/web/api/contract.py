"""The API's contract: every operation with its parameters, body and answers.

Of this the routes are made, by this requests are checked, and this is the OpenAPI text:
none of the three can say something else than the others. A few operations are a line each;
whoever adds one adds its handler in `handlers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...freeing.desk import MOST as MOST_THINGS
from ...freeing.desk import Kind
from ...freeing.listing import By
from ...history.events import Outcome
from ...overview.wanted import MONTHS, MOST_MONTHS, MOST_TOP, TOP
from ...quota.standing import STANDINGS
from ...users.change import LONGEST_REASON
from ...users.table import SORTS
from .schemas import SCHEMAS, ref
from .values import (
    Choice,
    Counts,
    Flag,
    JobName,
    Listed,
    Seconds,
    Size,
    Text,
    Time,
    Value,
    Whole,
)

MOST_ROWS, MOST_POINTS, MOST_WAIT_SECS = 1000, 5000, 60.0
MOST_BODY_BYTES = 64 * 1024
# What names files, as a thousand of them.
MOST_NAMES_BYTES = 1024 * 1024
LONGEST_PATH, LONGEST_KEY = 8192, 200
LONGEST_NAME, LONGEST_ERROR = 255, 4000


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query, or a field of the body. Without it: `default`.

    `needed`: a query without it is refused. What a body needs, `Body` says.
    """

    name: str
    value: Value
    text: str
    default: Any = None
    needed: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """What OpenAPI says of its value."""
        return {
            **self.value.schema,
            "description": self.text,
            **({} if self.default is None else {"default": self.default}),
        }


@dataclass(frozen=True)
class Body:
    """A JSON object: its fields; all of `needed` have to be there, and one of `some`.

    `most`: how many bytes it may have.
    """

    fields: Sequence[Parameter]
    some: Sequence[str] = ()
    needed: Sequence[str] = ()
    most: int = MOST_BODY_BYTES


@dataclass(frozen=True)
class Operation:
    """What can be asked: `answers` are the schemas by status; `also` the errors it may end in."""

    name: str
    method: str
    path: str
    summary: str
    needs: str
    answers: Mapping[int, str]
    parameters: Sequence[Parameter] = ()
    body: Body | None = None
    also: Sequence[int] = ()
    text: str = ""
    tags: Sequence[str] = field(default=("users",))

    @property
    def names_user(self) -> bool:
        """Whether it is about one user."""
        return "{name}" in self.path


_PAGE = (
    Parameter("limit", Whole(1, MOST_ROWS), "At most so many.", 100),
    Parameter("offset", Whole(0, 10**9), "Leave out so many before them.", 0),
)
_SINCE = Parameter("since", Time(), "Not before this time.")
_UNTIL = Parameter("until", Time(), "Before this time.")
_KIND = Parameter("kind", Text(100), "Of this kind only, as `kind` of the answer has it.")
_READ = "`custom:efs-quota:read` for the user; users have it for themselves."
_MANAGE = "`custom:efs-quota:manage` for the user."

_QUOTA = Body(
    (
        Parameter("bytes", Size(), 'The quota: a number of bytes, or text like "20Gi".'),
        Parameter("files", Whole(), "How many files and links; 0: no limit on files."),
        Parameter(
            "until",
            Time(),
            "When it ends: then what the settings give holds again. Absent: it stays.",
        ),
        Parameter("reason", Text(LONGEST_REASON), "Why; it is on record and shown to the user."),
    ),
    some=("bytes", "files"),
)

_RUN = Body(
    (
        Parameter("job", JobName(), "The name of the job."),
        Parameter("host", JobName(), "The machine that it ran on; without a colon."),
        Parameter("started", Time(), "When it began."),
        Parameter("completed", Time(), "When it ended."),
        Parameter(
            "outcome", Choice([each.value for each in Outcome]), "How it ended; absent: success."
        ),
        Parameter("error", Text(LONGEST_ERROR), "What went wrong, in a line."),
        Parameter("counts", Counts(), "What it counted: numbers by name."),
    ),
    needed=("job", "host", "started", "completed"),
)
# "stop" stops what goes on.
DO = (*(kind.value for kind in Kind), "stop")
_ERRAND = Body(
    (
        Parameter(
            "do",
            Choice(DO),
            "aside: into limbo; erase: for good; back: out of limbo; empty: for good, of what is"
            " in limbo; stop: what goes on.",
        ),
        Parameter(
            "paths",
            Listed(Text(LONGEST_PATH), MOST_THINGS),
            "For aside and erase: paths below the home, with % and two digits for what is"
            " special; before one, with a colon, the inode that it must still have.",
        ),
        Parameter(
            "keys",
            Listed(Text(LONGEST_KEY), MOST_THINGS),
            "For back and empty: the `key` of things in limbo.",
        ),
    ),
    needed=("do",),
    most=MOST_NAMES_BYTES,
)
_OWN = "a token of a user that opens the pages. It is about that user's own home, and no other."
_SWITCH = Body(
    (
        Parameter("job", JobName(), "Which job; it need not have run yet."),
        Parameter("on", Flag(), "Whether it is to be on."),
        Parameter("reason", Text(LONGEST_REASON), "Why; it is on record and in the file."),
    ),
    needed=("job", "on"),
)

OPERATIONS = (
    Operation(
        "listUsers",
        "get",
        "/users",
        "The users whom you may see, a page at a time",
        "`custom:efs-quota:read`: with `!group=` or `!user=` those users are all there are.",
        {200: "Rows"},
        (
            Parameter("q", Text(LONGEST_NAME), "A part of the name, whatever its case."),
            Parameter("state", Choice(STANDINGS), "In this state only; no-quota: who has none."),
            Parameter("group", Text(LONGEST_NAME), "Members of this group only."),
            Parameter(
                "sort",
                Choice([sign + name for name in SORTS for sign in ("", "-")]),
                "By what to sort; with `-` from the largest down. Who has no value comes last."
                " `fraction`: by `share`.",
                "name",
            ),
            Parameter("growth", Flag(), "Say the growth too: asks the history.", default=False),
            *_PAGE,
        ),
        also=(503,),
        text="Answers from memory: records are as the loops last saw them. `sort=growth` and"
        " `growth=true` ask the history, and end in 503 where it cannot be asked.",
    ),
    Operation(
        "getUser", "get", "/users/{name}", "One user, as the record stands now", _READ,
        {200: "User"},
    ),
    Operation(
        "explainUser", "get", "/users/{name}/explain",
        "Why a user has this quota and this state, and what would change them", _READ,
        {200: "Explanation"}, also=(409,),
        text="409: there is no record yet, so there is nothing to explain.",
    ),
    Operation(
        "getHistory", "get", "/users/{name}/history", "A user's measurements, in order", _READ,
        {200: "Series"},
        (
            Parameter("since", Time(), "Not before this time; 90 days before `until` if absent."),
            Parameter("until", Time(), "Before this time; now if absent."),
            Parameter(
                "points", Whole(1, MOST_POINTS),
                "At most so many: of each part of the time the last one.", 500,
            ),
        ),
        also=(503,),
    ),
    Operation(
        "listUserChanges", "get", "/users/{name}/changes",
        "A user's changes of state, and what was done to them, the newest first", _READ,
        {200: "Changes"}, (_KIND, _SINCE, _UNTIL, *_PAGE), also=(503,),
    ),
    Operation(
        "measureUser", "post", "/users/{name}/measure", "Measure a user's home now",
        "`custom:efs-quota:manage` for the user; users may have their own home measured.",
        {200: "User", 202: "Measuring"},
        (
            Parameter(
                "wait", Seconds(MOST_WAIT_SECS),
                "Wait so many seconds for it: 200 and the new record if it is done by then.", 0,
            ),
        ),
        also=(409, 503),
        text="409: the home cannot be measured, as one that does not exist.",
    ),
    Operation(
        "setQuota", "put", "/users/{name}/quota", "Give a user another quota", _MANAGE,
        {200: "QuotaChange"}, body=_QUOTA, also=(409, 413, 503),
        text="A quota set so is an edit by hand of the control file: it wins over all rules of"
        " the settings until `until`, or until it is reset. Of `bytes` and `files`, what is"
        " absent stays as it is. The user is judged at once, and the answer says the state.",
    ),
    Operation(
        "resetQuota", "delete", "/users/{name}/quota",
        "Give a user the quota that the settings give", _MANAGE,
        {200: "QuotaChange"},
        (Parameter("reason", Text(LONGEST_REASON), "Why; it is on record."),),
        also=(409, 503),
        text="The user is judged at once, and the answer says the state.",
    ),
    Operation(
        "getFreeing", "get", "/free", "How you stand with freeing space: limbo, what to delete",
        _OWN, {200: "Freeing"}, also=(503,), tags=("free",),
    ),
    Operation(
        "listFolder", "get", "/free/list", "A folder of your home as it is now, a page of it",
        _OWN, {200: "FolderPage"},
        (
            Parameter("path", Text(LONGEST_PATH), "Which, below the home; none is the home.", ""),
            Parameter("after", Text(LONGEST_PATH), "The `following` of the page before.", ""),
            Parameter(
                "sort",
                Choice([sign + by.value for by in By for sign in ("", "-")]),
                "By what; with `-` from the largest or the latest down. What folders hold is as"
                " it was when last measured.",
                By.NAME.value,
            ),
        ),
        also=(409, 503), tags=("free",),
        text="409: it cannot be listed, or sorting it takes too long: by name is quick.",
    ),
    Operation(
        "doErrand", "post", "/free", "Delete, bring back, or stop doing so",
        _OWN, {200: "ErrandAnswer", 202: "ErrandAnswer"}, body=_ERRAND,
        also=(409, 413, 503), tags=("free",),
        text="202: it goes on; ask for it again with GET. 409: it cannot be done, as while"
        " something else is being done for you, or of a path that leads out of the home.",
    ),
    Operation(
        "listChanges", "get", "/changes",
        "Changes of state and what was done, of all whom you may see, the newest first",
        "`custom:efs-quota:read`: with `!group=` or `!user=` of those users only.",
        {200: "Changes"}, (_KIND, _SINCE, _UNTIL, *_PAGE), also=(503,), tags=("all",),
    ),
    Operation(
        "getOverview", "get", "/overview",
        "How the site stands as a whole: what the overview's page shows",
        "`custom:efs-quota:admin`.", {200: "Overview"},
        (
            Parameter(
                "months", Whole(1, MOST_MONTHS), "So many without activity make dormant.", MONTHS
            ),
            Parameter("top", Whole(1, MOST_TOP), "Name so many of each kind.", TOP),
            Parameter("quota", Size(), "A default quota to try out; else the one that holds."),
        ),
        tags=("all",),
        text="What cannot be had, as while the history is away, is null or empty, and said.",
    ),
    Operation(
        "listRuns", "get", "/runs", "Runs of jobs, the newest first",
        "`custom:efs-quota:read`, without a filter.", {200: "Runs"},
        (
            Parameter("job", Text(LONGEST_NAME), "Of this job only, such as `monitor`."),
            Parameter("outcome", Choice([each.value for each in Outcome]), "That ended so."),
            _SINCE, _UNTIL, *_PAGE,
        ),
        also=(503,), tags=("all",),
    ),
    Operation(
        "reportRun", "post", "/runs", "Report a run of a job of yours",
        "`custom:efs-quota:report`.", {201: "Run"}, body=_RUN, also=(409, 413), tags=("jobs",),
        text="The answer is the run as it is stored. The service's own jobs cannot be reported,"
        " nor a run that completed before it started, or in the future.",
    ),
    Operation(
        "listJobs", "get", "/jobs", "All jobs: the last runs, the next one, what checks say",
        "`custom:efs-quota:read`, without a filter.", {200: "Jobs"}, also=(503,), tags=("jobs",),
    ),
    Operation(
        "getSwitch", "get", "/jobs/switch", "Whether a job is switched on",
        "`custom:efs-quota:report`, or `custom:efs-quota:read` without a filter.",
        {200: "Switch"}, (
            Parameter("job", JobName(), "Which job; it need not have run yet.", needed=True),
        ),
        also=(409, 503), tags=("jobs",),
    ),
    Operation(
        "setSwitch", "put", "/jobs/switch", "Switch a job on or off, on all machines",
        "`custom:efs-quota:admin`.", {200: "Switch"}, body=_SWITCH, also=(409, 413, 503),
        tags=("jobs",),
        text="A job that is off does nothing but say so, each time it should run.",
    ),
)  # fmt: skip

_ERRORS = {
    400: "A parameter or the body is not as it should be: the message names it.",
    401: "There is no valid token; or a cookie without the XSRF token beside it.",
    403: "You may not do this.",
    404: "There is no such user, or you may not see them: no answer tells which.",
    409: "It cannot be done as things stand: the message says why.",
    413: "The body is too large: the message says how large it may be.",
    500: "The hub could not be asked who you are, or there is a fault in the service.",
    503: "The store or the history cannot be used now: the message says what to look at.",
}


def document(server: str, version: str) -> dict[str, Any]:
    """The OpenAPI text, for the API at `server`."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "JupyterHub storage quotas",
            "version": version,
            "description": "Users, what they hold and may hold, and what was done."
            " A token of the hub stands in the header Authorization. Scripts of the service's"
            " own pages use the browser's cookie, with the page's XSRF token in X-XSRFToken.",
        },
        "servers": [{"url": server}],
        "security": [{"token": []}, {"bearer": []}],
        "tags": [
            {"name": "users", "description": "Users and their quotas"},
            {"name": "all", "description": "What happened"},
            {"name": "jobs", "description": "Jobs, ours and the site's"},
            {"name": "free", "description": "Freeing space in your own home"},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token ` and a token of the hub",
                },
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": SCHEMAS,
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    errors = [400, 401, 403, *([404] if operation.names_user else []), *operation.also, 500]
    if operation.names_user and 503 not in errors:
        errors.append(503)
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.text} Needs {operation.needs}".strip(),
        "tags": list(operation.tags),
        "parameters": [*([_NAME] if operation.names_user else []), *_queries(operation)],
        "responses": {
            **{
                str(status): _response("It is so." if status != 202 else "It goes on.", schema)
                for status, schema in operation.answers.items()
            },
            **{str(status): _response(_ERRORS[status], "Error") for status in sorted(errors)},
        },
    }
    if operation.body is not None:
        content = {"application/json": {"schema": _body(operation.body)}}
        told["requestBody"] = {"required": True, "content": content}
    return told


_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The user's name as the hub has it, with what is special in a URL escaped.",
    "schema": {"type": "string", "minLength": 1},
}


def _queries(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "in": "query",
            "required": each.needed,
            "description": each.text,
            "schema": {k: v for k, v in each.schema.items() if k != "description"},
        }
        for each in operation.parameters
    ]


def _body(body: Body) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {each.name: each.schema for each in body.fields},
        "additionalProperties": False,
    }
    if body.needed:
        schema["required"] = list(body.needed)
    if body.some:
        schema["anyOf"] = [{"required": [name]} for name in body.some]
    return schema


def _response(description: str, schema: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": ref(schema)}},
    }


def pattern(path: str) -> str:
    """The regular expression of a path, in which a name is anything up to the next slash."""
    return re.sub(r"\\\{name\\\}", "([^/]+)", re.escape(path))
