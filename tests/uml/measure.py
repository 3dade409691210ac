"""Measures homes as a worker does. Run in guests, with a question a line on standard input:

    NAME HOME METER [allocated=] [limit=BYTES] [files=COUNT] [quotactl_fd=NUMBER]

Prints each name, and the answer as JSON.
"""

import json
import sys
from dataclasses import asdict

from jupyterhub_efs_quota.errors import MeasureError
from jupyterhub_efs_quota.measure.counters import project
from jupyterhub_efs_quota.measure.task import Ceiling, Task
from jupyterhub_efs_quota.measure.workers.worker import measure

QUOTACTL_FD = project._QUOTACTL_FD


def answer(home, meter, *options):
    options = dict(option.split("=", 1) for option in options)
    project._QUOTACTL_FD = int(options.get("quotactl_fd", QUOTACTL_FD))
    allocated = bool(options.get("allocated", "yes"))
    limit = None
    if "limit" in options:
        limit = Ceiling(int(options["limit"]), int(options.get("files", 0)), allocated)
    try:
        return asdict(measure(Task(home, 60, meter=meter, allocated=allocated, limit=limit)))
    except MeasureError as error:
        return {"error": str(error)}


for line in sys.stdin:
    name, *question = line.split()
    print(name, json.dumps(answer(*question)))
