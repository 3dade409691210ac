"""The monitor's look around in its cycle: what it leaves on the board, and that it fails none."""

import threading
from dataclasses import replace

import pytest

from jupyterhub_efs_quota.history.history import History
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.overview import survey as module
from jupyterhub_efs_quota.overview.survey import Survey, Unclaimed
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW, until
from .conftest import DAY


class Told(Recorder):
    """Notes the fills that it is told."""

    def __init__(self):
        self.fills = []

    def filled(self, fill):
        self.fills.append(fill)


@pytest.fixture
def told(rooms):
    return replace(rooms, history=Told())


@pytest.fixture
def history(tmp_path, clock):
    history = History(whole_url(f"sqlite:///{tmp_path}/h.sqlite"), tmp_path / "waiting", clock)
    history.start()
    yield history
    history.close()


async def test_each_cycle_remembers_the_fill_and_finds_the_homes_without_a_user(
    told, remeasure, listed, home_of, efs
):
    for name in ("homer", "gone@example.org"):
        home_of(name)
    listed("homer")
    await Monitor(told, remeasure).run_once()
    found = told.board.surroundings
    assert (found.time, found.place) == (NOW, efs / "users")
    assert found.unclaimed == [Unclaimed("gone-40example-2eorg")]
    assert told.history.fills == [found.fill]
    assert found.fill.used > 0


async def test_a_dry_run_remembers_nothing(told, remeasure, listed, home_of):
    home_of("homer")
    listed("homer")
    await Monitor(told, remeasure, dry_run=True).run_once()
    assert told.history.fills == [] and told.board.surroundings is None


async def test_of_who_is_gone_the_folder_the_name_and_the_last_size_are_known(
    rooms, history, listed, home_of
):
    home_of("gone@example.org")
    home_of("homer")
    record = Record("gone@example.org", actual_bytes=700, started=NOW - DAY, stopped=NOW - DAY)
    history.measured(record, Usage(bytes=700, files=1), NOW - DAY, NOW - DAY, by="Monitor")
    history.listed(["homer"])
    assert history.flush()
    rooms.board.saw(listed("homer"), None, by="Monitor")
    await Survey(replace(rooms, history=history)).look()
    assert rooms.board.surroundings.unclaimed == [
        Unclaimed("gone-40example-2eorg", "gone@example.org", 700, NOW - DAY)
    ]
    until(lambda: history.flush() and history.fills(NOW))


async def test_a_home_that_the_spawner_told_is_nobody_else_s(rooms, listed, efs):
    (efs / "users" / "elsewhere").mkdir()
    home = str(efs / "users" / "elsewhere")
    rooms.board.saw(listed("homer"), Record("homer", home=home), by="Monitor")
    await Survey(rooms).look()
    assert rooms.board.surroundings.unclaimed == []


async def test_the_service_s_own_folders_among_the_homes_are_nobody_s_home(rooms, listed, efs):
    root = efs / "users"
    for name in ("quotas", ".efs-quota-limbo"):
        (root / name).mkdir()
    rooms.settings.quota_control = str(root / "quotas")
    await Survey(rooms).look()
    assert rooms.board.surroundings.unclaimed == []


async def test_the_volume_is_that_of_the_folder_with_the_most_homes(rooms, listed, efs):
    # As where the volume is mounted below the home root.
    rooms.settings.home_path = "{home_root}/home/{username}"
    (efs / "users" / "home" / "homer").mkdir(parents=True)
    rooms.board.saw(listed("homer"), None, by="Monitor")
    await Survey(rooms).look()
    assert rooms.board.surroundings.place == efs / "users" / "home"
    assert rooms.board.surroundings.fill is not None


async def test_a_hostile_name_of_a_folder_is_harmless_on_the_board(rooms, efs):
    (efs / "users" / "a\u202e\n<b>").mkdir()
    await Survey(rooms).look()
    (found,) = rooms.board.surroundings.unclaimed
    assert found.folder == "a\\u202e\\n<b>"


async def test_a_store_that_hangs_keeps_the_cycle_for_a_time_and_fails_nothing(
    told, listed, home_of, remeasure, monkeypatch, log_lines
):
    hold = threading.Event()
    home_of("homer")
    listed("homer")
    monkeypatch.setattr(module, "LOOK_SECS", 0.1)
    monkeypatch.setattr(module, "read_fill", lambda place, now: hold.wait(60))
    plans = await Monitor(told, remeasure).run_once()
    hold.set()
    assert [plan.user.name for plan in plans] == ["homer"]
    assert told.store.read("homer").measured
    assert told.history.fills == []
    assert any("is not looked at" in said for _, said in log_lines.said("WARN"))


async def test_a_root_that_may_not_be_listed_leaves_the_fill(rooms, listed, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "find_unclaimed", refuse)
    await Survey(rooms).look()
    found = rooms.board.surroundings
    assert found.unclaimed is None and found.fill is not None
