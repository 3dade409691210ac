"""A home measured in parts is the home measured whole, to the last byte."""

import itertools
import os
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.measure.walk import twin
from jupyterhub_efs_quota.measure.summary.part import finish
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.cluster.split import (
    FOLDERS,
    may_split,
    shares,
    sub_trees,
    upper_levels,
)
from jupyterhub_efs_quota.measure.task import Ceiling, Task
from jupyterhub_efs_quota.measure.walk.engine import ENGINES, PARTS

from ..conftest import examples, fill
from .home_by_hand import summary_by_hand
from .trees import NOW, plant, trees

RULES = Rules(now=NOW)
FEW = Rules(now=NOW, folders=3, largest=2, places=2)
numbers = itertools.count()


@pytest.fixture(params=sorted(PARTS))
def engine(request):
    """An engine; `engine.in_parts(task, folders)` measures as a cluster does."""
    measure = PARTS[request.param]

    class Engine:
        whole = staticmethod(ENGINES[request.param])
        measure = staticmethod(PARTS[request.param])

        @staticmethod
        def parts(task, folders):
            upper = measure(upper_levels(task, folders))
            # In another order than they were left, as they come back.
            return [upper, *(measure(each) for each in reversed(sub_trees(task, upper.left)))]

        @classmethod
        def in_parts(cls, task, folders):
            parts = cls.parts(task, folders)
            return finish(parts, task.rules, allocated=task.allocated)

    return Engine


@examples(50)
@given(
    tree=trees,
    folders=st.integers(1, 6),
    rules=st.sampled_from([None, RULES, FEW]),
    allocated=st.booleans(),
)
def test_the_parts_are_the_whole(engine, tmp_path, tree, folders, rules, allocated):
    root = tmp_path / str(next(numbers))
    plant(root, tree)
    expected = summary_by_hand(root, rules, allocated=allocated) if rules else None
    task = Task(str(root), 60, rules=rules, allocated=allocated)
    usage = engine.in_parts(task, folders)
    assert usage == engine.whole(task)
    assert usage.summary == expected
    shutil.rmtree(root)


def make_home(home):
    for number in range(5):
        (home / f"d{number}").mkdir(parents=True)
    for number in range(30):
        fill(home / f"d{number % 5}" / f"e{number % 7}" / f"f{number}", number, "x.py")
        fill(home / f"d{number % 5}" / ".ipynb_checkpoints" / f"c{number}", number)
        os.link(
            home / f"d{number % 5}" / f"e{number % 7}" / f"f{number}" / "x.py",
            home / f"d{(number + 1) % 5}" / f"link{number}.csv",
        )
    return home


def test_the_work_is_shared(engine, tmp_path):
    home = make_home(tmp_path / "home")
    parts = engine.parts(Task(str(home), 60, rules=RULES), 20)
    assert len(parts) > 20
    assert sum(part.counts.dirs > 0 for part in parts) == len(parts)


def test_a_file_with_names_on_two_machines_is_one(engine, tmp_path):
    # The number of the store's device is another one on each machine.
    home = make_home(tmp_path / "home")
    task = Task(str(home), 60, rules=RULES)
    parts = engine.parts(task, 8)
    for number, part in enumerate(parts):
        part.device += number
        part.links = {
            (device + number, inode): link for (device, inode), link in part.links.items()
        }
        part.details.largest = [
            (weight, path, file._replace(identity=moved(file.identity, number)))
            for weight, path, file in part.details.largest
        ]
    assert finish(parts, RULES) == engine.whole(task)


def moved(identity, number):
    return None if identity is None else (identity[0] + number, identity[1])


def test_a_sub_tree_that_is_gone_by_then_counts_as_a_lost_folder(engine, tmp_path):
    home = make_home(tmp_path / "home")
    task = Task(str(home), 60, rules=RULES)
    usage = engine.measure(replace(task, in_parts=True, below=("d1", "gone"))).counts
    assert (usage.unreadable, usage.vanished, usage.lost_dirs, usage.dirs) == (1, 1, 1, 0)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_sub_tree_behind_a_link_is_not_entered(name, tmp_path):
    home = make_home(tmp_path / "home")
    fill(tmp_path / "outside" / "below", 2**40)
    (home / "way").symlink_to(tmp_path / "outside")
    for below in (("way",), ("way", "below")):
        found = PARTS[name](Task(str(home), 60, in_parts=True, below=below)).counts
        assert (found.bytes, found.dirs, found.unreadable) == (0, 0, 1)


def test_in_a_folder_of_very_many_only_some_are_left(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(twin, "_MOST_LEFT", 10)
    home = tmp_path / "home"
    for number in range(100):
        fill(home / str(number) / "below", number)
    task = Task(str(home), 60, rules=RULES)
    parts = engine.parts(task, 5)
    assert len(parts) == 11
    assert finish(parts, RULES) == engine.whole(task)


def test_what_depends_on_the_whole_home_is_not_split():
    task = Task("/home", 60)
    assert may_split(task)
    assert not may_split(replace(task, ceiling=Ceiling(5)))
    assert not may_split(replace(task, cross_mounts=True))
    assert not may_split(replace(task, meter="du"))
    assert not may_split(replace(task, meter="auto"))
    assert may_split(replace(task, meter="auto", files=10**7))


def test_many_small_sub_trees_are_measured_in_few_processes():
    tasks = sub_trees(Task("/home", 60), [(b"%d" % number,) for number in range(1000)])
    several = shares(tasks)
    assert len(several) == FOLDERS
    assert sorted(task.below for share in several for task in share) == sorted(
        task.below for task in tasks
    )
    assert max(map(len, several)) - min(map(len, several)) <= 1
    assert shares([]) == []
    assert shares(tasks[:3]) == [[task] for task in tasks[:3]]
