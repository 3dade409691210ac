"""`jupyterhub-efs-quota measure`: where the space goes, without a hub.

Called by `commands.py`. Measures in this process; the walk lets signals through.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from rich.console import Console
from traitlets import Bool, Enum, Float, Int, Unicode

from ..commands import Command, fail
from ..errors import EFSQuotaError, MeasureError, SettingsError
from ..measure.scans.export import Exported, export
from ..measure.scans.file import ScanFile, newest_scan
from ..measure.scans.scan import Wanted, read_scan
from ..measure.scans.wrstat import FORMATS, QUOTED
from ..measure.task import Task
from ..measure.walk.engine import walk
from ..measure.walk.handles import allow_handles
from ..quota.sizes import format_size
from ..quota.usage import Usage
from ..settings import EFSQuota
from ..words.figures import counted, took
from ..words.names import plain
from . import as_json
from .picture import Style, draw
from .progress import Progress, can_show

# A walk that was not told when to end.
_NEVER_SECS = 10 * 365 * 86400.0
# A walk that hangs in the store is left where it is.
_STOP_WITHIN_SECS = 0.7
_INTERRUPTED = 128 + signal.SIGINT


class MeasureCommand(Command):
    """Say what folders hold, and where their space goes."""

    name = "jupyterhub-efs-quota measure"
    description = (
        "Say what folders hold, and where their space goes. No hub is needed.\n\n"
        "    jupyterhub-efs-quota measure [OPTION ...] [PATH ...]\n\n"
        "Without a path, the current folder is measured. Nothing is changed. Exit status: 0,"
        " or 1 if something could not be read or measured to the end."
    )
    examples = (
        "jupyterhub-efs-quota measure ~\n"
        "jupyterhub-efs-quota measure --depth=5 --top=30 --allocated /home/alice\n"
        "jupyterhub-efs-quota measure --json /home/* > homes.json\n"
        "jupyterhub-efs-quota measure --export=scan.gz /home\n"
        "jupyterhub-efs-quota measure --from=scan.gz /home/alice"
    )
    takes_paths = True
    flags: dict[Any, Any] = {
        "json": (
            {"MeasureCommand": {"as_json": True}},
            "Print one JSON object a path, with all that was found.",
        ),
        "apparent": (
            {"EFSQuota": {"size_basis": "apparent"}},
            "Show the files' own sizes. This is the default.",
        ),
        "allocated": (
            {"EFSQuota": {"size_basis": "allocated"}},
            "Show what files take on disk.",
        ),
        "cross-mounts": (
            {"EFSQuota": {"cross_mounts": True}},
            "Count other file systems mounted inside, too.",
        ),
    }
    aliases: dict[Any, Any] = {
        "config": "Command.config_file",
        "depth": "MeasureCommand.depth",
        "top": "MeasureCommand.top",
        "skip": "EFSQuota.skip_directories",
        "threads": "EFSQuota.walk_threads",
        "deadline": "MeasureCommand.deadline",
        "export": "MeasureCommand.export_file",
        "format": "MeasureCommand.export_format",
        "from": "MeasureCommand.scan",
    }

    as_json = Bool(False, help="Print one JSON object a path.").tag(config=True)
    depth = Int(3, min=1, help="How many levels of folders are shown.").tag(config=True)
    top = Int(10, min=1, help="How many folders, types, files and kinds are shown.").tag(
        config=True
    )
    deadline = Float(
        0.0, min=0.0, help="Stop after so many seconds, and show what was found. 0: never."
    ).tag(config=True)
    export_file = Unicode(
        "",
        help="""Write a scan to this file instead: a line for each file, as wrstat does.

        Packed if its name ends in .gz.""",
    ).tag(config=True)
    export_format = Enum(
        list(FORMATS),
        QUOTED,
        help="""The generation of wrstat's format to export: quoted paths and both sizes
        (since October 2024), or paths in base64 and the smaller size.""",
    ).tag(config=True)
    scan = Unicode("", help="Read this scan instead of the folders. Paths are those in it.").tag(
        config=True
    )

    def launch(self, argv: list[str]) -> None:
        """Run the command; ends the process."""
        # Names that the output's encoding does not have.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            settings = self.read_settings(argv)
            allow_handles()
            if self.export_file and self.scan:
                raise SettingsError("--export and --from cannot be used together.")
            paths = [_absolute(path) for path in self.extra_args or ["."]]
            if self.export_file:
                status = self._export(settings, paths)
            elif self.scan:
                status = self._read(settings, paths)
            else:
                status = self._walk(settings, paths)
            sys.stdout.flush()
        except EFSQuotaError as error:
            fail(error)
        except BrokenPipeError:
            # Whoever read it has seen enough. Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 1
        except KeyboardInterrupt:
            status = _INTERRUPTED
        sys.exit(status)

    def _walk(self, settings: EFSQuota, paths: list[str]) -> int:
        status = 0
        for number, path in enumerate(paths):
            started = time.monotonic()
            progress = Progress(path, shown=can_show())
            try:
                _check(path)
                task = self._task(settings, path)
                with progress, _stopped_by(progress, path):
                    answer: Usage | str = walk(task, progress)
            except MeasureError as error:
                answer = str(error)
            secs = time.monotonic() - started
            status = max(status, self._show(settings, number, path, answer, secs))
            if progress.stop:
                return _INTERRUPTED
        return status

    def _read(self, settings: EFSQuota, paths: list[str]) -> int:
        started = time.monotonic()
        scan = _scan_file(self.scan)
        wanted = Wanted(
            homes=tuple(os.fsencode(path) for path in paths),
            cross_mounts=settings.cross_mounts,
            skip=tuple(settings.skip_directories),
            allocated=settings.size_basis == "allocated",
            rules=settings.rules(scan.taken.timestamp() if scan else time.time()),
        )
        progress = Progress(self.scan, shown=can_show())
        with progress, _stopped_by(progress, self.scan):
            found = read_scan(self.scan, wanted, _raising(progress))
        secs = time.monotonic() - started
        status = 0
        for number, path in enumerate(paths):
            missing = f"{plain(path)} is not in the scan {plain(self.scan)}."
            answer = found.get(os.fsencode(path), missing)
            status = max(status, self._show(settings, number, path, answer, secs))
        return status

    def _export(self, settings: EFSQuota, paths: list[str]) -> int:
        started = time.monotonic()
        for path in paths:
            _check(path)
        tasks = [self._task(settings, path) for path in paths]
        progress = Progress(self.export_file, shown=can_show())
        with progress, _stopped_by(progress, self.export_file):
            done = export(tasks, self.export_file, self.export_format, _raising(progress))
        return self._say_exported(done, time.monotonic() - started)

    def _say_exported(self, done: Exported, secs: float) -> int:
        print(
            f"{plain(self.export_file)}: {counted(done.files, 'file')},"
            f" {counted(done.dirs, 'folder')}, {format_size(done.bytes)} in {took(secs)}"
        )
        hidden = done.missed.unreadable - done.missed.vanished
        if hidden:
            print(
                f"{counted(hidden, 'entry', 'entries')} could not be read:"
                f" {', '.join(done.missed.names)}",
                file=sys.stderr,
            )
        return int(hidden > 0)

    def _task(self, settings: EFSQuota, path: str) -> Task:
        return Task(
            os.path.realpath(path),
            self.deadline or _NEVER_SECS,
            cross_mounts=settings.cross_mounts,
            skip=tuple(settings.skip_directories),
            allocated=settings.size_basis == "allocated",
            walk_threads=settings.walk_threads,
            rules=settings.rules(time.time()),
        )

    def _show(
        self, settings: EFSQuota, number: int, path: str, answer: Usage | str, secs: float
    ) -> int:
        """Print what was found in one path; the exit status that it deserves."""
        if self.as_json:
            print(as_json.line(path, answer))
        if isinstance(answer, str):
            print(f"jupyterhub-efs-quota: {answer}", file=sys.stderr)
            return 1
        if not self.as_json:
            if number:
                print()
            console = Console(markup=False, emoji=False, highlight=False)
            style = Style(
                self.depth,
                self.top,
                allocated=settings.size_basis == "allocated" and answer.allocated is not None,
                ascii=not console.encoding.lower().startswith("utf"),
            )
            draw(console, path, answer, secs, style)
        return int(not answer.complete or answer.hidden > 0)


def _absolute(path: str) -> str:
    """The path from the root. What `..` is depends on the links before it."""
    try:
        return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)
    except OSError as error:
        raise MeasureError(f"The current folder is gone: {error.strerror}.") from None


def _scan_file(path: str) -> ScanFile | None:
    """The scan, with its time; None if there is none: whoever reads it says so."""
    try:
        return newest_scan(glob.escape(path))
    except OSError:
        return None


def _check(path: str) -> None:
    """Raise MeasureError, in words for who typed the path, if it cannot be measured."""
    shown = plain(path)
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError:
        raise MeasureError(f"{shown} does not exist.") from None
    except NotADirectoryError:
        raise MeasureError(f"{shown} is a file: name the folder that it is in.") from None
    except PermissionError:
        raise MeasureError(
            f"{shown} may not be read by {_user()}: run this as its owner, or as root."
        ) from None
    except OSError as error:
        raise MeasureError(f"{shown} cannot be opened: {error.strerror}.") from None


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"the user {os.geteuid()}"


def _raising(progress: Progress) -> Callable[[int, int, int, str], None]:
    """For what has no part that could be shown: it ends when it is told to stop."""

    def look(files: int, size: int, dirs: int, where: str) -> None:
        if progress(files, size, dirs, where):
            raise _Interrupted

    return look


class _Interrupted(EFSQuotaError):
    """Ctrl-C, where nothing can be shown of what was done."""


@contextlib.contextmanager
def _stopped_by(progress: Progress, what: str) -> Iterator[None]:
    """Let Ctrl-C end what goes on with what was counted so far, within a second."""
    timers: list[threading.Timer] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if progress.stop:
            os._exit(_INTERRUPTED)
        progress.stop = True
        timers.append(threading.Timer(_STOP_WITHIN_SECS, _give_up, (progress, what)))
        timers[0].daemon = True
        timers[0].start()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    except _Interrupted:
        print("jupyterhub-efs-quota: interrupted.", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, before)
        for timer in timers:
            timer.cancel()


def _give_up(progress: Progress, what: str) -> None:
    """End the process in the middle of a walk that does not end."""
    files, size, dirs = progress.last or (0, 0, 0)
    print(
        f"\njupyterhub-efs-quota: {plain(what)} hangs and is left. Counted so far, a part only:"
        f" {format_size(size)}, {counted(files, 'file')}, {counted(dirs, 'folder')}.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(_INTERRUPTED)
