"""Walks a home in a process of its own, and prints what was found as JSON.

    python walk_alone.py ENGINE LIBRARY TASK

LIBRARY: a build of the compiled walk to take instead of the installed one, or "".
In the environment: WALK_HANDLES, how many files this process may have open; WALK_USER, the
number of the user who walks; WALK_PACE, how many calls more it may make every 5 ms.
"""

import importlib.util
import json
import os
import resource
import sys
import threading
import time
from dataclasses import asdict

engine, library, task = sys.argv[1:]
NAME = "jupyterhub_efs_quota.measure.walk._walk"
if library:
    spec = importlib.util.spec_from_file_location(NAME, library)
    sys.modules[NAME] = importlib.util.module_from_spec(spec)

from jupyterhub_efs_quota.measure.walk.pace import ANY_NUMBER, Pace, Page  # noqa: E402
from jupyterhub_efs_quota.measure.task import load_task  # noqa: E402
from jupyterhub_efs_quota.measure.walk.engine import ENGINES  # noqa: E402

if "WALK_HANDLES" in os.environ:
    most = int(os.environ["WALK_HANDLES"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
if "WALK_USER" in os.environ:
    # Not earlier: this user may not be able to read Python itself.
    "".encode("unicode_escape")
    os.setgroups([])
    os.setgid(int(os.environ["WALK_USER"]))
    os.setuid(int(os.environ["WALK_USER"]))
pace = None
if "WALK_PACE" in os.environ:
    page = Page.make()
    pace, more = Pace(page), int(os.environ["WALK_PACE"])

    def allow():
        while True:
            page.allow(page.calls + more if more else ANY_NUMBER)
            time.sleep(0.005)

    threading.Thread(target=allow, daemon=True).start()
started = time.monotonic()
usage = ENGINES[engine](load_task(task), pace=pace)
print(json.dumps({**asdict(usage), "secs": time.monotonic() - started}))
