"""The tables are made, brought up and down with what is in them, by one process at a time."""

import subprocess
import sys
from datetime import datetime, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, select, text

from jupyterhub_efs_quota.errors import HistoryError
from jupyterhub_efs_quota.history import migrate
from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.tables import metadata, number_of, summaries
from jupyterhub_efs_quota.history.writing import week_number
from jupyterhub_efs_quota.quota.record import State

from ..conftest import NOW, environment, until
from .conftest import a_record, measure

OPENER = """
import sys
from jupyterhub_efs_quota.history.database import Database
from jupyterhub_efs_quota.history.place import whole_url
from jupyterhub_efs_quota.history.history import log
import logging
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
logging.getLogger("alembic").setLevel(logging.WARNING)
database = Database(whole_url(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
database.open()
print("opened", flush=True)
"""


def test_the_migrations_make_just_the_tables_that_the_code_knows(database):
    options = {
        "version_table": migrate.VERSION_TABLE,
        "compare_type": True,
        "include_name": lambda name, kind, parents: kind != "table" or name in metadata.tables,
    }
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        tables = set(inspect(connection).get_table_names())
    assert tables == {*metadata.tables, migrate.VERSION_TABLE}


def test_four_services_that_start_at_once_migrate_once(url):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120) for process in started]
    assert all("opened" in out for out, _ in said), said
    assert sum(out.count("is brought from revision none") for out, _ in said) == 1


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(
    start, database, url, log_lines
):
    with database.writing() as connection:
        connection.execute(text("UPDATE quota_version SET version_num = '9999'"))
    history = start(url)
    until(lambda: history.trouble)
    for word in ("newer version", "9999", "database --downgrade=0005", database.where):
        assert word in history.trouble
    measure(history, NOW)
    until(lambda: history.counts.waiting == 2)
    assert len(log_lines.said("ERROR")) == 1
    with database.reading() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM quota_measurements")) == 0
    with database.writing() as connection:
        connection.execute(text("UPDATE quota_version SET version_num = '0005'"))
    until(lambda: history.trouble is None)
    assert history.flush()
    assert history.latest("homer").counted == 100


def test_down_and_up_again_keeps_what_happened_and_how_users_stand(start, url):
    history = start(url)
    measure(history, NOW, size=300)
    history.judged(a_record(size=2000, state=State.LOCKOUT), by="Reaper")
    history.judged(a_record("marge", size=5), by="Reaper")
    measure(history, NOW, user="marge", size=5)
    assert history.flush()
    before = history.latest("marge")
    history.close()

    database = Database(whole_url(url))
    database.open()
    database.downgrade("0001")
    with database.reading() as connection:
        assert migrate.current(connection) == "0001"
        assert "quota_latest" not in inspect(connection).get_table_names()
        assert connection.scalar(text("SELECT COUNT(*) FROM quota_measurements")) == 2
    database.close()

    history = start(url)
    until(lambda: history._database.is_open)
    after = history.latest("marge")
    assert (after.counted, after.measured, after.state) == (5, NOW, "ok")
    assert (after.fraction, after.quota_bytes) == (before.fraction, before.quota_bytes)
    assert history.latest("homer").state == "lockout"
    assert history.state_changes().total == 1
    # What was made anew goes on.
    measure(history, NOW, size=300)
    history.judged(a_record(size=100), by="Reaper")
    assert history.flush()
    assert history.latest("homer").state == "ok"


def test_summaries_of_months_become_those_of_weeks_and_back(url):
    database = Database(whole_url(url))
    database.open()
    database.downgrade("0002")
    # Two of one week and of two months; a third; and another user's.
    rows = [(1, datetime(2026, 9, 30)), (1, datetime(2026, 10, 1)), (1, NOW), (2, NOW)]
    rows = [(user, time.replace(tzinfo=timezone.utc)) for user, time in rows]
    with database.writing() as connection:
        for user, time in rows:
            connection.execute(
                text("INSERT INTO quota_summaries VALUES (:user, :month, :started, :data)"),
                {
                    "user": user,
                    "month": time.year * 12 + time.month - 1,
                    "started": number_of(time),
                    "data": b"x",
                },
            )
    database.open()
    with database.reading() as connection:
        found = connection.execute(select(summaries.c.user_id, summaries.c.week)).all()
    assert sorted(found) == [(user, week_number(time)) for user, time in rows[1:]]
    database.downgrade("0002")
    with database.reading() as connection:
        found = connection.execute(text("SELECT user_id, month FROM quota_summaries")).all()
    assert sorted(found) == [(u, t.year * 12 + t.month - 1) for u, t in rows[1:]]
    database.close()


def test_down_to_nothing_leaves_no_table_of_ours_and_those_of_others(database):
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR)"))
    database.downgrade("base")
    database.open()
    database.downgrade("base")
    with database.reading() as connection:
        left = set(inspect(connection).get_table_names())
    assert left - {migrate.VERSION_TABLE} == {"users", "alembic_version"}


def test_a_migration_that_fails_leaves_the_tables_as_they_were(url, monkeypatch):
    database = Database(whole_url(url))
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.execute", None)  # the second revision fills in by it
        with pytest.raises(TypeError):
            database.open()
    assert tables_of(url) <= {migrate.VERSION_TABLE}
    database.open()
    assert "quota_latest" in tables_of(url)
    database.close()


def tables_of(url):
    engine = create_engine(whole_url(url))
    with engine.connect() as connection:
        found = set(inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    database = Database(whole_url("postgresql://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(HistoryError, match=r"pip install jupyterhub-efs-quota\[postgresql\]"):
        database.open()


def test_no_password_is_shown():
    database = Database(whole_url("postgresql://me:secret@127.0.0.1:1/name?password=more"))
    assert database.where == "postgresql://me:***@127.0.0.1:1/name"


def test_the_command_says_the_revision_goes_back_and_says_what_is_wrong(url, database):
    def command(*arguments):
        ran = subprocess.run(
            [sys.executable, "-m", "jupyterhub_efs_quota", "database", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
            check=False,
        )
        return ran.returncode, ran.stdout + ran.stderr

    at = f"--history-url={url}"
    assert command(at) == (0, f"{database.where}: revision 0005\n")
    assert command(at, "--downgrade=0001") == (0, f"{database.where}: revision 0001\n")
    code, said = command(at, "--downgrade=0815")
    assert (code, "Can't locate revision" in said) == (1, True)
    code, said = command("--history-url=sqlite:////nowhere/at/all")
    assert (code, "There is no /nowhere/at/all" in said) == (1, True)
    assert command("--history-url=")[0] == 1
