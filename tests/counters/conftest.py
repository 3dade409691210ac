"""What the tests of the counters share: other users, and programs in place of `lfs`."""

import json
import os
import stat

import pytest

from ..conftest import run_python


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a shell script in a program's place; it notes its arguments. `program(name, script)`."""
    place = tmp_path / "programs"

    def put(name, script):
        place.mkdir(exist_ok=True)
        (place / name).write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$LC_ALL" "$@" > {place}/{name}.told\n{script}\n'
        )
        (place / name).chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
        return place / f"{name}.told"

    return put


AS_NOBODY = """
import json, os, sys
from dataclasses import asdict
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.workers.worker import measure
task = Task(sys.argv[1], 60, meter=sys.argv[2], allocated=sys.argv[3] == "True")
measure(task)  # loads the rest of Python while it may be read
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(json.dumps(asdict(measure(task))))
"""


def as_nobody(home, meter, allocated=False):
    """The usage that a worker finds that does not run as root."""
    ran = run_python(AS_NOBODY, home, meter, allocated)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
