"""`check`: a user's own look at their quota, in their own server.

Also installed as `check-quota`. Reads one file, so that it is quick at every login.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from .control.store import read_record
from .errors import ControlError
from .quota.messages import checked
from .quota.record import Record, State, to_mapping
from .quota.times import minute
from .words.names import plain

DEFAULT_FILE = "/quota-control/quota.yaml"


def main(argv: list[str] | None = None) -> None:
    """Print `LEVEL - message`; exit 1 for a lockout, 2 for a file that cannot be read, else 0.

    Another line says until when and why a quota of the user's own holds.
    """
    parser = argparse.ArgumentParser(
        prog="check-quota",
        description="Say how you stand with your storage quota.",
        epilog="Exit status: 1 in a lockout, 2 if the file cannot be read, else 0.",
    )
    parser.add_argument(
        "file", nargs="?", default=DEFAULT_FILE, help="the control file (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the whole record")
    asked = parser.parse_args(argv)
    try:
        record = read_record(Path(asked.file))
    except ControlError as error:
        print(f"check-quota: {error}", file=sys.stderr)
        sys.exit(2)
    if record is None:
        print("{}" if asked.json else f"INFO - No quota control file found: {asked.file}")
        sys.exit(0)
    if asked.json:
        print(json.dumps(to_mapping(record), default=str, skipkeys=True))
    else:
        level, message = checked(record)
        print(f"{logging.getLevelName(level)} - {message}")
        if own := of_own(record):
            print(f"INFO - {own}")
    sys.exit(int(record.quota_enabled and record.quota_state is State.LOCKOUT))


def of_own(record: Record) -> str:
    """Until when and why a quota of the user's own holds; nothing of all others."""
    if not record.quota_enabled:
        return ""
    said = []
    if record.quota_until is not None:
        said.append(f"This quota ends at {minute(record.quota_until)}.")
    if record.quota_reason and record.quota_reason.strip():
        # Somebody else wrote it: it is to do the terminal no harm.
        said.append(f"Reason: {plain(record.quota_reason.strip())}")
    return " ".join(said)
