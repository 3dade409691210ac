"""The page of all jobs, for administrators, and the button that switches one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup
from tornado import web

from ..activity.overview import Job, Verdict
from ..errors import BadRun, EFSQuotaError
from ..history.events import Outcome, Run
from ..quota.times import ago
from .handlers import Handler
from .words import took

SWITCH_SECS = 10.0
# The picture of the last runs: a bar each, as high as it took long.
_BAR, _HEIGHT, _LEAST_HEIGHT = 4, 24, 1.5
_TONES = {
    Outcome.SUCCESS.value: "success",
    Outcome.FAILURE.value: "danger",
    Outcome.SKIPPED.value: "secondary",
}


@dataclass(frozen=True)
class Bar:
    """A run in the picture: where it stands, how high, and in which colour of the hub's."""

    x: float
    y: float
    height: float
    tone: str


@dataclass(frozen=True)
class JobView:
    """What the page shows of a job."""

    job: Job
    last: Run | None
    tone: str
    age: str
    took: Markup
    bars: list[Bar]
    width: int
    range: Markup
    due: datetime | None
    failing: list[Verdict]


def job_view(job: Job, now: datetime) -> JobView:
    """A job in words and figures."""
    last = job.runs[0] if job.runs else None
    ran = [run for run in reversed(job.runs) if run.outcome != Outcome.SKIPPED.value]
    secs = [_secs(run) for run in ran]
    return JobView(
        job=job,
        last=last,
        tone=_TONES.get(last.outcome, "secondary") if last else "secondary",
        age=ago(last.completed, now) if last else "",
        took=took(_secs(last)) if last and last.outcome != Outcome.SKIPPED.value else Markup(),
        bars=_bars(list(reversed(job.runs))),
        width=_BAR * len(job.runs),
        range=Markup("{} to {}").format(took(min(secs)), took(max(secs))) if secs else Markup(),
        due=job.due,
        failing=[verdict for verdict in job.verdicts if verdict.text is not None],
    )


def _bars(runs: list[Run]) -> list[Bar]:
    longest = max((_secs(run) for run in runs), default=0.0) or 1.0
    bars = []
    for number, run in enumerate(runs):
        height = round(max(_LEAST_HEIGHT, _HEIGHT * _secs(run) / longest), 2)
        tone = _TONES.get(run.outcome, "secondary")
        bars.append(Bar(number * _BAR, round(_HEIGHT - height, 2), height, tone))
    return bars


def _secs(run: Run) -> float:
    return (run.completed - run.started).total_seconds()


class AllJobs(Handler):
    """All jobs."""

    @web.authenticated
    async def get(self) -> None:
        """Show them."""
        self.demand_administrator()
        jobs, wrong = [], None
        try:
            overview = self.parts.jobs.overview
            found = await self.parts.asking.ask(lambda _: overview.look())
            jobs = [job_view(job, self.parts.clock()) for job in found]
        except EFSQuotaError as error:
            wrong = str(error)
        self.page(
            "jobs.html",
            jobs=jobs,
            wrong=wrong,
            said=self.get_query_argument("said", ""),
            xsrf_token=self.xsrf_token.decode(),
        )


class SwitchJob(Handler):
    """The button beside a job."""

    @web.authenticated
    async def post(self) -> None:
        """Switch the job on or off; go back to the page."""
        self.demand_administrator()
        job, wanted = self.get_body_argument("job"), self.get_body_argument("on")
        if wanted not in ("true", "false"):
            raise web.HTTPError(400, "A job can be switched on or off.")
        on, by = wanted == "true", str(self.current_user["name"])
        try:
            await self.parts.offload.run_within(
                SWITCH_SECS, self.parts.jobs.turn, job, on=on, by=by
            )
        except BadRun as error:
            raise web.HTTPError(400, str(error)) from None
        except EFSQuotaError as error:
            raise web.HTTPError(409, str(error)) from None
        self.redirect(f"{self.hub_auth.base_url}jobs?said={'on' if on else 'off'}", status=303)
