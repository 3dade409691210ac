"""Forms that change quotas: what people write is understood, or said to be wrong where it is."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.sizes import GIB
from jupyterhub_efs_quota.users.form import read_many, read_wish
from jupyterhub_efs_quota.users.plan import How

from ..conftest import NOW

GOOD = {"size": "20Gi", "files": "", "until": "", "reason": "Thesis"}


@pytest.mark.parametrize(
    ("text", "files"),
    [("0", 0), ("200000", 200_000), ("200,000", 200_000), ("200\u202f000", 200_000)],
)
def test_numbers_of_files_are_read_as_people_write_them(text, files):
    wish, errors = read_wish({**GOOD, "files": text}, NOW)
    assert (wish.files, errors) == (files, {})


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2026-12-24", "2026-12-25T00:00:00+00:00"),
        ("2026-12-24 18:00", "2026-12-24T18:00:00+00:00"),
        ("2026-12-24T18:00:00+02:00", "2026-12-24T16:00:00+00:00"),
        ("+30d", (NOW + timedelta(days=30)).isoformat()),
    ],
)
def test_an_end_is_read_in_utc_and_a_day_means_its_end(text, until):
    wish, errors = read_wish({**GOOD, "until": text}, NOW)
    assert (wish.until.isoformat(), errors) == (until, {})
    assert wish.until.tzinfo is timezone.utc or not wish.until.utcoffset()


def test_empty_fields_leave_things_as_they_are():
    wish, errors = read_wish({**GOOD, "size": "", "files": "5"}, NOW)
    assert (wish.bytes, wish.files, wish.until, errors) == (None, 5, None, {})


def test_all_mistakes_are_said_at_once():
    _, errors = read_wish({"size": "x", "files": "y", "until": "z", "reason": ""}, NOW)
    assert set(errors) == {"size", "files", "until", "reason"}


@given(
    st.dictionaries(
        st.sampled_from(["size", "files", "percent", "until", "reason", "how"]), st.text()
    )
)
def test_whatever_is_written_is_understood_or_said_to_be_wrong(texts):
    for read in (read_wish, read_many):
        wished, errors = read(texts, NOW)
        assert all(said.strip() for said in errors.values())
        if not errors:
            wish = getattr(wished, "wish", wished)
            assert wish.reason and (wish.until is None or wish.until > NOW)


@pytest.mark.parametrize(
    ("text", "percent"), [("10", 10), ("+10", 10), ("10 %", 10), ("-10%", -10), ("\u221210", -10)]
)
def test_a_percentage_is_read_as_people_write_it(text, percent):
    many, errors = read_many({"how": "add", "percent": text, "reason": "x"}, NOW)
    assert (many.how, many.percent, errors) == (How.ADD, percent, {})


def test_fields_that_are_not_about_the_chosen_change_are_not_looked_at():
    many, errors = read_many({"how": "reset", "size": "x", "until": "y", "reason": "z"}, NOW)
    assert (many.how, many.wish.until, errors) == (How.RESET, None, {})
    many, errors = read_many({"how": "set", "size": "1Gi", "percent": "x", "reason": "z"}, NOW)
    assert (many.wish.bytes, errors) == (GIB, {})
