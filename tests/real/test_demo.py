"""`./scripts/demo`, as it is interrupted. What it shows is looked at by `--once`, in CI."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import requests

DEMO = Path(__file__).parents[2] / "scripts" / "demo_hub.py"


def processes_in(folder):
    """The processes whose working directory is in a folder, as all of a hub's are."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found.append((process / "cmdline").read_bytes())
        except OSError:
            pass
    return found


def test_ctrl_c_ends_the_demo_and_all_of_its_processes(tmp_path):
    demo = subprocess.Popen(
        [sys.executable, DEMO, "--state", tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said = ""
        while "Ctrl-C stops everything" not in said:
            line = demo.stdout.readline()
            assert line, f"the demo ended by itself: {said}"
            said += line
        url = re.search(r"http://\S+", said)[0]
        assert requests.get(f"{url}/hub/login", timeout=10).ok
        assert len(processes_in(tmp_path)) >= 3
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
    finally:
        if demo.poll() is None:
            demo.terminate()
            demo.wait(60)
        demo.stdout.close()
    assert processes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
