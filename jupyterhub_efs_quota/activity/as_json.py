"""Jobs as JSON: what the API answers and `activity list` prints."""

from __future__ import annotations

from typing import Any

from ..users.as_json import plain, run_json
from .overview import Job


def job_json(job: Job) -> dict[str, Any]:
    """A job."""
    return {
        "job": job.name,
        "on": not job.off,
        "note": job.note or "",
        "last": run_json(job.runs[0]) if job.runs else None,
        "success": None if job.success is None else run_json(job.success),
        "due": plain(job.due),
        "checks": [
            {
                "check": verdict.name,
                "host": verdict.place.host,
                "holds": verdict.text is None,
                "text": verdict.text,
            }
            for verdict in job.verdicts
        ],
    }
