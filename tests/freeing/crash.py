"""Moves things to and fro, in a child that kills itself at a given line of the library."""

import os
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path

from jupyterhub_efs_quota import freeing
from jupyterhub_efs_quota.errors import FreeingError
from jupyterhub_efs_quota.freeing.handles import open_home
from jupyterhub_efs_quota.freeing.ledger import ASIDE, Receipt, append
from jupyterhub_efs_quota.freeing.limbo import Limbo
from jupyterhub_efs_quota.freeing.recover import recover
from jupyterhub_efs_quota.freeing.restore import restore
from jupyterhub_efs_quota.freeing.take import Errand, take

LIBRARY = str(Path(freeing.__file__).parent)
# What the walk through the library is about: a file, a tree, and a folder closed by its owner.
THINGS = ((b"data.csv",), (b"tree",), (b"closed",), (b"a", b"b", b"file"))


def take_all(home, drawer):
    errand = Errand("e", "alice", datetime.now(timezone.utc))
    for names in THINGS:
        try:
            note = take(home, drawer, names, errand)
        except FreeingError:
            continue
        append(drawer, [Receipt("e", errand.now, "alice", ASIDE, note.names)])


def restore_all(home, drawer):
    for note in drawer.notes():
        restore(home, drawer, note.key)


def work(root, how):
    with open_home(root / "users", root / "users" / "alice") as home:
        with Limbo(root / "users" / ".limbo").drawer("alice") as drawer:
            recover(home, drawer)
            {"take": take_all, "restore": restore_all}[how](home, drawer)


def killed_at(line, root, how):
    """Do the work in a child that kills itself at that line; whether it did."""
    child = os.fork()
    if child == 0:
        passed = 0

        def trace(frame, event, argument):
            nonlocal passed
            if not frame.f_code.co_filename.startswith(LIBRARY):
                return None
            if event == "line":
                passed += 1
                if passed == line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        work(root, how)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status == signal.SIGKILL
