"""After a restart the metrics of single homes tell what they told before it."""

import zlib
from datetime import timedelta

import pytest

from jupyterhub_efs_quota.board import Board
from jupyterhub_efs_quota.directories import Directories
from jupyterhub_efs_quota.history import history as module
from jupyterhub_efs_quota.history import packing, reading
from jupyterhub_efs_quota.history.asking import Asking
from jupyterhub_efs_quota.history.recorder import Recorder
from jupyterhub_efs_quota.history.trees import Tree
from jupyterhub_efs_quota.homes import Homes
from jupyterhub_efs_quota.metrics import recall
from jupyterhub_efs_quota.metrics.counted import Counted
from jupyterhub_efs_quota.metrics.dirsize import Dirsize
from jupyterhub_efs_quota.metrics.trees import KnownTrees
from jupyterhub_efs_quota.quota.summary import Summary
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW
from .conftest import measure

WEEK = timedelta(weeks=1)


def walked(oldest, newest, **fields):
    empty = {"folders": (), "types": {}, "ages_days": (), "modified": (), "accessed": ()}
    more = {"largest": (), "junk": {}, "junk_places": (), "oldest": oldest, "newest": newest}
    summary = Summary(now=1, **empty, **more)
    return Usage(**{"bytes": 5, "files": 3, "dirs": 2, "summary": summary, **fields})


def known(history):
    assert history.flush(20)
    return {tree.user: tree for tree in history.trees(0, 1000)}


def test_what_the_last_walk_of_each_home_told_is_known(history):
    measure(history, NOW - WEEK, "homer", usage=walked(10, 20, dirs=7))
    measure(history, NOW, "homer", usage=walked(11, 22, dirs=9))
    measure(history, NOW, "marge", usage=walked(None, None, dirs=1))
    measure(history, NOW, "counter", usage=Usage(bytes=5, files=3, dirs=4))
    trees = known(history)
    assert trees["homer"] == Tree(trees["homer"].number, "homer", 9, True, 11, 22)
    assert trees["marge"] == Tree(trees["marge"].number, "marge", 1, True)
    assert trees["counter"] == Tree(trees["counter"].number, "counter", 4, summed_up=False)


def test_a_walk_that_was_cut_short_is_not_taken_for_the_whole_home(history):
    measure(history, NOW - WEEK, "homer", usage=walked(10, 20))
    measure(history, NOW, "homer", usage=walked(19, 19, dirs=1, timed_out=True))
    tree = known(history)["homer"]
    assert (tree.dirs, tree.oldest, tree.newest) == (None, 10, 20)


def test_who_is_gone_from_the_hub_is_not_asked_about(history):
    for user in ("homer", "marge"):
        measure(history, NOW, user, usage=walked(10, 20))
    history.listed(["marge"])
    assert set(known(history)) == {"marge"}


def test_a_summary_that_cannot_be_read_keeps_none_of_the_others_away(history, monkeypatch):
    pack = packing.pack
    monkeypatch.setattr(module, "pack", lambda summary: zlib.compress(b"{}"))
    measure(history, NOW, "broken", usage=walked(10, 20))
    monkeypatch.setattr(module, "pack", lambda summary: b"nonsense")
    measure(history, NOW, "worse", usage=walked(10, 20))
    monkeypatch.setattr(module, "pack", pack)
    measure(history, NOW, "homer", usage=walked(10, 20))
    trees = known(history)
    assert [trees[user].summed_up for user in ("broken", "worse", "homer")] == [False, False, True]


def test_homes_are_asked_for_in_parts_in_the_order_of_their_numbers(history):
    for number in range(7):
        measure(history, NOW, f"user{number}", usage=walked(number, 20))
    assert history.flush(20)
    after, parts = 0, []
    while part := history.trees(after, 3):
        parts.append([tree.oldest for tree in part])
        after = part[-1].number
    assert [len(part) for part in parts] == [3, 3, 1]
    assert sorted(sum(parts, [])) == list(range(7))


async def test_a_service_that_starts_shows_the_ages_of_homes_that_it_has_not_walked(
    history, monkeypatch
):
    monkeypatch.setattr(recall, "AT_ONCE", 2)
    board = Board()
    for number in range(5):
        measure(
            history,
            NOW,
            f"user{number}",
            usage=walked(number, 100 + number, dirs=10),
            usage_files=3,
        )
    assert history.flush(20)
    board.remember(history._ask(reading.last_records))
    board.keep_only(f"user{number}" for number in range(5))
    counted = Counted()
    counted.measured("user4", walked(1, 999, dirs=20), 1.0)
    shown = Dirsize(Directories(Homes("/efs/users", "{home_root}/{username}")), counted.trees)
    assert "dirsize_latest_mtime{" in shown.render(board.rows())
    assert 'dirsize_latest_mtime{directory="user0"}' not in shown.render(board.rows())
    await recall.recalling(history, counted.trees)
    lines = shown.render(board.rows()).splitlines()
    assert 'dirsize_latest_mtime{directory="user0"} 100' in lines
    assert 'dirsize_oldest_mtime{directory="user3"} 3' in lines
    # What was measured since is not replaced by what was.
    assert 'dirsize_latest_mtime{directory="user4"} 999' in lines
    assert 'dirsize_entries_count{directory="user4"} 23' in lines


async def test_a_database_that_is_away_is_asked_again(start, tmp_path, monkeypatch):
    monkeypatch.setattr(recall, "AGAIN_SECS", 0.02)
    place = tmp_path / "later"
    history = start(f"sqlite:///{place}/history.sqlite")
    measure(history, NOW, "homer", usage=walked(10, 20))
    trees = KnownTrees()
    task = recall.recalling(history, trees)
    place.mkdir()
    assert history.flush(20)
    # It may have found the database before what waited was in it.
    await task
    await recall.recall(Asking(history), trees)
    assert trees.ages("homer") == (10, 20)


async def test_where_no_history_is_kept_nobody_asks():
    assert recall.recalling(Recorder(), KnownTrees()) is None


@pytest.mark.parametrize("dirs", [None, 4])
def test_a_home_that_was_emptied_since_has_no_ages_whatever_it_had(dirs):
    trees = KnownTrees()
    trees.measured("homer", walked(None, None, dirs=dirs))
    trees.remember([Tree(1, "homer", 9, True, 10, 20)])
    assert trees.ages("homer") is None
    assert trees.dirs("homer") == dirs or dirs is None
