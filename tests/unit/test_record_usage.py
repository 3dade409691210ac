"""What a measurement does to a record: never lowered by doubt, never raised without proof."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.judge import distrusted, judge, record_usage
from jupyterhub_efs_quota.quota.record import Record, State
from jupyterhub_efs_quota.quota.sizes import GIB
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW
from .strategies import records

counts = st.integers(0, 10**6)
usages = st.builds(
    lambda hidden, vanished, **others: Usage(
        unreadable=hidden + vanished, vanished=vanished, **others
    ),
    bytes=st.none() | counts,
    allocated=st.none() | counts,
    files=st.none() | counts,
    dirs=st.none() | counts,
    hidden=st.integers(0, 5),
    vanished=st.integers(0, 5),
    lost_dirs=st.integers(0, 2),
    changed=st.none() | st.floats(NOW.timestamp() - 9, NOW.timestamp() + 9),
    timed_out=st.booleans(),
    proven_over=st.booleans(),
)
small_records = st.builds(
    Record,
    st.just("homer"),
    quota_bytes=counts,
    actual_bytes=st.integers(-1, 10**6),
    usage_files=st.none() | counts,
    quota_files=st.none() | counts,
    unreadable=st.none() | st.integers(0, 5),
    lockout_enabled=st.booleans(),
    started=st.none() | st.just(NOW),
    stopped=st.none() | st.just(NOW),
)


def measured(record, usage, **options):
    return record_usage(record, usage, started=NOW, stopped=NOW, **options)


def knew(actual=1000, **fields):
    return Record("homer", quota_bytes=2000, actual_bytes=actual, usage_files=10, **fields)


def test_a_whole_measurement_is_what_the_record_says():
    usage = Usage(700, 4096, files=7, dirs=2, unreadable=3, vanished=1)
    record = measured(knew(unreadable=2), usage)
    assert record == replace(
        knew(),
        actual_bytes=700,
        usage_files=7,
        allocated_bytes=4096,
        unreadable=2,
        meter="walk",
        started=NOW,
        stopped=NOW,
    )


def test_the_allocated_size_counts_where_the_settings_say_so():
    usage = Usage(700, 4096, files=7, dirs=1)
    assert measured(knew(), usage, allocated=True).actual_bytes == 4096


def test_the_other_size_counts_where_a_meter_knows_only_that():
    assert measured(knew(), Usage(700, files=7), allocated=True).actual_bytes == 700


def doubtful(record, usage):
    """Whether a measurement may not lower a number, in the words of the specification."""
    partial = usage.timed_out or usage.proven_over or usage.bytes is None
    emptied = record.stopped is not None and (usage.changed or 0) > record.stopped.timestamp()
    empty = usage.files == 0 and (usage.dirs or 0) <= 1 and record.actual_bytes > 0 and not emptied
    kept_out = (
        not partial
        and usage.bytes < record.actual_bytes
        and (usage.unreadable - usage.vanished > (record.unreadable or 0) or usage.lost_dirs > 0)
    )
    return partial or empty or kept_out


@given(small_records, usages)
def test_a_measurement_is_distrusted_for_a_reason_or_trusted(record, usage):
    size = -1 if usage.bytes is None else usage.bytes
    reason = distrusted(record, usage, size)
    assert (reason is not None) is doubtful(record, usage)


@given(small_records, usages)
def test_doubt_never_lowers_a_number(record, usage):
    after = measured(record, usage)
    if doubtful(record, usage):
        assert after.actual_bytes >= record.actual_bytes
        assert (after.usage_files or 0) >= (record.usage_files or 0)


@given(small_records, usages)
def test_doubt_never_unlocks(record, usage):
    before = judge(record, NOW)
    after = judge(measured(before, usage), NOW)
    if before.quota_state is State.LOCKOUT and doubtful(before, usage):
        assert after.quota_state is State.LOCKOUT


@given(small_records, usages)
def test_a_measurement_that_is_not_whole_raises_a_number_only_by_proof(record, usage):
    after = measured(record, usage)
    if not usage.complete and after.actual_bytes > record.actual_bytes:
        assert after.over
        assert after.actual_bytes == usage.bytes


@given(small_records, usages)
def test_a_number_is_the_measured_one_or_the_old_one(record, usage):
    after = measured(record, usage)
    assert after.actual_bytes in (record.actual_bytes, usage.bytes)


@given(records, usages)
def test_a_measurement_changes_neither_the_limit_nor_who_it_is_about(record, usage):
    after = measured(record, usage)
    for name in ("user", "quota_bytes", "quota_files", "warn_fraction", "quota_source", "extra"):
        assert getattr(after, name) == getattr(record, name)
    assert (after.started, after.stopped, after.timed_out) == (NOW, NOW, usage.timed_out)


def test_a_time_out_keeps_the_old_number():
    record = measured(knew(), Usage(1500, files=3, timed_out=True))
    assert (record.actual_bytes, record.usage_files, record.timed_out) == (1000, 10, True)
    assert judge(record, NOW).quota_state is State.TIMED_OUT


def test_a_time_out_that_has_counted_over_the_quota_is_the_new_number():
    record = measured(knew(), Usage(2001, files=3, timed_out=True))
    assert record.actual_bytes == 2001
    assert judge(record, NOW).quota_state is State.LOCKOUT


def test_a_time_out_over_the_quota_does_not_lower_a_higher_number():
    record = measured(knew(5000), Usage(2001, files=3, timed_out=True))
    assert record.actual_bytes == 5000


def test_a_walk_that_stopped_early_does_not_lower_a_higher_number():
    record = measured(knew(5000), Usage(2001, files=3, proven_over=True))
    assert record.actual_bytes == 5000


def test_a_time_out_over_the_limit_on_files_is_proof_too():
    record = measured(knew(quota_files=20), Usage(5, files=21, timed_out=True))
    assert (record.actual_bytes, record.usage_files) == (1000, 21)
    assert judge(record, NOW).quota_state is State.LOCKOUT


def test_a_time_out_before_anything_was_known_leaves_it_unknown():
    record = measured(Record("homer"), Usage(5, files=1, timed_out=True))
    assert record.actual_bytes == -1


def test_a_time_out_that_brought_no_number_keeps_the_old_one():
    record = measured(knew(), Usage(timed_out=True, meter="du"))
    assert (record.actual_bytes, record.meter) == (1000, "du")


def test_the_flag_of_a_time_out_goes_with_the_next_whole_measurement():
    record = measured(knew(timed_out=True), Usage(900, files=9, dirs=1))
    assert record.timed_out is False


def test_an_empty_mount_point_does_not_say_that_a_home_is_empty():
    record = measured(knew(5000), Usage(0, 4096, files=0, dirs=1))
    assert record.actual_bytes == 5000
    assert judge(record, NOW).quota_state is State.LOCKOUT


def test_a_home_that_never_held_anything_may_be_empty():
    for actual in (-1, 0):
        assert measured(knew(actual), Usage(0, 0, files=0, dirs=1)).actual_bytes == 0


def test_a_home_with_an_empty_folder_left_is_not_an_empty_mount_point():
    assert measured(knew(5000), Usage(0, 0, files=0, dirs=2)).actual_bytes == 0


def test_hiding_a_folder_does_not_lower_the_number():
    record = measured(knew(5000), Usage(10, files=1, dirs=2, unreadable=1))
    assert record.actual_bytes == 5000


def test_what_was_hidden_before_may_stay_hidden_while_the_rest_shrinks():
    record = measured(knew(5000, unreadable=2), Usage(10, files=1, dirs=2, unreadable=2))
    assert record.actual_bytes == 10


def test_what_vanished_while_we_looked_is_not_hidden():
    record = measured(knew(5000), Usage(10, files=1, dirs=2, unreadable=9, vanished=9))
    assert record.actual_bytes == 10


def test_more_than_before_counts_though_something_was_hidden():
    record = measured(knew(1000), Usage(1500, files=11, dirs=2, unreadable=1))
    assert (record.actual_bytes, record.unreadable) == (1500, 1)


@pytest.mark.parametrize("actual, limit", [(2001, GIB), (5 * GIB + 1, 6 * GIB), (5 * GIB, 5 * GIB)])
def test_a_grandfathered_limit_is_the_next_gib(actual, limit):
    first = Record("homer", quota_bytes=2000, quota_source="default", configured_bytes=2000)
    record = measured(first, Usage(actual, files=1, dirs=1), grandfather=True)
    assert (record.quota_bytes, record.quota_source) == (limit, "grandfathered")
    assert judge(record, NOW).quota_state is not State.LOCKOUT


def test_nobody_is_grandfathered_twice():
    record = measured(knew(1000), Usage(5000, files=1, dirs=1), grandfather=True)
    assert record.quota_bytes == 2000


def test_nobody_is_grandfathered_who_is_under():
    first = Record("homer", quota_bytes=2000)
    record = measured(first, Usage(2000, files=1, dirs=1), grandfather=True)
    assert (record.quota_bytes, record.quota_source) == (2000, None)


def test_nobody_is_grandfathered_without_the_setting():
    first = Record("homer", quota_bytes=2000)
    assert measured(first, Usage(2001, files=1, dirs=1)).quota_bytes == 2000


def test_a_limit_set_by_hand_is_not_grandfathered_away():
    first = Record("homer", quota_bytes=2000, quota_source="hand")
    record = measured(first, Usage(5000, files=1, dirs=1), grandfather=True)
    assert (record.quota_bytes, record.quota_source) == (2000, "hand")
