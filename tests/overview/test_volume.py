"""The volume: as df has it, foretold, and nothing hangs because it does."""

import os
import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

from jupyterhub_efs_quota.errors import StoreError
from jupyterhub_efs_quota.history.events import Fill
from jupyterhub_efs_quota.overview import volume as module
from jupyterhub_efs_quota.overview.volume import Gauge, read_fill, volume
from jupyterhub_efs_quota.quota.forecast import Outlook
from jupyterhub_efs_quota.quota.sizes import GIB

from ..conftest import NOW, as_root, fill
from .conftest import DAY


@as_root
def test_a_fill_is_what_the_file_system_says(tmp_path, tmpfs):
    disk = tmpfs(tmp_path / "disk", "1m")
    (disk / "data").write_bytes(b"x" * 256 * 1024)
    found = read_fill(disk, NOW)
    assert found.used == 256 * 1024
    assert found.used + found.free == 1024 * 1024
    assert found.files_used == 2  # with the root


def test_a_folder_that_is_missing_is_an_error_that_says_so(tmp_path):
    with pytest.raises(StoreError, match="nowhere cannot be asked: No such file"):
        read_fill(tmp_path / "nowhere", NOW)


def statvfs(**fields):
    given = {"f_frsize": 1024, "f_bsize": 4096, "f_files": 0, "f_ffree": 0, "f_favail": 0, **fields}
    return lambda place: SimpleNamespace(**given)


def test_amazon_efs_has_no_fixed_size_and_no_share_of_it(tmp_path, monkeypatch):
    # As an EFS mount says it: 8 EiB less a bit, in blocks of 1 MiB.
    blocks = 2**43 - 1
    monkeypatch.setattr(
        os,
        "statvfs",
        statvfs(f_frsize=2**20, f_blocks=blocks, f_bfree=blocks - 3, f_bavail=blocks - 3),
    )
    found = volume(read_fill(tmp_path, NOW), [], NOW)
    assert (found.used, found.total, found.fraction) == (3 * 2**20, None, None)
    assert found.files_fraction is None


def test_what_is_kept_for_root_is_neither_used_nor_to_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "statvfs", statvfs(f_blocks=100, f_bfree=20, f_bavail=15))
    found = read_fill(tmp_path, NOW)
    assert (found.used, found.free) == (80 * 1024, 15 * 1024)
    assert volume(found, [], NOW).fraction == pytest.approx(80 / 95)


def test_numbers_that_no_database_takes_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(
        os, "statvfs", statvfs(f_frsize=2**20, f_blocks=2**60, f_bfree=0, f_bavail=2**60)
    )
    found = read_fill(tmp_path, NOW)
    assert found.used == found.free == 2**63 - 1


def grown(days, a_day=GIB, total=100 * GIB):
    """Fills of so many days up to now."""
    return [
        Fill(NOW - day * DAY, 50 * GIB - day * a_day, total - 50 * GIB + day * a_day)
        for day in range(days, -1, -1)
    ]


def test_a_volume_that_grows_evenly_is_foretold_to_the_day():
    *past, now = grown(30)
    found = volume(now, past, NOW)
    assert found.forecast.outlook is Outlook.FULL
    assert abs(found.forecast.when - (NOW + 50 * DAY)) < timedelta(hours=1)
    assert found.forecast.a_day == pytest.approx(GIB)


def test_a_store_without_an_end_grows_and_is_never_full():
    *past, now = grown(30, total=2**62)
    found = volume(now, past, NOW)
    assert found.total is None
    assert found.forecast.when is None and found.forecast.a_day == pytest.approx(GIB)


def test_of_one_look_nothing_is_foretold():
    assert volume(grown(0)[0], [], NOW).forecast.outlook is Outlook.UNKNOWN


def test_a_volume_of_nothing_is_no_division_by_zero():
    assert volume(Fill(NOW, 0, 0, 0, 0), [], NOW).fraction == 0


async def test_a_mount_that_hangs_keeps_a_page_waiting_for_a_moment_only(tmp_path, monkeypatch):
    hold = threading.Event()
    monkeypatch.setattr(module, "_ANSWER_SECS", 0.05)
    monkeypatch.setattr("jupyterhub_efs_quota.offload.PATIENCE_SECS", 0.05)
    monkeypatch.setattr(module, "read_fill", lambda place, now: hold.wait(60))
    gauge = Gauge(lambda: NOW)
    began = time.monotonic()
    for _ in range(4):
        with pytest.raises(StoreError, match="did not answer|do not answer"):
            await gauge.read(tmp_path)
    assert time.monotonic() - began < 30
    hold.set()


async def test_a_page_is_told_the_fill_of_now(tmp_path):
    fill(tmp_path / "homer", 5)
    assert (await Gauge(lambda: NOW).read(tmp_path)).used > 0
