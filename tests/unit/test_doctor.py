"""What the doctor finds in files, mounts, clocks and databases, and how it tells of it."""

import io
import json
import os
import sqlite3
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console
from traitlets.config import Config

from jupyterhub_efs_quota.configure import SERVICE_SCOPES
from jupyterhub_efs_quota.doctor import mounted, running, show
from jupyterhub_efs_quota.doctor.checks import (
    clock,
    database,
    mapping,
    measuring,
    mounts,
    reach,
    scopes,
    sending,
    settings,
)
from jupyterhub_efs_quota.doctor.finding import (
    Status,
    exit_status,
    not_looked_at,
    ok,
    warning,
    wrong,
)
from jupyterhub_efs_quota.doctor.place import Place
from jupyterhub_efs_quota.doctor.run import Check, run
from jupyterhub_efs_quota.homes import escape, slug
from jupyterhub_efs_quota.hub.client import Access, HubUser
from jupyterhub_efs_quota.settings import EFSQuota

from ..conftest import NOW, as_root, fill, make_read_only
from ..ports import free_port


@pytest.fixture
def place(efs):
    """Settings for a store of this test's own, seen as the service sees it."""
    made = EFSQuota()
    made.quota_control, made.home_root = str(efs / "quota-control"), str(efs / "users")
    made.history_url = f"sqlite:///{efs}/history.sqlite"
    return Place(settings=made)


def found(check, place, what):
    """What a check found about one thing."""
    return [finding for finding in check.look(place) if finding.what == what]


def one(check, place, what):
    (finding,) = found(check, place, what)
    return finding


# --- The findings and how they are told ---------------------------------------------------

ALL = [
    ok("one", "Fine."),
    not_looked_at("two", "Not seen.", "Go there"),
    warning("three", "Odd.", "Do this"),
    wrong("four", "Bad.", "Do that"),
]


@pytest.mark.parametrize(("findings", "status"), [(ALL[:2], 0), (ALL[:3], 1), (ALL, 2)])
def test_the_exit_status_is_that_of_the_worst_finding(findings, status):
    assert exit_status(findings) == status
    assert json.loads(show.as_json(findings))["exit_status"] == status


def printed(findings, **options):
    file = io.StringIO()
    show.show(findings, Console(file=file, markup=False, highlight=False, **options))
    return file.getvalue()


def test_in_a_pipe_each_finding_is_a_line_with_the_line_that_mends_it():
    assert printed(ALL, width=20).splitlines() == [
        "ok: one: Fine.",
        "not looked at: two: Not seen. To mend: Go there",
        "warning: three: Odd. To mend: Do this",
        "wrong: four: Bad. To mend: Do that",
        "",
        "1 ok, 1 not looked at, 1 warning, 1 wrong",
    ]


def test_on_a_terminal_the_line_that_mends_is_never_broken_so_that_it_can_be_copied():
    line = "chmod 0755 " + "x" * 100
    shown = printed([wrong("four", "Bad " * 30, line)], width=60, force_terminal=True)
    assert line in shown
    assert max(len(part) for part in shown.splitlines() if "xxx" not in part) <= 80


def test_names_in_a_finding_do_a_terminal_no_harm():
    shown = printed([wrong("four", "user \x1b[2J\u202e[bold]x", "y")])
    assert "\\x1b[2J\\u202e[bold]x" in shown


def test_a_check_that_hangs_is_told_of_and_keeps_what_it_had_found():
    never = threading.Event()

    def look(place):
        yield ok("first", "Fine.")
        never.wait()

    began = time.monotonic()
    first, hangs = run([Check("mounts", look, "Do this")], Place(), secs=0.2)
    assert time.monotonic() - began < 10
    assert first.said == "Fine."
    assert hangs.status is Status.WRONG
    assert "not done after 0.2 seconds: it stopped after the first" in hangs.said
    assert hangs.mend == "Do this"
    never.set()


def test_a_check_that_fails_does_not_hide_what_the_others_find():
    def fails(place):
        raise KeyError("x")
        yield

    failed, fine = run(
        [Check("a", fails, ""), Check("b", lambda place: iter([ALL[0]]), "")], Place()
    )
    assert failed.status is Status.WRONG and "KeyError" in failed.said
    assert fine.what == "one"


def test_a_script_is_known_with_its_interpreter_before_it():
    command = ["/opt/bin/jupyterhub-efs-quota", "--log-level=DEBUG"]
    assert running._is(["python3", "/opt/bin/jupyterhub-efs-quota", "--log-level=DEBUG"], command)
    assert running._is(command, command)
    assert not running._is(["python3", "/opt/bin/jupyterhub-efs-quota"], command)
    assert not running._is(["python3"], ["python3", "-m", "jupyterhub_efs_quota"])


def test_what_is_known_of_a_place_shows_no_secret():
    secret = {"JUPYTERHUB_API_TOKEN": "hidden-token"}
    known = running.Running(1, 0, Path("/"), secret)
    place = Place(
        environment=secret, running=known, access=Access("http://hub.invalid", "hidden-token")
    )
    assert "hidden-token" not in repr(place) + repr(known) + repr(place.access)


def apart(place, **more):
    """The hub's machine, where the service runs on another one."""
    service = {"name": "efs-quota", "url": "http://elsewhere:1", "api_token": "x"}
    config = Config({"JupyterHub": {"services": [service]}})
    return Place(settings=place.settings, config=config, **more)


def test_on_the_hubs_machine_what_only_the_service_needs_is_said_to_be_elsewhere(place, efs):
    (efs / "users").rmdir()
    at_hub = apart(place)
    for check, what in [
        (mounts, "home root"),
        (database, "history database"),
        (sending, "StatsD"),
        (sending, "mail"),
    ]:
        finding = one(check, at_hub, what)
        assert finding.status is Status.NOT_LOOKED_AT
        assert "where the service runs" in finding.mend
    assert one(mounts, at_hub, "control directory").status is Status.OK


# --- Settings -----------------------------------------------------------------------------


def test_a_control_directory_among_the_homes_is_told(place, efs):
    place.settings.quota_control = str(efs / "users" / "quota-control")
    finding = one(settings, place, "settings")
    assert finding.status is Status.WARNING
    assert finding.mend == f'c.EFSQuota.quota_control = "{efs}/quota-control"'


# --- Mounts -------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["home root", "control directory"])
def test_a_directory_that_is_missing_is_told_with_its_setting(place, efs, what):
    place.settings.home_root = place.settings.quota_control = str(efs / "nowhere")
    finding = one(mounts, place, what)
    assert finding.status is Status.WRONG
    assert "No such file" in finding.said
    setting = "home_root" if what == "home root" else "quota_control"
    assert f"c.EFSQuota.{setting}" in finding.mend


def test_an_empty_home_root_may_be_a_store_that_is_not_mounted(place):
    finding = one(mounts, place, "home root")
    assert finding.status is Status.WARNING
    assert "is empty" in finding.said


def test_a_mount_that_fstab_wants_and_is_not_there_is_told_with_the_command(tmp_path):
    fstab = tmp_path / "fstab"
    fstab.write_text(
        "# server:/ /old nfs4\nserver:/ /efs\\040two nfs4 defaults 0 0\n/dev/x / ext4\n"
    )
    table = mounted.mounts()
    assert mounted.unmounted(Path("/efs two/users"), table, fstab) == "/efs two"
    assert mounted.unmounted(Path("/home"), table, fstab) is None
    assert mounted.unmounted(Path("/old"), table, fstab) is None


@as_root
def test_a_store_in_memory_is_told_to_be_gone_after_a_restart(place, efs, tmpfs):
    fill(tmpfs(efs / "users") / "alice", 1)
    finding = one(mounts, place, "home root")
    assert finding.status is Status.WARNING
    assert "tmpfs" in finding.said


@as_root
def test_another_file_system_inside_a_home_is_told_unless_it_is_counted(place, efs, tmpfs):
    tmpfs(efs / "users" / "alice" / "scratch")
    told = found(mounts, place, "home root")[-1]
    assert told.status is Status.WARNING
    assert str(efs / "users" / "alice" / "scratch") in told.said
    place.settings.cross_mounts = True
    assert found(mounts, place, "home root")[-1].status is Status.OK


@as_root
def test_a_control_directory_that_is_read_only_is_wrong_for_the_service_alone(place, small_disk):
    make_read_only(small_disk)
    try:
        finding = one(mounts, place, "writing to the control directory")
        assert finding.status is Status.WRONG
        assert finding.mend == f"mount -o remount,rw {small_disk}"
        # Where the service runs elsewhere, the hub only reads.
        assert one(mounts, apart(place), "writing to the control directory").status is Status.OK
    finally:
        make_read_only(small_disk, now=False)


@as_root
def test_a_control_store_that_is_full_is_told(place, small_disk):
    from ..conftest import fill_up

    fill_up(small_disk)
    finding = one(mounts, place, "space of the control directory")
    assert finding.status is Status.WRONG
    assert "No space is left" in finding.said


@pytest.mark.parametrize(
    ("spoil", "status", "said"),
    [
        (lambda folder: folder.parent.chmod(0o777), Status.WRONG, "0777"),
        (lambda folder: folder.chmod(0o775), Status.WRONG, "0775"),
        (lambda folder: (folder / "quota.yaml").chmod(0o666), Status.WRONG, "0666"),
        (lambda folder: (folder / "quota.yaml").chmod(0o600), Status.WARNING, "check-quota"),
        (lambda folder: folder.chmod(0o700), Status.WARNING, "0700"),
    ],
)
def test_wrong_permissions_of_control_files_are_found_and_the_line_mends_them(
    place, efs, write, spoil, status, said
):
    write("alice")
    what = "permissions of the control directory"
    assert one(mounts, place, what).status is Status.OK
    spoil(efs / "quota-control" / "alice")
    finding = one(mounts, place, what)
    assert finding.status is status
    assert said in finding.said
    subprocess.run(finding.mend, shell=True, check=True)
    assert one(mounts, place, what).status is Status.OK


def test_other_files_in_the_control_directory_are_nobodys_folder(place, efs):
    (efs / "quota-control" / "switched-off.txt").touch()
    assert one(mounts, place, "permissions of the control directory").status is Status.OK


@as_root
def test_a_control_file_that_belongs_to_a_user_is_found(place, efs, write):
    write("alice")
    os.chown(efs / "quota-control" / "alice" / "quota.yaml", 12345, 12345)
    finding = one(mounts, place, "permissions of the control directory")
    assert finding.status is Status.WRONG
    assert "belongs to 12345, who can change it" in finding.said


def test_a_link_in_place_of_a_folder_of_control_files_is_found(place, efs):
    (efs / "quota-control" / "alice").symlink_to("/etc")
    finding = one(mounts, place, "permissions of the control directory")
    assert finding.status is Status.WRONG
    assert "is no folder" in finding.said


def test_looking_leaves_nothing_behind(place, efs, home_of):
    home_of("alice")
    before = sorted(efs.rglob("*"))
    for check in (mounts, clock, measuring, settings):
        list(check.look(place))
    assert sorted(efs.rglob("*")) == before


# --- Measuring ----------------------------------------------------------------------------


def test_the_meter_is_tried_on_real_homes(place, home_of):
    home_of("alice")
    finding = one(measuring, place, "meter")
    assert (finding.status, finding.said) == (Status.OK, "'walk' works: 1 file in 1 home.")


def test_a_meter_that_cannot_count_here_is_told_with_its_reason(place, home_of):
    home_of("alice")
    place.settings.meter = "cephfs"
    finding = one(measuring, place, "meter")
    assert finding.status is Status.WRONG
    assert "not on ceph" in finding.said
    assert 'c.EFSQuota.meter = "walk"' in finding.mend


# --- The mapping --------------------------------------------------------------------------


def seen(efs, users, home_path="{home_root}/{escaped_username}", control=None):
    made = EFSQuota()
    made.quota_control, made.home_root = str(efs / "quota-control"), str(efs / "users")
    made.home_path = home_path
    homes = made.homes()
    names = {entry.name for entry in (efs / "users").iterdir()}
    store = mapping.ControlStore(made.quota_control)
    counted = mapping._see(users, homes, store, names)
    return mapping._judge(counted, homes), mapping._without_user(
        sorted(names - counted.claimed), homes, counted
    )


def active(*names):
    return [HubUser(name, last_activity=NOW) for name in names]


@pytest.mark.parametrize(
    ("named", "setting"),
    [
        (str, 'c.EFSQuota.home_path = "{home_root}/{username}"'),
        (slug, 'c.EFSQuota.home_path = "{home_root}/{slug_username}"'),
        (lambda user: f"jupyter-{user}", 'c.EFSQuota.home_path = "{home_root}/jupyter-{username}"'),
        (
            lambda user: f"claim-{escape(user)}",
            'c.EFSQuota.home_path = "{home_root}/claim-{escaped_username}"',
        ),
    ],
)
def test_homes_that_are_named_otherwise_are_found_and_the_line_finds_them(efs, named, setting):
    users = active("Homer@stsci.edu", "Bart.S")
    for user in users:
        fill(efs / "users" / named(user.name), 1)
    finding, _ = seen(efs, users)
    assert finding.status is Status.WRONG
    assert finding.mend == setting
    assert f"Homer@stsci.edu has {named('Homer@stsci.edu')}" in finding.said
    c = Config()
    exec(finding.mend, {"c": c})
    mended, _ = seen(efs, users, c.EFSQuota.home_path)
    assert (mended.status, mended.said) == (Status.OK, "2 of 2 users have a home.")


def test_escaping_that_no_template_has_is_told_with_what_a_function_would_do(efs):
    for name in ("homer-40stsci-2Eedu", "bart-2ES"):
        fill(efs / "users" / name, 1)
    finding, _ = seen(efs, active("homer@stsci.edu", "bart.S"))
    assert "escapism.escape" in finding.mend


def test_a_home_that_the_spawner_told_counts(efs, write):
    write("alice", home=str(efs / "users" / "elsewhere"))
    fill(efs / "users" / "elsewhere", 1)
    finding, without = seen(efs, active("alice"))
    assert finding.said == "1 of 1 user have a home."
    assert without.said.startswith("All directories")


def test_users_who_were_never_active_need_no_home(efs):
    fill(efs / "users" / "alice", 1)
    finding, _ = seen(efs, [*active("alice"), HubUser("bob")])
    assert finding.status is Status.OK
    assert "1 without one were never active" in finding.said


def test_when_most_have_no_home_the_mapping_or_the_root_is_wrong(efs):
    finding, without = seen(efs, active("alice", "bob"))
    assert finding.status is Status.WRONG
    assert f"{efs}/users/alice was looked for" in finding.said


def test_homes_of_nobody_are_told_with_a_few_names(efs):
    for name in ("alice", "old-1", "old-2"):
        fill(efs / "users" / name, 1)
    _, without = seen(efs, active("alice"))
    assert without.said == f"2 directories in {efs}/users, as old-1, old-2."


# --- What answers over HTTP ---------------------------------------------------------------


@pytest.fixture
def answers():
    """A server that answers by path, and says what time it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            code, body = self.server.pages.get(self.path, (404, ""))
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response_only(code)
            self.send_header("Date", format_datetime(self.server.clock(), usegmt=True))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.pages = {}
    server.clock = lambda: datetime.now(timezone.utc)
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def with_hub(place, answers):
    answers.pages["/hub/api/"] = (200, {"version": "6.1.1"})
    access = Access(f"{answers.url}/hub/api", "secret")
    told = {"JUPYTERHUB_SERVICE_URL": answers.url, "JUPYTERHUB_SERVICE_PREFIX": "/services/q/"}
    return Place(
        settings=place.settings, environment=told, access=access, hub_url=f"{answers.url}/"
    )


@pytest.mark.parametrize(("off", "status"), [(0, "ok"), (-20, "warning"), (500, "wrong")])
def test_a_clock_of_the_hub_that_is_off_is_found(with_hub, answers, off, status):
    answers.clock = lambda: datetime.now(timezone.utc) + timedelta(seconds=off)
    finding = one(clock, with_hub, "clock of the hub")
    assert finding.status.value == status
    if off:
        assert abs(int(finding.said.split()[2]) - abs(off)) <= 3
        assert "timedatectl" in finding.mend


def test_a_clock_of_the_store_that_is_off_is_found(place, monkeypatch):
    behind = time.time
    monkeypatch.setattr(clock, "time", type("time", (), {"time": lambda: behind() + 100}))
    finding = one(clock, place, "clock of the store")
    assert finding.status is Status.WRONG


@pytest.mark.parametrize(
    ("code", "body", "status", "said"),
    [
        (200, {"status": "ok"}, "ok", "It answers at"),
        (503, {"status": "degraded"}, "warning", "something is wrong"),
        (200, "<html>", "wrong", "another program"),
        (404, "", "wrong", "another program"),
    ],
)
def test_what_the_service_answers_is_understood(with_hub, answers, code, body, status, said):
    answers.pages["/services/q/health"] = (code, body)
    finding = one(reach, with_hub, "service")
    assert (finding.status.value, said in finding.said) == (status, True), finding


@pytest.mark.parametrize(
    ("code", "said"), [(404, "no route"), (503, "the proxy does not reach the service")]
)
def test_a_proxy_without_a_way_to_the_service_is_told_from_a_service_that_is_ill(
    with_hub, answers, code, said
):
    answers.pages["/services/efs-quota/health"] = (code, "<html>")
    finding = one(reach, with_hub, "service by the proxy")
    assert finding.status is Status.WRONG
    assert said in finding.said


def test_a_redirect_to_the_public_address_is_no_fault_of_the_service(with_hub, answers):
    answers.pages["/services/efs-quota/health"] = (301, "")
    finding = one(reach, with_hub, "service by the proxy")
    assert finding.status is Status.NOT_LOOKED_AT
    assert "--hub-url" in finding.mend


def token_with(with_hub, answers, held, kind="service"):
    answers.pages["/hub/api/user"] = (200, {"kind": kind, "name": "quota", "scopes": held})
    return one(scopes, with_hub, "token")


def test_a_missing_scope_is_told_with_what_does_not_work_and_the_line_gives_it(with_hub, answers):
    held = [scope for scope in SERVICE_SCOPES if scope != "delete:servers"]
    finding = token_with(with_hub, answers, held)
    assert finding.status is Status.WRONG
    assert "without delete:servers servers of users in lockout are not stopped" in finding.said
    c = Config()
    exec(finding.mend, {"c": c})
    (role,) = c.JupyterHub.load_roles.get_value([])
    assert (role["services"], role["scopes"]) == (["quota"], [*SERVICE_SCOPES])


def test_groups_are_only_needed_where_groups_have_quotas(with_hub, answers):
    held = [scope for scope in SERVICE_SCOPES if scope != "read:users:groups"]
    assert token_with(with_hub, answers, held).status is Status.WARNING
    with_hub.settings.group_quotas = {"students": "1Gi"}
    assert token_with(with_hub, answers, held).status is Status.WRONG


def test_scopes_for_some_users_only_are_told(with_hub, answers):
    held = [*SERVICE_SCOPES[1:], "list:users!group=students"]
    finding = token_with(with_hub, answers, held)
    assert finding.status is Status.WARNING
    assert "list:users!group=students" in finding.said


def test_a_service_that_may_too_much_is_told(with_hub, answers):
    finding = token_with(with_hub, answers, [*SERVICE_SCOPES, "admin:users", "tokens"])
    assert finding.status is Status.WARNING
    assert "admin:users, tokens" in finding.said


# --- The database -------------------------------------------------------------------------


def made(place, revision):
    """A database with that revision, as SQLite keeps it when nobody has it open."""
    path = Path(place.settings.history_url.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE quota_version (version_num TEXT)")
        connection.execute("INSERT INTO quota_version VALUES (?)", (revision,))
    connection.close()
    return path


def test_a_database_that_is_not_there_is_told(place):
    finding = one(database, place, "history database")
    assert finding.status is Status.WRONG
    assert "There is no" in finding.said


def test_a_database_of_an_older_version_is_told_to_be_brought_up_by_the_service(place):
    made(place, "0001")
    finding = one(database, place, "history database")
    assert finding.status is Status.WARNING
    assert "revision 0001" in finding.said


def test_a_database_of_a_newer_version_is_told(place):
    made(place, "9999")
    finding = one(database, place, "history database")
    assert finding.status is Status.WRONG
    assert "newer version" in finding.said


def test_looking_at_a_database_changes_nothing_and_leaves_no_log(place):
    path = made(place, "0001")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    one(database, place, "history database")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [p.name for p in path.parent.glob(f"{path.name}*")] == [path.name]


def test_a_file_that_is_no_database_is_told(place):
    Path(place.settings.history_url.removeprefix("sqlite:///")).write_text("no database" * 100)
    finding = one(database, place, "history database")
    assert finding.status is Status.WRONG
    assert "not a database" in finding.said


def test_a_path_that_is_relative_to_who_knows_what_is_not_guessed(place, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    place.settings.history_url = "sqlite:///efs-quota.sqlite"
    finding = one(database, place, "history database")
    assert finding.status is Status.NOT_LOOKED_AT
    assert "c.EFSQuota.history_url" in finding.mend


def test_no_history_is_as_it_should_be_where_none_is_wanted(place):
    place.settings.history_url = ""
    assert one(database, place, "history database").status is Status.OK


# --- What is told to others ---------------------------------------------------------------


@pytest.fixture
def mail_server(tmp_path):
    """A real mail server that wants a login, over TLS where it has a certificate."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

    class Handler:
        got = []

        async def handle_DATA(self, server, session, envelope):
            self.got.append(envelope)
            return "250 OK"

    def check(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (b"quota", b"right")
        return AuthResult(success=good, handled=good)

    started = []

    def start(**options):
        controller = Controller(Handler(), hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        started.append(controller)
        return controller

    start.with_login = {"authenticator": check, "auth_require_tls": False, "auth_required": True}
    yield start
    assert Handler.got == [], "a mail was sent"
    for controller in started:
        controller.stop()


def by_mail(place, server, tmp_path, password=None, **settings):
    place.settings.smtp_host, place.settings.smtp_port = "127.0.0.1", server.port
    place.settings.mail_to = ["admin@example.org"]
    if password is not None:
        path = tmp_path / "password"
        path.touch(0o600)
        path.write_text(password)
        place.settings.smtp_user, place.settings.smtp_password_file = "quota", str(path)
    for name, value in settings.items():
        setattr(place.settings, name, value)


@pytest.mark.parametrize(
    ("password", "status", "said"),
    [
        (None, "ok", "takes mails."),
        ("right", "ok", "with the login of quota"),
        ("quite wrong", "wrong", "does not take the password of quota (535)"),
        ("", "wrong", "smtp_user has no password"),
    ],
)
def test_the_mail_server_is_asked_as_for_a_mail_and_none_is_sent(
    place, mail_server, tmp_path, password, status, said
):
    options = mail_server.with_login if password is not None else {}
    by_mail(place, mail_server(**options), tmp_path, password)
    finding = one(sending, place, "mail")
    assert (finding.status.value, said in finding.said) == (status, True), finding
    assert "quite wrong" not in str(finding)


def test_a_mail_server_without_starttls_is_told_with_what_to_set(place, mail_server, tmp_path):
    by_mail(place, mail_server(), tmp_path, smtp_security="starttls")
    finding = one(sending, place, "mail")
    assert finding.status is Status.WRONG
    assert 'c.EFSQuota.smtp_security = "tls"' in finding.mend


def test_a_mail_server_that_is_not_there_is_told_with_its_port(place, tmp_path):
    class Nobody:
        port = free_port()

    by_mail(place, Nobody, tmp_path)
    finding = one(sending, place, "mail")
    assert finding.status is Status.WRONG
    assert f"port {Nobody.port}" in finding.said


def test_a_password_that_others_can_read_is_told_and_the_line_mends_it(
    place, mail_server, tmp_path
):
    by_mail(place, mail_server(**mail_server.with_login), tmp_path, "right")
    (tmp_path / "password").chmod(0o644)
    told, _ = found(sending, place, "mail")
    assert told.status is Status.WARNING
    subprocess.run(told.mend, shell=True, check=True)
    assert one(sending, place, "mail").status is Status.OK


def test_mail_that_nobody_gets_is_told(place, mail_server, tmp_path):
    by_mail(place, mail_server(), tmp_path, mail_to=[])
    assert [f.status.value for f in found(sending, place, "mail")] == ["warning", "ok"]


def test_a_statsd_whose_name_does_not_resolve_is_told(place):
    place.settings.statsd_host = "statsd.invalid"
    assert one(sending, place, "StatsD").status is Status.WRONG
    place.settings.statsd_host = "127.0.0.1"
    assert one(sending, place, "StatsD").status is Status.OK
