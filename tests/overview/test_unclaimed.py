"""Homes without a user: whatever the layout, and whatever hostile names there are."""

import os

import pytest

from jupyterhub_efs_quota.overview import unclaimed as module
from jupyterhub_efs_quota.overview.unclaimed import find_unclaimed


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "users"
    root.mkdir()
    return root


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)


def found(root, homes, **more):
    return list(find_unclaimed(root, homes, **more).folders)


def test_a_folder_that_is_nobody_s_home_is_found_and_a_home_is_not(root):
    folders(root, "homer", "marge", "gone")
    assert found(root, ["homer", "marge", "not-there"]) == ["gone"]


def test_files_and_links_are_no_homes(root):
    folders(root, "homer")
    (root / "file").write_text("")
    (root / "link").symlink_to("/")
    assert found(root, ["homer"]) == []


def test_homes_in_folders_of_many_are_looked_for_there(root):
    folders(root, "a/anna", "a/abel", "a/adam", "b/bert", "b/boris", "other/deep")
    homes = ["a/anna", "a/abel", "b/bert", "b/boris", "c/carl", "c/cleo"]
    assert found(root, homes) == ["a/adam", "other"]


def test_what_lies_beside_the_home_in_a_folder_of_one_user_is_theirs(root):
    folders(root, "anna/home", "anna/scratch", "bert/home", "gone/home")
    assert found(root, ["anna/home", "bert/home"]) == ["gone"]


def test_a_user_whose_home_holds_those_of_others_by_name_is_not_looked_into(root):
    # By a mapping that lets the users a/b and a/c have homes in that of a.
    folders(root, "a/b", "a/c", "a/private")
    assert found(root, ["a", "a/b", "a/c"]) == []


def test_what_the_store_and_the_service_keep_there_is_not_found(root):
    folders(root, "lost+found", ".snapshot", "ours/control", ".efs-quota-limbo", "week.snap")
    assert found(root, [], apart=["ours/control"], skip=[".snapshot", "*.snap"]) == []


def test_names_that_are_no_text_are_found_as_they_are(root):
    os.mkdir(os.fsencode(root) + b"/\xff\n<b>")
    assert found(root, []) == ["\udcff\n<b>"]


def test_there_is_an_end_to_what_is_found_and_it_is_said(root, monkeypatch):
    folders(root, *(f"u{number}" for number in range(20)))
    monkeypatch.setattr(module, "MOST_FOUND", 5)
    search = find_unclaimed(root, [])
    assert (len(search.folders), search.whole) == (5, False)


def test_there_is_an_end_to_what_is_looked_through_and_it_is_said(root, monkeypatch):
    for number in range(20):
        (root / f"file{number}").write_text("")
    monkeypatch.setattr(module, "MOST_ENTRIES", 5)
    assert not find_unclaimed(root, []).whole


def test_a_slow_store_is_given_up_after_a_time(root, monkeypatch):
    folders(root, "a")
    monkeypatch.setattr(module, "MOST_SECS", -1.0)
    assert not find_unclaimed(root, []).whole


def test_a_folder_of_homes_that_is_not_there_yet_hides_no_other(root):
    folders(root, "b/gone")
    assert found(root, ["a/anna", "a/abel", "b/bert", "b/boris"]) == ["b/gone"]


def test_a_root_that_cannot_be_listed_is_an_error(root):
    with pytest.raises(OSError):
        find_unclaimed(root / "nowhere", [])
