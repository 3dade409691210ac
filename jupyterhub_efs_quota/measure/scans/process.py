"""Reading a scan in a process of its own: it takes minutes of computing, or hangs in a store.

`read_apart` is called by `loops/scans.py`; the rest of the module is that process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from dataclasses import asdict

from ...errors import MeasureError, ScanError
from ...quota.usage import Usage
from ..task import load_answer
from ..workers.priority import go_last
from ..workers.workers import kill_group
from .scan import Wanted, read_scan

_LONGEST_LINE = 1024 * 1024
_COMPLETE = "complete"


async def read_apart(path: str, wanted: Wanted, deadline_secs: float) -> dict[bytes, Usage]:
    """As `read_scan`, without a summary. Raises ScanError or MeasureError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        start_new_session=True,
    )
    try:
        return await asyncio.wait_for(_ask(process, path, wanted), deadline_secs)
    except (asyncio.TimeoutError, TimeoutError):
        raise MeasureError(
            f"The scan {path} was not read in {deadline_secs:.0f} seconds: it is left."
        ) from None
    except (ConnectionError, ValueError, KeyError, TypeError):
        raise MeasureError(f"The process that read the scan {path} died.") from None
    finally:
        # It may hang in the kernel: it is not waited for.
        kill_group(process.pid)


async def _ask(
    process: asyncio.subprocess.Process, path: str, wanted: Wanted
) -> dict[bytes, Usage]:
    assert process.stdin is not None
    assert process.stdout is not None
    asked = {
        "path": path,
        "homes": [os.fsdecode(home) for home in wanted.homes],
        "cross_mounts": wanted.cross_mounts,
        "skip": wanted.skip,
        "allocated": wanted.allocated,
    }
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    await process.stdin.drain()
    found: dict[bytes, Usage] = {}
    async for line in process.stdout:
        answer = json.loads(line)
        if answer == _COMPLETE:
            return found
        if "error" in answer:
            raise ScanError(answer["error"])
        usage = load_answer(line)
        assert isinstance(usage, Usage)
        found[os.fsencode(answer["home"])] = usage
    raise ConnectionError


def main() -> None:
    """Read the scan that standard input names; a line for each home, and one at the end."""
    go_last()
    asked = json.loads(sys.stdin.buffer.readline())
    # Standard input ends with the parent.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    wanted = Wanted(
        homes=tuple(os.fsencode(home) for home in asked["homes"]),
        cross_mounts=asked["cross_mounts"],
        skip=tuple(asked["skip"]),
        allocated=asked["allocated"],
    )
    try:
        for home, usage in read_scan(asked["path"], wanted).items():
            _say({"home": os.fsdecode(home), "usage": asdict(usage)})
        _say(_COMPLETE)
    except ScanError as error:
        _say({"error": str(error)})
    except Exception as error:  # a process that dies would lose the reason
        _say({"error": f"The scan {asked['path']}: {type(error).__name__}: {error}"})
    sys.stdout.buffer.flush()


def _say(answer: object) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
