"""Where the space goes, as the page shows it: all of it, once, and with harmless names."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from jupyterhub_efs_quota.quota.summary import Folder, Junk, LargeFile, Summary, Sums
from jupyterhub_efs_quota.web import words
from jupyterhub_efs_quota.web.where import LARGEST, treemap, where

from ..conftest import NOW
from .strategies import file_names

SUMS = Sums(100, 4096, 3)


def summary(folders, **more):
    values = {
        "types": {"code": SUMS, "other": Sums(900, 8192, 7), "none": Sums()},
        "ages_days": (7,),
        "modified": (SUMS, Sums(900, 8192, 7)),
        "accessed": (Sums(), Sums(1000, 12288, 10)),
        "largest": tuple(LargeFile(f"f{n}", 100 - n, 4096, 5) for n in range(50)),
        "junk": {"trash": SUMS, "caches": Sums()},
        "junk_places": (Junk("trash", "a/Trash", SUMS),),
    }
    return Summary(int(NOW.timestamp()), folders, **{**values, **more})


def folders(**sizes):
    home = Folder("", Sums(1000, 12288, 10), 9, 5)
    return (home, *(Folder(path, Sums(size, size, 1), 1, 7) for path, size in sizes.items()))


def every(part):
    yield part
    for each in part.parts:
        yield from every(each)


def test_folders_stand_in_the_folders_they_lie_in_and_the_rest_is_named():
    home = where(summary(folders(a=600, **{"a/x": 500, "b": 300}))).home
    assert [part.name for part in home.parts] == ["a", "b", "(all else here)"]
    assert [part.name for part in home.parts[0].parts][0] == "x"
    assert home.parts[0].share == pytest.approx(0.6)
    assert sum(part.bytes for part in home.parts) == home.bytes


def test_what_has_no_files_is_left_out_and_the_heaviest_comes_first():
    found = where(summary(folders(a=600)))
    assert [part.name for part in found.types] == ["other", "code"]
    assert [part.name for part in found.junk] == ["trash"]
    assert [place.name for place in found.junk[0].parts] == ["a/Trash"]
    assert len(found.largest) == LARGEST and found.largest[0].name == "f0"


def test_sizes_on_disk_are_shown_where_these_count():
    found = where(summary(folders(a=600)), allocated=True)
    assert found.home.bytes == 12288 and found.types[0].bytes == 8192


def test_an_empty_home_is_no_error():
    empty = Summary(0, (Folder("", Sums(), 1),), {}, (), (Sums(),), (Sums(),), (), {}, ())
    found = where(empty)
    assert found.home.share == 0 and not found.types and not found.ages


@given(st.lists(file_names.map(lambda name: name.decode(errors="surrogateescape")), max_size=8))
def test_the_picture_has_each_folder_once_and_its_text_is_no_markup(names):
    sizes = {"data": 10, **{name: 10 for name in names if "/" not in name and name}}
    columns = treemap(where(summary(folders(**sizes))).home)
    assert max(Counter(columns["id"]).values()) == 1
    assert set(columns["parent"]) <= {"", *columns["id"]}
    assert not any("<" in label or ">" in label for label in columns["label"])
    json.dumps(columns).encode()


@given(file_names)
def test_any_name_is_short_text_that_any_page_takes(raw):
    shown = words.name(raw.decode(errors="surrogateescape") * 40)
    assert len(shown) <= words.LONGEST_NAME
    shown.encode()
    assert shown.isprintable() or all(c.isprintable() or c == " " for c in shown)


def test_values_carry_what_a_script_needs_for_another_locale():
    environment = Environment(autoescape=True)
    words.add_filters(environment)
    page = environment.from_string(
        "{{ 2048 | size }} {{ -2048 | grown }} {{ 1234 | number }} {{ now | moment }}"
        " {{ now | day }} {{ 0 | day_of }}{{ far | day_of }} {{ '<b>' | name }}"
    ).render(now=NOW, far=10**30)
    assert page == (
        '<data class="size" value="2048">2.0 KiB</data>'
        ' \u2212<data class="size" value="2048">2.0 KiB</data>'
        ' <data class="number" value="1234">1,234</data>'
        ' <time datetime="2026-11-22T12:00:00Z">2026-11-22 12:00 UTC</time>'
        ' <time class="day" datetime="2026-11-22T12:00:00Z">2026-11-22</time>'
        ' <time class="day" datetime="1970-01-01T00:00:00Z">1970-01-01</time>'
        " &lt;b&gt;"
    )


def test_a_home_without_folders_has_no_map_that_would_be_an_empty_space():
    assert treemap(where(summary(folders())).home) is None
