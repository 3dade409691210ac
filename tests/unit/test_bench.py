"""`./scripts/bench` still runs, on trees so small that its figures mean nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from bench import report  # noqa: E402
from bench.line import Line, at_least, at_most, share_line, speed_line  # noqa: E402
from bench.machine import Machine  # noqa: E402
from bench.timing import Walker, allocated_by_du  # noqa: E402
from bench.tree import make_deep, make_even, make_flat, make_linked, make_tree  # noqa: E402

pytest.importorskip(
    "jupyterhub_efs_quota.measure.walk._walk", reason="the compiled walk is not built"
)


def bench(place, *given):
    return subprocess.run(
        [sys.executable, "-m", "bench", "--dir", place, "--pairs=2", *given],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def rows(ran):
    """The first two cells of the rows of all tables."""
    cells = [line.split(" | ") for line in ran.stdout.splitlines() if line.startswith("| ")]
    return {row[0].removeprefix("| "): row[1] for row in cells}


def test_the_walk_is_measured_next_to_du_and_its_trees_are_removed(tmp_path):
    ran = bench(tmp_path, "--scale=0.002", "warm", "growth", "memory", "shapes")
    assert ran.returncode == 0, ran.stderr
    found = rows(ran)
    assert " of du (" in found["the compiled walk, time"]
    assert " of that without (" in found["the compiled walk with the summary, time"]
    assert " of that before (du's: " in found["a home of 20,000 entries"]
    assert " MiB over idle" in found["the compiled walk: a home of 20,000 entries"]
    assert " of du, " in found["the compiled walk: 10,000 entries in one directory"]
    assert not any("not measured" in cell for what, cell in found.items() if "`" not in what)
    assert list(tmp_path.iterdir()) == []


def test_pages_are_requested_from_a_service_that_measures(tmp_path, monkeypatch):
    from bench import pages
    from bench.plan import Plan

    monkeypatch.setattr(pages, "_SECS", 2)
    monkeypatch.setattr(pages, "_SETTLE_SECS", 1)
    lines = list(pages._pages(Plan(tmp_path, pairs=1, scale=0.001), 8, at_most(2)))
    assert [" of idle (" in line.measured for line in lines] == [True, True], lines


@pytest.mark.skipif(
    not (shutil.which("fusermount3") and shutil.which("pkg-config") and shutil.which("gcc")),
    reason="gcc, pkg-config or fuse3 is not installed",
)
def test_the_slow_file_system_shows_the_tree_as_it_is_and_lets_calls_wait_together(tmp_path):
    from bench import slow
    from bench.plan import Plan

    if wrong := slow._build():
        pytest.skip(wrong)
    make_tree(tmp_path / "tree", 500, 4)
    with Walker() as walker:
        for mode in ("plain", "plus"):
            said = []
            with slow.mounted(Plan(tmp_path), tmp_path / "tree", mode, said) as mount:
                found = walker.walk("compiled", mount)
                assert found.allocated == allocated_by_du(tmp_path / "tree")
            assert '"most_waiting": 1}' not in said[0]
            assert ('"lookup": 0,' in said[0]) == (mode == "plus")
            assert not os.path.ismount(mount)


@pytest.mark.parametrize(
    ("make", "size", "files", "dirs"),
    [
        (make_even, 2000, 1900, 100),
        (make_flat, 300, 300, 1),
        (make_deep, 1500, 1500, 1501),
        (make_linked, 2500, 2500, 9),
    ],
)
def test_trees_hold_what_the_table_says_they_hold(tmp_path, make, size, files, dirs):
    make(tmp_path / "tree", size)
    with Walker() as walker:
        found = walker.walk("compiled", tmp_path / "tree")
    assert (found.files, found.dirs) == (files, dirs)
    subprocess.run(["rm", "-rf", tmp_path / "tree"], check=True)


def test_a_target_that_is_missed_by_a_hair_is_missed():
    assert share_line("x", [0.47, 0.481, 0.5], at_most(0.48)).met is True
    assert share_line("x", [0.47, 0.486, 0.5], at_most(0.48)).met is False
    assert speed_line("x", [17.4, 17.4, 30.0], at_least(18)).met is False
    assert speed_line("x", [18.0, 17.0, 30.0], at_least(18)).met is True


def test_a_part_measured_again_replaces_itself_and_leaves_the_others(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text(f"before\n{report._BEGIN}\nold\n{report._END}\nafter\n")
    for name, file in (("_KEPT", "kept"), ("_PAGE", "page"), ("_README", "README.md")):
        monkeypatch.setattr(report, name, tmp_path / file)
    machine = Machine("2026-01-02", 2, 24, "6.1", "ext4", "0.1", "compiled")

    def part(name, measured):
        line = Line("a | b", measured, "at most 1", False, "why", short=True)
        return report.Part(name, name.title(), machine, (line,))

    report.write([part("two", "2.5"), part("one", "1.5")], ["one", "two"])
    report.write([part("one", "1.2")], ["one", "two"])
    page, readme = ((tmp_path / name).read_text() for name in ("page", "README.md"))
    assert 0 < page.index("1.2") < page.index("2.5") and "1.5" not in page
    assert r"| One | a \| b | 1.2 | at most 1 | **missed** |" in readme
    assert readme.startswith("before\n") and readme.endswith("after\n") and "old" not in readme


def test_the_history_and_the_pages_are_measured_in_a_database_that_is_removed(tmp_path):
    ran = bench(tmp_path, "--scale=0.002", "history", "overview")
    assert ran.returncode == 0, ran.stderr
    assert "the first cycle of 20 users: " in ran.stdout
    assert "admin, overview: " in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_there_is_not_is_named(tmp_path):
    ran = bench(tmp_path, "wurm")
    assert ran.returncode == 2
    assert "there is no part 'wurm'" in ran.stderr
