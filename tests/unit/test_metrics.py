"""What Prometheus is told: every line can be read, sums are right, and no name slips out."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.directories import Directories
from jupyterhub_efs_quota.errors import (
    KINDS,
    BrokenFile,
    CannotCount,
    EFSQuotaError,
    HubUnreachable,
    LockHeld,
    MeasureError,
    SettingsError,
    kind_of,
)
from jupyterhub_efs_quota.homes import Homes, escape
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.loops.monitor import NAME as MONITOR
from jupyterhub_efs_quota.loops.monitor import Monitor
from jupyterhub_efs_quota.loops.reaper import NAME as REAPER
from jupyterhub_efs_quota.loops.reaper import Reaper
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.metrics.counted import Counted
from jupyterhub_efs_quota.metrics.dirsize import (
    FAMILIES,
    Dirsize,
    escaped,
    make_dirsize,
    pseudonym,
)
from jupyterhub_efs_quota.metrics.exposition import Exposition
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.summary import Summary
from jupyterhub_efs_quota.quota.usage import Usage
from jupyterhub_efs_quota.remeasure import Remeasure
from jupyterhub_efs_quota.settings import EFSQuota, resolve

from ..conftest import NOW, fill
from .strategies import ODD_NAMES, names, records, users
from .test_settings import config

PREFIX = "jupyterhub_efs_quota_"
KEY = b"k" * 32
MEASURED = {"actual_bytes": 100, "usage_files": 3, "started": NOW, "stopped": NOW}


class Shown:
    """A board and its counters, and the metrics of them."""

    def __init__(self, *, single=True, key=None, template="{home_root}/{escaped_username}"):
        self.counted, self.board, self.loops = Counted(), Board(), []
        homes = Homes("/efs/users", template)
        dirsize = Dirsize(Directories(homes), self.counted.trees, key) if single else None
        self.exposition = Exposition(
            self.counted, self.board, lambda: self.loops, lambda: ["one"], dirsize=dirsize
        )

    def saw(self, *records):
        for record in records:
            self.board.saw(HubUser(record.user), record, by="Reaper")

    def listed(self):
        self.board.keep_only([row.user.name for row in self.board.rows()])
        return self

    def samples(self):
        """All samples by name and labels, as Prometheus' own library for Python reads them."""
        found = {}
        for family in text_string_to_metric_families(self.exposition.render().decode()):
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in found, f"twice: {key}"
                found[key] = sample.value
        return found

    def value(self, name, **labels):
        return self.samples().get((name, tuple(sorted(labels.items()))))

    def directories(self, name="dirsize_total_size_bytes"):
        return {labels[0][1]: value for (of, labels), value in self.samples().items() if of == name}


@pytest.fixture
def shown():
    return Shown()


# --- Every line can be read --------------------------------------------------------------


@given(st.lists(records, max_size=8), st.sampled_from([None, KEY]))
def test_whatever_is_on_record_every_line_can_be_read_and_no_series_is_there_twice(some, key):
    shown = Shown(key=key)
    shown.saw(*some)
    samples = shown.listed().samples()
    people = {record.user: record for record in some}
    counted = [value for (name, _), value in samples.items() if name == f"{PREFIX}users"]
    assert sum(counted) == len(people)
    measured = [record for record in people.values() if record.measured]
    assert samples[f"{PREFIX}used_bytes", ()] == float(sum(r.actual_bytes for r in measured))


@given(st.sets(users, min_size=1, max_size=6))
def test_a_name_of_a_home_on_disk_comes_out_as_it_went_in(people):
    shown = Shown(template="{home_root}/{username}")
    shown.saw(*(Record(user, **MEASURED) for user in people))
    for row in shown.listed().board.rows():
        home = Directories(Homes("/efs/users", "{home_root}/{username}")).of(row)
        if home is not None:
            text = home.name.encode(errors="backslashreplace").decode()
            below = home.below_root.encode(errors="backslashreplace").decode()
            assert {text, below} & set(shown.directories())


@pytest.mark.parametrize("user", ODD_NAMES)
def test_an_odd_name_neither_forges_a_line_nor_hides_the_others(user):
    shown = Shown()
    shown.saw(Record(user, **MEASURED), Record("bob", **MEASURED))
    assert shown.listed().directories() == {escape(user): 100, "bob": 100}


@given(names)
def test_an_escaped_name_is_one_line(name):
    assert "\n" not in escaped(name)


# --- Names -------------------------------------------------------------------------------


def test_names_are_off_by_default():
    assert make_dirsize(EFSQuota(), Counted().trees) is None
    assert EFSQuota().metrics_port == 0


@given(st.lists(records.filter(lambda r: len(r.user) > 8), max_size=4))
def test_without_series_of_single_homes_no_name_is_shown(some):
    shown = Shown(single=False)
    shown.saw(*some)
    text = shown.listed().exposition.render().decode()
    assert "dirsize_" not in text
    for record in some:
        assert escaped(record.user) not in text


def test_a_pseudonym_hides_the_name_is_the_same_after_a_restart_and_another_with_another_key():
    seen = []
    for key in (KEY, KEY, b"another key of some length"):
        shown = Shown(key=key)
        shown.saw(Record("homer@stsci.edu", **MEASURED))
        text = shown.listed().exposition.render().decode()
        assert "homer" not in text and "stsci" not in text
        seen.append(tuple(shown.directories()))
    assert seen[0] == seen[1] != seen[2]
    assert seen[0] == (pseudonym(KEY, escape("homer@stsci.edu")),)


def test_homes_of_the_same_name_are_told_apart_by_their_path():
    shown = Shown(template="{home_root}/{username}/home")
    shown.saw(Record("alice", **MEASURED), Record("bob", **MEASURED))
    assert set(shown.listed().directories()) == {"alice/home", "bob/home"}


def test_a_home_that_two_users_share_is_there_once():
    def shared(user):
        return "/efs/users/team" if user in ("alice", "bob") else f"/efs/users/{user}"

    shown = Shown(template=shared)
    for user in ("alice", "bob", "carol"):
        shown.saw(Record(user, **MEASURED))
    assert shown.listed().directories() == {"team": 100, "carol": 100}


def test_a_home_that_the_spawner_told_has_its_own_name():
    shown = Shown()
    shown.saw(Record("alice", **MEASURED, home="/efs/users/moved/al"))
    shown.saw(Record("bob", **MEASURED, home="/etc/bob"))
    assert set(shown.listed().directories()) == {"al", "bob"}


def test_a_vanished_user_has_no_series_and_no_ages_any_more(shown):
    shown.saw(Record("alice", **MEASURED), Record("bob", **MEASURED))
    for user in ("alice", "bob"):
        shown.counted.measured(user, usage(summary=summary(oldest=5, newest=6)), 1)
    assert set(shown.listed().directories("dirsize_latest_mtime")) == {"alice", "bob"}
    shown.board.keep_only(["bob"])
    assert set(shown.directories()) == set(shown.directories("dirsize_oldest_mtime")) == {"bob"}
    assert shown.counted.trees.ages("alice") is None
    assert shown.counted.trees.dirs("alice") is None
    assert shown.value(f"{PREFIX}measured_users") == 1


def test_a_user_who_was_never_measured_has_no_series(shown):
    shown.saw(Record("alice"))
    assert shown.listed().directories() == {}


def test_every_series_of_a_home_has_its_value(shown):
    shown.saw(Record("alice", **MEASURED, quota_bytes=500), Record("eve", quota_enabled=False))
    shown.saw(Record("bob", actual_bytes=1, started=NOW, quota_enabled=False))
    shown.counted.measured("alice", usage(dirs=4, summary=summary(oldest=11, newest=22)), 1)
    values = {name: shown.listed().directories(name) for name in FAMILIES}
    assert values == {
        "dirsize_total_size_bytes": {"alice": 100, "bob": 1},
        "dirsize_hard_limit_bytes": {"alice": 500},
        "dirsize_entries_count": {"alice": 3 + 4},
        "dirsize_latest_mtime": {"alice": 22},
        "dirsize_oldest_mtime": {"alice": 11},
        "dirsize_last_updated_ns": {"alice": NOW.timestamp()},
    }


# --- The key -----------------------------------------------------------------------------


def test_pseudonyms_without_a_key_are_an_error_that_says_how_to_make_one():
    with pytest.raises(SettingsError, match="needs c.EFSQuota.metrics_key_file.*urandom"):
        resolve(config(user_metrics="pseudonyms"))


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_a_key_that_is_missing_or_can_be_guessed_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    settings = EFSQuota(user_metrics="pseudonyms", metrics_key_file=str(path))
    with pytest.raises(SettingsError, match=str(path)):
        make_dirsize(settings, Counted().trees)


def test_the_key_in_the_file_makes_the_pseudonyms(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    settings = EFSQuota(
        user_metrics="pseudonyms",
        metrics_key_file=str(tmp_path / "key"),
        home_root="/efs/users",
    )
    dirsize = make_dirsize(settings, Counted().trees)
    board = Board()
    board.saw(HubUser("alice"), Record("alice", **MEASURED), by="Reaper")
    assert f'"{pseudonym(KEY, "alice")}"' in dirsize.render(board.rows())


# --- Sums over users ---------------------------------------------------------------------


def test_there_are_no_sums_before_all_users_were_seen(shown):
    shown.saw(Record("alice", **MEASURED))
    names = {name for name, _ in shown.samples()}
    assert not {n for n in names if "users" in n or "used" in n or "dirsize" in n}
    assert f"{PREFIX}used_bytes" in {name for name, _ in shown.listed().samples()}


def test_users_are_counted_by_state(shown):
    shown.saw(*(Record(state.value, quota_state=state) for state in State))
    shown.saw(Record("exempt", quota_state=State.LOCKOUT, quota_enabled=False))
    shown.board.saw(HubUser("new"), None, by="Reaper")
    shown.listed()
    for state in [*(state.value for state in State), "no-quota", "unknown"]:
        assert shown.value(f"{PREFIX}users", state=state) == 1


def test_bytes_files_and_quotas_are_summed_up_where_they_are_known(shown):
    old = NOW - timedelta(days=3)
    shown.saw(
        Record("a", **MEASURED, quota_bytes=1000),
        Record("b", **{**MEASURED, "usage_files": None, "stopped": old}, quota_bytes=10),
        Record("c", quota_bytes=7),
        Record("d", **MEASURED, quota_bytes=5, quota_enabled=False),
    )
    shown.listed()
    assert shown.value(f"{PREFIX}used_bytes") == 300
    assert shown.value(f"{PREFIX}used_files") == 6
    assert shown.value(f"{PREFIX}quota_bytes") == 1017
    assert shown.value(f"{PREFIX}measured_users") == 3
    oldest = shown.value(f"{PREFIX}oldest_measurement_timestamp_seconds")
    assert oldest == old.timestamp()


async def test_broken_control_files_and_missing_homes_are_counted_while_they_last(
    rooms, store, write, home_of, listed
):
    for user in ("broken", "homeless"):
        listed(user)
    home_of("broken")
    write("broken")
    store.path("broken").write_text("quota_bytes: [")
    reaper = Reaper(rooms)
    shown = Exposition(rooms.counted, rooms.board, list, list)

    async def problems():
        await reaper.run_once()
        lines = shown.render().decode().splitlines()
        return {line for line in lines if "with_problem{" in line and not line.endswith(" 0.0")}

    assert await problems() == {
        f'{PREFIX}users_with_problem{{kind="broken-file"}} 1.0',
        f'{PREFIX}users_with_problem{{kind="home-missing"}} 1.0',
    }
    assert f'errors_total{{kind="broken-file",subsystem="{REAPER}"}} 1.0' in shown.render().decode()
    store.path("broken").unlink()
    home_of("homeless")
    assert await problems() == set()


# --- What happened -----------------------------------------------------------------------


def usage(**fields):
    return Usage(**{"bytes": 50, "allocated": 60, "files": 7, "dirs": 2, **fields})


def test_measurements_are_counted_by_how_they_ended_and_timed_by_what_measured(shown):
    shown.counted.measured("a", usage(), 2.0)
    shown.counted.measured("b", usage(timed_out=True), 3600.0)
    shown.counted.measured("c", usage(proven_over=True), 0.5)
    shown.counted.measured("d", usage(meter="cephfs"), 0.001)
    shown.counted.not_measured()
    for outcome, number in {"complete": 2, "timed-out": 1, "proven-over": 1, "failed": 1}.items():
        assert shown.value(f"{PREFIX}measurements_total", outcome=outcome) == number
    durations = f"{PREFIX}measurement_duration_seconds"
    assert shown.value(f"{durations}_count", meter="walk") == 3
    assert shown.value(f"{durations}_sum", meter="walk") == 3602.5
    assert shown.value(f"{durations}_bucket", meter="cephfs", le="0.01") == 1
    # A file system's own counter looks at no file.
    assert shown.value(f"{PREFIX}walked_files_total") == 21
    assert shown.value(f"{PREFIX}walked_bytes_total") == 150


def test_the_first_of_anything_is_a_rise_from_zero(shown):
    assert shown.value(f"{PREFIX}measurements_total", outcome="failed") == 0
    assert shown.value(f"{PREFIX}servers_stopped_total") == 0
    assert shown.value(f"{PREFIX}verifications_total", state="lockout") == 0


def summary(**ages):
    empty = {"folders": (), "types": {}, "ages_days": (), "modified": (), "accessed": ()}
    return Summary(now=1, **empty, largest=(), junk={}, junk_places=(), **ages)


def test_the_ages_of_files_are_those_of_the_last_whole_summary(shown):
    ages = shown.counted.trees.ages
    shown.counted.measured("a", usage(summary=summary(oldest=5, newest=9)), 1)
    assert ages("a") == (5, 9)
    shown.counted.measured("a", usage(), 1)
    cut = usage(summary=summary(oldest=7, newest=7), timed_out=True)
    shown.counted.measured("a", cut, 1)
    assert ages("a") == (5, 9), "a measurement that tells nothing has changed it"
    shown.counted.measured("a", usage(summary=summary()), 1)
    assert ages("a") is None, "an emptied home still has files"


def errors_of(package):
    found = [package]
    for sub in package.__subclasses__():
        found += errors_of(sub)
    return found


@pytest.mark.parametrize("error", [*errors_of(EFSQuotaError), OSError, KeyError, MemoryError])
def test_every_error_has_a_kind_that_is_known_beforehand(error):
    assert kind_of(error("what")) in KINDS


def test_errors_are_of_the_kind_of_their_nearest_class():
    assert kind_of(CannotCount("x")) == kind_of(MeasureError("x")) == "measure"
    assert kind_of(BrokenFile("x")) == "broken-file"
    assert kind_of(PermissionError("x")) == "os"
    assert kind_of(ZeroDivisionError("x")) == "other"


def test_that_somebody_else_measures_is_no_error(shown):
    shown.counted.error(MONITOR, LockHeld("by another"))
    assert not [name for name, _ in shown.samples() if name == f"{PREFIX}errors_total"]


async def test_cycles_are_counted_and_timed_and_the_last_success_stays_through_failures(shown):
    fails = False

    async def cycle():
        if fails:
            raise HubUnreachable("no answer")
        return 5

    counted = shown.counted.cycles_of(REAPER, cycle)
    assert await counted() == 5
    success = shown.value(f"{PREFIX}last_success_timestamp_seconds", loop=REAPER)
    assert success > NOW.timestamp() - 10**8
    fails = True
    with pytest.raises(HubUnreachable):
        await counted()
    assert shown.value(f"{PREFIX}last_success_timestamp_seconds", loop=REAPER) == success
    cycles = f"{PREFIX}cycles_total"
    assert shown.value(cycles, loop=REAPER, outcome="success") == 1
    assert shown.value(cycles, loop=REAPER, outcome="failure") == 1
    assert shown.value(f"{PREFIX}cycle_duration_seconds_count", loop=REAPER) == 1
    kind = {"subsystem": REAPER, "kind": "hub-unreachable"}
    assert shown.value(f"{PREFIX}errors_total", **kind) == 1


async def test_the_monitor_counts_what_it_measures_and_what_it_cannot(
    rooms, store, workers, home_of, listed
):
    home_of("alice", 123)
    listed("alice")
    listed("linked")
    outside = rooms.homes.home_root.parent / "outside"
    fill(outside, 5)
    (rooms.homes.home_root / "linked").symlink_to(outside)
    remeasure = Remeasure(
        rooms.settings, store, workers, rooms.offload, rooms.clock, counted=rooms.counted
    )
    await Monitor(rooms, remeasure).run_once()
    text = Exposition(rooms.counted, rooms.board, list, list).render().decode()
    assert f'{PREFIX}measurements_total{{outcome="complete"}} 1.0' in text
    assert f"{PREFIX}walked_bytes_total 123.0" in text
    assert f'{PREFIX}errors_total{{kind="home",subsystem="{MONITOR}"}} 1.0' in text
    assert f'{PREFIX}users_with_problem{{kind="home"}} 1.0' in text


async def test_a_measurement_that_brings_no_answer_is_counted(
    rooms, store, workers, write, home_of, monkeypatch
):
    async def dies(task: Task, tell=None):
        raise MeasureError("its worker died")

    home_of("alice")
    write("alice")
    monkeypatch.setattr(workers, "measure", dies)
    remeasure = Remeasure(
        rooms.settings, store, workers, rooms.offload, rooms.clock, counted=rooms.counted
    )
    with pytest.raises(MeasureError):
        await remeasure.measure("alice")
    text = Exposition(rooms.counted, rooms.board, list, list).render().decode()
    assert f'{PREFIX}measurements_total{{outcome="failed"}} 1.0' in text


async def test_the_reaper_counts_the_servers_that_it_stopped_and_no_others(
    rooms, write, home_of, listed, hub_users
):
    for user in ("over", "fine"):
        home_of(user)
        listed(user, servers=("", "gpu"))
        write(user, quota_bytes=10, quota_source="hand", actual_bytes=100 if user == "over" else 1)
    text = Exposition(rooms.counted, rooms.board, list, list).render
    await Reaper(rooms, dry_run=True).run_once()
    assert f"{PREFIX}servers_stopped_total 0.0" in text().decode()
    await Reaper(rooms).run_once()
    assert f"{PREFIX}servers_stopped_total 2.0" in text().decode()
    hub_users.stop_failure = OSError("no")
    await Reaper(rooms).run_once()
    assert f"{PREFIX}servers_stopped_total 2.0" in text().decode()


async def test_scrapes_that_come_at_once_are_answered_one_after_another(shown):
    import asyncio

    going_on, most = 0, 0
    render = shown.exposition.render

    def watched():
        nonlocal going_on, most
        going_on += 1
        most = max(most, going_on)
        text = render()
        going_on -= 1
        return text

    shown.exposition.render = watched
    texts = await asyncio.gather(*(shown.exposition.scrape() for _ in range(5)))
    assert len(texts) == 5 and most == 1


def test_the_version_and_the_number_of_troubles_are_shown(shown):
    assert shown.value(f"{PREFIX}troubles") == 1
    (build,) = [labels for name, labels in shown.samples() if name == f"{PREFIX}build_info"]
    assert dict(build)["version"]


@given(st.integers(-1, 2**63))
def test_a_size_is_shown_to_the_last_byte(size):
    shown = Shown()
    shown.saw(replace(Record("alice", **MEASURED), actual_bytes=size))
    text = shown.listed().exposition.render().decode()
    line = f'dirsize_total_size_bytes{{directory="alice"}} {json.dumps(size)}\n'
    assert (line in text) == (size >= 0)


def test_the_pace_of_the_walks_is_shown_once_the_store_has_answered(shown):
    from jupyterhub_efs_quota.measure.workers.brake import Brake
    from jupyterhub_efs_quota.measure.workers.governor import Governor

    governor = Governor(0, 3)
    pace = Exposition(shown.counted, shown.board, list, list, governor=lambda: governor)

    def lines():
        text = pace.render().decode()
        return {line for line in text.splitlines() if "store_" in line or "braking" in line}

    def samples():
        return {line.removeprefix(PREFIX) for line in lines() if not line.startswith("#")}

    assert samples() == {"brakings_total 0.0", "braking 0.0"}
    governor.brake = Brake(usual_secs=0.002, answers=9, now_secs=0.5, full_rate=9.0, limit=3.0)
    governor.brakings = 1
    assert samples() == {
        "brakings_total 1.0",
        "braking 1.0",
        "store_latency_seconds 0.5",
        "store_usual_latency_seconds 0.002",
    }


def test_what_becomes_of_the_history_is_counted_and_without_one_nothing_is_said(shown):
    from jupyterhub_efs_quota.history.recorder import Counts

    told = Exposition(
        shown.counted, shown.board, list, list, history=lambda: Counts(100, 20, lost=3, gaps=2)
    )
    lines = set(told.render().decode().splitlines())
    assert {
        f"{PREFIX}history_written_events_total 100.0",
        f"{PREFIX}history_waiting_events 20.0",
        f"{PREFIX}history_lost_events_total 3.0",
        f"{PREFIX}history_gaps_total 2.0",
    } <= lines
    assert not {name for name, _ in shown.samples() if "history" in name}
