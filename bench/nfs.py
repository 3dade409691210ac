"""The walk on a real NFSv4.1 mount with 10 ms to the server and back.

Server and client are real Linux kernels', in one User Mode Linux: an ordinary process that
boots in seconds, with a network of its own that is made slow. See uml/.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from jupyterhub_efs_quota.measure.walk.engine import COMPILED, ENGINES

from .line import ENGINE_NAMES, Line, Target, at_least, left_out, speed_line
from .plan import Plan
from .timing import ROOT, BenchError, Cost, speeds, typical
from .uml.start import WITHOUT_AVX

_ROUND_TRIP_MSECS, _ENTRIES, _FLAT = 10, 4000, 20_000
_MEMORY, _LONGEST_SECS = "1500M", 5400.0
_CASES = {
    "cold": ("a cold mount", at_least(10, " times")),
    "expired": ("expired attributes", at_least(25, " times")),
    "flat": (f"one directory of {_FLAT:,} names, cold", at_least(100, " times")),
}
_NEEDED = {
    "linux.uml": "user-mode-linux",
    "modprobe": "kmod",
    "rpc.nfsd": "nfs-kernel-server",
    "mount.nfs4": "nfs-common",
    "tc": "iproute2",
}
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_ANSWER = "BENCH "


def nfs(plan: Plan) -> Iterator[Line]:
    """Cold, with expired attributes, and a large flat directory."""
    missing = [
        f"{name} (Debian: {package})"
        for name, package in _NEEDED.items()
        if not shutil.which(name, path=_PATH)
    ]
    try:
        if missing:
            raise BenchError(f"{', '.join(missing)} is not installed")
        found = _boot(plan)
    except BenchError as error:
        for said, target in _CASES.values():
            yield left_out(f"{said}: {ENGINE_NAMES[COMPILED]}", str(error), target)
        return
    for case, (said, target) in _CASES.items():
        for engine in sorted(ENGINES):
            yield _line(f"{said}: {ENGINE_NAMES[engine]}", found[case], engine, target)


def _line(what: str, costs: dict[str, list[Cost]], engine: str, target: Target) -> Line:
    runs = list(zip(costs["du"], costs[engine], strict=False))
    main = engine == COMPILED
    note = f"du and this: {typical(runs)}"
    return speed_line(what, speeds(runs), target if main else None, note, short=main)


def _boot(plan: Plan) -> dict[str, dict[str, list[Cost]]]:
    """Boot, let guest.py measure, and read what it says."""
    asked = {
        "entries": plan.sized(_ENTRIES),
        "flat": plan.sized(_FLAT),
        "round_trip_msecs": _ROUND_TRIP_MSECS,
        "pairs": min(plan.pairs, 5),
        # As slow as du on some of these: a median needs no more.
        "pairs_of_python": min(plan.pairs, 3),
        "cases": list(_CASES),
        "engines": sorted(ENGINES),
    }
    found: dict[str, dict[str, list[Cost]]] = defaultdict(lambda: defaultdict(list))
    state = plan.place / "uml"
    state.mkdir(exist_ok=True)
    (state / "plan.json").write_text(json.dumps(asked))
    with (state / "console").open("w+") as console:
        _run_machine(state, console.fileno())
        console.seek(0)
        said = console.read()
    for line in said.splitlines():
        if not line.startswith(_ANSWER):
            continue
        answer = json.loads(line.removeprefix(_ANSWER))
        if "error" in answer:
            raise BenchError(f"in User Mode Linux, {answer['error']}")
        found[answer["case"]][answer["who"]].append(Cost(answer["wall"]))
    if set(found) != set(_CASES):
        raise BenchError(f"User Mode Linux ended early: {said.strip()[-200:]!r}")
    return found


def _run_machine(state: Path, console: int) -> None:
    init = Path(__file__).parent / "uml" / "init.sh"
    machine = subprocess.Popen(
        [
            *[sys.executable, "-m", "bench.uml.start"],
            f"mem={_MEMORY}",
            f"uml_dir={state}",
            *["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"],
            *["con=null", "con0=null,fd:1", "quiet"],
            f"init={init}",
            WITHOUT_AVX,
            f"BENCH_ROOT={ROOT}",
            f"BENCH_PYTHON={sys.executable}",
            f"BENCH_PLAN={state / 'plan.json'}",
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=console,
        start_new_session=True,
    )
    try:
        machine.wait(_LONGEST_SECS)
    except subprocess.TimeoutExpired:
        raise BenchError(f"User Mode Linux was not done after {_LONGEST_SECS:.0f} s") from None
    finally:
        # Its own processes are processes of this system too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()
