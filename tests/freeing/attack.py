"""A user who swaps names while the service is at work: run by `test_attack.py` under strace.

    python attack.py ROOT SECS

One process is the attacker, as the owner of the home; the other is the service.
"""

import contextlib
import os
import random
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from jupyterhub_efs_quota.errors import EFSQuotaError
from jupyterhub_efs_quota.freeing.erase import erase
from jupyterhub_efs_quota.freeing.handles import open_home
from jupyterhub_efs_quota.freeing.limbo import Limbo
from jupyterhub_efs_quota.freeing.listing import list_directory
from jupyterhub_efs_quota.freeing.recover import recover
from jupyterhub_efs_quota.freeing.restore import restore
from jupyterhub_efs_quota.freeing.take import Errand, take
from jupyterhub_efs_quota.freeing.weigh import weigh

from .conftest import OWNER

root, secs = Path(sys.argv[1]), float(sys.argv[2])
home, drop = root / "users" / "alice", root / "drop"
NAMES = [(b"d", b"x"), (b"d", b"x", b"y"), (b"d",), (b"link", b"x"), (b"x",)]


def attack():
    """Fill the home again and again, and swap links, folders and files for one another."""
    if os.geteuid() == 0:
        os.setgid(OWNER)
        os.setuid(OWNER)
    chance = random.Random(1)
    targets = [str(root / "users" / "bob"), str(root / "outside"), "..", "/etc"]
    while True:
        with contextlib.suppress(OSError):
            os.makedirs(home / "d" / "x" / "y", exist_ok=True)
            (home / "d" / "x" / "precious").write_bytes(b"mine")
        trick = chance.randrange(5)
        with contextlib.suppress(OSError):
            if trick == 0:  # a link in the place of a folder
                os.rename(home / "d", home / f"old{chance.randrange(3)}")
                os.symlink(chance.choice(targets), home / "d")
            elif trick == 1:
                os.unlink(home / "d")
            elif trick == 2:  # a parent moved out of the home, to where others are
                os.rename(home / "d", drop / "d")
                time.sleep(0.001)
                os.rename(drop / "d", home / "d")
            elif trick == 3:
                os.rename(home / "d" / "x", home / "x")
                os.symlink(chance.choice(targets), home / "d" / "x")
            else:
                os.rename(home / "x", home / "d" / "x")


def serve():
    """List, weigh, take, bring back and delete, at the names that the attacker swaps."""
    chance = random.Random(2)
    limbo = Limbo(root / "users" / ".limbo")
    end = time.monotonic() + secs
    rounds = 0
    while time.monotonic() < end:
        names = chance.choice(NAMES)
        with contextlib.suppress(EFSQuotaError), open_home(root / "users", home) as opened:
            what = chance.randrange(4)
            if what == 0:
                list_directory(opened, names)
            elif what == 1:
                with opened.directory(names[:-1]) as parent:
                    weigh(opened, parent, names[-1])
            elif what == 2:
                with opened.directory(names[:-1]) as parent:
                    opened.check_own(parent)
                    opened.look(parent, names[-1])
                    erase(parent, names[-1], opened.owner)
            else:
                with limbo.drawer("alice") as drawer:
                    recover(opened, drawer)
                    errand = Errand("e", "alice", datetime.now(timezone.utc))
                    with contextlib.suppress(EFSQuotaError):
                        take(opened, drawer, names, errand)
                    for note in drawer.notes()[:2]:
                        restore(opened, drawer, note.key)
        rounds += 1
    print(rounds)


attacker = os.fork()
if attacker == 0:
    attack()
try:
    # What strace is to look at begins here.
    os.stat("/begin")
except FileNotFoundError:
    pass
try:
    serve()
finally:
    os.kill(attacker, 9)
    os.waitpid(attacker, 0)
