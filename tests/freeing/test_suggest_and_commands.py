""" "Delete these and you are back", and the commands to do it by hand. Pure but for a shell."""

import itertools
import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterhub_efs_quota.freeing.by_hand import commands, shell_quoted
from jupyterhub_efs_quota.freeing.suggest import Candidate, Need, candidates, suggest
from jupyterhub_efs_quota.quota.summary import Folder, Junk, LargeFile, Summary, Sums


@st.composite
def homes(draw):
    """Candidates as a summary has them: folders that hold what is in them, and files."""
    names = draw(
        st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), max_size=8).map(
            lambda found: sorted({tuple(each) for each in found})
        )
    )
    own = {each: draw(st.integers(0, 20)) for each in names}
    kinds = {each: draw(st.sampled_from(["", "", "", "caches"])) for each in names}
    return [
        Candidate(
            tuple(part.encode() for part in each),
            sum(size for other, size in own.items() if other[: len(each)] == each),
            sum(1 for other in own if other[: len(each)] == each),
            kinds[each],
        )
        for each in names
    ]


def disjoint(chosen):
    return not any(a.overlaps(b) for a, b in itertools.combinations(chosen, 2))


@given(homes(), st.integers(0, 60), st.integers(0, 6))
@settings(max_examples=300)
def test_a_suggestion_never_overlaps_is_enough_where_anything_is_and_has_nothing_needless(
    able, size, files
):
    need = Need(size, files)
    found = suggest(able, need)
    assert disjoint(found.chosen)
    assert set(found.chosen) <= set(able)
    all_there_is = [each for each in able if not any(o is not each and each.overlaps(o)
                    and len(o.names) < len(each.names) for o in able)]  # fmt: skip
    possible = (
        sum(each.bytes for each in all_there_is) >= size
        and sum(each.files for each in all_there_is) >= files
    )
    assert found.enough == possible
    if found.enough:
        assert found.bytes >= size and found.files >= files
        for needless in found.chosen:
            rest = [each for each in found.chosen if each is not needless]
            enough = sum(e.bytes for e in rest) >= size and sum(e.files for e in rest) >= files
            assert not enough, needless


@given(homes(), st.integers(1, 60))
@settings(max_examples=300)
def test_without_junk_no_shorter_list_would_do(able, size):
    able = [Candidate(each.names, each.bytes, each.files) for each in able]
    found = suggest(able, Need(size))
    if found.enough:
        for count in range(len(found.chosen)):
            for fewer in itertools.combinations(able, count):
                assert not (disjoint(fewer) and sum(each.bytes for each in fewer) >= size)


@given(homes(), st.integers(1, 60))
@settings(max_examples=300)
def test_where_junk_is_enough_nothing_else_is_proposed(able, size):
    junk = [each for each in able if each.kind]
    outer = [each for each in junk if not any(o is not each and each.overlaps(o)
             and len(o.names) < len(each.names) for o in junk)]  # fmt: skip
    if sum(each.bytes for each in outer) >= size:
        assert all(each.kind for each in suggest(able, Need(size)).chosen)


def test_of_two_single_folders_that_do_the_smaller_one_is_proposed():
    able = [
        Candidate((b"all",), 900, 9),
        Candidate((b"some",), 120, 1),
        Candidate((b"few",), 50, 1),
    ]
    assert [each.names for each in suggest(able, Need(100)).chosen] == [(b"some",)]


def test_a_part_of_a_folder_is_proposed_rather_than_all_of_it():
    able = [Candidate((b"all",), 900, 9), Candidate((b"all", b"part"), 200, 1)]
    assert [each.names for each in suggest(able, Need(100)).chosen] == [(b"all", b"part")]


def test_junk_comes_before_work_even_where_one_piece_of_work_would_do():
    able = [
        Candidate((b"work",), 900, 9),
        Candidate((b".cache",), 60, 1, "caches"),
        Candidate((b"x", b"__pycache__"), 50, 1, "compiled Python"),
    ]
    chosen = suggest(able, Need(100)).chosen
    assert [each.names for each in chosen] == [(b".cache",), (b"x", b"__pycache__")]


def test_who_is_not_over_is_told_to_delete_nothing():
    assert suggest([Candidate((b"work",), 900, 9)], Need()).chosen == ()


@pytest.mark.parametrize("allocated", [False, True])
def test_candidates_are_what_a_summary_knows_but_never_the_home_itself(allocated):
    summary = Summary(
        now=0,
        folders=(Folder("", Sums(9, 8, 3), 2), Folder("a", Sums(7, 6, 2), 1)),
        types={},
        ages_days=(),
        modified=(),
        accessed=(),
        largest=(LargeFile("a/\udcff", 5, 4, 0),),
        junk={},
        junk_places=(Junk("caches", "a", Sums(7, 6, 2)),),
    )
    found = candidates(summary, allocated=allocated)
    assert [(each.names, each.bytes, each.kind) for each in found] == [
        ((b"a",), 6 if allocated else 7, "caches"),
        ((b"a", b"\xff"), 4 if allocated else 5, ""),
    ]


names = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name)


@given(st.lists(names, min_size=1, max_size=30))
@settings(max_examples=20)
def test_a_shell_reads_every_name_as_it_is(found):
    words = " ".join(shell_quoted(os.fsdecode(name)) for name in found)
    ran = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True,
        env={"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert ran.stdout == b"".join(name + b"\0" for name in found)


def test_the_commands_delete_what_was_chosen_and_nothing_else(tmp_path):
    hostile = [
        b"-rf",
        b"~",
        b"*",
        b"a b",
        b"$(touch pwned)",
        b"`id`",
        b"new\nline",
        b"\xff",
        b"'",
        b'"',
    ]
    for name in (*hostile, b"kept"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    text = commands((name,) for name in hostile)
    subprocess.run(
        ["bash", "-c", text],
        check=True,
        cwd="/",
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert os.listdir(tmp_path) == ["kept"]


def test_what_would_turn_or_hide_a_command_is_written_out():
    text = commands([("\u202etxt".encode(), b"\x1b[2J")])
    assert text.isprintable() or text.count("\n") == 1
    assert "\u202e" not in text and "\x1b" not in text
