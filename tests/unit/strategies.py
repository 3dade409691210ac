"""What hypothesis makes for our tests: names, times, records, odd file names."""

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.record import (
    COMMON_FIELDS,
    OWN_FIELDS,
    Record,
    State,
)

# Any text: newlines, markup, quotes, YAML's own signs, emoji, lone surrogates.
any_text = st.text(max_size=40) | st.text(
    st.characters(codec=None, categories=None) | st.sampled_from("\ud800\udcff"), max_size=20
)
# What YAML may take for something else than text.
yaml_words = st.sampled_from(
    "y n yes No ON off true False null ~ 1 007 0x10 1e5 1.5 .inf .nan -1 12:30 1:2:3 = << "
    "2022-08-29 2022-08-29T19:49:48.890087 0001-01-01T01:01 0001-01-01 - ? : a: #x x# 'a' \"a\" "
    "*a &a !a %a @a `a [a] {a} a,b ..  a.b a-b a_b homer@stsci.edu a'b --- ... Null TRUE 0o7 1_000".split(
        " "
    )
)
names = st.text(min_size=1, max_size=300).filter(lambda name: "\0" not in name) | st.sampled_from(
    ["homer@stsci.edu", "a/b", "..", "../../etc", ".", "a\nb", "x" * 255, "ü" * 255, "<b>x</b>"]
)
users = any_text.filter(bool) | yaml_words.filter(bool) | names

# Names that must neither lead anywhere else nor stop the others.
ODD_NAMES = [
    "homer@stsci.edu",
    "a/b",
    "/etc/passwd",
    "..",
    "../../etc",
    ".",
    "a/../../b",
    "a\nb",
    "a\0b",
    "x" * 255,
    "x" * 4000,
    "ü" * 255,
    "名前",
    "<b>bold</b>",
    "{home_root}",
    "{0}",
    "%s",
    "\ud800",
    " ",
    "-",
    "~",
    "$HOME",
]

times = st.none() | st.datetimes(
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 12, 31),
    timezones=st.just(timezone.utc),
)
sizes = st.integers(0, 2**63)
fractions = st.floats(0, 1e6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | any_text
    | yaml_words
)
values = scalars | st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
_keys = (any_text | yaml_words | st.from_regex(r"[a-z_]{1,12}", fullmatch=True)).filter(
    lambda key: key not in COMMON_FIELDS + OWN_FIELDS
)
extras = st.dictionaries(_keys, values, max_size=4)


def optional(strategy):
    return st.none() | strategy


records = st.builds(
    Record,
    user=users,
    quota_bytes=sizes,
    actual_bytes=st.integers(-1, 2**63),
    fraction_used=fractions,
    warn_fraction=fractions,
    quota_enabled=st.booleans(),
    lockout_enabled=st.booleans(),
    last_activity=times,
    reaper_time=times,
    active_at_reap=st.integers(0, 1),
    started=times,
    stopped=times,
    quota_state=st.sampled_from(State),
    timed_out=st.booleans(),
    usage_files=optional(sizes),
    quota_files=optional(sizes),
    allocated_bytes=optional(sizes),
    unreadable=optional(sizes),
    meter=optional(st.sampled_from(["walk", "du"])),
    quota_source=optional(
        st.sampled_from(["default", "hand", "user", "grandfathered", "group:Año & <b>"])
    ),
    configured_bytes=optional(sizes),
    configured_files=optional(sizes),
    quota_until=times,
    quota_reason=optional(any_text),
    over_since=times,
    full_at=times,
    full_in=optional(st.sampled_from(["files", "bytes", "<b>"])),
    home=optional(any_text),
    rescue_began=times,
    rescue_until=times,
    rescue_server=optional(any_text),
    rescue_started=times,
    rescue_bytes=optional(sizes),
    rescue_files=optional(sizes),
    rescue_back=times,
    rescue_ended=optional(any_text),
    extra=extras,
)

# Names of files, in bytes: newlines, no UTF-8, anything but / and NUL.
file_names = st.binary(min_size=1, max_size=30).map(
    lambda name: name.replace(b"/", b"_").replace(b"\0", b"_")
).filter(lambda name: name not in (b".", b"..")) | st.sampled_from(
    [b"a\nb", b"\xff\xfe", b" ", b"-rf", "ü".encode(), b"x" * 255, b"*", b"a\tb", b"\\", b"~"]
)

moments = st.datetimes(
    min_value=datetime(2020, 1, 1),
    max_value=datetime(2030, 1, 1),
    timezones=st.just(timezone.utc),
)
spans = st.timedeltas(timedelta(0), timedelta(days=400))
