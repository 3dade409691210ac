"""The jobs as series: when each last ended well, what its checks say, whether it is off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from ..activity.overview import Job
from .counted import MOST_JOBS, PREFIX


def families(jobs: Sequence[Job]) -> Iterator[Metric]:
    """The series of all jobs on record, whichever machine they ran on."""
    success = GaugeMetricFamily(
        f"{PREFIX}job_last_success_timestamp_seconds",
        "When a run of a job last ended well",
        labels=["name"],
    )
    off = GaugeMetricFamily(
        f"{PREFIX}job_switched_off", "1 while a job is switched off", labels=["name"]
    )
    holds = GaugeMetricFamily(
        f"{PREFIX}job_check_holds",
        "1 while all that a check asks holds, or the job is switched off",
        labels=["name", "check"],
    )
    for job in jobs[:MOST_JOBS]:
        if job.success is not None:
            success.add_metric([job.name], job.success.completed.timestamp())
        off.add_metric([job.name], int(job.off))
        checks = {verdict.name for verdict in job.verdicts}
        failing = {verdict.name for verdict in job.verdicts if verdict.text is not None}
        for check in sorted(checks):
            holds.add_metric([job.name, check], int(check not in failing))
    yield from (success, off, holds)
