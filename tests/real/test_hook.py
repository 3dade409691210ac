"""Spawns through a real hub: refused in a lockout, allowed otherwise."""

from datetime import timedelta

import pytest
from jupyterhub.tests.utils import api_request, async_requests, auth_header, public_url

from jupyterhub_efs_quota.quota.record import State

from ..conftest import NOW, fill
from .conftest import QUOTA

LOCKED = {
    "quota_bytes": QUOTA,
    "quota_source": "hand",
    "actual_bytes": 5 * QUOTA,
    "quota_state": State.LOCKOUT,
    "started": NOW,
    "stopped": NOW,
}


async def test_a_user_in_lockout_reads_why_on_the_page_of_the_refused_spawn(hub, user):
    fill(user.home, 5 * QUOTA)
    user.write(**LOCKED)
    session = await hub.login(user.name)
    page = await session.get(public_url(hub, path=f"hub/spawn/{user.name}"))
    assert page.status_code == 403
    assert "but are only permitted" in page.text
    assert "services/efs-quota/" in page.text


async def test_a_user_who_has_deleted_enough_is_let_in_at_once(hub, user):
    fill(user.home, QUOTA // 2)
    user.write(**LOCKED)
    answer = await api_request(hub, f"users/{user.name}/server", method="post")
    assert answer.status_code in (201, 202)
    assert user.read().quota_state is State.OK
    assert user.read().actual_bytes == QUOTA // 2


async def test_a_user_without_a_control_file_is_let_in(hub, user):
    answer = await api_request(hub, f"users/{user.name}/server", method="post")
    assert answer.status_code in (201, 202)
