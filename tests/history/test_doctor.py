"""The doctor on a real PostgreSQL: one that is well, is away, lacks tables, or is read only."""

import json

import psycopg
import pytest

from jupyterhub_efs_quota.doctor.checks import database
from jupyterhub_efs_quota.doctor.finding import Status
from jupyterhub_efs_quota.doctor.place import Place
from jupyterhub_efs_quota.history import migrate
from jupyterhub_efs_quota.settings import EFSQuota

from ..unit.test_commands import run


@pytest.fixture
def at(postgres):
    """A database of its own, without tables."""
    return postgres.new()


def looked_at(url):
    (finding,) = database.look(Place(settings=EFSQuota(history_url=url)))
    return finding


def test_a_postgresql_that_the_service_has_made_ready_is_well(at, start):
    assert start(at).flush(20)
    finding = looked_at(at)
    assert finding.status is Status.OK
    assert f"has the revision {migrate.newest()}, the newest" in finding.said


def test_a_postgresql_without_tables_is_told_to_be_made_ready_and_is_left_as_it_is(at):
    finding = looked_at(at)
    assert finding.status is Status.WARNING
    assert "has the revision none" in finding.said
    assert "Restart the service" in finding.mend
    with psycopg.connect(at) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


def test_a_postgresql_that_can_only_be_read_is_wrong(at, start):
    assert start(at).flush(20)
    name = at.rpartition("/")[2]
    with psycopg.connect(at, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    finding = looked_at(at)
    assert finding.status is Status.WRONG
    assert "can only be read" in finding.said
    assert finding.mend == "Name the primary server"


def test_a_postgresql_that_is_away_is_wrong_and_its_password_is_not_told(at, postgres):
    postgres.stop()
    try:
        finding = looked_at(at.replace("postgres@", "postgres:very-secret@"))
    finally:
        postgres.start()
    assert finding.status is Status.WRONG
    assert "Quotas are enforced, and nothing is kept" in finding.said
    assert "Start PostgreSQL" in finding.mend
    assert "very-secret" not in str(finding)


async def test_the_command_tells_of_a_postgresql_as_well(at, start, efs):
    assert start(at).flush(20)
    ran = await run(
        "doctor",
        "--json",
        f"--efs-quota-control={efs}/quota-control",
        f"--home-root={efs}/users",
        f"--EFSQuota.history_url={at}",
    )
    findings = json.loads(ran.out)["findings"]
    (finding,) = [each for each in findings if each["check"] == "database"]
    assert finding["status"] == "ok"
