"""Log lines: JSON as sites parse it, and text that no user name can forge."""

import json
import logging
import sys

import pytest

from jupyterhub_efs_quota.logs import ConsoleFormatter, JsonFormatter, event, start_logging
from jupyterhub_efs_quota.quota.messages import updated
from jupyterhub_efs_quota.quota.record import Record, parse_time

from ..conftest import run_python

# The predecessor's, with six digits to each time.
SAMPLE = (
    '{"user": "homer@stsci.edu", "quota_bytes": 214748364800, "actual_bytes": 3000000, '
    '"fraction_used": 1.3969838619232178e-05, "warn_fraction": 0.9, "quota_enabled": true, '
    '"lockout_enabled": true, "last_activity": "2022-01-01T00:00:01.500000", '
    '"reaper_time": "0001-01-01T01:01", "active_at_reap": 0, '
    '"started": "2022-01-01T00:00:00.000000", "stopped": "2022-01-01T00:00:00.125000", '
    '"quota_state": "ok", "timed_out": false, "status": "INFO", "subsystem": "Monitor", '
    '"pod_id": "6d4978cb5c-6vqdm", "timestamp": "2022-01-01T00:00:00.000000", '
    '"message": "Updated quota for homer@stsci.edu using    2.9M of  200.0G bytes.", '
    '"service": "roman", "env": "dmd-dev"}'
)
RECORD = Record(
    "homer@stsci.edu",
    actual_bytes=3_000_000,
    fraction_used=3_000_000 / 214748364800,
    last_activity=parse_time("2022-01-01T00:00:01.5"),
    started=parse_time("2022-01-01T00:00:00"),
    stopped=parse_time("2022-01-01T00:00:00.125"),
)
ENVIRONMENT = {
    "DEPLOYMENT_NAME": "roman",
    "ENVIRONMENT": "dev",
    "POD_NAME": "efs-quota-monitor-6d4978cb5c-6vqdm",
}


class Collected(logging.Handler):
    def __init__(self, formatter):
        super().__init__()
        self.setFormatter(formatter)
        self.lines = []

    def emit(self, record):
        record.created = 1640995200.0  # 2022-01-01
        self.lines.append(self.format(record))


@pytest.fixture
def said():
    """Log an event and give back its line, in the form of a formatter."""

    def said(formatter, level, message, **more):
        log, handler = logging.Logger("test"), Collected(formatter)
        log.addHandler(handler)
        event(log, level, message, subsystem=more.pop("subsystem", "Monitor"), **more)
        (line,) = handler.lines
        return line

    return said


def test_a_line_is_the_sample_of_the_predecessor_key_by_key(said):
    line = said(JsonFormatter(ENVIRONMENT), logging.INFO, updated(RECORD), record=RECORD)
    assert line == SAMPLE


def test_our_fields_stand_between_the_predecessors_and_the_status(said):
    from dataclasses import replace

    record = replace(RECORD, usage_files=5, meter="walk", extra={"note": "x"})
    keys = list(json.loads(said(JsonFormatter({}), logging.INFO, "m", record=record)))
    assert keys[13:18] == ["timed_out", "usage_files", "meter", "note", "status"]


def test_the_production_environment_is_logged_as_ops(said):
    for environment, env in {"prod": "dmd-ops", "prod-2": "dmd-ops-2", "test": "dmd-test"}.items():
        line = said(JsonFormatter({"ENVIRONMENT": environment}), logging.INFO, "m")
        assert json.loads(line)["env"] == env


def test_a_line_needs_no_environment(said):
    line = json.loads(said(JsonFormatter({}), logging.INFO, "m"))
    assert (line["pod_id"], line["service"], line["env"]) == ("0", "efs-quota", "dmd-")


@pytest.mark.parametrize(
    "level, status",
    [
        (logging.DEBUG, "DEBUG"),
        (logging.INFO, "INFO"),
        (logging.WARNING, "WARN"),
        (logging.ERROR, "ERROR"),
        (logging.CRITICAL, "CRITICAL"),
    ],
)
def test_levels_have_the_predecessors_names(said, level, status):
    assert json.loads(said(JsonFormatter({}), level, "m"))["status"] == status
    assert f" {status} Monitor: m" in said(ConsoleFormatter(), level, "m")


def test_an_exception_is_told_before_the_status(said):
    try:
        raise ValueError("why")
    except ValueError:
        line = said(JsonFormatter(ENVIRONMENT), logging.ERROR, "EXCEPTION: x", exc_info=True)
    line = json.loads(line)
    assert list(line)[:6] == [
        "error.stack",
        "error.message",
        "error.kind",
        "logger.name",
        "logger.thread_name",
        "status",
    ]
    assert line["error.stack"].startswith("Traceback")
    assert (line["error.message"], line["error.kind"]) == ("why", "ValueError")
    assert (line["logger.name"], line["logger.thread_name"]) == ("efs-quota", "6d4978cb5c-6vqdm")


def test_the_callers_keys_win_and_stand_first(said):
    line = json.loads(said(JsonFormatter({}), logging.INFO, "m", status="mine", more=1))
    assert list(line)[:2] == ["status", "more"]
    assert line["status"] == "mine"


def test_a_line_of_another_library_has_the_same_form():
    record = logging.LogRecord("tornado", logging.WARNING, "f", 1, "%s went", ("it",), None)
    line = json.loads(JsonFormatter({}).format(record))
    assert (line["subsystem"], line["message"]) == ("Service", "it went")


def test_a_percent_sign_in_a_name_is_not_a_format(said):
    assert (
        json.loads(said(JsonFormatter({}), logging.INFO, "100% %s %d"))["message"] == "100% %s %d"
    )


FORGED = "bart\n2026-11-22 12:00:00 INFO Reaper: Quota for homer  OK."
NASTY = ["a\nb", "a\rb", "a\x0bb", "a\x0cb", "a\x1b[2Jb", "a\x85b", "a\u2028b", "a\0b", "\ud800"]


@pytest.mark.parametrize("name", [*NASTY, FORGED])
def test_no_name_forges_a_line(said, name):
    line = said(JsonFormatter({}), logging.INFO, name, user=name)
    assert line.isascii()
    assert line.splitlines() == [line]
    assert json.loads(line)["message"] == name
    line = said(ConsoleFormatter(), logging.INFO, name)
    assert line.splitlines() == [line]
    assert line.isprintable()


def test_no_name_in_an_exception_forges_a_line(said):
    try:
        raise ValueError(FORGED)
    except ValueError:
        text = said(ConsoleFormatter(), logging.ERROR, "EXCEPTION: x", exc_info=True)
    first, *others = text.splitlines()
    assert "ERROR Monitor: EXCEPTION: x" in first
    assert "ValueError: bart" in text
    assert all(line.startswith(" ") for line in others)


def test_names_of_all_languages_stay_readable_on_the_console(said):
    assert said(ConsoleFormatter(), logging.INFO, "名前 é <b>").endswith(" Monitor: 名前 é <b>")


def test_whatever_stands_in_a_file_can_be_logged(said):
    extra = {"when": parse_time("2022-01-01"), "set": {1}, "map": {parse_time("2022-01-01"): 1}}
    line = said(JsonFormatter({}), logging.INFO, "m", record=Record("homer", extra=extra))
    assert json.loads(line)["user"] == "homer"


def test_a_site_s_own_handler_sees_the_fields(log_lines):
    seen = []

    class Own(logging.Handler):
        def emit(self, record):
            seen.append((record.subsystem, record.fields["user"]))

    log = logging.getLogger("jupyterhub_efs_quota")
    own = Own()
    log.addHandler(own)
    try:
        event(log, logging.INFO, "m", subsystem="Monitor", record=Record("homer"))
    finally:
        log.removeHandler(own)
    assert seen == [("Monitor", "homer")]


def test_a_line_below_the_level_is_not_made():
    log = logging.Logger("test", logging.INFO)
    log.addHandler(Collected(JsonFormatter({})))
    event(log, logging.DEBUG, "m", subsystem="Monitor", record=object())  # would fail


START = """
import logging, sys
from jupyterhub_efs_quota.logs import start_logging
start_logging(*sys.argv[1:])
log = logging.getLogger("jupyterhub_efs_quota.loops.monitor")
log.debug("quiet")
log.warning("loud \\udcff")
logging.getLogger("tornado.general").info("theirs, quiet")
logging.getLogger("tornado.general").warning("theirs, loud")
"""


@pytest.mark.parametrize("level, shown", [("DEBUG", True), ("INFO", False), ("WARN", False)])
def test_lines_go_to_standard_output_as_json(level, shown):
    ran = run_python(START, "json", level)
    lines = [json.loads(line)["message"] for line in ran.stdout.splitlines()]
    assert lines == (["quiet"] if shown else []) + ["loud \udcff", "theirs, loud"]
    assert ran.stderr == ""


def test_lines_go_to_standard_output_for_people():
    ran = run_python(START, "console", "INFO")
    first, second = ran.stdout.splitlines()
    assert first.endswith(" WARN Service: loud \\udcff")
    assert second.endswith(" WARN Service: theirs, loud")
    assert ran.stderr == ""


def test_a_level_above_silences_the_rest():
    assert "loud" not in run_python(START, "console", "ERROR").stdout.replace("theirs, loud", "")


def test_starting_twice_writes_each_line_once(capsys):
    root, own = logging.getLogger(), logging.getLogger("jupyterhub_efs_quota")
    before = root.handlers[:], root.level, own.handlers[:], own.level, own.propagate
    try:
        start_logging("console", "INFO")
        start_logging("console", "INFO")
        own.handlers[0].stream = sys.stdout
        own.info("once")
    finally:
        root.handlers[:], root.level, own.handlers[:], own.level, own.propagate = before
    assert capsys.readouterr().out.count("once") == 1
