"""The API's answers about jobs: runs that are reported, how all jobs stand, their switches."""

from __future__ import annotations

from tornado import web

from ...activity.as_json import job_json
from ...history.events import Outcome, Run
from ...users.as_json import run_json
from .call import Answer, Call
from .visitor import ADMIN, READ, REPORT

# How long a switch waits for the store.
SWITCH_SECS = 10.0


async def report_run(call: Call) -> Answer:
    """Take a run of somebody else's job."""
    _demand(call, REPORT)
    given = call.given
    run = Run(
        given["job"],
        given["host"],
        given["started"],
        given["completed"],
        given["outcome"] or Outcome.SUCCESS.value,
        given["error"],
        given["counts"] or {},
    )
    return Answer(run_json(call.parts.jobs.reported(run)), 201)


async def list_jobs(call: Call) -> Answer:
    """How all jobs stand."""
    _demand(call, READ)
    overview = call.parts.jobs.overview
    found = await call.parts.asking.ask(lambda _: overview.look())
    return Answer({"items": [job_json(job) for job in found]})


async def get_switch(call: Call) -> Answer:
    """Whether a job is on."""
    _demand(call, REPORT, READ)
    return await _switch(call)


async def set_switch(call: Call) -> Answer:
    """Switch a job on or off."""
    _demand(call, ADMIN)
    given, jobs, by = call.given, call.parts.jobs, call.visitor.called
    await call.parts.offload.run_within(
        SWITCH_SECS, jobs.turn, given["job"], on=given["on"], by=by, reason=given["reason"] or ""
    )
    return await _switch(call)


async def _switch(call: Call) -> Answer:
    job, jobs = call.given["job"], call.parts.jobs
    off = await call.parts.offload.run_within(SWITCH_SECS, jobs.switches.off)
    return Answer({"job": job, "on": job not in off, "note": off.get(job, "")})


def _demand(call: Call, *scopes: str) -> None:
    if not any(call.visitor.may_all(scope) for scope in scopes):
        raise web.HTTPError(403, f"You need the scope {' or '.join(scopes)} without a filter.")
