"""A record as the text of quota.yaml: PyYAML's answers, faster, and nothing worse for any text."""

import random

import pytest
import yaml
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jupyterhub_efs_quota.control.text import dump, load
from jupyterhub_efs_quota.errors import BrokenFile
from jupyterhub_efs_quota.quota.record import Record, State, from_mapping, to_mapping

from ..conftest import NOW
from .strategies import any_text, records, yaml_words

WHOLE = Record(
    "homer@stsci.edu",
    quota_bytes=21474836,
    actual_bytes=176393900,
    fraction_used=8.21398123832005,
    lockout_enabled=True,
    last_activity=NOW,
    reaper_time=NOW,
    active_at_reap=1,
    started=NOW,
    stopped=NOW,
    quota_state=State.LOCKOUT,
    usage_files=12,
    meter="walk",
    quota_source="hand",
    over_since=NOW,
    extra={"note": "hand-made", "zz": 1},
)


@given(records)
@example(WHOLE)
@example(Record("homer", fraction_used=1.3969838619232178e-05))
@example(Record("y", extra={"n": "off", "on": "y", "_": "-"}))
def test_our_text_is_the_text_that_pyyaml_writes(record):
    assert dump(record) == yaml.safe_dump(to_mapping(record), default_flow_style=False)


@given(records)
@example(WHOLE)
def test_our_text_loads_as_the_same_record_here_and_in_pyyaml(record):
    text = dump(record)
    assert load(text, "here") == record
    assert from_mapping(yaml.safe_load(text)) == record


_values = st.sampled_from(
    "true false True 0 -0 1 -1 007 1_000 0x1F 0o7 1.5 -0.25 1e5 1.5e-05 1.5e+300 1.0e+999 .5 5. y n "
    "yes No null ~ a a.b a-b homer@x.org 'a' '' 'it''s' 'true' '1' ' a  b ' 'a\tb' 'a\u2028b' "
    "'a\x85b' 'a\rb' 'a\x07b' 'a\\b' 'ü' \"a\" \"\\n\" 2022-08-29 2022-08-29T19:49:48.890087 "
    "'2022-08-29T19:49:48.890087' 0001-01-01T01:01 0001-01-01T01:01:00 12:30 a: b:c #x a#b a,b [] "
    "{} [1,2] *a &a - -a ? ! % @ `x | > 'a 1: <<".split(" ")
)
_keys = st.sampled_from(
    [
        "user",
        "quota_bytes",
        "timed_out",
        "y",
        "n",
        "on",
        "null",
        "_",
        "a_b",
        "A",
        "9",
        "é",
        "x" * 1100,
    ]
)
_canonical_like = st.lists(
    st.builds("{}: {}\n".format, _keys, _values | any_text | yaml_words), min_size=1, max_size=4
).map("".join)


@hypothesis_settings(max_examples=120)
@given(_canonical_like)
def test_our_reader_takes_no_text_for_anything_else_than_pyyaml_does(text):
    try:
        loaded = yaml.safe_load(text)
        assert all(isinstance(key, str) for key in loaded)
        expected = from_mapping(loaded)
    except Exception:
        with pytest.raises(BrokenFile):
            load(text, "here")
    else:
        # By their looks, since NaN is never equal to itself.
        assert repr(load(text, "here")) == repr(expected)


def expect_refused_or_harmless(text, whole):
    """A cut file is refused; at most the very last fields may be missing from one that loads."""
    try:
        record = load(text, "here")
    except BrokenFile:
        return
    assert record.quota_state == whole.quota_state
    for name in ("user", "quota_bytes", "actual_bytes", "quota_enabled", "lockout_enabled"):
        assert getattr(record, name) == getattr(whole, name), text


def test_a_file_cut_at_any_byte_unlocks_nobody():
    record = WHOLE
    text = dump(record)
    assert load(text, "here") == record
    for end in range(len(text)):
        expect_refused_or_harmless(text[:end], record)


def test_a_file_whose_start_is_lost_is_refused_or_says_the_same():
    text = dump(Record("homer", quota_state=State.LOCKOUT, actual_bytes=5, quota_bytes=1))
    broken = 0
    for start in range(1, len(text)):
        try:
            record = load(text[start:], "here")
        except BrokenFile:
            broken += 1
        else:
            assert record.user in ("homer", "")
    assert broken > 0


def test_the_reason_says_that_a_file_is_cut_off():
    with pytest.raises(BrokenFile, match="seems to be cut off"):
        load(dump(WHOLE)[: dump(WHOLE).index("over_since")], "quota.yaml")


def test_a_file_in_a_block_of_zeros_is_empty():
    with pytest.raises(BrokenFile, match="is empty"):
        load("\0" * 400, "quota.yaml")


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "is empty"),
        ("\n \t\n", "is empty"),
        ("# nothing here\n", "not a NoneType"),
        ("user: [homer\n", "is not YAML"),
        ("user: homer: simpson\n", "is not YAML"),
        ("\tuser: homer\n", "is not YAML"),
        ("user: 'homer\n", "is not YAML"),
        ("user: \x07\n", "is not YAML"),
        ("- user\n- homer\n", "not a list"),
        ("just a sentence\n", "not a str"),
        ("42\n", "not a int"),
        ("null\n", "not a NoneType"),
        ("--- a\n--- b\n", "is not YAML"),
        ("1: 2\n", "a key that is no text"),
        ("? [1, 2]\n: 3\n", "is not YAML"),
        ("2022-01-01: 3\n", "a key that is no text"),
        ("user: !!python/object:os.system {}\n", "is not YAML"),
        ("!!python/object/apply:os.system ['touch /tmp/never']\n", "is not YAML"),
        ("user: !!python/name:os.system ''\n", "is not YAML"),
        ("note: !!timestamp soon\n", "is not YAML"),
        ("note: !!bool maybe\n", "is not YAML"),
        ("note: !!int ''\n", "is not YAML"),
        ("note: !!float ''\n", "is not YAML"),
        ("note: 2022-99-99\n", "is not YAML"),
        ("note: *nobody\n", "is not YAML"),
        ("[" * 1000 + "\n", "is not YAML"),
        ("quota_bytes: " + "9" * 5000 + "\n", "is not YAML"),
        ("quota_bytes: " + "9" * 400 + "\n", "quota_bytes: must be a whole number"),
        ("warn_fraction: " + "9" * 400 + "\n", "warn_fraction: must be a number"),
        ("quota_bytes: 10Gi\n", "quota_bytes: must be a whole number"),
        ("quota_enabled: 1\n", "quota_enabled: must be true or false"),
        ("quota_state: locked\n", "quota_state: must be one of"),
        ("warn_fraction: .nan\n", "warn_fraction: must be a number"),
        ("last_activity: soon\n", "last_activity: 'soon' is not a time"),
        ("user: homer", "seems to be cut off"),
    ],
)
def test_a_text_that_is_no_record_is_refused_with_its_reason(text, why):
    with pytest.raises(BrokenFile) as refused:
        load(text, "the file")
    assert str(refused.value).startswith("the file")
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_text_that_unfolds_without_end_is_refused():
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)
    )
    merged = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 15)
    )
    for text in (bomb, merged, "note: &note [*note]\n"):
        with pytest.raises(BrokenFile, match="aliases are not taken"):
            load(text, "the file")
    with pytest.raises(BrokenFile, match="far more than a record"):
        load(f"note: [{'x, ' * 2000}]\n", "the file")
    with pytest.raises(BrokenFile, match="far more than a record"):
        load(f"note: {'[' * 30}{']' * 30}\n", "the file")


@hypothesis_settings(max_examples=120)
@given(any_text | st.text(alphabet=" \n:-'\"[]{}#&*!|>%@?,abct01.~\t", max_size=60))
def test_no_text_at_all_brings_anything_but_a_record_or_a_reason(text):
    try:
        assert isinstance(load(text, "here"), Record)
    except BrokenFile as refused:
        assert str(refused).startswith("here")


def test_a_flipped_byte_brings_a_record_or_a_reason():
    text, chance = dump(WHOLE).encode(), random.Random(1)
    for _ in range(150):
        flipped = bytearray(text)
        flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        try:
            load(flipped.decode(errors="replace"), "here")
        except BrokenFile:
            pass


def test_comments_other_quotes_and_another_order_are_fine():
    text = '# by hand\nwarn_fraction: 0.5\n\nuser: "homer"   # him\n"quota_bytes": 1000\n'
    assert load(text, "here") == Record("homer", quota_bytes=1000, warn_fraction=0.5)


def test_a_file_in_flow_style_is_fine():
    assert load("{user: homer, quota_bytes: 5}\n", "here") == Record("homer", quota_bytes=5)


def test_line_ends_of_another_system_are_fine():
    assert load("user: homer\r\nquota_bytes: 5\r\n", "here") == Record("homer", quota_bytes=5)


def test_a_byte_order_mark_is_fine():
    assert load("\ufeffuser: homer\n", "here") == Record("homer")


def test_the_last_of_two_equal_keys_counts_as_in_pyyaml():
    assert load("user: homer\nquota_bytes: 5\nquota_bytes: 6\n", "here").quota_bytes == 6


def test_the_canonical_form_needs_no_yaml_library(monkeypatch):
    text = dump(WHOLE)
    monkeypatch.delattr(yaml, "safe_load")
    monkeypatch.delattr(yaml, "safe_dump")
    assert load(text, "here") == WHOLE
    assert dump(WHOLE) == text
