"""When users are told that their figures may be old: not for what does not make them so."""

from types import SimpleNamespace

import pytest

from jupyterhub_efs_quota.app import Service
from jupyterhub_efs_quota.errors import SettingsError, StoreError
from jupyterhub_efs_quota.loops.limbo import NAME as LIMBO
from jupyterhub_efs_quota.loops.loop import Loop
from jupyterhub_efs_quota.loops.monitor import NAME as MONITOR
from jupyterhub_efs_quota.loops.reaper import NAME as REAPER


async def failed(name):
    """A loop whose last cycle failed, the store being away."""

    async def cycle():
        raise StoreError("/efs is missing")

    loop = Loop(name, cycle, 60)
    await loop.tick()
    return loop


@pytest.fixture
def service(settings):
    return Service(settings, {})


async def test_nothing_is_old_while_all_is_well(service):
    assert not service.trouble() and not service.figures_old()


async def test_the_history_the_metrics_port_and_open_ondemand_s_file_make_no_figure_old(service):
    service._history = SimpleNamespace(trouble="The history cannot be written.")
    service._quota_file = SimpleNamespace(trouble="/etc/ood is missing.")
    service._lacks("metrics_port: 9090 is taken.")
    assert len(service.trouble()) == 3
    assert not service.figures_old()


async def test_limbo_that_cannot_be_tidied_makes_no_figure_old(service):
    service._loops = [await failed(LIMBO)]
    assert service.trouble() and not service.figures_old()


@pytest.mark.parametrize("name", [MONITOR, REAPER])
async def test_a_loop_that_fails_makes_figures_old(service, name):
    service._loops = [await failed(name)]
    assert service.trouble() and service.figures_old()


async def test_bad_settings_make_figures_old(settings):
    service = Service(settings, {}, SettingsError("default_quota: 'many' is no size"))
    assert service.trouble() and service.figures_old()
