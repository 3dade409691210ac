"""`measure`: what it prints to people, to programs and on a terminal, and how it ends."""

import base64
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.measure.task import Task
from jupyterhub_efs_quota.measure.walk.engine import walk
from jupyterhub_efs_quota.quota.summary import Folder, Sums, load_summary
from jupyterhub_efs_quota.quota.usage import Usage
from jupyterhub_efs_quota.terminal import as_json
from jupyterhub_efs_quota.terminal.cells import shortened
from jupyterhub_efs_quota.words.names import plain
from jupyterhub_efs_quota.terminal.picture import bar
from jupyterhub_efs_quota.words.tree import rows
from jupyterhub_efs_quota.words.figures import ago, bands, took

from ..conftest import as_root, environment, run_python
from .strategies import any_text, file_names

COMMAND = [sys.executable, "-m", "jupyterhub_efs_quota", "measure"]
DAY = 86400
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def run(*arguments, cwd=None, timeout=60, **variables):
    """Run the command with its output in a pipe."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(**{"COLUMNS": "80", **variables}),
        cwd=cwd,
        timeout=timeout,
        check=False,
    )


class Terminal:
    """The command on a real terminal of so many columns, and all that it wrote there."""

    def __init__(self, *arguments, columns=80, stdout=None, **variables):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.columns = columns
        self.text = ""
        kept = environment(**{"TERM": "xterm-256color", **variables})
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            if name not in variables:
                kept.pop(name, None)
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=slave,
            stdout=stdout or slave,
            stderr=slave,
            env=kept,
            start_new_session=True,
        )
        os.close(slave)

    def read(self, until=None, secs=30.0):
        """Read to the end, or until something is there."""
        end = time.monotonic() + secs
        while until is None or until not in self.text:
            assert time.monotonic() < end, self.text
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if not ready:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            self.text += data.decode(errors="replace")
        return self.text

    def wait(self):
        self.read()
        os.close(self.master)
        return self.process.wait(30)

    def screen(self):
        """What stands on it: a list of lines."""
        screen = pyte.Screen(self.columns, 200)
        pyte.Stream(screen).feed(self.text)
        return [line.rstrip() for line in screen.display if line.strip()]


@pytest.fixture
def home(tmp_path):
    """A home whose numbers are known."""
    home = tmp_path / "alice"
    now = time.time()
    for name, size, days in [
        ("data/raw/images.h5", 40_000_000, 400),
        ("data/raw/more.h5", 20_000_000, 100),
        ("data/table.csv", 10_000_000, 40),
        ("work/notes.ipynb", 3_000_000, 1),
        ("work/.ipynb_checkpoints/notes.ipynb", 2_000_000, 1),
        (".cache/pip/wheel", 4_000_000, 800),
        ("README", 100, 3000),
    ]:
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            opened.truncate(size)
        os.utime(file, (now - days * DAY - 60, now - days * DAY - 60))
    return home


def normal(text, home):
    """The output without what differs from run to run."""
    text = text.replace(str(home), "HOME")
    text = re.sub(r"  in [0-9.:]+ (s|min|h)", "  in TIME", text)
    return re.sub(r"[0-9.]+ (KiB|bytes) on disk", "SPACE on disk", text)


PICTURE = """\
HOME
  75.3 MiB apparent, SPACE on disk, 7 files, 7 folders  in TIME

Folders
        Size       Files  Changed    Share        Folder
    75.3 MiB           7  1 day      100% ██████  .
    66.8 MiB           3  40 days     89% █████▍  ├── data
    57.2 MiB           2  3 months    76% ████▌   │   ├── raw
     9.5 MiB           1              13% ▊       │   └── (all else here)
     4.8 MiB           2  1 day        6% ▍       ├── work
     1.9 MiB           1  1 day        3% ▏       │   ├── .ipynb_checkpoints
     2.9 MiB           1               4% ▎       │   └── (all else here)
     3.8 MiB           1  2 years      5% ▎       └── .cache
     3.8 MiB           1  2 years      5% ▎           └── pip

Types
        Size       Files             Share        Type
    57.2 MiB           2              76% ████▌   arrays
     9.5 MiB           1              13% ▊       tables
     4.8 MiB           2               6% ▍       notebooks
     3.8 MiB           2               5% ▎       other

Ages
    Modified    Accessed             Share        Age
     4.8 MiB     4.8 MiB               6% ▍       up to 7 days
     9.5 MiB     9.5 MiB              13% ▊       30 to 90 days
    19.1 MiB    19.1 MiB              25% █▌      90 to 180 days
    38.1 MiB    38.1 MiB              51% ███     1 to 2 years
     3.8 MiB     3.8 MiB               5% ▎       2 to 5 years
   100 bytes   100 bytes               0%         over 5 years

Largest files
        Size              Changed    Share        File
    38.1 MiB              13 months   51% ███     data/raw/images.h5
    19.1 MiB              3 months    25% █▌      data/raw/more.h5
     9.5 MiB              40 days     13% ▊       data/table.csv
     3.8 MiB              2 years      5% ▎       .cache/pip/wheel
     2.9 MiB              1 day        4% ▎       work/notes.ipynb
     1.9 MiB              1 day        3% ▏       work/.ipy…ckpoints/notes.ipynb
   100 bytes              8 years      0%         README

Can be done without
        Size       Files             Share        Kind
     3.8 MiB           1               5% ▎       caches
     3.8 MiB           1                          └── .cache
     1.9 MiB           1               3% ▏       notebook checkpoints
     1.9 MiB           1                          └── work/.ipynb_checkpoints
"""


def test_in_a_pipe_it_prints_all_of_it_in_80_columns_and_nothing_else(home):
    ran = run(home)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert normal(ran.stdout, home) == PICTURE


def test_in_120_columns_there_is_room_for_names_and_bars(home):
    ran = run(home, COLUMNS="120")
    assert "work/.ipynb_checkpoints/notes.ipynb" in ran.stdout
    assert "  76% ████████████▏     │   ├── raw" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 120


@pytest.mark.parametrize("columns", ["20", "60", "1000"])
def test_any_width_will_do(home, columns):
    ran = run(home, COLUMNS=columns)
    assert ran.returncode == 0, ran.stderr
    assert "├── data" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= max(80, min(int(columns), 120))


def test_the_allocated_size_can_be_shown_instead(home):
    (home / "real").write_bytes(os.urandom(3_000_000))
    ran = run("--allocated", home)
    assert re.search(r"on disk, 78.2 MiB apparent, 8 files", ran.stdout), ran.stdout
    # The others are holes.
    assert ran.stdout.index(" real\n") < ran.stdout.index("images.h5")


def test_how_much_is_shown_can_be_told(home):
    few = run("--depth=1", "--top=1", home).stdout
    assert "└── (all else here)" in few
    assert "raw" not in few.split("Types")[0]
    assert "(all others)" in few
    assert few.count("h5") == 1
    assert "raw" in run("--depth=2", home).stdout.split("Types")[0]


def test_without_a_path_it_measures_where_one_is(home):
    ran = run(cwd=home)
    assert normal(ran.stdout, home) == PICTURE


def test_several_paths_are_shown_one_after_the_other(home):
    ran = run(home / "data", home / "work")
    assert [line for line in ran.stdout.splitlines() if line.startswith("/")] == [
        f"{home}/data",
        f"{home}/work",
    ]


def test_an_empty_folder_takes_two_lines(tmp_path):
    (tmp_path / "empty").mkdir()
    ran = run(tmp_path / "empty")
    assert len(ran.stdout.splitlines()) == 2
    assert "0 bytes apparent" in ran.stdout
    assert "0 files, 1 folder " in ran.stdout


def test_folders_to_skip_are_not_counted(home):
    assert "75.3 MiB apparent" in run("--skip=none", home).stdout
    assert "8.6 MiB apparent" in run("--skip=r*", "--skip=data", home).stdout


@as_root
def test_other_file_systems_count_only_if_that_is_said(home, tmpfs):
    (tmpfs(home / "mounted") / "file").write_bytes(b"x" * 500_000)
    assert ", 7 files" in run(home).stdout
    assert ", 8 files" in run("--cross-mounts", home).stdout


def test_types_junk_and_ages_come_from_the_configuration(home, tmp_path):
    config = tmp_path / "config.py"
    config.write_text(
        'c.EFSQuota.file_types = {"big things": ["h5"]}\n'
        'c.EFSQuota.junk = {"old tables": ["*.csv"]}\n'
        "c.EFSQuota.age_days = [200]\n"
    )
    said = run(f"--config={config}", home).stdout
    assert re.search(r"57\.2 MiB +2 +76% \S+ +big things", said)
    assert re.search(r"9\.5 MiB +1 +13% \S+ +old tables", said)
    assert re.search(r"33\.4 MiB +33\.4 MiB +44% \S+ +up to 200 days", said)


def test_how_much_is_shown_may_stand_in_the_file_and_the_command_line_goes_before_it(
    home, tmp_path
):
    config = tmp_path / "config.py"
    config.write_text("c.MeasureCommand.top = 1")
    assert run(f"--config={config}", home).stdout.count("h5") == 1
    assert run(f"--config={config}", "--top=3", home).stdout.count("h5") == 2
    config.write_text("c.MeasureCommand.top = 'many'")
    ran = run(f"--config={config}", home)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "c.MeasureCommand: The 'top' trait" in ran.stderr


def test_the_folder_above_is_the_one_above_where_a_link_leads(home, tmp_path):
    (tmp_path / "link").symlink_to(home / "data" / "raw")
    ran = run("link/..", cwd=tmp_path)
    assert ran.stdout.startswith(f"{home}/data\n")


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    (tmp_path / "gone").mkdir()
    ran = subprocess.run(
        ["sh", "-c", f"cd {tmp_path}/gone && rmdir ../gone && exec {' '.join(COMMAND)}"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "The current folder is gone" in ran.stderr


# --- JSON -----------------------------------------------------------------------------


def strictly(text):
    """JSON as the strictest of readers takes it."""
    assert text.isascii()
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False).encode()  # no lone surrogates
    return value


def test_json_has_all_that_was_found(home):
    ran = run("--json", home, home / "work")
    assert (ran.returncode, ran.stderr) == (0, "")
    first, second = map(strictly, ran.stdout.splitlines())
    assert (first["path"], second["path"]) == (str(home), f"{home}/work")
    usage, summary = first["usage"], first["summary"]
    walked = walk(Task(str(home), 60.0, rules=Rules(summary["now"])))
    assert {key: usage[key] for key in ("bytes", "allocated", "files", "dirs", "complete")} == {
        **{"bytes": walked.bytes, "allocated": walked.allocated},
        **{"files": walked.files, "dirs": walked.dirs, "complete": True},
    }
    assert summary["types"]["arrays"] == {"bytes": 60_000_000, "allocated": 0, "files": 2}
    assert [file["path"] for file in summary["largest"]][0] == "data/raw/images.h5"
    assert len(summary["folders"]) == walked.dirs


@given(st.lists(file_names, min_size=1, max_size=4), any_text)
def test_names_in_json_are_text_for_anybody_and_exact_beside_it(names, wrong):
    path = os.fsdecode(b"/".join(names))
    summary = load_summary(
        {
            **dict.fromkeys(("types", "junk"), {}),
            **dict.fromkeys(("ages_days", "modified", "accessed", "largest", "junk_places"), []),
            "folders": [{"path": path, "sums": [1, 2, 3], "dirs": 4, "newest": None}],
            **dict.fromkeys(("now", "oldest", "newest"), 1),
        }
    )
    line = as_json.line(path, Usage(bytes=1, files=1, summary=summary))
    assert "\n" not in line
    read = strictly(line)
    for place in (read, read["summary"]["folders"][0]):
        exact = place.get("path_base64")
        raw = os.fsencode(place["path"]) if exact is None else base64.b64decode(exact)
        assert raw == b"/".join(names)
    assert strictly(as_json.line("/x", wrong))["path"] == "/x"


def test_json_says_which_path_failed_and_why(home, tmp_path):
    ran = run("--json", tmp_path / "none", home)
    first, second = map(strictly, ran.stdout.splitlines())
    assert first == {"path": f"{tmp_path}/none", "error": f"{tmp_path}/none does not exist."}
    assert second["usage"]["files"] == 7
    assert ran.returncode == 1


# --- What goes wrong ------------------------------------------------------------------


def test_a_path_that_is_missing_is_named_and_the_others_are_measured(home, tmp_path):
    ran = run(tmp_path / "none", home)
    assert ran.returncode == 1
    assert ran.stderr == f"jupyterhub-efs-quota: {tmp_path}/none does not exist.\n"
    assert "75.3 MiB apparent" in ran.stdout


def test_a_file_is_named_with_what_to_do(home):
    ran = run(home / "README")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "README is a file: name the folder that it is in." in ran.stderr


def test_a_link_to_a_folder_is_followed_and_one_inside_is_not(home, tmp_path):
    (tmp_path / "link").symlink_to(home)
    (home / "elsewhere").symlink_to("/usr")
    ran = run(tmp_path / "link")
    assert ran.stdout.startswith(f"{tmp_path}/link\n  75.3 MiB apparent")
    assert "8 files, 7 folders" in ran.stdout


AS_NOBODY = """
import encodings.unicode_escape, os, pwd, sys
from jupyterhub_efs_quota.terminal.measure import MeasureCommand
os.setgid(65534), os.setuid(65534)
MeasureCommand().launch(sys.argv[1:])
"""


@as_root
def test_what_may_not_be_read_is_named_counted_and_a_failure(for_everybody):
    (for_everybody / "secret\n\x1b[31m").mkdir(mode=0o700)
    (for_everybody / "file").write_bytes(b"x" * 3000)
    ran = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(for_everybody)],
        capture_output=True,
        text=True,
        env=environment(HOME=str(for_everybody)),
        cwd="/",
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert "2.9 KiB apparent" in ran.stdout
    assert "1 entry could not be read:\n" in ran.stdout
    assert "secret" in ran.stdout
    assert "Permission denied" in ran.stdout
    assert "\x1b" not in ran.stdout
    (for_everybody / "secret\n\x1b[31m").chmod(0o755)
    for_everybody.chmod(0o700)
    ran = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(for_everybody)],
        capture_output=True,
        text=True,
        env=environment(HOME="/"),
        cwd="/",
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"{for_everybody} may not be read by nobody: run this as its owner" in ran.stderr


@pytest.mark.parametrize(
    "flags, wrong",
    [
        (["--bogus"], "--bogus is no flag"),
        (["--depth=0"], "depth"),
        (["--top=many"], "'many'"),
        (["--deadline=-1"], "deadline"),
        (["--format=xml"], "quoted"),
        (["--threads=0"], "walk_threads"),
        (["--export=x", "--from=y"], "--export and --from cannot be used together"),
        (["--config=/none.py"], "/none.py does not exist"),
        (["--EFSQuota.age_days=[9,8]"], "age_days"),
    ],
)
def test_a_flag_that_makes_no_sense_is_an_error_that_names_it(home, flags, wrong):
    ran = run(*flags, home)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert wrong in ran.stderr
    assert "Traceback" not in ran.stderr


def test_at_the_deadline_it_shows_what_it_has_and_says_so(tmp_path):
    many = wide(tmp_path / "many", 20_000)
    ran = run("--deadline=0.0001", many)
    assert ran.returncode == 1
    assert "Only a part of it: the rest was not looked at." in ran.stdout


def test_a_reader_that_has_seen_enough_is_no_error(home):
    ran = subprocess.run(
        ["sh", "-c", f"{' '.join(COMMAND)} --json {home} {home} {home} | head -c 10"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ('{"path": "', "")


def test_the_help_tells_of_it():
    ran = run("--help")
    assert ran.returncode == 0
    assert "measure [OPTION ...] [PATH ...]" in ran.stdout
    for flag in ("--json", "--depth", "--top", "--allocated", "--export", "--from", "--deadline"):
        assert f"\n{flag}" in ran.stdout
    service = subprocess.run(
        [*COMMAND[:-1], "--help"], capture_output=True, text=True, env=environment(), check=False
    )
    assert "measure" in service.stdout


# --- Odd names ------------------------------------------------------------------------


@given(any_text | file_names.map(os.fsdecode))
def test_any_name_is_shown_harmlessly_and_as_no_other(name):
    shown = plain(name)
    assert shown.isprintable()
    assert not any(0xDC00 <= ord(character) < 0xE000 for character in shown)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]", shown)
    if "\\" not in name:
        assert (shown == name) == ("\\" not in shown)


def test_names_that_differ_are_shown_differently():
    names = ["a\nb", "a\\nb", "a\\\\nb", "a b", "a\u00a0b", "a\u200bb", "ab", "a\udcffb", "a\\xffb"]
    assert len(set(map(plain, names))) == len(names)


@given(any_text.map(plain), st.integers(1, 60))
def test_a_shortened_name_has_room(name, cells):
    short = shortened(name, cells)
    assert cell_len(short) <= cells
    assert short == name or (cell_len(name) > cells and "…" in short)


def test_a_shortened_name_keeps_its_end_above_all():
    assert shortened("a/very/long/way/to/data.csv", 16) == "a/ver…o/data.csv"


def test_odd_names_do_no_harm_anywhere(tmp_path):
    odd = tmp_path / "odd\x1b[2J[bold]"
    for name in [
        b"[red]x[/red]",
        b"a\nb",
        b"\x1b]0;title\x07",
        "\u202egnp.exe".encode(),
        b"\xff\xfe",
        b"x" * 255,
        "日本語".encode() * 25,
    ]:
        folder = os.fsencode(odd) + b"/" + name
        os.makedirs(folder)
        Path(os.fsdecode(folder + b"/core.1")).write_bytes(b"x" * 1000)
    terminal = Terminal(odd, "--top=30")
    assert terminal.wait() == 0
    left = ESCAPES.sub("", terminal.text).replace("\r\n", "\n")
    assert left.replace("\n", "").isprintable()
    assert f"{tmp_path}/odd\\x1b[2J[bold]" in left
    assert "── [red]x[\n" in left
    assert "red]/core.1" in left
    for shown in (r"a\nb", r"\x1b]0;title\x07", r"\u202egnp.exe", r"\xff\xfe", "日本語"):
        assert shown in left
    assert all(cell_len(line) <= 80 for line in left.splitlines()[1:])


# --- On a terminal --------------------------------------------------------------------


def wide(folder, files):
    """A folder with so many empty files, made quickly."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for number in range(files):
        os.close(os.open(f"{number}", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    return folder


@pytest.fixture
def slow(monkeypatch, tmp_path):
    """A program that makes the walk wait as if for a store; what stands in for it is real."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        """
import os, sys, time
if "measure" in sys.argv:
    from jupyterhub_efs_quota.measure.walk import engine
    engine.ENGINES.pop(engine.COMPILED, None)
    real = os.scandir
    class Slow:
        def __init__(self, entries):
            self.entries = entries
        def __iter__(self):
            return self
        def __next__(self):
            time.sleep(0.002)
            return next(self.entries)
        def __enter__(self):
            return self
        def __exit__(self, *_):
            self.entries.close()
        def close(self):
            self.entries.close()
    os.scandir = lambda *given: Slow(real(*given))
"""
    )
    return {"PYTHONPATH": f"{site}:{environment()['PYTHONPATH']}"}


def test_a_terminal_shows_how_far_it_is_and_wipes_it_out(tmp_path, slow):
    many = wide(tmp_path / "many", 700)
    terminal = Terminal(many, **slow)
    shown = ESCAPES.sub("", terminal.read(until="a second"))
    assert re.search(r"\S+ {2}\d+ files, [\d,]+ a second, 0 bytes, [\d.]+ s", shown), shown
    assert terminal.wait() == 0
    screen = terminal.screen()
    assert not any("a second" in line for line in screen)
    assert screen[0] == str(many)[: len(screen[0])]
    assert "700 files" in screen[1] or "700 files" in screen[2]


def test_where_output_is_a_pipe_nothing_is_shown_in_between(tmp_path, slow):
    many = wide(tmp_path / "many", 500)
    reader, writer = os.pipe()
    terminal = Terminal(many, stdout=writer, **slow)
    os.close(writer)
    with os.fdopen(reader) as output:
        assert "500 files" in output.read()
    assert terminal.wait() == 0
    assert terminal.text == ""


def test_where_output_is_a_file_the_terminal_still_shows_how_far_it_is(tmp_path, slow):
    many = wide(tmp_path / "many", 500)
    with (tmp_path / "out").open("w") as file:
        terminal = Terminal("--json", many, stdout=file, **slow)
        assert terminal.wait() == 0
    assert "a second" in terminal.text
    assert terminal.screen() == []
    assert strictly((tmp_path / "out").read_text())["usage"]["files"] == 500


def test_colour_can_be_refused(home):
    coloured = Terminal(home)
    assert coloured.wait() == 0
    assert "\x1b[36m" in coloured.text
    plain_text = Terminal(home, NO_COLOR="1")
    assert plain_text.wait() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain_text.text)
    dumb = Terminal(home, TERM="dumb")
    assert dumb.wait() == 0
    assert "\x1b" not in dumb.text
    lines = [ESCAPES.sub("", each.text).replace("\r", "") for each in (coloured, plain_text, dumb)]
    assert {normal(text, home) for text in lines} == {PICTURE}


def test_a_terminal_without_such_letters_gets_others(home):
    ran = run(home, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.isascii()
    assert "|   `-- (all else here)" in ran.stdout
    assert "76% #####" in ran.stdout


def test_ctrl_c_shows_what_was_counted_so_far(tmp_path, slow):
    many = wide(tmp_path / "many", 5000)
    terminal = Terminal(many, **slow)
    terminal.read(until="a second")
    began = time.monotonic()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == 130
    assert time.monotonic() - began < 1.5
    assert "Traceback" not in terminal.text
    assert "Only a part of it" in terminal.text
    (files,) = re.findall(r"on disk, ([\d,]+) files", terminal.text)
    assert 0 < int(files.replace(",", "")) < 5000


def test_ctrl_c_ends_it_wherever_it_is(tmp_path):
    # So many that the signal comes anywhere: in a walk, between two, while one is drawn.
    terminal = Terminal(*[wide(tmp_path / "many", 3000)] * 3000)
    terminal.read(until="Types")
    began = time.monotonic()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == 130
    assert time.monotonic() - began < 1.5
    assert "Traceback" not in terminal.text


def test_ctrl_c_leaves_a_walk_that_hangs(tmp_path):
    (tmp_path / "home").mkdir()
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        """
import sys, time
if "measure" in sys.argv:
    from jupyterhub_efs_quota.terminal import measure
    def walk(task, progress):
        progress(1234, 5 * 1024**2, 7)
        time.sleep(0.5)
        progress(1234, 5 * 1024**2, 7)
        time.sleep(60)
    measure.walk = walk
"""
    )
    terminal = Terminal(
        tmp_path / "home", PYTHONPATH=f"{site}:{environment()['PYTHONPATH']}", columns=200
    )
    terminal.read(until="a second")
    began = time.monotonic()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == 130
    assert time.monotonic() - began < 2
    assert "Counted so far, a part only: 5.0 MiB, 1,234 files, 7 folders." in terminal.text


# --- Scans ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scan", "scan.gz"])
def test_a_scan_shows_what_the_walk_shows(home, tmp_path, name):
    made = run(f"--export={tmp_path}/{name}", home)
    assert (made.returncode, made.stderr) == (0, "")
    assert re.fullmatch(
        rf"{tmp_path}/{name}: 7 files, 7 folders, 75.3 MiB in .* s\n", made.stdout
    ), made.stdout
    ran = run(f"--from={tmp_path}/{name}", home)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert normal(ran.stdout, home) == PICTURE


def test_ages_in_a_scan_count_from_when_it_was_made(home, tmp_path):
    run(f"--export={tmp_path}/scan", home)
    long_ago = time.time() - 300 * DAY
    os.utime(tmp_path / "scan", (long_ago, long_ago))
    ran = run(f"--from={tmp_path}/scan", home)
    assert re.search(r"38\.1 MiB +3 months .* data/raw/images.h5", ran.stdout), ran.stdout


def test_the_older_generation_shows_no_space_on_disk(home, tmp_path):
    assert run(f"--export={tmp_path}/scan", "--format=base64", home).returncode == 0
    ran = run(f"--from={tmp_path}/scan", "--allocated", home)
    assert ran.returncode == 0
    assert "on disk" not in ran.stdout
    assert "7 files, 7 folders" in ran.stdout


def test_a_path_that_is_not_in_the_scan_is_named(home, tmp_path):
    run(f"--export={tmp_path}/scan", home / "work")
    ran = run(f"--from={tmp_path}/scan", home / "data", home / "work")
    assert ran.returncode == 1
    assert ran.stderr == (
        f"jupyterhub-efs-quota: {home}/data is not in the scan {tmp_path}/scan.\n"
    )
    assert "4.8 MiB apparent" in ran.stdout


def test_a_broken_scan_is_named_with_its_line(home, tmp_path):
    run(f"--export={tmp_path}/scan", home)
    with (tmp_path / "scan").open("a") as file:
        file.write("nonsense\n")
    ran = run(f"--from={tmp_path}/scan", home)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"{tmp_path}/scan, line 15: 1 columns" in ran.stderr


def test_ctrl_c_leaves_no_half_scan(tmp_path, slow):
    (tmp_path / "many").mkdir()
    for number in range(100):
        wide(tmp_path / "many" / f"{number}", 50)
    (tmp_path / "out").mkdir()
    terminal = Terminal(f"--export={tmp_path}/out/scan", tmp_path / "many", **slow)
    terminal.read(until="a second")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == 130
    assert os.listdir(tmp_path / "out") == []
    assert "jupyterhub-efs-quota: interrupted." in terminal.text


def test_what_draws_is_loaded_by_nothing_else():
    """The hub's hook and `check` start quickly, and the service without a terminal."""
    code = (
        "import sys, jupyterhub_efs_quota, jupyterhub_efs_quota.app, jupyterhub_efs_quota.commands;"
        "sys.exit('rich' in sys.modules)"
    )
    assert run_python(code).returncode == 0


# --- Its parts ------------------------------------------------------------------------


def folder(path, size, files=1):
    return Folder(path, Sums(size, size, files), 1)


def test_a_tree_shows_the_heaviest_and_adds_up():
    folders = [
        folder("", 100, 50),
        folder("a", 60, 20),
        folder("a/b", 50, 10),
        folder("c", 30, 10),
        folder("a/b/d", 20, 2),
    ]
    shown = rows(folders, depth=2, most=3, allocated=False)
    assert [(row.name, row.sums.bytes, row.last) for row in shown] == [
        ("", 100, ()),
        ("a", 60, (False,)),
        ("b", 50, (False, False)),
        ("", 10, (False, True)),
        ("c", 30, (False,)),
        ("", 10, (True,)),
    ]


def test_a_share_is_a_bar_of_eighths():
    assert bar(1, 4) == "████"
    assert bar(0.5, 4) == "██"
    assert bar(0.53, 4) == "██▏"
    assert bar(0, 4) == bar(-1, 4) == ""
    assert bar(7, 4) == "████"
    assert bar(0.5, 4, blocks=False) == "##"


@pytest.mark.parametrize(
    "secs, said",
    [
        (-10 * DAY, "in future"),
        (-10, "today"),
        (0, "today"),
        (DAY, "1 day"),
        (59 * DAY, "59 days"),
        (70 * DAY, "2 months"),
        (700 * DAY, "22 months"),
        (800 * DAY, "2 years"),
        (20000 * DAY, "54 years"),
    ],
)
def test_ages_are_said_in_one_unit(secs, said):
    assert ago(10**9 - secs, 10**9) == said


def test_bands_are_named_by_their_ends():
    assert bands((1, 7, 30, 365, 730)) == [
        "up to 1 day",
        "1 to 7 days",
        "7 to 30 days",
        "30 days to 1 year",
        "1 to 2 years",
        "over 2 years",
    ]
    assert bands(()) == ["any age"]


def test_times_are_said_in_one_unit():
    assert [took(secs) for secs in (0.04, 9.94, 12.3, 61, 3661)] == [
        "0.0 s",
        "9.9 s",
        "12 s",
        "1:01 min",
        "1:01:01 h",
    ]
