"""`activity run`, run as it is installed: a command's run is on record, whatever becomes of it."""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ..conftest import REPOSITORY
from .test_check_command import activity


@pytest.fixture
def run(sqlite_url, start, tmp_path):
    """Run a command as a job: what came of it, and the run on record."""
    start(sqlite_url).flush()

    def run(*command, **options):
        done = activity(
            "run",
            "my job",
            f"--history-url={sqlite_url}",
            f"--efs-quota-control={tmp_path}",
            "--host=h",
            "--",
            *command,
            **options,
        )
        return done, recorded(sqlite_url, start)

    return run


def recorded(url, start):
    history = start(url)
    assert history.flush()
    found = history.job_runs("my job")
    history.close()
    return found


def test_what_ends_well_is_a_success_and_its_output_is_its_own(run):
    done, (found,) = run("sh", "-c", "echo out; echo err >&2; cat", input="in")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\nin", "err\n")
    assert (found.outcome, found.host, found.error) == ("success", "h", None)
    assert found.completed >= found.started


def test_what_fails_is_a_failure_and_its_status_is_passed_on(run):
    done, (found,) = run("sh", "-c", "exit 37")
    assert done.returncode == 37
    assert (found.outcome, found.error) == ("failure", "It ended with status 37.")


def test_what_a_signal_ends_is_a_failure_that_names_it(run):
    done, (found,) = run("sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + 9
    assert (found.outcome, found.error) == ("failure", "It was ended by SIGKILL.")


@pytest.mark.parametrize(("command", "status"), [("/nowhere/x", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_run_is_a_failure_with_the_status_of_a_shell(run, command, status):
    done, (found,) = run(command)
    assert done.returncode == status
    assert found.outcome == "failure"
    assert found.error.startswith(f"{command}: ")
    assert command in done.stderr


def test_arguments_arrive_as_they_are(run):
    done, _ = run("printf", "%s|", "--config=x", "--", "a b", "", "ü")
    assert done.stdout == "--config=x|--|a b||ü|"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_goes_on_to_the_command(sqlite_url, start, tmp_path, number):
    start(sqlite_url).flush()
    script = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterhub_efs_quota", "activity", "run", "my job"),
            *(f"--history-url={sqlite_url}", f"--efs-quota-control={tmp_path}", "--"),
            *(sys.executable, "-c", script),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(60) == 42
    process.stdout.close()
    (found,) = recorded(sqlite_url, start)
    assert found.error == "It ended with status 42."


def test_the_command_has_no_signal_blocked(run):
    done, _ = run("grep", "^SigBlk", "/proc/self/status")
    assert set(done.stdout.split()[1]) == {"0"}


def test_a_job_that_is_switched_off_is_not_run_and_that_is_on_record(run, tmp_path):
    (tmp_path / "switched-off.txt").write_text("my job\n")
    done, (found,) = run("touch", str(tmp_path / "touched"))
    assert done.returncode == 0
    assert "switched off" in done.stderr
    assert found.outcome == "skipped"
    assert found.completed == found.started
    assert not (tmp_path / "touched").exists()


def test_without_a_place_for_the_record_the_command_runs_all_the_same(tmp_path):
    done = activity(
        *("run", "my job", "--", sys.executable, "-c", "print(1); exit(3)"),
        f"--efs-quota-control={tmp_path}",
    )
    assert done.returncode == 3
    assert done.stdout == "1\n"
    assert "--url" in done.stderr
    assert "--history-url" in done.stderr


def test_a_database_that_cannot_be_written_changes_nothing_about_the_command(tmp_path):
    url = f"--history-url=sqlite:///{tmp_path}/nowhere/x.sqlite"
    done = activity(
        "run", "x", url, "--EFSQuota.history_waiting=/nowhere", "--", "sh", "-c", "exit 4"
    )
    assert done.returncode == 4
    assert "nowhere" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["x"], ["x", "--"], ["--", "true"], ["x", "y", "--", "true"], ["a\nb", "--", "true"]],
)
def test_what_is_not_understood_is_said_and_nothing_is_run(arguments):
    done = activity("run", *arguments)
    assert done.returncode == 1
    assert "activity run NAME -- COMMAND" in done.stderr or "name of a job" in done.stderr


class Service(BaseHTTPRequestHandler):
    """Answers as our API does, after so many failures."""

    def do_GET(self):
        self.server.asked.append((self.path, None))
        self.answer(200, {"job": "x", "on": self.server.on, "note": ""})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        if self.server.failures:
            self.server.failures -= 1
            self.answer(503, {"status": 503, "message": "It restarts."})
        elif self.headers["Authorization"] != "token secret":
            self.answer(403, {"status": 403, "message": "You need a scope."})
        else:
            self.answer(201, {})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    served = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    served.asked, served.on, served.failures = [], True, 0
    thread = threading.Thread(target=served.serve_forever, args=(0.01,))
    thread.start()
    served.environment = {
        **os.environ,
        "EFS_QUOTA_URL": f"http://127.0.0.1:{served.server_port}/services/quota/",
        "EFS_QUOTA_TOKEN": "secret",
    }
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def test_a_run_far_from_the_database_is_told_to_the_service_again_if_need_be(service):
    service.failures = 1
    done = activity("run", "my job", "--host=h", "--", "false", env=service.environment)
    assert done.returncode == 1
    assert done.stderr == ""
    (asked, _), *told = service.asked
    assert asked == "/services/quota/api/jobs/switch?job=my+job"
    assert [path for path, _ in told] == ["/services/quota/api/runs"] * 2
    assert told[0] == told[1]
    body = told[0][1]
    assert (body["job"], body["host"], body["outcome"]) == ("my job", "h", "failure")
    assert body["error"] == "It ended with status 1."
    assert body["started"].endswith("Z")


def test_the_service_may_say_that_the_job_is_off(service):
    service.on = False
    done = activity("run", "my job", "--", "false", env=service.environment)
    assert done.returncode == 0
    assert service.asked[-1][1]["outcome"] == "skipped"


def test_a_service_that_refuses_is_said_and_changes_nothing_about_the_command(service):
    environment = {**service.environment, "EFS_QUOTA_TOKEN": "wrong"}
    done = activity("run", "my job", "--", "sh", "-c", "exit 5", env=environment)
    assert done.returncode == 5
    assert "You need a scope." in done.stderr
    assert len(service.asked) == 2
