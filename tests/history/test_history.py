"""What is told is on record, and what is asked is answered, in SQLite and in PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.errors import HistoryError, SettingsError
from jupyterhub_efs_quota.history.events import Action, Run
from jupyterhub_efs_quota.history.place import file_system, of_the_network, whole_url
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.history import packing
from jupyterhub_efs_quota.quota.summary import Folder, LargeFile, Summary, Sums
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW, run_python, until
from .conftest import a_record, measure

DAY = timedelta(days=1)
SOON = NOW + timedelta(microseconds=1)


def told(history):
    assert history.flush(), history.trouble
    return history


def test_a_measurement_is_on_record_with_all_its_figures(history):
    usage = Usage(
        bytes=100, allocated=512, files=3, dirs=2, unreadable=5, vanished=1, timed_out=True
    )
    record = a_record(size=400, quota=1000, quota_files=9)
    history.measured(record, usage, NOW, NOW + timedelta(seconds=1.5), by="Monitor")
    (point,) = told(history).series("homer", NOW, SOON)
    assert (point.started, point.secs, point.counted) == (NOW, 1.5, 400)
    assert (point.bytes, point.allocated, point.files, point.dirs) == (100, 512, 3, 2)
    assert (point.unreadable, point.complete, point.timed_out) == (4, False, True)
    assert (point.quota_bytes, point.quota_files) == (1000, 9)


def test_a_series_is_of_one_user_in_order_and_without_its_end(history):
    for day in (2, 0, 1, 3):
        measure(history, NOW + day * DAY, size=day)
    measure(history, NOW + DAY, user="marge", size=77)
    points = told(history).series("homer", NOW, NOW + 3 * DAY)
    assert [point.counted for point in points] == [0, 1, 2]


def test_a_long_series_is_thinned_to_the_last_of_each_part(history):
    for hour in range(100):
        measure(history, NOW + hour * DAY / 24, size=hour)
    points = told(history).series("homer", NOW, NOW + 100 * DAY / 24, 10)
    assert [point.counted for point in points] == [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]


def test_the_table_knows_the_growth_of_30_days(history):
    for day in range(0, 61, 2):
        measure(history, NOW + day * DAY, size=day * 10)
    measure(history, NOW + 60 * DAY, user="marge", size=5)
    row = told(history).latest("homer")
    assert (row.counted, row.month_growth) == (600, 300)
    # Since the first measurement, where that is younger.
    assert history.latest("marge").month_growth == 0
    page = history.table(sort="month_growth", descending=True)
    assert [row.user for row in page.rows] == ["homer", "marge"]


def test_a_number_that_no_column_takes_loses_no_measurement_and_no_growth(history):
    # A hand may have written it into the control file.
    measure(history, NOW, size=100)
    measure(history, NOW + DAY, size=2**79)
    row = told(history).latest("homer")
    assert (row.measured, row.counted) == (NOW + DAY, 2**63 - 1)
    assert row.month_growth == 2**63 - 1 - 100


def test_an_older_measurement_that_comes_late_changes_no_row_of_the_table(history):
    measure(history, NOW + DAY, size=500)
    told(history)
    measure(history, NOW, size=100)
    row = told(history).latest("homer")
    assert (row.measured, row.counted) == (NOW + DAY, 500)
    assert len(history.series("homer", NOW, NOW + 2 * DAY)) == 2


@pytest.fixture
def table(history):
    for number, (name, size) in enumerate(
        [("homer", 500), ("Marge", 900), ("bart%", 100), ("lisa", 300)]
    ):
        state = State.LOCKOUT if size > 400 else State.OK
        measure(history, NOW, user=name, size=size, state=state, quota=1000 * (number + 1))
    history.judged(a_record("maggie", size=-1, quota=50), by="Monitor")
    return told(history).table


def names(page):
    return [row.user for row in page.rows]


def test_the_table_is_sorted_both_ways_and_paged(table):
    assert names(table(sort="usage", descending=True)) == [
        "Marge", "homer", "lisa", "bart%", "maggie",
    ]  # fmt: skip
    page = table(sort="usage", offset=1, limit=2)
    assert (names(page), page.total) == (["bart%", "lisa"], 5)
    assert names(table(sort="share", descending=True))[0] == "homer"


@pytest.mark.parametrize("descending", [False, True])
def test_who_was_never_measured_comes_last_whatever_the_order(table, descending):
    assert names(table(sort="month_growth", descending=descending))[-1] == "maggie"


def test_the_table_is_searched_by_part_of_a_name_state_and_names(table):
    assert names(table(search="MAR")) == ["Marge"]
    assert names(table(search="%")) == ["bart%"]
    assert names(table(state="lockout", sort="usage")) == ["homer", "Marge"]
    assert names(table(names={"lisa", "homer", "nobody"})) == ["homer", "lisa"]
    assert names(table(names=set())) == []


def test_who_the_hub_has_no_more_leaves_the_table_and_may_come_back(history, table):
    history.listed({"homer", "lisa"})
    told(history)
    assert names(table()) == ["homer", "lisa"]
    assert set(names(table(gone=True))) == {"Marge", "bart%", "maggie"}
    history.listed({"homer", "bart%"})
    told(history)
    assert names(table()) == ["bart%", "homer"]


def test_a_change_of_state_is_on_record_once_with_what_was_before(history, clock):
    history.judged(a_record(), by="Reaper")
    clock.forward(hours=1)
    locked = a_record(size=2000, state=State.LOCKOUT)
    for _ in range(3):
        history.judged(locked, by="Reaper")
        clock.forward(minutes=5)
    (change,) = told(history).state_changes(user="homer").rows
    assert (change.before, change.after, change.by) == ("ok", "lockout", "Reaper")
    assert (change.time, change.counted) == (NOW + timedelta(hours=1), 2000)


def test_who_is_locked_when_first_seen_has_changed_and_who_is_ok_has_not(history):
    history.judged(a_record("marge"), by="Reaper")
    history.judged(a_record(size=2000, state=State.LOCKOUT), by="Reaper")
    (change,) = told(history).state_changes().rows
    assert (change.user, change.before, change.after) == ("homer", None, "lockout")


def test_a_restart_repeats_no_change_and_finds_those_made_meanwhile(start, url, clock):
    first = start(url)
    first.judged(a_record(size=2000, state=State.LOCKOUT), by="Reaper")
    first.judged(a_record("marge"), by="Reaper")
    first.close()
    clock.forward(hours=1)
    second = start(url)
    second.judged(a_record(size=2000, state=State.LOCKOUT), by="Reaper")
    second.judged(a_record("marge", state=State.NEARING_LIMIT), by="Reaper")
    changes = told(second).state_changes().rows
    assert [(c.user, c.before, c.after) for c in changes] == [
        ("marge", "ok", "nearing-limit"),
        ("homer", None, "lockout"),
    ]


def test_two_services_that_see_one_change_put_it_on_record_once(start, url, clock):
    both = [start(url), start(url)]
    for state in (State.OK, State.LOCKOUT):
        for history in both:
            history.judged(a_record(state=state), by="Reaper")
            told(history)
            clock.forward(seconds=1)
    assert both[0].state_changes().total == 1


def test_changes_that_two_services_see_at_once_are_on_record_once(start, url, clock):
    both = [start(url), start(url)]
    names = [f"user{number}" for number in range(50)]
    for turn in range(10):
        state = State.LOCKOUT if turn % 2 else State.OK
        for name in names:
            for history in both:
                history.judged(a_record(name, state=state), by="Reaper")
        for history in both:
            told(history)
        clock.forward(seconds=1)
    assert both[0].state_changes().total == 9 * 50


def test_a_quota_edited_by_hand_is_an_action_from_what_to_what(history, clock):
    history.judged(a_record(quota=1000, quota_source="default"), by="Reaper")
    clock.forward(minutes=5)
    history.judged(a_record(quota=5000, quota_source="hand"), by="Reaper")
    (action,) = told(history).actions(user="homer").rows
    assert (action.kind, action.by) == ("quota-changed", "an edit by hand")
    assert '"quota_bytes": 1000' in action.before
    assert '"quota_bytes": 5000' in action.after


def test_a_quota_from_other_settings_is_said_to_be_theirs(history, clock):
    history.judged(a_record(quota=1000, quota_source="default"), by="Monitor")
    clock.forward(minutes=5)
    history.judged(a_record(quota=5000, quota_source="group:lab"), by="Monitor")
    (action,) = told(history).actions().rows
    assert (action.by, action.reason) == ("the settings", "group:lab")


def test_a_quota_that_somebody_set_is_on_record_once_with_reason_and_end(history, clock):
    before, after = a_record(quota=1000), a_record(quota=5000, quota_source="hand")
    history.judged(before, by="Reaper")
    clock.forward(minutes=5)
    history.quota_changed(before, after, by="admin", reason="thesis", until=NOW + 90 * DAY)
    clock.forward(minutes=5)
    history.judged(replace(after, reaper_time=NOW), by="Reaper")
    (action,) = told(history).actions().rows
    assert (action.by, action.reason, action.until) == ("admin", "thesis", NOW + 90 * DAY)


def test_stops_and_refusals_are_actions_and_a_hasty_user_is_refused_once_a_minute(history, clock):
    history.stopped("homer", "gpu", "over", by="Reaper")
    for _ in range(20):
        history.refused("homer", "", "over", by="the spawn hook")
        clock.forward(seconds=6)
    history.acted(Action("job-switched-off", None, clock(), "admin", reason="a move"))
    told(history)
    assert history.actions(kind="spawn-refused").total == 2
    (stopped,) = history.actions(kind="server-stopped").rows
    assert (stopped.user, stopped.server, stopped.reason) == ("homer", "gpu", "over")
    assert history.actions(kind="job-switched-off").rows[0].user is None
    assert history.actions(user="homer").total == 3


def test_runs_are_found_by_job_host_and_outcome_the_newest_first(history):
    for hour in range(3):
        started = NOW + timedelta(hours=hour)
        outcome, error = ("failure", "HubError: down") if hour == 1 else ("success", None)
        history.ran(Run("monitor", "a", started, started + DAY, outcome, error, {"users": hour}))
    history.ran(Run("backup", "b", NOW, NOW))
    told(history)
    assert [run.counts["users"] for run in history.runs(name="monitor").rows] == [2, 1, 0]
    (failed,) = history.runs(outcome="failure").rows
    assert (failed.error, failed.completed - failed.started) == ("HubError: down", DAY)
    assert history.runs(host="b").rows == [Run("backup", "b", NOW, NOW)]
    assert history.runs(since=NOW + timedelta(hours=2)).total == 1
    assert history.job_names() == ["backup", "monitor"]


def a_summary(now):
    sums = Sums(10, 20, 1)
    folder = Folder("caf\udce9", sums, 1, 5)
    return Summary(now, (folder,), {".txt": sums}, (30,), (sums, sums), (sums, sums), (), {}, ())


def test_the_last_summary_of_each_week_is_kept_odd_names_and_all(history):
    # A Sunday, the Monday and the Sunday after it, and a day of the week after that.
    for day in (0, 1, 7, 10):
        measure(history, NOW + day * DAY, usage=Usage(bytes=1, summary=a_summary(day)))
    measure(history, NOW + 11 * DAY)
    told(history)
    assert history.summary("homer") == (NOW + 10 * DAY, a_summary(10))
    assert history.summary("homer", before=NOW + 10 * DAY) == (NOW + 7 * DAY, a_summary(7))
    assert history.summary("homer", before=NOW + 7 * DAY) == (NOW, a_summary(0))
    assert history.summary("homer", before=NOW) is None


def test_a_summary_of_the_longest_names_is_cut_to_its_heaviest_half_until_it_is_short():
    sums = Sums(10, 20, 1)
    name = "\udcff" * 250
    folders = tuple(Folder(f"{n:03}{name * 16}", sums, 1, 5) for n in range(300))
    largest = tuple(LargeFile(f"{n:03}{name * 16}", 1, 2, 3) for n in range(100))
    found = replace(a_summary(0), folders=folders, largest=largest)
    left = packing.unpack(packing.pack(found))
    assert left.folders == folders[: len(left.folders)] and len(left.folders) in range(10, 40)
    assert left.largest == largest[: len(left.largest)] and left.largest
    assert left.types == found.types
    usual = replace(found, folders=folders[:20], largest=largest[:20])
    assert packing.unpack(packing.pack(usual)) == usual


def test_the_summary_nearest_to_a_time_is_found(history):
    for day in (0, 7, 14, 21):
        measure(history, NOW + day * DAY, usage=Usage(bytes=1, summary=a_summary(day)))
    told(history)
    last = NOW + 21 * DAY

    def near(day, before=last):
        found = history.summary_near("homer", NOW + day * DAY, before)
        return found and (found[0] - NOW).days

    assert (near(13), near(11), near(10), near(-5), near(40)) == (14, 14, 7, 0, 14)
    assert history.summary_near("homer", NOW, last)[1] == a_summary(0)
    assert near(3, before=NOW) is None
    assert history.summary_near("nobody", NOW, last) is None


def test_the_last_good_record_is_given_back_whole(history):
    record = a_record(state=State.LOCKOUT, over_since=NOW, home="/h", extra={"note": [1, "é"]})
    history.judged(record, by="Reaper")
    assert told(history).record("homer") == record
    assert history.record("nobody") is None


def test_what_no_database_takes_as_it_is_is_put_into_words_and_numbers_it_takes(history):
    name, most = "a\0b\udcff\u20ac" + "x" * 5000, 2**63 - 1
    history.judged(a_record(name, size=10**30, quota=10**25), by="Reaper")
    history.ran(Run("job", "h", NOW, NOW, "failure", "caf\udce9\0"))
    history.refused("homer", "\0", "\udc80", by="hook")
    told(history)
    (row,) = [row for row in history.table().rows if row.user.startswith("a")]
    assert (row.counted, row.quota_bytes) == (most, most)
    assert row.user.startswith("a\\x00b\\udcff€xxx")
    assert history.runs().rows[0].error == "caf\\udce9\\x00"
    assert history.counts.lost == 0


def test_after_a_restart_the_records_of_all_who_are_left_come_back(start, url):
    first = start(url)
    for name in ("homer", "marge", "gone"):
        first.judged(a_record(name), by="Reaper")
    first.listed({"homer", "marge"})
    first.flush()
    first.close()
    remembered = []
    start(url, remembered=remembered.extend)
    until(lambda: remembered)
    assert sorted(record.user for record in remembered) == ["homer", "marge"]


def test_asking_before_the_database_is_there_is_an_error_that_says_so(start, tmp_path):
    history = start(f"sqlite:///{tmp_path}/nowhere/history.sqlite")
    with pytest.raises(HistoryError, match="is not open"):
        history.table()


def test_the_file_is_readable_by_the_service_alone(start, sqlite_url, tmp_path):
    measure(told(start(sqlite_url)), NOW)
    for path in tmp_path.glob("history.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "sqlite://", "sqlite:///:memory:", "nonsense"]
)
def test_a_url_of_another_kind_is_refused(url):
    with pytest.raises(SettingsError, match="history_url"):
        whole_url(url)


MOUNTS = r"""22 1 0:1 / / rw,relatime shared:1 - ext4 /dev/sda rw
30 22 0:2 / /efs rw - nfs4 server:/ rw
31 30 0:3 / /efs/a\040disk rw - xfs /dev/sdb rw
32 22 0:4 / /fuse rw - fuse.sshfs host: rw
"""


def test_the_file_system_of_a_path_is_that_of_the_deepest_mount(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    kinds = [file_system(path, mounts) for path in map(tmp_path.__class__, PATHS)]
    assert kinds == ["ext4", "nfs4", "xfs", "fuse.sshfs"]
    assert [of_the_network(kind) for kind in kinds] == [False, True, False, True]
    assert file_system(tmp_path, tmp_path / "none") is None


PATHS = ["/efsx/db", "/efs/db", "/efs/a disk/db", "/fuse/db"]


def test_a_database_on_a_network_file_system_is_warned_of_and_keeps_off_shared_memory(
    start, sqlite_url, tmp_path, monkeypatch, log_lines
):
    monkeypatch.setattr("jupyterhub_efs_quota.history.database.file_system", lambda path: "nfs4")
    history = start(sqlite_url)
    measure(history, NOW)
    assert told(history).latest("homer").counted == 100
    (warning,) = [message for _, message in log_lines.said("WARN")]
    assert "network file system (nfs4)" in warning
    assert not list(tmp_path.glob("*-shm"))


def test_the_hook_in_the_hub_loads_no_database():
    ran = run_python(
        "import sys, jupyterhub_efs_quota.hub.spawn, jupyterhub_efs_quota.configure\n"
        "import jupyterhub_efs_quota.settings\n"
        "ours = [m for m in sys.modules if m.startswith('jupyterhub_efs_quota.history')]\n"
        "print(sorted(ours))\n"
    )
    assert ran.stdout.split() == [
        "['jupyterhub_efs_quota.history',",
        "'jupyterhub_efs_quota.history.events',",
        "'jupyterhub_efs_quota.history.recorder']",
    ]


def test_where_nothing_is_kept_all_calls_are_taken(clock):
    nothing = Recorder()
    nothing.start()
    measure(nothing, NOW)
    nothing.judged(a_record(), by="x")
    nothing.quota_changed(a_record(), a_record(), by="x")
    nothing.stopped("u", "", "", by="x")
    nothing.refused("u", "", "", by="x")
    nothing.acted(Action("x", None, NOW, "x"))
    nothing.ran(Run("x", "h", NOW, NOW))
    nothing.listed({"u"})
    assert nothing.trouble is None
    nothing.close()
