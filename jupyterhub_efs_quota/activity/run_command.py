"""`jupyterhub-efs-quota activity run NAME -- COMMAND…`: run a command, and put it on record.

The command comes first: whatever is wrong with the record is said, and changes nothing about
how it runs or ends. Its exit status is ours.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from traitlets import Unicode

from ..commands import ApiCommand, fail
from ..errors import EFSQuotaError, HistoryError, ServiceError, SettingsError
from ..history.events import Outcome, Run
from ..history.history import History
from ..history.opening import recorder_of
from ..logs import start_logging
from ..quota.record import format_time
from ..remeasure import utcnow
from ..service_client import ServiceClient
from ..settings import EFSQuota
from .activity import Activity
from .check_command import OPEN_SECS
from .names import checked_host, checked_name
from .switches import switches_of
from .timings import timings_of

# What a process is told by, and the end of the command.
_FORWARDED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGCONT),
)
_LISTENED = {*_FORWARDED, signal.SIGCHLD}
# What the shell says of a command that is not there, or is none.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
# A service that restarts is back by then.
WAITS_SECS = (1.0, 4.0, 15.0)
USAGE = "Say what to run: jupyterhub-efs-quota activity run NAME -- COMMAND [ARGUMENT ...]"


class RunCommand(ApiCommand):
    """Run a command, and put on record when, how long, and how it ended."""

    name = "jupyterhub-efs-quota activity run"
    description = (
        "Run a command, and put on record when, how long, and how it ended.\n\n"
        "    jupyterhub-efs-quota activity run [OPTION ...] NAME -- COMMAND [ARGUMENT ...]\n\n"
        "With --url or EFS_QUOTA_URL the service is told, else the history database. Signals"
        " go on to the command. Exit status: that of the command, or 128 and the number of the"
        " signal that ended it; 0 if the job is switched off, and nothing is run."
    )
    examples = (
        "jupyterhub-efs-quota activity run nightly-backup \\\n"
        "    --url=https://hub.example.org/services/efs-quota/ --token-file=/etc/backup.token \\\n"
        "    -- restic backup /srv/homes"
    )
    takes_paths = True
    aliases: dict[Any, Any] = {
        **ApiCommand.aliases,
        "history-url": "EFSQuota.history_url",
        "efs-quota-control": "EFSQuota.quota_control",
        "host": "RunCommand.host",
    }

    host = Unicode("", help="The host's name on record. Default: that of this machine.").tag(
        config=True
    )

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process."""
        end = argv.index("--") if "--" in argv else len(argv)
        own, command = argv[:end], argv[end + 1 :]
        try:
            settings = self.read_settings(own)
            if len(self.extra_args) != 1 or not command:
                raise SettingsError(USAGE)
            name = checked_name(self.extra_args[0])
            host = checked_host(self.host or socket.gethostname())
        except EFSQuotaError as error:
            fail(error)
        start_logging("console", settings.log_level, sys.stderr)
        status, run = self._run(settings, name, host, command)
        _told(lambda: self._record(settings, run))
        sys.exit(status)

    def _run(
        self, settings: EFSQuota, name: str, host: str, command: Sequence[str]
    ) -> tuple[int, Run]:
        started = utcnow()
        if _told(lambda: self._is_off(settings, name)):
            print(f"jupyterhub-efs-quota: {name} is switched off.", file=sys.stderr)
            return 0, Run(name, host, started, started, Outcome.SKIPPED.value)
        status, error = run_command(command)
        outcome = Outcome.FAILURE if error else Outcome.SUCCESS
        return status, Run(name, host, started, _end(started), outcome.value, error)

    def _over_the_api(self) -> bool:
        return bool(self.url or os.environ.get("EFS_QUOTA_URL"))

    def _is_off(self, settings: EFSQuota, name: str) -> bool:
        if self._over_the_api():
            return not self.client(settings).get("jobs/switch", job=name)["on"]
        return name in switches_of(settings).off()

    def _record(self, settings: EFSQuota, run: Run) -> None:
        if self._over_the_api():
            report(self.client(settings), run)
        else:
            _store(settings, run)


def run_command(command: Sequence[str]) -> tuple[int, str | None]:
    """Run a command to its end, signals and all; its exit status, and what is wrong, if anything.

    Only for a process without other threads: it takes all signals.
    """
    # Whoever started us may not want to hear of children: then nobody would.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _LISTENED)
    try:
        try:
            child = os.posix_spawnp(command[0], list(command), os.environ, setsigmask=before)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            print(f"jupyterhub-efs-quota: {command[0]}: {error.strerror}", file=sys.stderr)
            status = _NOT_FOUND if missing else _NOT_EXECUTABLE
            return status, f"{command[0]}: {error.strerror}."
        return _ended(_wait(child))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(child: int) -> int:
    while True:
        heard = signal.sigwaitinfo(_LISTENED)
        if heard.si_signo != signal.SIGCHLD:
            # By the terminal, the command was told the same already.
            if heard.si_code <= 0:
                os.kill(child, heard.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status


def _ended(status: int) -> tuple[int, str | None]:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return 128 + number, f"It was ended by {signal.Signals(number).name}."
    code = os.WEXITSTATUS(status)
    return code, f"It ended with status {code}." if code else None


def _end(started: datetime) -> datetime:
    # A clock may be set back meanwhile.
    return max(started, utcnow())


def _told(work: Callable[[], Any]) -> Any:
    """What the work returns; None, and why is said, if it cannot be done."""
    try:
        return work()
    except EFSQuotaError as error:
        print(f"jupyterhub-efs-quota: {error}", file=sys.stderr)
        return None


def report(client: ServiceClient, run: Run, waits: Sequence[float] = WAITS_SECS) -> None:
    """Tell the service of a run; tried again where that may help. Raises ServiceError."""
    body: dict[str, Any] = {
        "job": run.name,
        "host": run.host,
        "started": f"{format_time(run.started)}Z",
        "completed": f"{format_time(run.completed)}Z",
        "outcome": run.outcome,
    }
    if run.error is not None:
        body["error"] = run.error
    for wait in (*waits, None):
        try:
            client.send("POST", "runs", body)
            return
        except ServiceError as error:
            passing = error.status is None or error.status >= 500
            if wait is None or not passing:
                raise
            time.sleep(wait)


def _store(settings: EFSQuota, run: Run) -> None:
    history = recorder_of(settings, utcnow)
    if not isinstance(history, History):
        raise SettingsError(
            f"The run of {run.name!r} is on no record: give --url with the service's address, or"
            " --history-url with the whole path of the database."
        )
    timings = timings_of(settings)
    history.start()
    Activity(history, None, timings).ran(run)
    written = history.flush(OPEN_SECS)
    history.close()
    timings.close()
    if not written:
        raise HistoryError(history.trouble or "The history database does not answer.")
