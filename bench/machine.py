"""What machine this is, as far as figures depend on it. Called by report.py."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from jupyterhub_efs_quota.measure.walk.engine import engine


@dataclass(frozen=True)
class Machine:
    """Where and when a part was measured."""

    date: str
    cpus: int
    memory_gib: int
    kernel: str
    file_system: str
    load: str
    walk: str

    def __str__(self) -> str:
        return (
            f"{self.date}, {self.cpus} CPUs, {self.memory_gib} GiB of memory,"
            f" Linux {self.kernel}, {self.file_system}, load {self.load} at the start"
        )


def this_machine(place: Path) -> Machine:
    """The machine, and the file system that the trees are on."""
    said = subprocess.run(
        ["df", "--output=fstype", str(place)], capture_output=True, text=True, check=True
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        date=datetime.now(timezone.utc).date().isoformat(),
        cpus=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30),
        # Up to the first dash: what a distribution or a site adds may be a name of theirs.
        kernel=platform.release().partition("-")[0],
        file_system=said.stdout.split()[-1],
        load=f"{os.getloadavg()[0]:.1f}",
        walk=engine(),
    )
