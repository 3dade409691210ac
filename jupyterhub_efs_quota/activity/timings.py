"""Timings of runs for StatsD, by UDP, from a thread of their own: no job waits for them.

Made by `loops/cycle.py` and the commands; told by `Activity`.
"""

from __future__ import annotations

import logging
import queue
import re
import socket
import threading

from statsd import StatsClient

from ..settings import EFSQuota

log = logging.getLogger(__name__)

MEASUREMENT = "script_activity"
# More wait only while a resolver does not answer: then some are lost, which is no harm.
_MOST_WAITING = 1000
# StatsD's own separators, and whatever is no printable ASCII.
_UNSAFE = re.compile(r"[^ -~]|[:|]")


def metric(measurement: str, tags: dict[str, str]) -> str:
    r"""`measurement,tag=value,…` as InfluxDB's collectors read it: tags sorted, all escaped.

    What StatsD would take for the end of a name stands as an escape of Python's: `\x3a`.
    """
    escaped = [f"{_escaped(tag, '=')}={_escaped(tags[tag], '=')}" for tag in sorted(tags)]
    return ",".join([_escaped(measurement), *escaped])


def _escaped(text: str, more: str = "") -> str:
    safe = _UNSAFE.sub(lambda found: _code(found[0]), text)
    return re.sub(rf"[, \\{more}]", lambda found: f"\\{found[0]}", safe)


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


class Timings:
    """Sends timings to a StatsD at `host`; without a host, none."""

    def __init__(
        self, host: str = "", port: int = 8125, prefix: str = "", environment: str = ""
    ) -> None:
        self._host = host
        self._port = port
        self._prefix = prefix or None
        self._tags = {"env": environment} if environment else {}
        self._waiting: queue.Queue[tuple[str, float]] = queue.Queue(_MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._said = ""

    def send(self, name: str, secs: float) -> None:
        """A job ran for so long. Waits for nothing, and never raises."""
        if not self._host:
            return
        try:
            self._waiting.put_nowait((metric(MEASUREMENT, {**self._tags, "name": name}), secs))
            self._start()
        except (queue.Full, RuntimeError) as error:
            log.debug("A timing of %s is lost: %r", name, error)

    def close(self, secs: float = 2.0) -> None:
        """Wait so long for what is still to be sent."""
        done = self._waiting.all_tasks_done
        with done:
            done.wait_for(lambda: not self._waiting.unfinished_tasks, secs)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                # A daemon: a resolver that hangs keeps no process from ending.
                thread = threading.Thread(target=self._work, name="statsd", daemon=True)
                thread.start()
                self._thread = thread

    def _work(self) -> None:
        while True:
            name, secs = self._waiting.get()
            try:
                self._send(name, secs)
                self._said = ""
            except Exception as error:  # whatever a resolver makes of an odd name
                self._lost(error)
            finally:
                self._waiting.task_done()

    def _send(self, name: str, secs: float) -> None:
        # The host is looked up each time: there is seldom a timing, and it may have moved.
        client = self._client()
        try:
            client.timing(name, secs * 1000.0)
        finally:
            client.close()

    def _client(self) -> StatsClient:
        try:
            return StatsClient(self._host, self._port, self._prefix)
        except socket.gaierror:
            return StatsClient(self._host, self._port, self._prefix, ipv6=True)

    def _lost(self, error: Exception) -> None:
        said = str(error)
        level = logging.DEBUG if said == self._said else logging.WARNING
        log.log(
            level,
            "Timings of jobs do not reach StatsD at statsd_host %r, port %s: %s.",
            self._host, self._port, said,
        )  # fmt: skip
        self._said = said


def timings_of(settings: EFSQuota) -> Timings:
    """The timings that the settings ask for."""
    return Timings(
        settings.statsd_host,
        settings.statsd_port,
        settings.statsd_prefix,
        settings.statsd_environment,
    )
