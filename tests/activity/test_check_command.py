"""`activity check` and `activity list`, run as they are installed, on a real database."""

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller

from jupyterhub_efs_quota.activity.activity import Activity
from jupyterhub_efs_quota.remeasure import utcnow

from ..conftest import REPOSITORY, run_python
from .conftest import free_port

MINUTE = timedelta(minutes=1)


@pytest.fixture
def config(sqlite_url, tmp_path):
    """A file of settings; more lines can be added to it."""
    file = tmp_path / "config.py"
    file.write_text(
        f"c.EFSQuota.history_url = {sqlite_url!r}\nc.EFSQuota.quota_control = {str(tmp_path)!r}\n"
    )
    return file


@pytest.fixture
def ran(sqlite_url, start, config):
    """Put runs on record that were completed so many minutes ago."""

    def put(*runs):
        history = start(sqlite_url)
        for name, host, ago in runs:
            completed = utcnow() - ago * MINUTE
            Activity(history).record_success(name, completed - MINUTE, completed, host)
        assert history.flush()
        history.close()

    put()
    return put


def activity(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "jupyterhub_efs_quota", "activity", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=REPOSITORY,
        **options,
    )


def check(config, *arguments):
    return activity("check", f"--config={config}", *arguments)


def test_when_all_ran_there_is_silence(ran, config):
    ran(("backup", "store1", 10), ("reaper", "hub", 1))
    done = check(config, 60, "store1:backup", "*:reaper")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_did_not_run_is_said_with_status_2(ran, config):
    ran(("backup", "store1", 90))
    done = check(config, 60, "store1:backup", "store2:backup", "*:backup")
    assert done.returncode == 2
    first, second, third = done.stdout.splitlines()
    assert first.startswith("The script 'backup' didn't run on 'store1' between ")
    assert "(last seen " in first
    assert second.startswith("The script 'backup' didn't run on 'store2' between ")
    assert "last seen" not in second
    assert third.startswith("The script 'backup' didn't run on any host between ")


def test_nagios_gets_one_line_and_its_status(ran, config):
    ran(("backup", "store1", 10))
    done = check(config, "--nagios", 60, "store1:backup")
    assert (done.returncode, done.stdout) == (0, "All scripts ran as expected\n")
    done = check(config, "--nagios", 60, "store1:backup", "a:x", "b:y")
    assert (done.returncode, done.stdout) == (2, "Scripts failed to run: a:x, b:y\n")


MUST = "Must specify time in minutes and at least one host and script"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["60"], MUST),
        (["a:b"], MUST),
        (["0", "a:b"], MUST),
        (["x", "a:b"], MUST),
        (["60", "x"], "'x' is not in the format 'host:scriptname'"),
        (["99999999999", "a:b"], "99999999999 minutes are more than twenty years"),
        (["--no-such-flag", "60", "a:b"], "The command line is not understood. See --help-all."),
        (["--EFSQuota.nothing=1", "60", "a:b"], "c.EFSQuota.nothing is no setting."),
    ],
)
def test_what_is_not_understood_is_unknown_to_nagios_and_an_error_to_others(
    ran, config, arguments, said
):
    done = check(config, "--nagios", *arguments)
    assert (done.returncode, done.stdout) == (3, f"{said}\n")
    done = check(config, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_a_database_that_cannot_be_asked_is_no_all_clear(tmp_path):
    url = f"--history-url=sqlite:///{tmp_path}/nowhere/history.sqlite"
    done = activity("check", url, "--nagios", 60, "a:b")
    assert done.returncode == 3
    (line,) = done.stdout.splitlines()
    assert "nowhere" in line
    done = activity("check", url, 60, "a:b")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_the_checks_that_the_settings_name_are_made(ran, config):
    config.write_text(
        config.read_text() + "c.EFSQuota.activity_checks = {\n"
        "    'recent': {'job': 'backup', 'host': 'store1', 'recent_minutes': 60},\n"
        "    'time': {'job': 'backup', 'last_runs': 5, 'most_mean_secs': 10},\n"
        "}\n"
    )
    ran(*((name, "store1", 10) for name in ("backup", "monitor", "reaper")))
    done = check(config, "--nagios")
    assert (done.returncode, done.stdout) == (2, "Scripts failed to run: *:backup\n")
    done = check(config)
    assert done.stdout == (
        "The last 1 runs of the script 'backup' on any host took 60.0 seconds on average,"
        " and should at most 10\n"
    )


def test_without_arguments_and_settings_there_is_nothing_to_check(ran, sqlite_url):
    done = activity("check", f"--history-url={sqlite_url}", "--nagios")
    assert (done.returncode, done.stdout) == (3, f"{MUST}\n")


def test_our_own_loops_are_checked_without_a_word_in_the_settings(request, config):
    # The history is made at this moment: nothing can have run.
    assert activity("run", f"--config={config}", "other", "--", "true").returncode == 0
    done = check(config, "--nagios")
    assert (done.returncode, done.stdout) == (0, "All scripts ran as expected\n")
    ran = request.getfixturevalue("ran")
    ran(("monitor", "hub", 200), ("reaper", "hub", 20))
    done = check(config)
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    assert line.startswith("The script 'reaper' didn't run on any host between ")
    ran(("reaper", "hub", 1))
    assert check(config).returncode == 0


def test_an_exception_that_nobody_thought_of_is_unknown_to_nagios_in_the_words_it_knows(config):
    code = (
        "import sys\n"
        "from jupyterhub_efs_quota.activity import check_command\n"
        "def fails(*_): raise ZeroDivisionError('all\\nis lost')\n"
        "check_command.ask = fails\n"
        "check_command.CheckCommand().launch(sys.argv[1:])\n"
    )
    done = run_python(code, f"--config={config}", "--nagios", 60, "a:b")
    said = "Unhandled exception: ZeroDivisionError ZeroDivisionError('all\\nis lost')"
    assert (done.returncode, done.stdout) == (3, f"{said}\n")
    done = run_python(code, f"--config={config}", 60, "a:b")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_job_that_is_switched_off_is_not_missed(ran, config, tmp_path):
    (tmp_path / "switched-off.txt").write_text("backup # the disk is changed\n")
    done = check(config, 60, "store1:backup")
    assert (done.returncode, done.stdout) == (0, "")


class Mailbox:
    """Keeps the mails that it is handed."""

    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture
def mailbox():
    handler = Mailbox()
    handler.port = free_port()
    controller = Controller(handler, "127.0.0.1", handler.port, ready_timeout=60)
    controller.start()
    yield handler
    controller.stop()


def test_one_mail_tells_of_all_that_is_wrong(ran, config, mailbox):
    config.write_text(
        config.read_text()
        + f"c.EFSQuota.smtp_host = '127.0.0.1'\nc.EFSQuota.smtp_port = {mailbox.port}\n"
        "c.EFSQuota.mail_from = 'hub@example.org'\n"
        "c.EFSQuota.mail_to = ['a@example.org', 'b@example.org']\n"
    )
    ran(("backup", "store1", 10))
    assert check(config, "--mail", 60, "store1:backup").returncode == 0
    assert mailbox.envelopes == []
    done = check(config, "--mail", 60, "x:ä", "y:b")
    assert done.returncode == 2, done.stderr
    (envelope,) = mailbox.envelopes
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
    from email import message_from_bytes, policy

    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert mail["Subject"] == "Scripts failed to run: x:ä, y:b"
    assert mail.get_content().splitlines() == done.stdout.splitlines()
    assert len(done.stdout.splitlines()) == 2


def test_a_mail_that_cannot_be_sent_hides_neither_the_texts_nor_the_status(ran, config):
    config.write_text(
        config.read_text()
        + "c.EFSQuota.smtp_host = '127.0.0.1'\nc.EFSQuota.smtp_port = 1\n"
        + "c.EFSQuota.mail_from = 'hub@example.org'\nc.EFSQuota.mail_to = ['a@example.org']\n"
    )
    done = check(config, "--mail", 60, "x:y")
    assert done.returncode == 2
    assert "The script 'y'" in done.stdout
    assert "smtp_host" in done.stderr


def test_all_jobs_are_listed_with_how_they_stand(ran, config, tmp_path):
    (tmp_path / "switched-off.txt").write_text("idle # until Monday\n")
    ran(*(("backup", "store1", 60 * ago) for ago in (1, 2, 3, 4)))
    done = activity("list", f"--config={config}", "--json")
    assert done.returncode == 0, done.stderr
    jobs = {job["job"]: job for job in json.loads(done.stdout)}
    assert list(jobs) == ["backup", "idle", "monitor", "reaper"]
    backup, idle = jobs["backup"], jobs["idle"]
    assert (backup["job"], backup["on"], backup["last"]["host"]) == ("backup", True, "store1")
    assert backup["success"] == backup["last"]
    assert backup["due"] > backup["last"]["started"]
    assert (idle["job"], idle["on"], idle["note"]) == ("idle", False, "until Monday")
    assert idle["last"] is None
    done = activity("list", f"--config={config}", env={"COLUMNS": "200", "PATH": "/bin"})
    assert "backup" in done.stdout
    assert "1:00 min" in done.stdout
    assert "never ran" in done.stdout
