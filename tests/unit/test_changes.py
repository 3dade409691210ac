"""What changed between two summaries: the folders that account for it."""

from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.quota.changes import Change, changes
from jupyterhub_efs_quota.quota.summary import Folder, Summary, Sums

from ..conftest import NOW

names = st.sampled_from(["a", "b", "a/x", "a/y", "a/x/deep", "b/<b>", "ü\udcff", "a\nb"])


def summary(**sizes):
    return of({name.replace("_", "/"): size for name, size in sizes.items()})


def of(sizes, dirs=1000):
    """A summary whose folders hold what is given, those above them included.

    `dirs` is how many folders there are, listed or not.
    """
    paths = {""} | {path for name in sizes for path in _above(name)}
    total = {
        path: sum(size for name, size in sizes.items() if f"{name}/".startswith(f"{path}/"))
        for path in paths
        if path
    }
    total[""] = sum(sizes.values())
    folders = tuple(
        Folder(path, Sums(total[path], total[path], total[path] // 10), dirs)
        for path in sorted(paths)
    )
    return Summary(int(NOW.timestamp()), folders, {}, (), (), (), (), {}, ())


def _above(name):
    parts = name.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]


homes = st.dictionaries(names, st.integers(1, 10**15), min_size=1, max_size=6).map(of)


@given(homes)
def test_what_is_the_same_has_not_changed(home):
    found = changes(home, home)
    assert (found.bytes, found.files, found.folders) == (0, 0, ())


@given(homes, homes)
def test_the_way_back_is_the_opposite_of_the_way_there(one, other):
    there, back = changes(one, other, most=99), changes(other, one, most=99)
    assert (there.bytes, there.files) == (-back.bytes, -back.files)
    assert {(c.path, c.bytes, c.exact) for c in there.folders} == {
        (c.path, -c.bytes, c.exact) for c in back.folders
    }


@given(homes, homes, st.integers(0, 5))
def test_the_largest_changes_come_first_and_no_more_than_wanted(one, other, most):
    found = [abs(change.bytes) for change in changes(one, other, most=most).folders]
    assert found == sorted(found, reverse=True) and len(found) <= most and 0 not in found


def test_a_change_is_shown_where_it_happened_and_not_again_above():
    found = changes(summary(a_x=100, a_y=50, b=10), summary(a_x=1100, a_y=50, b=10))
    assert found.folders == (Change("a/x", 1000),)
    assert found.bytes == 1000


def test_a_folder_that_grew_in_many_places_is_shown_itself():
    found = changes(summary(a_x=100, a_y=50), summary(a_x=600, a_y=550))
    assert [change.path for change in found.folders] == ["a", "a/x", "a/y"]


def test_a_folder_that_only_one_side_lists_changed_by_at_least_what_is_certain():
    # `b` may have been there before, with no more than the lightest folder that was listed.
    found = changes(summary(a=100, c=30), summary(a=100, b=500, c=30))
    assert found.folders == (Change("b", 470, exact=False),)
    found = changes(summary(a=100, b=500, c=30), summary(a=100, c=30))
    assert found.folders == (Change("b", -470, exact=False),)


def test_a_folder_that_was_not_there_before_changed_by_just_what_it_holds():
    found = changes(of({"a": 100}, dirs=2), of({"a": 100, "b": 500}, dirs=3))
    assert found.folders == (Change("b", 500),)
    found = changes(of({"a": 100, "b": 500}, dirs=3), of({"a": 100}, dirs=2))
    assert found.folders == (Change("b", -500),)


def test_space_on_disk_is_compared_where_that_is_what_counts():
    before, after = summary(a=100), summary(a=100)
    after = Summary(
        **{
            **after.__dict__,
            "folders": tuple(
                Folder(f.path, Sums(f.sums.bytes, f.sums.allocated + 4096, f.sums.files), 1)
                for f in after.folders
            ),
        }
    )
    assert changes(before, after).bytes == 0
    assert changes(before, after, allocated=True).folders == (Change("a", 4096),)
