"""How long a page of the service takes while it measures homes, next to when it does not.

The real service, with its loops and its workers, against a stand-in for the hub
(stand_in.py). Two services in turn: one has measured everything and rests, one measures all
homes again and again. Requests come at fixed times, whether or not the one before is
answered in time, so that a pause of the service counts for all whom it keeps waiting.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyterhub_efs_quota.control.store import ControlStore

from .line import Line, Target, left_out
from .plan import Plan, remove
from .timing import ROOT, BenchError
from .tree import make_tree

_ENTRIES = 1_000_000
_REQUESTS_A_SEC, _SECS, _SETTLE_SECS, _START_SECS = 5, 20.0, 2.0, 60.0
_PREFIX = "/services/efs-quota/"
_P99 = Target("p99 at most 2 of idle", 2.0)
_LONG_AGO, _ALWAYS = 1e9, 0.0


def pages(plan: Plan) -> Iterator[Line]:
    """p50 and p99 of a user's own page, idle and during walks.

    Walks of eight large homes; and of two hundred small ones, which take 10 ms each, so
    that it is mostly the monitor's bookkeeping whose cost is seen.
    """
    yield from _pages(plan, 8, _P99)
    yield from _pages(plan, 200, None)


def _pages(plan: Plan, count: int, target: Target | None) -> Iterator[Line]:
    entries, what = plan.sized(_ENTRIES), f"a page while {count} homes are measured over and over"
    name = "warm" if count == 200 else f"homes{count}"
    homes = plan.tree(name, entries, lambda here: make_tree(here, entries, count))
    names = sorted(home.name for home in homes.iterdir())
    control = plan.place / "control"
    remove(control)
    control.mkdir()
    idle, busy = [], []
    try:
        with _hub(names) as hub:
            _measure_all(hub, homes, control)
            for _ in range(plan.pairs):
                idle.append(_latencies(plan, hub, homes, control, _LONG_AGO))
                busy.append(_latencies(plan, hub, homes, control, _ALWAYS))
    except BenchError as error:
        yield left_out(what, str(error), target)
        return
    finally:
        remove(control)
        for left in plan.place.glob("history.sqlite*"):
            left.unlink()
    yield from _lines(what, target, idle, busy)


def _lines(
    what: str, wanted: Target | None, idle: list[list[float]], busy: list[list[float]]
) -> Iterator[Line]:
    for percent, target in ((50, None), (99, wanted)):
        before, during = ([_quantile(run, percent) for run in runs] for runs in (idle, busy))
        ratios = [one / other for one, other in zip(during, before, strict=True)]
        ratio = round(statistics.median(ratios), 2)
        yield Line(
            f"{what}, p{percent}",
            f"{statistics.median(during):.1f} ms, {ratio:.2f} of idle"
            f" ({min(ratios):.2f} to {max(ratios):.2f})",
            target.text if target else "",
            target.met_by(ratio) if target else None,
            f"idle: {statistics.median(before):.1f} ms",
            short=target is not None,
        )


def _quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


@contextmanager
def _hub(names: list[str]) -> Iterator[str]:
    """The stand-in; its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.stand_in", *names], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/hub/api"
    finally:
        process.kill()
        process.wait()


def _measure_all(hub: str, homes: Path, control: Path) -> None:
    """One cycle of the monitor, so that all homes are on record."""
    ran = subprocess.run(
        [
            *[sys.executable, "-m", "jupyterhub_efs_quota", "monitor", "--once"],
            f"--hub-url={hub.removesuffix('/hub/api')}",
            "--api-token=x",
            f"--efs-quota-control={control}",
            f"--home-root={homes}",
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if ran.returncode != 0:
        raise BenchError(f"the monitor fails: {ran.stderr.decode(errors='replace')[-200:]}")


def _latencies(plan: Plan, hub: str, homes: Path, control: Path, stale_secs: float) -> list[float]:
    """Milliseconds of requests to a new service, which measures homes or rests."""
    with _service(plan, hub, homes, control, stale_secs) as address:
        before = _settled(control, rests=stale_secs != _ALWAYS)
        found = _requests(address)
        if (_last_measurement(control) > before) != (stale_secs == _ALWAYS):
            raise BenchError("the service measured when it should rest, or the other way round")
    return found


def _settled(control: Path, *, rests: bool) -> datetime:
    """The last measurement, after a while. What the service before left half done is done first."""
    before, until = None, time.monotonic() + _START_SECS
    while True:
        time.sleep(_SETTLE_SECS)
        last = _last_measurement(control)
        if not rests or last == before or time.monotonic() > until:
            return last
        before = last


def _last_measurement(control: Path) -> datetime:
    store = ControlStore(control)
    records = [store.read(file.parent.name) for file in control.glob("*/quota.yaml")]
    return max(record.stopped for record in records if record and record.stopped)


@contextmanager
def _service(
    plan: Plan, hub: str, homes: Path, control: Path, stale_secs: float
) -> Iterator[tuple[str, int]]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = one.getsockname()
    settings: dict[str, Any] = {
        "quota_control": str(control),
        "home_root": str(homes),
        "history_url": f"sqlite:///{control.parent}/history.sqlite",
        "stale_quota_secs": stale_secs,
        "monitor_period_secs": 0.1 if stale_secs == _ALWAYS else 3600.0,
    }
    environment = {
        **os.environ,
        "JUPYTERHUB_SERVICE_NAME": "efs-quota",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{address[1]}",
        "JUPYTERHUB_SERVICE_PREFIX": _PREFIX,
        "JUPYTERHUB_API_URL": hub,
        "JUPYTERHUB_API_TOKEN": "service",
        "JUPYTERHUB_CLIENT_ID": "service-efs-quota",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:services"]',
        "JUPYTERHUB_EFS_QUOTA_SETTINGS": json.dumps(settings),
    }
    log = plan.place / "service.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub_efs_quota"],
            cwd=ROOT,
            env=environment,
            stdout=written,
            stderr=written,
        )
        try:
            _wait_until_up(process, address, log)
            yield address
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], address: tuple[str, int], log: Path) -> None:
    until = time.monotonic() + _START_SECS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, 1):
            return
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_text(errors="replace")[-300:]
            raise BenchError(f"the service does not come up: {said}")
        time.sleep(0.1)


def _requests(address: tuple[str, int]) -> list[float]:
    """Milliseconds from when each request was due until its answer was there."""
    request = (
        f"GET {_PREFIX} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: token visitor\r\n\r\n"
    ).encode()
    taken = []
    with socket.create_connection(address, 30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _answered(connection, request)  # the service asks the hub who we are
        start = time.perf_counter()
        for number in range(int(_SECS * _REQUESTS_A_SEC)):
            due = start + number / _REQUESTS_A_SEC
            time.sleep(max(0.0, due - time.perf_counter()))
            _answered(connection, request)
            taken.append((time.perf_counter() - due) * 1000)
    return taken


def _answered(connection: socket.socket, request: bytes) -> None:
    """Send a request and read the whole answer. Raises BenchError if it is no page."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += _received(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise BenchError(f"the service answers {head.splitlines()[0].decode()!r}")
    length = next(
        int(line.split(b":")[1])
        for line in head.splitlines()
        if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += _received(connection)


def _received(connection: socket.socket) -> bytes:
    some = connection.recv(65536)
    if not some:
        raise BenchError("the service closes the connection")
    return some
