"""A refusal leads to the user's page, where there is one."""

from types import SimpleNamespace

import pytest
from tornado.web import HTTPError

from jupyterhub_efs_quota.hub.spawn import SpawnGate
from jupyterhub_efs_quota.quota.record import Record, State

from ..conftest import NOW, fill


@pytest.fixture
def refused(settings, store):
    """Refuse alice's spawn on a hub with these services; the exception."""
    settings.default_quota = 10
    fill(settings.homes().named("alice"), 100)
    with store.held("alice", create=True) as held:
        held.write(
            Record(
                "alice",
                quota_bytes=10,
                actual_bytes=100,
                quota_state=State.LOCKOUT,
                started=NOW,
                stopped=NOW,
            )
        )

    async def refused(services):
        app = SimpleNamespace(_service_map=services)
        user = SimpleNamespace(name="alice", admin=False, settings={"app": app})
        with pytest.raises(HTTPError) as caught:
            await SpawnGate(settings).check(SimpleNamespace(user=user))
        return caught.value

    return refused


async def test_it_names_the_page_of_the_service(refused):
    service = SimpleNamespace(
        url="http://127.0.0.1:1", prefix="/services/efs-quota/", api_token="t", href="/s/"
    )
    error = await refused({"efs-quota": service})
    assert "See /s/ for how you stand." in error.jupyterhub_message
    assert 'href="/s/"' in error.jupyterhub_html_message


async def test_it_names_no_page_where_only_the_loops_run(refused):
    without_pages = SimpleNamespace(url="", prefix="/services/efs-quota/", api_token="t")
    for services in ({}, {"efs-quota": without_pages}):
        error = await refused(services)
        assert "Logins are disabled." in error.jupyterhub_message
        assert "/services/" not in error.jupyterhub_message
        assert "href" not in error.jupyterhub_html_message
