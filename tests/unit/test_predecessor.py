"""Control files go both ways between the predecessor and us."""

import os

import pytest
import yaml
from hypothesis import given

from jupyterhub_efs_quota.control.store import read_record
from jupyterhub_efs_quota.control.text import dump, load
from jupyterhub_efs_quota.homes import escape
from jupyterhub_efs_quota.quota.judge import judge
from jupyterhub_efs_quota.quota.record import Record, State, parse_time, to_mapping

from ..conftest import NOW
from . import predecessor
from .strategies import records

EXAMPLE = """\
active_at_reap: 0
actual_bytes: 1763939
fraction_used: 0.0821398123832005
last_activity: '2022-08-29T19:49:48.890087'
lockout_enabled: true
quota_bytes: 21474836
quota_enabled: true
quota_state: ok
reaper_time: '2022-09-07T20:29:57.483469'
started: '2022-08-29T19:56:17.359858'
stopped: '2022-08-29T19:56:17.458149'
timed_out: false
user: homer@stsci.edu
warn_fraction: 0.9
"""


def test_its_example_loads():
    record = load(EXAMPLE, "here")
    assert record == Record(
        "homer@stsci.edu",
        quota_bytes=21474836,
        actual_bytes=1763939,
        fraction_used=0.0821398123832005,
        last_activity=parse_time("2022-08-29T19:49:48.890087"),
        reaper_time=parse_time("2022-09-07T20:29:57.483469"),
        started=parse_time("2022-08-29T19:56:17.359858"),
        stopped=parse_time("2022-08-29T19:56:17.458149"),
    )


def test_its_example_comes_back_word_for_word():
    assert dump(load(EXAMPLE, "here")) == EXAMPLE


def test_a_new_file_of_ours_has_the_form_of_a_new_file_of_its():
    assert dump(Record("homer")) == yaml.dump(predecessor.defaults("homer"))
    assert "last_activity: 0001-01-01T01:01\n" in dump(Record("homer"))


@pytest.mark.parametrize("cut", range(14))
def test_its_example_without_any_one_line_loads_or_is_told_to_be_cut(cut):
    lines = EXAMPLE.splitlines(keepends=True)
    record = load("".join(lines[:cut] + lines[cut + 1 :]), "here")
    name = lines[cut].partition(":")[0]
    default = getattr(Record(""), name)
    assert getattr(record, name) == default


@given(records)
def test_it_reads_and_judges_every_file_that_we_write(tmp_path, record):
    path = tmp_path / "quota.yaml"
    path.write_text(dump(record))
    theirs = predecessor.load(path, record.user)
    predecessor.check(theirs)
    assert theirs == {**predecessor.defaults(record.user), **to_mapping(record)}


@given(records)
def test_what_it_writes_back_is_ours_with_all_our_fields(tmp_path, record):
    path = tmp_path / "quota.yaml"
    path.write_text(dump(record))
    theirs = predecessor.load(path, record.user)
    theirs["reaper_time"] = "2026-11-22T12:00:00.000000"
    predecessor.save(path, theirs)
    assert to_mapping(read_record(path)) == {
        **to_mapping(record),
        "reaper_time": "2026-11-22T12:00:00.000000",
    }


@given(records.filter(lambda record: record.quota_bytes > 0 and record.actual_bytes >= 0))
def test_both_judge_bytes_alike(record):
    from dataclasses import replace

    record = replace(record, quota_files=None, usage_files=None)
    theirs = to_mapping(record)
    predecessor.evaluate(theirs)
    ours = judge(record, NOW)
    assert ours.quota_state is State(theirs["quota_state"])
    assert ours.fraction_used == theirs["fraction_used"]


@pytest.mark.parametrize(
    "last_activity, stopped", [(None, None), (None, NOW), (NOW, None), (NOW, NOW)]
)
def test_it_compares_our_times_as_text_without_a_fault(tmp_path, last_activity, stopped):
    path = tmp_path / "quota.yaml"
    record = Record("homer", actual_bytes=1, started=NOW, last_activity=last_activity)
    path.write_text(dump(record))
    theirs = predecessor.load(path, "homer")
    assert predecessor.due(theirs) is (last_activity is not None)


def test_names_of_folders_are_the_ones_that_sites_have():
    for user in ("homer@stsci.edu", "marge-b_simpson.jr@x.org", "Bart", "l1s4", "--", "__"):
        folder = user
        for sign, code in (("-", "-2d"), ("@", "-40"), (".", "-2e"), ("_", "-5f")):
            folder = folder.replace(sign, code)
        assert escape(user) == folder


def test_its_lock_of_a_user_is_our_lock_of_that_user(store, write):
    write("homer@stsci.edu")
    assert sorted(os.listdir(store.root)) == ["homer-40stsci-2eedu"]
    assert sorted(os.listdir(store.root / "homer-40stsci-2eedu")) == ["quota.lock", "quota.yaml"]
