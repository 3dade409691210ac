"""The command line: `jupyterhub-efs-quota`, with its commands.

Without a subcommand it is the service that the hub starts.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from traitlets import Bool, TraitError, Unicode
from traitlets.config import Application, Config
from traitlets.config.application import ClassesType
from traitlets.config.loader import KVArgParseConfigLoader

from . import __version__
from .errors import EFSQuotaError, SettingsError
from .logs import start_logging
from .service_client import ServiceClient, client_from
from .settings import EFSQuota, handed_over, read_file, resolve

# How long a command that ends waits for a database that does not answer.
_CLOSE_SECS = 20.0
_NEEDED = ("JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_URL")
SHARED_ALIASES = {
    "config": "Command.config_file",
    "efs-quota-control": "EFSQuota.quota_control",
    "home-root": "EFSQuota.home_root",
    "home-path": "EFSQuota.home_path",
    "default-quota": "EFSQuota.default_quota",
    "log-format": "EFSQuota.log_format",
    "log-level": "EFSQuota.log_level",
}


class _StrictLoader(KVArgParseConfigLoader):
    """Takes an unknown flag for the mistake that it is."""

    def _handle_unrecognized_alias(self, arg: str) -> None:
        raise SettingsError(f"--{arg} is no flag. See --help-all.")


class Command(Application):
    """What all commands have in common: settings from a file, the command line, the hub."""

    version = __version__
    classes: ClassesType = [EFSQuota]
    aliases: dict[Any, Any] = dict(SHARED_ALIASES)
    flags: dict[Any, Any] = {}
    # Whether there are arguments that are no flags, such as paths; else they are mistakes.
    takes_paths = False

    config_file = Unicode("", help="A file with `c.EFSQuota.…` lines to read.").tag(config=True)

    def _create_loader(
        self, argv: list[str] | None, aliases: Any, flags: Any, classes: Any
    ) -> KVArgParseConfigLoader:
        return _StrictLoader(argv, aliases, flags, classes=classes, log=self.log)

    def read_settings(self, argv: list[str] | None) -> EFSQuota:
        """The settings of the command line, the file and the hub. Raises SettingsError."""
        self.take_arguments(argv)
        if getattr(self, "generate_config", False):
            return EFSQuota()  # the file that is named is to be written, not read
        return resolve(self.gather())

    def take_arguments(self, argv: list[str] | None) -> None:
        """Understand the command line. Raises SettingsError."""
        try:
            self.parse_command_line(argv)
        except SystemExit as ended:
            if ended.code in (0, None):
                raise
            raise SettingsError("The command line is not understood. See --help-all.") from None
        if self.extra_args and not self.takes_paths:
            raise SettingsError(f"{self.extra_args[0]!r} is not understood. See --help-all.")

    def gather(self) -> Config:
        """What the hub hands over, the file and the command line say. Raises SettingsError."""
        config = handed_over(os.environ)
        if self.config_file:
            config.merge(read_file(self.config_file))
        config.merge(self.cli_config)
        self._refuse_unknown(config)
        self._take_own(config)
        return config

    def _take_own(self, config: Config) -> None:
        """The command's own settings, which a file may have too."""
        own = type(self).__name__
        try:
            self.update_config(Config({own: config[own]} if own in config else {}))
        except TraitError as error:
            raise SettingsError(f"c.{own}: {error}") from None

    def _refuse_unknown(self, config: Config) -> None:
        known = {type(self).__name__, "Command", "EFSQuota"}
        for section, values in config.items():
            if section not in known:
                raise SettingsError(f"{section} has no settings. They are in c.EFSQuota.")
            if section != "EFSQuota":
                for name in values:
                    if name not in self.traits(config=True):
                        raise SettingsError(f"{section}.{name} is no setting. See --help-all.")


def fail(error: Exception, status: int = 1) -> None:
    """End a command with its reason."""
    print(f"jupyterhub-efs-quota: {error}", file=sys.stderr)
    sys.exit(status)


class ApiCommand(Command):
    """A command that asks the running service, as any program with a token may."""

    aliases: dict[Any, Any] = {
        "config": "Command.config_file",
        "log-level": "EFSQuota.log_level",
        "url": "ApiCommand.url",
        "token-file": "ApiCommand.token_file",
        "ca": "ApiCommand.ca",
    }

    url = Unicode(
        "",
        help="The service's address, such as https://hub.example.org/services/efs-quota/."
        " Default: EFS_QUOTA_URL, or beside the hub that a user's server knows.",
    ).tag(config=True)
    token_file = Unicode(
        "",
        help="A file with a token of the hub. Default: the token in EFS_QUOTA_TOKEN or"
        " JUPYTERHUB_API_TOKEN.",
    ).tag(config=True)
    ca = Unicode("", help="A CA bundle to trust for https, in place of the system's.").tag(
        config=True
    )

    def client(self, settings: EFSQuota) -> ServiceClient:
        """The way to the service. Raises SettingsError."""
        return client_from(
            os.environ,
            url=self.url,
            token_file=self.token_file,
            ca=self.ca,
            service_name=settings.service_name,
        )


class LoopCommand(Command):
    """A loop run by hand or by cron, against any hub."""

    flags: dict[Any, Any] = {
        "once": ({"LoopCommand": {"once": True}}, "Run one cycle and end."),
        "dry-run": (
            {"LoopCommand": {"dry_run": True, "once": True}},
            "Print what one cycle would do, and do nothing.",
        ),
    }
    aliases: dict[Any, Any] = {
        **SHARED_ALIASES,
        "hub-url": "LoopCommand.hub_url",
        "api-token": "LoopCommand.api_token",
        "api-cert": "LoopCommand.api_cert",
        "stale-quota-secs": "EFSQuota.stale_quota_secs",
        "du-timeout-secs": "EFSQuota.du_timeout_secs",
    }

    hub_url = Unicode("", help="The hub's address, such as https://hub.example.org").tag(
        config=True
    )
    api_token = Unicode("", help="A token of the hub. Default: JUPYTERHUB_API_TOKEN.").tag(
        config=True
    )
    api_cert = Unicode(
        "", help="A CA bundle to trust for the hub's https, or False to trust anything."
    ).tag(config=True)
    once = Bool(False, help="Run one cycle and end.").tag(config=True)
    dry_run = Bool(False, help="Print what would be done, and do nothing.").tag(config=True)
    # Held, so that it goes on.
    _recalling: asyncio.Task[None] | None = None

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process."""
        try:
            settings = self.read_settings(argv)
            # The list of a dry run is its output: what is said besides goes elsewhere.
            stream = sys.stderr if self.dry_run else sys.stdout
            start_logging(settings.log_format, settings.log_level, stream)
            hub, history = self._hub(), self._recorder(settings)
            history.start()
            try:
                asyncio.run(self._run(settings, hub, history))
            finally:
                history.close(_CLOSE_SECS)
        except (EFSQuotaError, OSError) as error:
            fail(error)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)

    def _recorder(self, settings: EFSQuota) -> Any:
        from .history.opening import recorder_of
        from .history.recorder import Recorder
        from .remeasure import utcnow

        return Recorder() if self.dry_run else recorder_of(settings, utcnow)

    async def _run(self, settings: EFSQuota, hub: Any, history: Any) -> None:
        from .history.recent import past_of
        from .loops.cycle import make_rooms
        from .loops.loop import Loop
        from .loops.record_run import recorded
        from .remeasure import Remeasure, make_workers

        rooms = make_rooms(settings, hub, history)
        workers, spread = make_workers(settings)
        remeasure = Remeasure(
            settings,
            rooms.store,
            workers,
            rooms.offload,
            rooms.clock,
            spread=spread,
            counted=rooms.counted,
            history=history,
            past=past_of(history),
        )
        work, name, period = self.cycle(rooms, remeasure)
        # What would be done is no run, and is said of a job that is switched off, too.
        cycle = work.run_once if self.dry_run else recorded(rooms, name, work)
        try:
            if self.once:
                planned = await cycle()
                if self.dry_run:
                    print("\n".join(f"Would {plan}" for plan in planned) or "Would do nothing.")
                return
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            loop = Loop(name, rooms.counted.cycles_of(name, cycle), period)
            server = self._serve_metrics(rooms, loop, workers)
            loop.start()
            await stop.wait()
            loop.stop()
            if server is not None:
                server.stop()
        finally:
            await workers.end()
            rooms.timings.close()

    def _serve_metrics(self, rooms: Any, loop: Any, workers: Any) -> Any:
        from .metrics.dirsize import make_dirsize
        from .metrics.exposition import Exposition
        from .metrics.recall import recalling
        from .web.metrics import serve_metrics

        dirsize = make_dirsize(rooms.settings, rooms.counted.trees)

        def trouble() -> list[str]:
            return [each for each in (loop.trouble, rooms.history.trouble) if each]

        exposition = Exposition(
            rooms.counted,
            rooms.board,
            lambda: [loop],
            trouble,
            dirsize=dirsize,
            governor=lambda: workers.governor,
            history=lambda: rooms.history.counts,
        )
        server = serve_metrics(rooms.settings, exposition)
        if server is not None and dirsize is not None:
            self._recalling = recalling(rooms.history, rooms.counted.trees)
        return server

    def cycle(self, rooms: Any, remeasure: Any) -> tuple[Any, str, float]:
        """The work of one cycle, its name and its period."""
        raise AssertionError("each loop's command has its own")

    def _hub(self) -> Any:
        from .hub.client import access_by_hand, hub_at, hub_from

        token = self.api_token or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        if not token:
            raise SettingsError("Give a token of the hub: --api-token or JUPYTERHUB_API_TOKEN.")
        if self.hub_url:
            return hub_at(access_by_hand(self.hub_url, token, self.api_cert))
        if not os.environ.get("JUPYTERHUB_API_URL"):
            raise SettingsError("Give the hub's address: --hub-url.")
        return hub_from({**os.environ, "JUPYTERHUB_API_TOKEN": token})


class MonitorCommand(LoopCommand):
    """Measure the homes of all users of a hub, and record what they hold."""

    name = "jupyterhub-efs-quota monitor"
    description = "Measure the homes of all users of a hub, and record what they hold."
    examples = (
        "jupyterhub-efs-quota monitor --once --hub-url=https://hub.example.org \\\n"
        "    --efs-quota-control=/efs/quota-control --home-root=/efs/users\n"
        "jupyterhub-efs-quota monitor --dry-run --hub-url=http://127.0.0.1:8000"
    )
    aliases: dict[Any, Any] = {
        **LoopCommand.aliases,
        "period-secs": "EFSQuota.monitor_period_secs",
    }

    def cycle(self, rooms: Any, remeasure: Any) -> tuple[Any, str, float]:
        """The monitor's."""
        from .loops.monitor import NAME, Monitor

        period_secs = rooms.settings.monitor_period_secs
        work = Monitor(
            rooms,
            remeasure,
            dry_run=self.dry_run,
            patience_secs=None if self.once else period_secs,
        )
        return work, NAME, period_secs


class ReaperCommand(LoopCommand):
    """Judge all users of a hub, and stop the servers of those in lockout."""

    name = "jupyterhub-efs-quota reaper"
    description = "Judge all users of a hub, and stop the servers of those in lockout."
    examples = (
        "jupyterhub-efs-quota reaper --once --hub-url=https://hub.example.org \\\n"
        "    --efs-quota-control=/efs/quota-control --home-root=/efs/users"
    )
    aliases: dict[Any, Any] = {
        **LoopCommand.aliases,
        "period-secs": "EFSQuota.reaper_period_secs",
    }

    def cycle(self, rooms: Any, remeasure: Any) -> tuple[Any, str, float]:
        """The reaper's."""
        from .loops.reaper import NAME, Reaper
        from .loops.rescue import Rescues

        rescues = Rescues(rooms, remeasure)
        reaper = Reaper(rooms, dry_run=self.dry_run, rescues=rescues, waits=True)
        return reaper, NAME, rooms.settings.reaper_period_secs


class ServiceCommand(Command):
    """Storage quotas for JupyterHub homes: the service that the hub starts.

    For the other commands see `description`; each has --help.
    """

    name = "jupyterhub-efs-quota"
    description = (
        "Storage quotas for JupyterHub homes: the service that the hub starts.\n\n"
        "Other commands, as in `jupyterhub-efs-quota doctor`; each has --help:\n"
        "    doctor                           what is wrong, and the line that mends it\n"
        "    users, show, explain             who holds what, and why\n"
        "    set-quota, reset-quota           another quota for one user\n"
        "    history, runs                    what was measured and done\n"
        "    activity                         jobs: run one on record, check, switch\n"
        "    measure                          what folders hold, without a hub\n"
        "    monitor, reaper                  the loops, by hand or by cron\n"
        "    check                            how a user stands, from one file\n"
        "    database                         the history database's revision"
    )
    flags: dict[Any, Any] = {
        "generate-config": (
            {"ServiceCommand": {"generate_config": True}},
            "Write a file with all settings and their defaults, and end.",
        ),
    }
    aliases: dict[Any, Any] = dict(SHARED_ALIASES)
    generate_config = Bool(False, help="Write a file with all settings, and end.").tag(config=True)

    def launch(self, argv: list[str]) -> None:
        """Run the service; ends the process when it ends."""
        managed = all(os.environ.get(name) for name in _NEEDED)
        settings, wrong = EFSQuota(), None
        try:
            settings = self.read_settings(argv)
        except SettingsError as error:
            if not managed:
                fail(error)
            # The hub would go down with us: stay, and say what is wrong.
            wrong = error
        if self.generate_config:
            self._generate(Path(self.config_file or "jupyterhub_efs_quota_config.py"))
            return
        if not managed:
            missing = next(name for name in _NEEDED if not os.environ.get(name))
            fail(
                SettingsError(
                    f"{missing} is not set: the hub starts this service, see setup(c)."
                    " To run a loop by hand, see `jupyterhub-efs-quota monitor --help`."
                )
            )
        from .app import Service

        start_logging(settings.log_format, settings.log_level)
        service = Service(settings, os.environ, wrong)
        try:
            asyncio.run(service.run())
        finally:
            service.close()

    def _generate(self, path: Path) -> None:
        self.classes = [EFSQuota]
        try:
            with path.open("x") as file:
                file.write(self.generate_config_file([EFSQuota]))
        except FileExistsError:
            fail(SettingsError(f"{path} exists already: remove it, or name another with --config."))
        except OSError as error:
            fail(SettingsError(f"{path} cannot be written: {error.strerror}"))
        print(f"Wrote {path}")


# The commands by their names, with the modules that hold them: each loads only its own.
_COMMANDS = {
    "monitor": ("commands", "MonitorCommand"),
    "reaper": ("commands", "ReaperCommand"),
    "database": ("history.command", "DatabaseCommand"),
    "measure": ("terminal.measure", "MeasureCommand"),
    "doctor": ("doctor.command", "DoctorCommand"),
    "overview": ("remote.overview", "OverviewCommand"),
    "users": ("remote.users", "UsersCommand"),
    "show": ("remote.show", "ShowCommand"),
    "explain": ("remote.show", "ExplainCommand"),
    "set-quota": ("remote.quota", "SetQuotaCommand"),
    "reset-quota": ("remote.quota", "ResetQuotaCommand"),
    "history": ("remote.history", "HistoryCommand"),
    "runs": ("remote.history", "RunsCommand"),
}


def main(argv: list[str] | None = None) -> None:
    """`jupyterhub-efs-quota`."""
    argv = sys.argv[1:] if argv is None else argv
    subcommand = argv[0] if argv else ""
    if subcommand == "check":
        from .check import main as check

        check(argv[1:])
    elif subcommand == "activity":
        from .activity.commands import main as activity

        activity(argv[1:])
    elif subcommand in _COMMANDS:
        module, name = _COMMANDS[subcommand]
        command = getattr(importlib.import_module(f".{module}", __package__), name)
        command().launch(argv[1:])
    else:
        ServiceCommand().launch(argv)
