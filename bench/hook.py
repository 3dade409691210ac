"""What the spawn hook adds to a spawn, and whether a store that hangs stops the hub.

Run: python bench/hook.py [USERS [CALLS]]     (default: 10000 1000)

The hook is called as the hub calls it, on an event loop, for users of a control directory
of that size. The second part needs root, bindfs and /dev/fuse: the same directory through
a process that is stopped, so that every call to it hangs.
"""

import asyncio
import logging
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from cycles import make_store

from jupyterhub_efs_quota.hub.spawn import SpawnGate
from jupyterhub_efs_quota.settings import EFSQuota


def spawner(name):
    """What the hook needs of a spawner."""
    log = logging.getLogger("hub")
    log.disabled = True
    user = SimpleNamespace(name=name, admin=False, settings={})
    return SimpleNamespace(user=user, volume_mounts=[], log=log)


def gate(root, **settings):
    return SpawnGate(
        EFSQuota(quota_control=str(root / "control"), home_root=str(root / "users"), **settings)
    )


async def latencies(gate, users, calls):
    """Milliseconds of single calls, one after another."""
    taken = []
    for _ in range(calls):
        one = spawner(random.choice(users))
        began = time.perf_counter()
        await gate.check(one)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


async def pauses(work):
    """Milliseconds that the event loop stood still, each time it did, while `work` went on."""
    seen, task = [], asyncio.ensure_future(work)
    last = time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        seen.append((now - last) * 1000 - 1)
        last = now
    await task
    return seen


def hang(root):
    """The store through a process: its mount point and that process."""
    mounted = root.parent / f"{root.name}-mounted"
    mounted.mkdir()
    daemon = subprocess.Popen(["bindfs", "-f", str(root), str(mounted)])
    while not (mounted / "users").is_dir():
        time.sleep(0.05)
    return mounted, daemon


def main():
    given = [int(number) for number in sys.argv[1:]]
    count, calls = (given + [10000, 1000][len(given) :])[:2]
    users = [f"user{n:06d}" for n in range(count)]
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "store"
        root.mkdir()
        make_store(root, users)
        taken = asyncio.run(latencies(gate(root), users, calls))
        cuts = statistics.quantiles(taken, n=100)
        print(f"{count} users, {calls} calls: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")
        if not shutil.which("bindfs"):
            print("bindfs is not installed: the store that hangs is left out")
            return
        mounted, daemon = hang(root)
        try:
            stuck = gate(mounted, hook_timeout=2)
            daemon.send_signal(signal.SIGSTOP)

            async def spawns():
                await asyncio.gather(*(stuck.check(spawner(name)) for name in users[:50]))

            idle = max(asyncio.run(pauses(asyncio.sleep(2))))
            worst = max(asyncio.run(pauses(spawns())))
            print(
                "the store hangs, 50 spawns wait: the event loop stood still for at most"
                f" {worst:.1f} ms (idle: {idle:.1f} ms)"
            )
        finally:
            daemon.kill()
            daemon.wait()
            subprocess.run(["umount", "-l", str(mounted)], check=False)


if __name__ == "__main__":
    main()
