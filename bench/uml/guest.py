"""Measures walks on a real NFS mount, inside the small Linux; init.sh starts it.

Its one argument is a file with the plan, in JSON. Each run is a line on the console, for nfs.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from ..timing import Cost, Walker, du
from ..tree import make_flat, make_tree

_EXPORTED, _MOUNTED = Path("/run/exported"), Path("/run/mounted")
_OPTIONS = "vers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
# Attributes are used for three seconds; after five, names are still known and attributes not.
_SHORT_LIVED, _EXPIRED_SECS = "actimeo=3", 5.0
_THREADS = 64


def main() -> None:
    """Serve, mount, measure."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    make_tree(_EXPORTED / "tree", plan["entries"], 20)
    make_flat(_EXPORTED / "flat", plan["flat"])
    _serve()
    half = plan["round_trip_msecs"] / 2
    _run("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", f"{half}ms", "limit", "99999")
    with Walker() as walker:
        for case in plan["cases"]:
            for number in range(plan["pairs"]):
                for who in ("du", *plan["engines"]):
                    if who == "python" and number >= plan["pairs_of_python"]:
                        continue
                    cost = _measured(walker, case, who)
                    said = {"case": case, "who": who, "wall": cost.wall, "round": number}
                    print(f"BENCH {json.dumps(said)}", flush=True)
    _run("umount", str(_MOUNTED))


def _measured(walker: Walker, case: str, who: str) -> Cost:
    """One run on a mount of its own."""
    _mount(_SHORT_LIVED if case == "expired" else "")
    tree = _MOUNTED / ("flat" if case == "flat" else "tree")
    if case == "expired":
        walker.walk("compiled", tree, _THREADS)
        time.sleep(_EXPIRED_SECS)
    return du(tree) if who == "du" else walker.walk(who, tree, _THREADS).cost


def _mount(more: str) -> None:
    if _MOUNTED.is_mount():
        _run("umount", str(_MOUNTED))
    options = ",".join(filter(None, [_OPTIONS, more]))
    _run("mount", "-t", "nfs4", "-o", options, "127.0.0.1:/", str(_MOUNTED))


def _serve() -> None:
    _run("rpc.mountd", "-N", "2", "-N", "3")
    how = "rw,no_root_squash,fsid=0,no_subtree_check,insecure"
    _run("exportfs", "-i", "-o", how, f"*:{_EXPORTED}")
    _run("rpc.nfsd", "-N", "3", "64")


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        print(f"BENCH {json.dumps({'error': f'{command[0]}: {ran.stderr.strip()[:200]}'})}")
        sys.exit(1)


if __name__ == "__main__":
    main()
