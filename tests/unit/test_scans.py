"""Scans in the monitor: they save measurements, and lock or unlock nobody."""

import contextlib
import gzip
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import MeasureError, ScanError
from jupyterhub_efs_quota.loops import scans
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.measure.scans import process as scan_process
from jupyterhub_efs_quota.measure.scans.export import export
from jupyterhub_efs_quota.measure.scans.scan import Wanted
from jupyterhub_efs_quota.measure.scans.file import newest_scan
from jupyterhub_efs_quota.measure.scans.process import read_apart
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.scans.wrstat import BASE64, make_line
from jupyterhub_efs_quota.quota.judge import judge
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.scanned import Advice, Scan, weigh
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW, environment, fill, processes, until
from .strategies import records, sizes

HOUR = timedelta(hours=1)
TAKEN = NOW - 3 * HOUR
# Measured long before the scan.
OLD = dict(actual_bytes=100, quota_bytes=10_000, started=NOW - 9 * HOUR, stopped=NOW - 9 * HOUR)


@pytest.fixture
def make_scan(efs, settings):
    """Write a scan of the home root that began at some time, and have it read."""
    (efs / "scans").mkdir()
    settings.scan_file = f"{efs}/scans/*.scan*"

    def make(taken=TAKEN, name="a.scan", form="quoted"):
        path = efs / "scans" / name
        export([Task(str(efs / "users"), 60.0)], str(path), form)
        os.utime(path, (taken.timestamp(), taken.timestamp()))
        return path

    return make


@pytest.fixture
def walked(remeasure):
    """The homes that were walked."""
    homes, real = [], remeasure._workers.measure

    class Counting:
        most = 2

        async def measure(self, task, *more, **options):
            homes.append(os.path.basename(task.home))
            return await real(task, *more, **options)

    remeasure._workers = Counting()
    return homes


@pytest.fixture
def run_cycle(rooms, remeasure, walked, log_lines):
    """One cycle of one monitor: who was walked, and which warnings were said."""
    monitors = []

    async def run():
        if not monitors:
            monitors.append(Monitor(rooms, remeasure))
        walked.clear()
        log_lines.clear()
        await monitors[0].run_once()
        return sorted(walked), [line for _, line in log_lines.said("WARN")]

    return run


# --- In the monitor -------------------------------------------------------------------


async def test_homes_within_their_quota_are_taken_from_the_scan_with_its_time(
    make_scan, listed, home_of, write, store, run_cycle
):
    for user in ("new", "known"):
        home_of(user, 5000)
        listed(user)
    write("known", **OLD)
    make_scan()
    assert await run_cycle() == ([], [])
    for user in ("new", "known"):
        record = store.read(user)
        assert (record.actual_bytes, record.usage_files, record.meter) == (5000, 1, "scan")
        assert record.started == record.stopped == TAKEN
        assert record.quota_state is State.OK


async def test_a_home_that_no_measurement_is_due_for_is_taken_from_a_newer_scan(
    make_scan, listed, home_of, write, store, run_cycle
):
    home_of("quiet", 5000)
    listed("quiet", last_activity=NOW - 20 * HOUR)
    write("quiet", **OLD, last_activity=NOW - 20 * HOUR)
    make_scan()
    assert await run_cycle() == ([], [])
    assert (store.read("quiet").actual_bytes, store.read("quiet").stopped) == (5000, TAKEN)


async def test_who_is_over_by_the_scan_is_walked_before_anything_follows(
    make_scan, listed, home_of, write, store, run_cycle
):
    home = home_of("heavy", 50_000)
    listed("heavy")
    write("heavy", **OLD)
    make_scan()
    fill(home, 10)  # deleted since
    assert await run_cycle() == (["heavy"], [])
    record = store.read("heavy")
    assert (record.actual_bytes, record.quota_state, record.meter) == (10, State.OK, "walk")


async def test_who_is_over_by_the_scan_is_walked_even_if_that_is_not_due(
    make_scan, listed, home_of, write, store, run_cycle
):
    home_of("quiet", 50_000)
    listed("quiet", last_activity=NOW - 20 * HOUR)
    write("quiet", **OLD, last_activity=NOW - 20 * HOUR)
    make_scan()
    assert await run_cycle() == (["quiet"], [])
    assert store.read("quiet").quota_state is State.LOCKOUT


async def test_who_is_over_by_the_record_is_walked_whatever_a_scan_says(
    make_scan, listed, home_of, write, store, run_cycle
):
    home = home_of("locked", 5)
    listed("locked")
    write("locked", **{**OLD, "actual_bytes": 20_000}, quota_state=State.LOCKOUT)
    make_scan()
    fill(home, 30_000)
    assert await run_cycle() == (["locked"], [])
    assert store.read("locked").actual_bytes == 30_000


async def test_a_scan_is_read_once_and_its_homes_wait_for_the_next_one(
    make_scan, listed, home_of, store, run_cycle, clock, monkeypatch
):
    home = home_of("homer", 5000)
    user = listed("homer")
    scan = make_scan()
    reads, real = [], scans.read_apart

    async def counting(path, *more):
        reads.append(path)
        return await real(path, *more)

    monkeypatch.setattr(scans, "read_apart", counting)
    await run_cycle()
    fill(home, 6000)
    clock.forward(hours=1)
    # Active since: due, but a newer scan will tell.
    listed("homer", last_activity=clock() - HOUR / 2)
    del user
    assert await run_cycle() == ([], [])
    assert (store.read("homer").actual_bytes, reads) == (5000, [str(scan)])
    newer = make_scan(clock.now, "b.scan")
    clock.forward(hours=1)
    assert await run_cycle() == ([], [])
    assert (store.read("homer").actual_bytes, reads) == (6000, [str(scan), str(newer)])


async def test_a_home_that_is_not_in_the_scan_is_walked(
    make_scan, listed, home_of, store, run_cycle
):
    home_of("old")
    make_scan()
    home_of("new", 77)
    listed("old"), listed("new")
    assert await run_cycle() == (["new"], [])
    assert store.read("new").actual_bytes == 77


async def test_a_measurement_newer_than_the_scan_stands(
    make_scan, listed, home_of, write, store, run_cycle
):
    home_of("homer", 5000)
    listed("homer", last_activity=NOW)
    newer = {**OLD, "started": NOW - HOUR, "stopped": NOW - HOUR}
    write("homer", **newer)
    make_scan()
    assert await run_cycle() == ([], [])
    assert (store.read("homer").actual_bytes, store.read("homer").stopped) == (100, NOW - HOUR)


@pytest.mark.parametrize(
    "spoil, wrong",
    [
        (lambda path: path.unlink(), "There is no scan"),
        (
            lambda path: os.utime(path, (0, (NOW - timedelta(days=3)).timestamp())),
            "began 3.0 days ago, which is more than scan_max_age_secs allows.",
        ),
        (lambda path: os.utime(path, (0, NOW.timestamp() + 99)), "is of the future"),
        (lambda path: path.write_bytes(b"nonsense\n"), "line 1: 1 columns"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "ends within a line"),
        (lambda path: path.write_bytes(b""), "has none of the homes in it: see scan_home_root"),
    ],
)
async def test_a_scan_that_is_no_use_is_said_and_homes_are_walked(
    make_scan, listed, home_of, run_cycle, spoil, wrong
):
    home_of("homer", 5000)
    listed("homer")
    path = make_scan()
    spoil(path)
    if path.exists() and path.stat().st_mtime > NOW.timestamp() + 100:
        os.utime(path, (TAKEN.timestamp(), TAKEN.timestamp()))
    names, (said,) = await run_cycle()
    assert names == ["homer"]
    assert wrong in said
    assert said.endswith("Homes are measured instead.")


async def test_a_scan_without_the_size_that_counts_is_no_use(
    make_scan, listed, home_of, settings, run_cycle
):
    settings.size_basis = "allocated"
    home_of("homer", 5000)
    listed("homer")
    make_scan(form=BASE64)
    names, (said,) = await run_cycle()
    assert names == ["homer"]
    assert "does not tell the space on disk, which size_basis asks for" in said


async def test_a_scan_made_with_other_paths_is_read_by_them(
    make_scan, listed, home_of, settings, store, run_cycle, efs
):
    home_of("homer", 5000)
    listed("homer")
    path = make_scan()
    path.write_bytes(path.read_bytes().replace(os.fsencode(efs / "users"), b"/lustre/homes"))
    os.utime(path, (TAKEN.timestamp(), TAKEN.timestamp()))
    settings.scan_home_root = "/lustre/homes"
    assert await run_cycle() == ([], [])
    assert store.read("homer").meter == "scan"


async def test_a_dry_run_reads_the_scan_and_changes_nothing(
    make_scan, listed, home_of, write, store, rooms, remeasure
):
    home_of("light", 50), home_of("heavy", 50_000)
    for user in ("light", "heavy"):
        listed(user)
        write(user, **OLD, quota_source="hand")
    make_scan()
    plans = await Monitor(rooms, remeasure, dry_run=True).run_once()
    assert [plan.user.name for plan in plans] == ["heavy"]
    assert store.read("light").actual_bytes == 100


async def test_without_such_a_setting_nothing_is_looked_for(rooms, remeasure):
    assert Monitor(rooms, remeasure)._scans is None


async def test_somebody_elses_measurement_is_not_overwritten(
    make_scan, listed, home_of, write, store, run_cycle, remeasure, rooms
):
    home_of("homer", 5000)
    listed("homer")
    planned = write("homer", **OLD)
    write("homer", **{**OLD, "stopped": NOW - HOUR, "actual_bytes": 42})
    scan = Scan(Usage(bytes=5000, files=1, dirs=1), TAKEN)
    assert remeasure.take("homer", planned, scan) is None
    assert store.read("homer").actual_bytes == 42


# --- The advice -----------------------------------------------------------------------

usages = st.builds(
    Usage,
    bytes=sizes,
    allocated=st.none() | sizes,
    files=sizes,
    dirs=st.integers(1, 10),
    lost_dirs=st.integers(0, 1),
    meter=st.just("scan"),
)
moments = st.datetimes(
    datetime(2026, 11, 1), datetime(2026, 12, 1), timezones=st.just(timezone.utc)
)


@given(records, usages, moments, st.booleans(), st.sampled_from([0, 3600.0, 1e7]))
def test_no_scan_ever_locks_or_unlocks_anybody(record, usage, taken, allocated, grace_secs):
    before = judge(record, NOW, grace_secs)
    advice, after = weigh(
        record, Scan(usage, taken), NOW, allocated=allocated, grace_secs=grace_secs
    )
    if advice is not Advice.TAKE:
        assert after is record
        return
    harmless = {State.OK, State.NEARING_LIMIT, State.TIMED_OUT}
    assert not record.over
    assert not after.over
    assert before.quota_state in harmless
    assert after.quota_state in harmless
    assert after.started == after.stopped == taken
    assert record.stopped is None or not record.measured or record.stopped < taken


def test_a_scan_in_which_folders_were_lost_does_not_lower_a_number():
    record = Record("homer", **OLD)
    usage = Usage(bytes=50, files=1, dirs=1, lost_dirs=1)
    assert weigh(record, Scan(usage, TAKEN), NOW) == (Advice.MEASURE, record)
    assert weigh(record, Scan(replace(usage, lost_dirs=0), TAKEN), NOW)[0] is Advice.TAKE


def test_a_scan_that_shows_an_empty_home_does_not_lower_a_number():
    record = Record("homer", **OLD)
    usage = Usage(bytes=0, files=0, dirs=1, changed=(NOW - 99 * HOUR).timestamp())
    assert weigh(record, Scan(usage, TAKEN), NOW)[0] is Advice.MEASURE


# --- Which scan, and of when ----------------------------------------------------------


def local(*when):
    return datetime(*when).astimezone(timezone.utc)


@pytest.mark.parametrize(
    "name, taken",
    [
        ("20260102_scratch1.ab.cd.stats.gz", local(2026, 1, 2)),
        ("20260102-030405_／lustre／x/stats.gz", local(2026, 1, 2, 3, 4, 5)),
        ("20269999_x.stats.gz", local(2026, 6, 1)),
        ("stats", local(2026, 6, 1)),
        ("20990101_x", local(2026, 6, 1)),
    ],
)
def test_a_scan_is_of_the_earliest_time_that_is_told(tmp_path, name, taken):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    written = local(2026, 6, 1).timestamp()
    os.utime(path, (written, written))
    assert newest_scan(str(path)).taken == taken


def test_the_time_in_a_packed_scan_counts_and_zero_is_none(tmp_path):
    path = tmp_path / "scan.gz"
    path.write_bytes(gzip.compress(b"", mtime=1000))
    assert newest_scan(str(path)).taken.timestamp() == 1000
    path.write_bytes(gzip.compress(b"", mtime=0))
    assert newest_scan(str(path)).taken.timestamp() > time.time() - 60


def test_of_several_scans_the_newest_counts_and_other_things_do_not(tmp_path):
    for name in ("20260101_a", "20260301_b", "20260201_c"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "20260401_d").mkdir()
    os.mkfifo(tmp_path / "20260501_e")
    assert newest_scan(f"{tmp_path}/2026*").path.endswith("20260301_b")
    assert newest_scan(f"{tmp_path}/none*") is None


# --- The process ----------------------------------------------------------------------


async def test_what_is_read_apart_is_what_is_read(tmp_path):
    odd = tmp_path / os.fsdecode(b"odd\xff\n")
    odd.mkdir()
    (odd / "file").write_bytes(b"x" * 10)
    export([Task(str(tmp_path), 60.0)], str(tmp_path / "scan"))
    found = await read_apart(str(tmp_path / "scan"), Wanted((os.fsencode(odd),)), 60)
    assert found[os.fsencode(odd)].bytes == 10


async def test_a_scan_that_hangs_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_process.sys, "executable", str(slow_python(tmp_path)))
    began = time.monotonic()
    with pytest.raises(MeasureError, match="was not read in 1 seconds"):
        await read_apart(str(tmp_path / "scan"), Wanted(()), 1)
    assert time.monotonic() - began < 5
    marker = f"sleep 300.1{os.getpid()} "
    for _ in range(100):
        if not processes(marker):
            break
        time.sleep(0.05)
    assert not processes(marker)


def slow_python(tmp_path):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec sleep 300.1{os.getpid()}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("said", ["", "nonsense", '{"home": "/x"}', "[1]"])
async def test_a_process_that_dies_or_talks_nonsense_is_an_error(tmp_path, monkeypatch, said):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nread line\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(scan_process.sys, "executable", str(program))
    with pytest.raises(MeasureError, match="died"):
        await read_apart("/none", Wanted(()), 30)


async def test_what_is_wrong_with_a_scan_comes_through(tmp_path):
    with pytest.raises(ScanError, match="No such file"):
        await read_apart(str(tmp_path / "none"), Wanted((b"/home",)), 30)


def test_the_process_ends_with_its_parent(tmp_path):
    found = tmp_path.stat()
    lines = b"".join(make_line(b"/elsewhere/%d" % n, found) for n in range(10_000))
    # It would take minutes.
    (tmp_path / "scan").write_bytes(gzip.compress(lines) * 2000)
    process = subprocess.Popen(
        [sys.executable, "-m", scan_process.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    asked = {"path": f"{tmp_path}/scan", "homes": ["/home"], "skip": []}
    asked |= {"cross_mounts": False, "allocated": False}
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    process.stdin.flush()
    until(lambda: f"{tmp_path}/scan" in opened_by(process.pid))
    process.stdin.close()
    assert (process.wait(10), process.stdout.read()) == (0, b"")
    process.stdout.close()


def opened_by(pid):
    """The files that a process has open."""
    files = []
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            files.append(os.readlink(handle))
    return files
