"""A summary says what a plain look at everything says, whoever walked and in what order."""

import itertools
import json
import os
import random
import shutil
import subprocess
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.measure.summary.part import Best, finish
from jupyterhub_efs_quota.measure.summary.rules import Rules, load_rules, parse_pattern
from jupyterhub_efs_quota.measure.task import Task, dump_answer, dump_task, load_answer, load_task
from jupyterhub_efs_quota.measure.walk.engine import PARTS
from jupyterhub_efs_quota.measure.workers.workers import Workers
from jupyterhub_efs_quota.quota.summary import Sums

from ..conftest import examples, fill
from .home_by_hand import summary_by_hand
from .trees import NOW, plant, trees

RULES = Rules(now=NOW)
# So few are kept that most have to be left out.
FEW = Rules(now=NOW, folders=3, largest=2, places=2)
numbers = itertools.count()
on_trees = examples(80)


@pytest.fixture(params=sorted(PARTS))
def measure(request):
    """Measure a directory: `measure(home, **fields of Task)`."""

    def measure(home, **asked):
        task = Task(os.fsdecode(home), **{"deadline_secs": 60, "rules": RULES, **asked})
        return finish([PARTS[request.param](task)], task.rules, allocated=task.allocated)

    measure.engine = request.param
    return measure


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@on_trees
@given(tree=trees, rules=st.sampled_from([RULES, FEW]), allocated=st.booleans())
def test_a_summary_is_what_a_plain_look_at_everything_says(
    measure, tmp_path, tree, rules, allocated
):
    root = tmp_path / str(next(numbers))
    plant(root, tree)
    expected = summary_by_hand(root, rules, allocated=allocated)
    usage = measure(root, rules=rules, allocated=allocated)
    assert usage.summary == expected
    assert usage.summary.folders[0].sums == (usage.bytes, usage.allocated, usage.files)
    assert usage.summary.folders[0].dirs == usage.dirs
    shutil.rmtree(root)


@on_trees
@given(tree=trees)
def test_the_totals_are_the_same_with_and_without_a_summary(measure, tmp_path, tree):
    root = tmp_path / str(next(numbers))
    plant(root, tree)
    with_summary, without = measure(root), measure(root, rules=None)
    assert without.summary is None
    assert {**asdict(with_summary), "summary": None} == asdict(without)
    shutil.rmtree(root)


def test_types_ages_and_junk_add_up_to_the_home(measure, home):
    fill(home / "a" / ".cache", 100, "x.csv")
    fill(home / ".cache", 50, "x.py")
    fill(home, 7, "core.12")
    fill(home, 3, "core.x")
    summary = measure(home).summary
    for sums in (summary.types.values(), summary.modified, summary.accessed):
        assert Sums(*map(sum, zip(*sums)))[::2] == (160, 4)
    assert summary.junk["caches"].bytes == 50  # the other is none of the home's own
    assert summary.junk["core dumps"][::2] == (7, 1)
    assert [junk.path for junk in summary.junk_places] == [".cache", "core.12"]


def test_a_manual_is_no_core_dump(measure, home):
    fill(home, 9, "core.5.gz")
    fill(home, 9, "core.12.gz")
    fill(home, 4, "core.4711")
    assert [junk.path for junk in measure(home).summary.junk_places] == ["core.4711"]


def test_a_file_with_names_in_two_folders_belongs_to_the_one_above_both(measure, home):
    fill(home / "a" / "b", 1000, "x.unknown")
    (home / "a" / "c").mkdir()
    os.link(home / "a" / "b" / "x.unknown", home / "a" / "c" / "x.py")
    summary = measure(home).summary
    assert {folder.path: folder.sums.bytes for folder in summary.folders} == {
        "": 1000,
        "a": 1000,
        "a/b": 0,
        "a/c": 0,
    }
    assert summary.types["code"].files == 1
    assert [file.path for file in summary.largest] == ["a/b/x.unknown"]


def test_a_very_deep_home_with_links_at_its_bottom_is_summed_up(measure, home):
    here = os.open(home, os.O_RDONLY)
    for level in range(6000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        if level % 1000 == 999:
            os.close(os.open("core.123", os.O_CREAT | os.O_WRONLY, dir_fd=here))
            os.mkdir(".ipynb_checkpoints", dir_fd=here)
            for name in ("f.py", ".ipynb_checkpoints/f", ".ipynb_checkpoints/g"):
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=here))
            os.link("f.py", "g.py", src_dir_fd=here, dst_dir_fd=here)
            os.link(
                ".ipynb_checkpoints/f",
                ".ipynb_checkpoints/h",
                src_dir_fd=here,
                dst_dir_fd=here,
            )
    os.close(here)
    try:
        usage = measure(home, rules=Rules(now=NOW, folders=100_000))
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)
    summary = usage.summary
    assert (usage.files, usage.dirs) == (24, 6007)
    assert summary.junk["notebook checkpoints"].files == 12
    assert summary.junk["core dumps"].files == 6
    assert summary.types["code"].files == 6
    assert summary.folders[0].sums.files == 24
    # As deep as paths can be that a call takes.
    assert max(len(folder.path) for folder in summary.folders) < 4096
    assert len(summary.folders) == 2048 + 1 + 2


async def test_a_summary_of_the_longest_odd_names_comes_back_from_a_worker(home):
    # Else a user could keep a home from being measured.
    here = os.open(home, os.O_RDONLY)
    for _ in range(16):
        for number in range(30):
            os.mkdir(b"%02d" % number + b"\xff" * 250, dir_fd=here)
        below = os.open(b"00" + b"\xff" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    workers = Workers(1)
    try:
        usage = await workers.measure(Task(str(home), 60, rules=RULES))
    finally:
        await workers.end()
    assert len(usage.summary.folders) == 1 + 300
    assert len(dump_answer(usage)) > 4 * 2**20
    assert load_answer(dump_answer(usage)) == usage


def test_rules_travel_with_their_task():
    rules = Rules(now=5, types=(("a", ("x", "y")),), junk=(("k", ("/.cache/", "c*")),))
    task = Task("/home", 5, rules=rules, below=("a", "\udcff"), in_parts=True, leave=64)
    assert load_task(dump_task(task)) == task
    assert load_rules(json.loads(json.dumps(asdict(rules)))) == rules


@pytest.mark.parametrize("text", ["", "/", "a//b", "../x", "a/./b", "a\0b/"])
def test_a_pattern_that_names_nothing_is_refused(text):
    with pytest.raises(ValueError, match="no pattern"):
        parse_pattern(text)


paths = st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=3).map(tuple)


@given(
    offers=st.lists(st.tuples(st.integers(0, 3), paths), max_size=30),
    most=st.integers(0, 5),
    seed=st.integers(),
)
def test_what_is_best_does_not_depend_on_the_order_of_offers(offers, most, seed):
    kept = []
    shuffled = list(offers)
    random.Random(seed).shuffle(shuffled)
    for several in (offers, shuffled):
        best = Best(most)
        for weight, path in several:
            best.offer(weight, path, None)
        kept.append(best.taken())
    expected = sorted(offers, key=lambda offer: (-offer[0], offer[1]))[:most]
    assert kept[0] == kept[1] == [(weight, path, None) for weight, path in expected]


@given(
    offers=st.lists(st.tuples(st.integers(0, 4), paths), max_size=30),
    most=st.integers(1, 4),
    seed=st.integers(),
)
def test_a_file_offered_under_several_names_is_kept_once_by_the_first(offers, most, seed):
    shuffled = list(offers)
    random.Random(seed).shuffle(shuffled)
    first = {}
    for file, path in offers:
        first[file] = min(path, first.get(file, path))
    expected = sorted(
        ((file // 2, path, file) for file, path in first.items()),
        key=lambda offer: (-offer[0], offer[1], offer[2]),
    )
    for several in (offers, shuffled):
        best = Best(most)
        for file, path in several:
            best.offer(file // 2, path, file, lambda other, file=file: other == file)
        assert [offer[:2] for offer in best.taken()] == [offer[:2] for offer in expected[:most]]
