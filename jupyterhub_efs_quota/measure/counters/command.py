"""Programs that know what no system call tells: `lfs` and `zfs`."""

from __future__ import annotations

import os
import shutil
import subprocess

from ...errors import CannotCount

# Where such programs are, though a service's path often leaves it out.
_MORE_PLACES = "/usr/sbin:/sbin"


def answer_of(program: str, *arguments: str, secs: float) -> str:
    """What a program prints, in no language but C. Raises CannotCount if it fails."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_MORE_PLACES}"
    found = shutil.which(program, path=path)
    if found is None:
        raise CannotCount(f"The program {program} is not installed where the service runs.")
    try:
        ran = subprocess.run(
            [found, *map(os.fsencode, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=secs,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotCount(f"{program} gave no answer within {secs:g} seconds.") from None
    except OSError as error:
        raise CannotCount(f"{program} cannot be run: {error.strerror}.") from None
    if ran.returncode:
        complaint = ran.stderr.decode(errors="backslashreplace").strip().splitlines()[:1]
        raise CannotCount(f"{program} failed: {''.join(complaint) or ran.returncode}")
    return os.fsdecode(ran.stdout)
