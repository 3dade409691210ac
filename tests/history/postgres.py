"""A PostgreSQL of the tests' own, on loopback, in a directory of its own."""

import os
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import psycopg

from ..ports import free_port


def programs():
    """The directory of initdb and pg_ctl: Debian's is on nobody's PATH."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: path.parts)
    return places[-1].parent if places else None


class Postgres:
    """Starts at once; `stop` and `start` it, and ask it for empty databases."""

    def __init__(self):
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="efs-quota-pg-"))
        # It refuses to run as root.
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self._folder, "postgres")
        self.port = free_port()
        self._numbers = count(1)
        self._run(
            "initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"
        )
        self.start()

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-m", "fast", "-w", "stop")

    def new(self):
        """The URL of a database of its own."""
        name = f"test{next(self._numbers)}"
        whole = f"host=127.0.0.1 port={self.port} user=postgres"
        with psycopg.connect(whole, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def end(self):
        self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program, *arguments):
        command = [*self._as, str(self._programs / program), "-D", str(self._folder / "data")]
        done = subprocess.run(
            [*command, *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
