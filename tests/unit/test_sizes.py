"""Sizes: read from settings, written in log lines and for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.sizes import (
    GIB,
    MOST,
    fixed_width_size,
    format_size,
    parse_size,
    typed_size,
)


@pytest.mark.parametrize(
    "size, shown",
    [
        (-1, "     -1"),
        (0, "      0"),
        (10, "     10"),
        (1024, "   1024"),
        (1025, "   1.0K"),
        (1024**2, "1024.0K"),
        (1024**2 + 1, "   1.0M"),
        (3_000_000, "   2.9M"),
        (10737418, "  10.2M"),
        (200 * GIB, " 200.0G"),
        (1024**5, "1024.0T"),
    ],
)
def test_the_seven_wide_table_is_the_predecessors(size, shown):
    assert fixed_width_size(size) == shown


@given(st.integers(-1, 1024**5))
def test_a_seven_wide_size_is_seven_wide(size):
    assert len(fixed_width_size(size)) == 7


@pytest.mark.parametrize(
    "size, shown",
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1280, "1.3 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**3 - 1024**2, "1023.0 MiB"),
        (3_000_000, "2.9 MiB"),
        (200 * GIB, "200.0 GiB"),
        (1536 * GIB, "1.5 TiB"),
        (1024**5, "1.0 PiB"),
    ],
)
def test_people_read_sizes_with_a_unit(size, shown):
    assert format_size(size) == shown


@given(st.integers(0, 1023 * 1024**5) | st.integers(10, 59).map(lambda n: 2**n - 1))
def test_a_size_is_never_as_many_of_a_unit_as_make_the_next_one(size):
    assert not format_size(size).startswith("1024.0")


@pytest.mark.parametrize(
    "written, size",
    [
        ("10Gi", 10 * GIB),
        ("10G", 10 * GIB),
        ("10 GiB", 10 * GIB),
        ("10gb", 10 * GIB),
        ("500M", 500 * 1024**2),
        ("1.5T", 1536 * GIB),
        ("2P", 2 * 1024**5),
        ("1K", 1024),
        ("0.1K", 102),
        ("4096", 4096),
        (" 7 ", 7),
        (4096, 4096),
        (0, 0),
    ],
)
def test_a_setting_may_give_a_size_with_a_unit(written, size):
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written",
    ["", "10X", "Gi", "-1", "1e3", "10 G i", "1,5G", "٣G", "inf", "nan", None, True, -1, 1.5, b"1"],
)
def test_a_typo_in_a_size_is_an_error_that_names_it(written):
    with pytest.raises(ValueError, match="is not a size") as error:
        parse_size(written)
    assert repr(written) in str(error.value)


def test_a_size_beyond_all_stores_is_an_error_and_no_record_that_cannot_be_read():
    with pytest.raises(ValueError, match="more than"):
        parse_size("9" * 40 + "P")
    with pytest.raises(ValueError, match="more than"):
        parse_size(10**400)


@given(st.integers(0, 2**60))
def test_a_number_of_bytes_is_taken_as_it_is(size):
    assert parse_size(size) == parse_size(str(size)) == size


@given(st.integers(0, MOST) | st.integers(0, 2**20).map(lambda size: size * 2**30 // 4))
def test_a_size_as_it_would_be_typed_is_read_as_just_that_size(size):
    assert parse_size(typed_size(size)) == size


@pytest.mark.parametrize(
    ("size", "typed"),
    [
        (0, "0"),
        (1023, "1023"),
        (20 * GIB, "20Gi"),
        (3 * GIB // 2, "1.5Gi"),
        (200 * 1024**2, "200Mi"),
    ],
)
def test_a_size_is_typed_shortly_where_that_is_exact(size, typed):
    assert typed_size(size) == typed
