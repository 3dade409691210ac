"""How long a scrape of the metrics takes, by number of users, with their names on.

Run: python bench/metrics.py [USERS ...]     (default: 1000 10000 100000)

A board as the loops fill it, rendered as the service does when Prometheus asks: the first
time, when every home's directory is worked out, and after that, the median of ten, by the
clock and by the processor (which is what it takes on a machine that is busy otherwise).
Then the whole of it over HTTP, from a port of its own, client included, with the longest
time that the event loop stood still meanwhile.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone

from tornado.httpclient import AsyncHTTPClient
from tornado.testing import bind_unused_port

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.directories import Directories
from jupyterhub_efs_quota.history.trees import Tree
from jupyterhub_efs_quota.homes import Homes
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.metrics.counted import Counted
from jupyterhub_efs_quota.metrics.dirsize import Dirsize
from jupyterhub_efs_quota.metrics.exposition import Exposition
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.settings import EFSQuota
from jupyterhub_efs_quota.web.metrics import serve_metrics

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


def exposition(count: int, key: bytes | None = None) -> Exposition:
    """The metrics of so many users whose homes were measured and summed up."""
    counted, board = Counted(), Board()
    users = [HubUser(f"user{number}@example.org") for number in range(count)]
    for number, user in enumerate(users):
        record = Record(
            user.name,
            quota_bytes=10 * 1024**3,
            actual_bytes=123456789 + number,
            usage_files=number,
            started=NOW,
            stopped=NOW,
        )
        board.saw(user, record, by="Monitor")
        tree = Tree(number, user.name, number, True, 1000000000, 1700000000 + number)
        counted.trees.remember([tree])
    board.keep_only(user.name for user in users)
    homes = Homes("/efs/users", "{home_root}/{escaped_username}")
    dirsize = Dirsize(Directories(homes), counted.trees, key)
    return Exposition(counted, board, list, list, dirsize=dirsize)


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """How long it takes, by the clock and by the processor."""
    began, worked = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


async def over_http(shown: Exposition) -> tuple[float, float]:
    """Milliseconds of each of ten scrapes, and how long the event loop stood still at most."""
    listening, port = bind_unused_port()
    listening.close()
    server = serve_metrics(EFSQuota(metrics_port=port), shown)
    client = AsyncHTTPClient(force_instance=True, max_body_size=1024**3)
    taken, worst = [], 0.0
    for _ in range(10):
        began = last = time.perf_counter()
        fetch = asyncio.ensure_future(client.fetch(f"http://127.0.0.1:{port}/metrics"))
        while not fetch.done():
            await asyncio.sleep(0.001)
            worst, last = max(worst, time.perf_counter() - last - 0.001), time.perf_counter()
        fetch.result()
        taken.append((time.perf_counter() - began) * 1000)
    server.stop()
    return statistics.median(taken), worst * 1000


def main() -> None:
    """Print a line for each number of users."""
    counts = [int(given) for given in sys.argv[1:]] or [1000, 10000, 100000]
    print(
        f"{'users':>7} {'label':10} {'first ms':>9} {'then ms':>8} {'CPU ms':>7} {'HTTP ms':>8}"
        f" {'pause ms':>9} {'MiB':>6}"
    )
    for count in counts:
        for label, key in (("names", None), ("pseudonyms", b"secret" * 6)):
            shown = exposition(count, key)
            first, _ = milliseconds(shown.render)
            runs = [milliseconds(shown.render) for _ in range(10)]
            then, cpu = map(statistics.median, zip(*runs, strict=True))
            text = shown.render()
            http, pause = asyncio.run(over_http(shown))
            print(
                f"{count:7} {label:10} {first:9.0f} {then:8.0f} {cpu:7.0f} {http:8.0f}"
                f" {pause:9.0f} {len(text) / 2**20:6.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
