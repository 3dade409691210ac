"""The record: its fields, its times, and what a loaded file may hold."""

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given

from jupyterhub_efs_quota.quota.record import (
    NULL_TIME,
    Record,
    State,
    format_time,
    from_mapping,
    parse_time,
    replace,
    to_mapping,
)

from . import predecessor
from .strategies import records, times


def test_a_new_record_has_the_predecessors_defaults_in_its_order():
    mapping = to_mapping(Record("homer"))
    assert mapping == predecessor.defaults("homer")
    assert list(mapping) == list(predecessor.defaults("homer"))


@given(records)
def test_a_record_comes_back_from_its_mapping(record):
    assert from_mapping(to_mapping(record)) == record


@given(records, records)
def test_a_record_is_replaced_as_dataclasses_do_it(record, other):
    names = ("quota_bytes", "quota_state", "over_since", "extra")
    changes = {name: getattr(other, name) for name in names}
    before = dataclasses.replace(record)
    found = replace(record, **changes)
    assert found == dataclasses.replace(record, **changes)
    assert type(found) is Record and record == before


def test_a_field_that_there_is_not_is_not_given_to_a_record():
    with pytest.raises(TypeError, match="quota_byte"):
        replace(Record("homer"), quota_byte=3)


def test_our_fields_stand_after_the_predecessors_and_only_when_known():
    mapping = to_mapping(Record("homer", usage_files=3, meter="walk", extra={"note": "x"}))
    assert list(mapping)[-4:] == ["timed_out", "usage_files", "meter", "note"]


def test_missing_keys_take_their_defaults():
    assert from_mapping({"user": "homer"}) == Record("homer")


def test_unknown_keys_are_kept():
    assert from_mapping({"user": "homer", "note": [1, {"a": 2}]}).extra == {"note": [1, {"a": 2}]}


def test_our_field_that_is_null_is_not_known():
    assert from_mapping({"user": "homer", "usage_files": None}).usage_files is None


WRONG = {
    "user": [None, 1.5, True, ["homer"], {}],
    "quota_bytes": [None, -1, "10Gi", 1.5, True, [], 10**400, float("inf")],
    "actual_bytes": [None, -2, "5", 0.5, False, 10**400],
    "fraction_used": [None, "much", float("nan"), float("inf"), True, 10**400],
    "warn_fraction": [None, -0.1, "0.9", float("nan"), True, [0.9], 10**400],
    "quota_enabled": [None, 0, 1, "yes", "true", []],
    "lockout_enabled": [None, 0, 1, "no", {}],
    "last_activity": [0, 1.5, True, "yesterday", "", "2022-13-01T00:00:00", [], "2022", b"x"],
    "reaper_time": [1, "never", {}],
    "active_at_reap": [None, -1, True, "0", 0.0],
    "started": [20220829, "2022-08-29 25:00", []],
    "stopped": [False, "Z", "9999-12-31T23:59:59-05:00"],
    "quota_state": [None, "OK", "locked", 1, [], True],
    "timed_out": [None, 0, "false"],
    "usage_files": [-1, "3", 1.0, True],
    "quota_files": [-1, "many", True],
    "allocated_bytes": [-1, "1K"],
    "unreadable": [-1, "none"],
    "meter": [1, True, []],
    "quota_source": [5, {}],
    "configured_bytes": [-1, "10Gi"],
    "configured_files": [-1, 0.5],
    "quota_until": [5, "Christmas", "2026-13-01T00:00:00"],
    "quota_reason": [5, True, ["why"]],
    "over_since": [5, "since"],
    "full_at": [5, "soon"],
    "full_in": [5, True, ["files"]],
    "home": [7, ["/home"]],
    **dict.fromkeys(
        ("rescue_began", "rescue_until", "rescue_started", "rescue_back"), [True, "soon", 5, []]
    ),
    **dict.fromkeys(("rescue_bytes", "rescue_files"), [-1, "5", True, 1.5]),
    **dict.fromkeys(("rescue_server", "rescue_ended"), [5, True, []]),
}


@pytest.mark.parametrize(
    "name, value",
    [
        pytest.param(name, value, id=f"{name}={value!r:.20}")
        for name, values in WRONG.items()
        for value in values
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        from_mapping({"user": "homer", name: value})


def test_every_field_of_a_record_has_a_wrong_value_among_these_tests():
    assert set(WRONG) == set(Record.__dataclass_fields__) - {"extra"}


def test_a_user_name_of_digits_may_stand_in_a_file_without_quotes():
    assert from_mapping({"user": 1234}).user == "1234"


UTC = timezone.utc


@pytest.mark.parametrize(
    "written, time",
    [
        ("2022-08-29T19:49:48.890087", datetime(2022, 8, 29, 19, 49, 48, 890087, UTC)),
        ("2022-08-29T19:49:48.890087Z", datetime(2022, 8, 29, 19, 49, 48, 890087, UTC)),
        ("2022-08-29T19:49:48.890087123Z", datetime(2022, 8, 29, 19, 49, 48, 890087, UTC)),
        ("2022-08-29T19:49:52.403Z", datetime(2022, 8, 29, 19, 49, 52, 403000, UTC)),
        ("2022-08-29T19:49:52.4z", datetime(2022, 8, 29, 19, 49, 52, 400000, UTC)),
        ("2022-08-29T19:49:48", datetime(2022, 8, 29, 19, 49, 48, 0, UTC)),
        ("2022-08-29T19:49:48+00:00", datetime(2022, 8, 29, 19, 49, 48, 0, UTC)),
        ("2022-08-29T21:49:48.5+02:00", datetime(2022, 8, 29, 19, 49, 48, 500000, UTC)),
        ("2022-08-29 19:49:48", datetime(2022, 8, 29, 19, 49, 48, 0, UTC)),
        (datetime(2022, 8, 29, 19, 49, 48), datetime(2022, 8, 29, 19, 49, 48, 0, UTC)),
        (NULL_TIME, None),
        ("0001-01-01T01:01:00", None),
        ("0001-01-01T01:01:00.000000Z", None),
        (None, None),
    ],
)
def test_times_of_the_hub_and_of_files_are_one_thing(written, time):
    assert parse_time(written) == time


@given(times)
def test_a_time_comes_back_from_its_text(time):
    assert parse_time(format_time(time)) == time


@given(times, times)
def test_times_compare_as_text_as_they_compare_as_times(one, other):
    null = datetime(1, 1, 1, tzinfo=UTC)
    assert (format_time(one) < format_time(other)) == ((one or null) < (other or null))


def test_a_time_is_written_in_utc_with_six_digits():
    east = timezone(timedelta(hours=2))
    assert format_time(datetime(2022, 8, 29, 21, 0, tzinfo=east)) == "2022-08-29T19:00:00.000000"


@pytest.mark.parametrize(
    "fields, measured",
    [
        ({}, False),
        ({"actual_bytes": 5}, False),
        ({"started": datetime(2022, 1, 1, tzinfo=UTC)}, False),
        ({"actual_bytes": 0, "started": datetime(2022, 1, 1, tzinfo=UTC)}, True),
    ],
)
def test_a_home_is_measured_when_it_has_both_a_number_and_a_start(fields, measured):
    assert Record("homer", **fields).measured is measured


@pytest.mark.parametrize(
    "fields, over",
    [
        ({"quota_bytes": 100, "actual_bytes": 100}, False),
        ({"quota_bytes": 100, "actual_bytes": 101}, True),
        ({"quota_bytes": 0, "actual_bytes": 0}, False),
        ({"quota_bytes": 0, "actual_bytes": 1}, True),
        ({"quota_files": 5, "usage_files": 5}, False),
        ({"quota_files": 5, "usage_files": 6}, True),
        ({"quota_files": 0, "usage_files": 6}, False),
        ({"quota_files": 5}, False),
    ],
)
def test_over_is_strictly_over_in_bytes_or_in_files(fields, over):
    assert Record("homer", **fields).over is over


def test_the_states_are_spelled_as_in_the_files_that_sites_have():
    assert [state.value for state in State] == [
        "ok",
        "nearing-limit",
        "violation",
        "lockout",
        "timed-out",
    ]
