"""`jupyterhub-efs-quota activity check` and `activity list`. Called by `commands.py`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from traitlets import Bool

from ..commands import ApiCommand, Command, fail
from ..errors import EFSQuotaError, HistoryError, SettingsError
from ..history.history import History
from ..history.opening import recorder_of
from ..history.recorder import Recorder
from ..logs import start_logging
from ..remeasure import utcnow
from ..settings import EFSQuota
from .as_json import job_json
from .checks import Recent
from .named import place_of
from .overview import Verdict, overview_of
from .own import checks_in_force

# How long a command waits for a database, and for what it has written to be there.
OPEN_SECS = 20.0
MUST_SPECIFY = "Must specify time in minutes and at least one host and script"
FAILED, UNKNOWN = 2, 3


class CheckCommand(Command):
    """Check that jobs ran: silent, and exit status 0, if they did."""

    name = "jupyterhub-efs-quota activity check"
    description = (
        "Check that jobs ran: silent, and exit status 0, if they did.\n\n"
        "    jupyterhub-efs-quota activity check [OPTION ...] MINUTES HOST:NAME ...\n"
        "    jupyterhub-efs-quota activity check [OPTION ...] --config=FILE\n\n"
        "Each of them must have ended well within the last minutes; * is any host. Without"
        " arguments, the checks of c.EFSQuota.activity_checks are made, and those of the service's"
        " own loops. Exit status: 0, or 2"
        " with what is wrong on standard output, or 1 if that cannot be told (with --nagios 3)."
    )
    examples = (
        "jupyterhub-efs-quota activity check 1560 store1:nightly-backup\n"
        "jupyterhub-efs-quota activity check --config=/etc/efs-quota/config.py --mail\n"
        "jupyterhub-efs-quota activity check --nagios 15 '*:reaper'"
    )
    takes_paths = True
    aliases: dict[Any, Any] = {
        "config": "Command.config_file",
        "log-level": "EFSQuota.log_level",
        "history-url": "EFSQuota.history_url",
    }
    flags: dict[Any, Any] = {
        "nagios": ({"CheckCommand": {"nagios": True}}, "Answer as a plugin of Nagios: one line."),
        "mail": ({"CheckCommand": {"mail": True}}, "Mail what is wrong to c.EFSQuota.mail_to."),
    }

    nagios = Bool(False, help="Answer as a plugin of Nagios: one line.").tag(config=True)
    mail = Bool(False, help="Mail what is wrong to c.EFSQuota.mail_to.").tag(config=True)

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process."""
        # Even where the command line is not understood, whoever asked for a line gets one.
        nagios = "--nagios" in argv
        try:
            settings = self.read_settings(argv)
            start_logging("console", settings.log_level, sys.stderr)
            nagios = self.nagios
            failed = [each for each in self._verdicts(settings) if each.text is not None]
            if nagios:
                self._say_line(failed)
            else:
                print("\n".join(str(each.text) for each in failed), end="\n" if failed else "")
            if failed and self.mail:
                self._send(settings, failed)
        except (EFSQuotaError, ValueError) as error:
            self._end(str(error), nagios=nagios)
        except Exception as error:  # Nagios takes a traceback for no answer at all
            self._end(f"Unhandled exception: {type(error).__name__} {error!r}", nagios=nagios)
        sys.exit(FAILED if failed else 0)

    def _end(self, text: str, *, nagios: bool) -> None:
        if nagios:
            print(" ".join(text.split()))
            sys.exit(UNKNOWN)
        fail(SettingsError(text))

    def _verdicts(self, settings: EFSQuota) -> list[Verdict]:
        named = bool(self.config_file or settings.activity_checks)
        checks = _asked_for(settings, self.extra_args, named=named)
        found: list[Verdict] = ask(
            settings, lambda history: overview_of(settings, history, utcnow, checks).verdicts()
        )
        return found

    def _say_line(self, failed: Sequence[Verdict]) -> None:
        print(subject(failed) if failed else "All scripts ran as expected")

    def _send(self, settings: EFSQuota, failed: Sequence[Verdict]) -> None:
        from ..notify.mail import administrators, post_of

        text = "\n".join(str(each.text) for each in failed)
        try:
            post, to = post_of(settings), administrators(settings)
            asyncio.run(post.send(to, subject(failed), text))
        except EFSQuotaError as error:
            # What is wrong with the jobs matters more, and is told by the exit status.
            print(f"jupyterhub-efs-quota: {error}", file=sys.stderr)


class ListCommand(ApiCommand):
    """List all jobs: when each last ran, and whether it does as it should."""

    name = "jupyterhub-efs-quota activity list"
    description = (
        "List all jobs: when each last ran, and whether it does as it should.\n\n"
        "With --url or EFS_QUOTA_URL the service is asked, else the history database."
    )
    examples = "jupyterhub-efs-quota activity list --config=/etc/efs-quota/config.py"
    aliases: dict[Any, Any] = {**ApiCommand.aliases, "history-url": "EFSQuota.history_url"}
    flags: dict[Any, Any] = {
        "json": ({"ListCommand": {"as_json": True}}, "Print JSON."),
    }

    as_json = Bool(False, help="Print JSON.").tag(config=True)

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process if it fails."""
        try:
            settings = self.read_settings(argv)
            start_logging("console", settings.log_level, sys.stderr)
            if self.url or os.environ.get("EFS_QUOTA_URL"):
                jobs = self.client(settings).get("jobs")["items"]
            else:
                jobs = ask(settings, lambda history: _jobs(settings, history))
        except EFSQuotaError as error:
            fail(error)
        if self.as_json:
            print(json.dumps(jobs, indent=2))
        else:
            from .table import draw

            draw(jobs, utcnow())


def ask(settings: EFSQuota, question: Callable[[History], Any]) -> Any:
    """What the history database answers. Raises EFSQuotaError if it cannot be asked."""
    path = Path(settings.history_url.removeprefix("sqlite:///"))
    if settings.history_url.startswith("sqlite:") and path.is_absolute() and not path.exists():
        raise HistoryError(f"There is no history database {path}. See --history-url.")
    history = recorder_of(settings, utcnow)
    if not isinstance(history, History):
        raise SettingsError(
            "There is no history database to ask: give --history-url with its whole path, or"
            " --config with the settings of the hub."
        )
    history.start()
    try:
        if not history.flush(OPEN_SECS):
            raise HistoryError(history.trouble or "The history database does not answer.")
        return question(history)
    finally:
        history.close()


def _jobs(settings: EFSQuota, history: Recorder) -> list[dict[str, Any]]:
    return [job_json(job) for job in overview_of(settings, history, utcnow).look()]


def _asked_for(settings: EFSQuota, given: Sequence[str], *, named: bool) -> dict[str, Any]:
    """The checks of a command line, or else of the settings, if it names any.

    Raises ValueError.
    """
    if not given and named:
        return dict(checks_in_force(settings))
    minutes = given[0] if given else ""
    if not (minutes.isascii() and minutes.isdecimal() and int(minutes[:9]) > 0) or len(given) < 2:
        raise ValueError(MUST_SPECIFY)
    if len(minutes) > 7:
        raise ValueError(f"{minutes} minutes are more than twenty years")
    return {text: (Recent(place_of(text), float(minutes)),) for text in given[1:]}


def subject(failed: Sequence[Verdict]) -> str:
    """Which jobs failed, in a line."""
    places = dict.fromkeys(str(verdict.place) for verdict in failed)
    return f"Scripts failed to run: {', '.join(places)}"
