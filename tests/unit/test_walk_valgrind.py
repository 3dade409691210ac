"""The compiled walk alone, without Python, under valgrind: no byte read or kept in error."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jupyterhub_efs_quota.measure.walk import engine as walk

HERE = Path(__file__).parent
MEASURE = Path(walk.__file__).parent
SOURCES = [path for path in sorted(MEASURE.glob("_walk*.c")) if path.name != "_walk_module.c"]
needs_programs = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("valgrind") is None,
    reason="needs gcc and valgrind",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    target = tmp_path_factory.mktemp("walk") / "walk_main"
    subprocess.run(
        ["gcc", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{MEASURE}"]
        + [str(HERE / "walk_main.c"), *map(str, SOURCES), "-o", str(target)],
        check=True,
    )
    return target


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Files of every kind, linked within folders and across them, and junk."""
    home = tmp_path_factory.mktemp("home")
    for folder in ("a/b/c", "a/__pycache__/d", "e/f", ".local/share/Trash/files", "g" * 250):
        (home / folder).mkdir(parents=True)
    folders = [Path(path) for path, _, _ in os.walk(home)]
    for number in range(300):
        (folders[number % len(folders)] / f"{number}.csv").write_bytes(b"x" * number)
    for number in range(200):
        source = folders[number % len(folders)] / f"{number}.csv"
        os.link(source, folders[number // 7 % len(folders)] / f"again{number}.ipynb")
    os.mkfifo(home / "a/fifo")
    os.symlink("/", home / "a/link")
    (home / "e/core.12").write_bytes(b"core")
    return home


@needs_programs
@pytest.mark.parametrize("part", ["whole", "part"])
@pytest.mark.parametrize(("threads", "handles", "folders"), [(8, 64, 7), (1, 4, 2), (4, 16, 0)])
def test_no_byte_is_read_or_kept_in_error(program, home, part, threads, handles, folders):
    ran = subprocess.run(
        ["valgrind", "-q", "--leak-check=full", "--error-exitcode=9"]
        + [str(program), str(home), str(threads), str(handles), str(folders), part],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    links = int(ran.stdout.split(" rows ")[1].split()[0])
    files, folders_found = int(ran.stdout.split()[1]), int(ran.stdout.split()[3].rstrip(","))
    assert folders_found == sum(1 for _ in os.walk(home))
    assert files + links == 303
    assert links == (200 if part == "part" else 0)
