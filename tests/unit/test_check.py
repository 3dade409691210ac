"""`check`: a user's own look. Its texts and exit statuses are what login scripts rely on."""

import json
import os
import subprocess
import sys

import pytest

from jupyterhub_efs_quota.check import main
from jupyterhub_efs_quota.quota.record import State

from ..conftest import environment, run_python
from .test_monitor import BROKEN
from .test_predecessor import EXAMPLE

CHECK = [sys.executable, "-m", "jupyterhub_efs_quota", "check"]
OK = "INFO - You are using    1.7M bytes of   20.5M permitted bytes of $HOME storage.  Usage OK.\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "quota.yaml"
    path.write_text(EXAMPLE)
    return path


@pytest.fixture
def check(capsys):
    """Run it here: exit status, output, errors."""

    def check(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return ended.value.code, *capsys.readouterr()

    return check


def run(*arguments):
    ran = subprocess.run(
        [*CHECK, *map(str, arguments)], capture_output=True, text=True, env=environment()
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_the_command_prints_one_line_and_ends_with_0(file):
    assert run(file) == (0, OK, "")


def test_the_other_name_of_the_command_does_the_same(file):
    ran = run_python("from jupyterhub_efs_quota.check import main; main()", file)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, OK, "")


@pytest.mark.parametrize(
    "state, level, status",
    [
        ("ok", "INFO", 0),
        ("nearing-limit", "WARNING", 0),
        ("timed-out", "WARNING", 0),
        ("violation", "ERROR", 0),
        ("lockout", "CRITICAL", 1),
    ],
)
def test_only_a_lockout_is_a_failure(file, check, state, level, status):
    file.write_text(EXAMPLE.replace("quota_state: ok", f"quota_state: {state}"))
    code, out, err = check(file)
    assert (code, err) == (status, "")
    assert out.startswith(f"{level} - ")
    assert out.count("\n") == 1


def test_a_lockout_has_the_predecessors_words(file):
    file.write_text(EXAMPLE.replace("quota_state: ok", "quota_state: lockout"))
    assert run(file) == (
        1,
        "CRITICAL - You are using    1.7M bytes but are only permitted   20.5M bytes of $HOME"
        " storage.  Logins are disabled.\n",
        "",
    )


def test_the_state_is_the_one_on_record_and_not_judged_again(file, check):
    file.write_text(EXAMPLE.replace("actual_bytes: 1763939", "actual_bytes: 99999999999"))
    assert check(file)[0] == 0


def test_a_user_without_a_quota_may_spawn_whatever_the_state(file, check):
    text = EXAMPLE.replace("quota_enabled: true", "quota_enabled: false")
    file.write_text(text.replace("quota_state: ok", "quota_state: lockout"))
    assert check(file) == (
        0,
        "INFO - Quotas have been disabled for this user. Be responsible...\n",
        "",
    )


def test_a_missing_file_is_no_failure(tmp_path, check):
    assert check(tmp_path / "x") == (
        0,
        f"INFO - No quota control file found: {tmp_path}/x\n",
        "",
    )
    assert check(tmp_path / "x", "--json") == (0, "{}\n", "")


@pytest.mark.skipif(os.path.exists("/quota-control"), reason="this machine has such a file")
def test_the_file_is_where_pods_have_it_by_default(check):
    assert check()[1] == "INFO - No quota control file found: /quota-control/quota.yaml\n"


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_in_one_line_with_status_2(file, check, spoil):
    spoil(file)
    code, out, err = check(file)
    assert (code, out) == (2, "")
    assert err.startswith(f"check-quota: {file}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("text", ["note: !!timestamp soon\n", "actual_bytes: " + "9" * 5000 + "\n"])
def test_what_no_reader_expects_ends_without_a_traceback(file, text):
    file.write_text(text)
    code, out, err = run(file)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_a_file_in_a_file_is_told(file, check):
    code, out, err = check(file / "quota.yaml")
    assert (code, out) == (2, "")
    assert "Not a directory" in err


def test_as_json_it_prints_the_whole_record(file, check):
    file.write_text(EXAMPLE + "zz: [1, {2020-01-01: x}]\n")
    code, out, err = check(file, "--json")
    shown = json.loads(out)
    assert (code, err) == (0, "")
    assert list(shown)[:2] == ["user", "quota_bytes"]
    assert shown["started"] == "2022-08-29T19:56:17.359858"
    assert shown["zz"] == [1, {}]


def test_as_json_a_lockout_is_a_failure_too(file, check):
    file.write_text(EXAMPLE.replace("quota_state: ok", "quota_state: lockout"))
    code, out, _ = check(file, "--json")
    assert (code, json.loads(out)["quota_state"]) == (1, "lockout")


def test_it_never_writes(file, check):
    before = file.stat()
    check(file)
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert os.listdir(file.parent) == ["quota.yaml"]


def test_an_unknown_flag_is_an_error(file, check):
    code, _, err = check("--colour", file)
    assert code == 2
    assert "unrecognized arguments: --colour" in err


def test_it_starts_without_the_hub_and_the_web():
    ran = run_python(
        "import jupyterhub_efs_quota.check, sys;"
        "print([m for m in ('jupyterhub', 'tornado', 'traitlets') if m in sys.modules])"
    )
    assert ran.stdout == "[]\n", ran.stderr


def test_there_is_a_text_for_every_state(file, check):
    seen = set()
    for state in State:
        file.write_text(EXAMPLE.replace("quota_state: ok", f"quota_state: {state.value}"))
        seen.add(check(file)[1])
    assert len(seen) == len(State)


LENT = "quota_until: '2026-12-24T18:00:00'\nquota_reason: "


def test_a_quota_of_one_s_own_is_told_with_its_end_and_its_reason_after_the_first_line(file, check):
    file.write_text(f"{EXAMPLE}\n{LENT}Thesis\n")
    status, out, _ = check(file)
    own = "INFO - This quota ends at 2026-12-24 18:00 UTC. Reason: Thesis\n"
    assert (status, out) == (0, OK + own)


def test_a_reason_does_the_terminal_no_harm(file, check):
    file.write_text(f'{EXAMPLE}\n{LENT}"\\e]0;x\\a\\u202e\\nCRITICAL - all is lost"\n')
    _, out, _ = check(file)
    assert "\x1b" not in out and "\u202e" not in out
    assert len(out.splitlines()) == 2
