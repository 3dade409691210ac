"""Guests in User Mode Linux: a kernel of our own, for file systems that this one lacks.

A guest is an ordinary process that boots in three seconds. It sees this machine's files,
read-only, so it runs the same programs and the same Python. `run_in_uml` is a fixture.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.uml import start

from ..conftest import REPOSITORY

HERE = Path(__file__).parent
PROGRAMS = {"linux.uml": "user-mode-linux", "modprobe": "kmod"}
MORE_PLACES = "/usr/sbin:/sbin"


def lacking(programs):
    """The Debian packages to install for programs that are not there."""
    path = f"{os.environ['PATH']}:{MORE_PLACES}"
    return sorted({programs[name] for name in programs if shutil.which(name, path=path) is None})


def boot(script, place, *, memory="512M", secs=120, **variables):
    """Run a shell script as root in a guest; what it prints. Skips where none starts.

    The script sees `variables`, $PYTHON, and $SHARED: the one directory that it shares
    with us and may write to, `place`. Its own temporary files are in /run, in memory.
    """
    given = {"PYTHON": sys.executable, "PYTHONPATH": str(REPOSITORY), "SCRIPT": str(script)}
    job = place / "job.sh"
    job.write_text(
        "".join(
            f"export {name}={shlex.quote(str(value))}\n"
            for name, value in {**given, **variables}.items()
        )
    )
    guest = subprocess.Popen(
        [
            sys.executable,
            start.__file__,
            f"mem={memory}",
            f"uml_dir={place}",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            f"init={HERE / 'init.sh'}",
            f"SHARED={place}",
            start.WITHOUT_AVX,
            "con=null",
            "con0=fd:0,fd:1",
            "panic=-1",
            "quiet",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        console, _ = guest.communicate(timeout=secs)
    except subprocess.TimeoutExpired:
        os.killpg(guest.pid, signal.SIGKILL)
        guest.communicate()
        if (place / "started").exists():
            raise AssertionError(f"the guest did not end: {read(place / 'output')}") from None
        console = b"nothing happens"
    if not (place / "started").exists():
        pytest.skip(f"User Mode Linux does not start here: {told(console)}")
    status, output = read(place / "status"), read(place / "output")
    if status != "0\n":
        raise AssertionError(f"the guest ended with {status!r}:\n{output}\n{told(console)}")
    return output


def told(console):
    """What a guest said on its console, as text."""
    return re.sub(r"[^\n\x20-\x7e]", "", console.decode(errors="replace"))


def read(file):
    return file.read_text(errors="replace") if file.exists() else ""


@pytest.fixture(scope="session")
def run_in_uml(tmp_path_factory):
    """`boot`, where all is there that it takes: `run_in_uml(script, needs, NAME=value)`.

    `needs`: the programs that the script uses, each with the Debian package it is in.
    """
    if lacking(PROGRAMS):
        pytest.skip(
            f"User Mode Linux is not installed: apt-get install {' '.join(lacking(PROGRAMS))}"
        )

    def run(script, needs, **options):
        if lacking(needs):
            pytest.skip(f"programs are missing: apt-get install {' '.join(lacking(needs))}")
        return boot(script, tmp_path_factory.mktemp("uml"), **options)

    return run
