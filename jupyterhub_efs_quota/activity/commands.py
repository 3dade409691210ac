"""`jupyterhub-efs-quota activity`: which of its commands is meant. Called by `commands.py`."""

from __future__ import annotations

from ..commands import fail
from ..errors import SettingsError

USAGE = """usage: jupyterhub-efs-quota activity COMMAND ...

  check   check that jobs ran as they should
  run     run a command, and put it on record
  list    list all jobs

Each has --help."""


def main(argv: list[str]) -> None:
    """Run the command; ends the process."""
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    if command == "check":
        from .check_command import CheckCommand

        CheckCommand().launch(rest)
    elif command == "list":
        from .check_command import ListCommand

        ListCommand().launch(rest)
    elif command == "run":
        from .run_command import RunCommand

        RunCommand().launch(rest)
    elif command in ("-h", "--help", "--help-all"):
        print(USAGE)
    else:
        fail(SettingsError(f"{command!r} is no command of activity: check, run or list."))
