"""What the history database takes: a user's year, the table of all, a cycle, thinning.

    python -m bench.history /a/directory                   SQLite, in a file there
    python -m bench.history postgresql://user@host/name    PostgreSQL, an empty database

Options: --users 10000 --rows 10000000 --thin-secs 60, and --keep to leave the database there.
"""

import argparse
import os
import statistics
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sqlalchemy import create_engine, func, select, text

from jupyterhub_efs_quota.history import reading, writing
from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.events import Judged, Measurement
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.tables import measurements, number_of
from jupyterhub_efs_quota.history.thinning import Keep, thin
from jupyterhub_efs_quota.quota.record import Record

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
GIB = 2**30

FILL = """
INSERT INTO quota_measurements (user_id, started, secs, counted, quota_bytes, bytes, allocated,
    files, dirs, unreadable, complete, timed_out, meter)
SELECT u.id, :first + t.n * :step + u.id * CAST(7000 AS BIGINT), 1.5,
    u.id * CAST(1000003 AS BIGINT) + t.n * 500000000000,
    214748364800, u.id * CAST(1000003 AS BIGINT), u.id * CAST(1000003 AS BIGINT),
    12345, 678, 0, TRUE, FALSE, 'walk'
FROM quota_users u CROSS JOIN ({numbers}) t ORDER BY {order}
"""
# As a database has them that was filled over a year: PostgreSQL in the order of time, a user's
# rows far apart; SQLite keeps a user's rows together.
NUMBERS = {
    "postgresql": ("SELECT n FROM generate_series(0, {last}) AS n", "t.n, u.id"),
    "sqlite": (
        (
            "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {last})"
            " SELECT n FROM c"
        ),
        "u.id, t.n",
    ),
}


def fill(database, names, rows):
    cycles = rows // len(names)
    first, step = NOW - YEAR, YEAR / cycles
    with database.writing() as connection:
        writing.user_ids(connection, names)
        if database.path is None:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        numbers, order = NUMBERS[connection.dialect.name]
        connection.execute(
            text(FILL.format(numbers=numbers.format(last=cycles - 1), order=order)),
            {"first": number_of(first), "step": step // timedelta(microseconds=1)},
        )


def settle(url):
    """Leave PostgreSQL as a year leaves it, not as a minute does: nothing is still to be done."""
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
        connection.execute(text("CHECKPOINT"))


def cycle(names, now, summary=None):
    """The events of one cycle that measured everybody."""
    events = []
    for number, name in enumerate(names):
        size = number * 7919 % (100 * GIB)
        record = Record(name, actual_bytes=size, fraction_used=size / (200 * GIB), started=now)
        events.append(
            Measurement(
                name, now, 1.5, size, 200 * GIB, None, size, size, 12345, 678, summary=summary
            )
        )
        events.append(Judged(name, now, "Monitor", record))
    return list(enumerate(events, 1))


def write(database, writer, events):
    for start in range(0, len(events), 1000):
        with database.writing() as connection:
            writing.write(connection, writer, events[start : start + 1000])


def timed(what, function, times=1):
    took, computed = [], []
    for _ in range(times):
        began, worked = time.perf_counter(), time.thread_time()
        function()
        took.append(time.perf_counter() - began)
        computed.append(time.thread_time() - worked)
    worst = f", at most {max(took) * 1000:.1f} ms" if times > 1 else ""
    # On a machine that is busy with other things, the second figure tells more.
    print(
        f"{what}: {statistics.median(took) * 1000:.1f} ms{worst}"
        f" ({statistics.median(computed) * 1000:.1f} ms of computing in this process)",
        flush=True,
    )


def ask(database, question, *args, **kwargs):
    with database.reading() as connection:
        return question(connection, *args, **kwargs)


def questions(database, names):
    some = iter(names[:: max(1, len(names) // 40)])
    timed(
        "a user's year",
        lambda: ask(database, reading.series, next(some), NOW - YEAR, NOW),
        times=min(20, len(names)),
    )
    some = iter(names[:: max(1, len(names) // 40)])
    timed(
        "the same, in 200 points",
        lambda: ask(database, reading.series, next(some), NOW - YEAR, NOW, 200),
        times=min(20, len(names)),
    )
    for sort in ("month_growth", "usage", "user"):
        timed(
            f"the table by {sort}, a page of 100",
            lambda sort=sort: ask(database, reading.table, sort=sort, descending=True),
            times=10,
        )


def thinning(database, names, secs):
    """Thin for a time; meanwhile one who reads all the time says how long that takes."""
    took, ended = [], threading.Event()

    def read():
        number = 0
        while not ended.is_set():
            number += 1
            began = time.perf_counter()
            ask(database, reading.series, names[number * 37 % len(names)], NOW - YEAR, NOW, 200)
            took.append(time.perf_counter() - began)
            time.sleep(0.02)

    reader = threading.Thread(target=read)
    reader.start()
    longest = 0.0
    removed, began = 0, time.perf_counter()
    steps = thin(database, NOW, Keep())
    while True:
        step = time.perf_counter()
        number = next(steps, None)
        if number is None or time.perf_counter() - began > secs:
            break
        longest = max(longest, time.perf_counter() - step)
        removed += number
    print(
        f"thinning removed {removed} rows in {time.perf_counter() - began:.1f} s,"
        f" the longest step {longest * 1000:.0f} ms"
    )
    ended.set()
    reader.join()
    took.sort()
    print(
        f"{len(took)} reads meanwhile: median {took[len(took) // 2] * 1000:.1f} ms,"
        f" 99 % within {took[int(len(took) * 0.99)] * 1000:.1f} ms,"
        f" at most {took[-1] * 1000:.1f} ms"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--thin-secs", type=float, default=60.0)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    url = asked.where if "://" in asked.where else f"sqlite:///{asked.where}/bench-history.sqlite"
    database = Database(whole_url(url))
    database.open()
    names = [f"user-{number:05}@example.org" for number in range(asked.users)]
    timed(f"filling in {asked.rows} measurements", lambda: fill(database, names, asked.rows))
    if database.path is None:
        settle(whole_url(url))
    events = cycle(names, NOW)
    timed(f"the first cycle of {asked.users} users", lambda: write(database, "a", events))
    cycles = iter([(str(n), cycle(names, NOW + timedelta(hours=n))) for n in (1, 2, 3, 4, 5)])
    timed("another cycle", lambda: write(database, *next(cycles)), times=5)
    packed = os.urandom(3072)  # as what is compressed already
    cycles = iter([(str(n), cycle(names, NOW + timedelta(hours=n), packed)) for n in (6, 7, 8, 9)])
    timed("another, with summaries of 3 KiB", lambda: write(database, *next(cycles)), times=4)
    questions(database, names)
    if database.path is not None:
        print(f"{database.path.stat().st_size / 2**20:.0f} MiB")
    thinning(database, names, asked.thin_secs)
    print(
        f"{ask(database, lambda c: c.scalar(select(func.count()).select_from(measurements)))} rows"
    )
    database.close()
    if database.path is not None and not asked.keep:
        for name in ("", "-wal", "-shm"):
            Path(f"{database.path}{name}").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
