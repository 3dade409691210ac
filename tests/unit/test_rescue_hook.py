"""Rescues as the spawn hook starts them: what servers are given, and what spawners give back."""

import logging
import shlex
from datetime import timedelta
from types import SimpleNamespace

import pytest
from jupyterhub import orm
from jupyterhub.objects import Hub
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner, Spawner
from tornado.web import HTTPError
from traitlets.config import Config

from jupyterhub_efs_quota.hub.lend import lend, rescue_arguments, rescue_variables, take_back
from jupyterhub_efs_quota.hub.spawn import DECISIONS, SpawnGate
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.remeasure import utcnow

from ..conftest import NOW, as_root, fill, make_read_only

QUOTA = 1000
HOUR = timedelta(hours=1)
OURS = {
    *("EFS_QUOTA_RESCUE", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"),
    *("MPLCONFIGDIR", "XDG_CACHE_HOME", "TMPDIR"),
}


class Idle(Spawner):
    """A spawner that starts nothing, with a setting of its own."""

    async def start(self):
        raise AssertionError("nothing is to be started")

    stop = poll = start


class HubUser(SimpleNamespace):
    """A user of the hub, with spawners, as far as a hook looks at them."""

    def spawner(self, kind=Idle, server="", config=None, active=True, **traits):
        # KubeSpawner asks for a cluster otherwise.
        mock = {"_mock": True} if kind.__name__ == "KubeSpawner" else {}
        made = kind(
            **mock,
            user=self,
            hub=Hub(),
            orm_spawner=orm.Spawner(name=server, started=utcnow().replace(tzinfo=None)),
            config=Config(config or {}),
            **traits,
        )
        made.log = logging.getLogger("a hub")
        made._spawn_pending = active
        self.spawners[server] = made
        return made


@pytest.fixture
def homer():
    return HubUser(
        name="homer", id=1, url="/user/homer/", escaped_name="homer", admin=False, settings={},
        spawners={},
    )  # fmt: skip


@pytest.fixture
def gate(settings):
    def make(**more):
        settings.on_lockout, settings.default_quota = "rescue", QUOTA
        for name, value in more.items():
            setattr(settings, name, value)
        return SpawnGate(settings)

    return make


@pytest.fixture
def locked(home_of, write):
    """homer is over his quota, on disk and on record; a size makes him another one."""

    def make(size=5 * QUOTA, **fields):
        home_of("homer", size)
        return write(
            "homer",
            **{
                "quota_bytes": QUOTA,
                "quota_source": "hand",
                "actual_bytes": 5 * QUOTA,
                "quota_state": State.LOCKOUT,
                "started": NOW,
                "stopped": NOW,
                **fields,
            },
        )

    return make


def told_jupyter(spawner):
    return rescue_arguments(spawner.environment["JUPYTER_RUNTIME_DIR"])


def decisions(name):
    return DECISIONS.labels(name)._value.get()


async def progress(spawner):
    return [event.get("message", "") async for event in spawner.progress()]


async def test_a_locked_user_gets_a_server_that_can_run_on_a_full_home(gate, locked, homer, store):
    locked()
    before = decisions("rescue")
    one = homer.spawner()
    await gate().check(one)
    assert decisions("rescue") == before + 1
    environment = one.environment
    assert set(environment) >= OURS
    record = store.read("homer")
    left = record.rescue_until - utcnow()
    assert HOUR - timedelta(minutes=5) < left <= HOUR
    assert environment["EFS_QUOTA_RESCUE"] == f"{record.rescue_until:%Y-%m-%dT%H:%M:%SZ}"
    place = environment["JUPYTER_RUNTIME_DIR"]
    assert place.startswith("/tmp/efs-quota-rescue-")
    assert all(
        environment[name].startswith(place)
        for name in ("JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")
    )
    first, *_ = await progress(one)
    assert "this is a rescue server" in first and "Delete what you can do without" in first
    assert environment["STORAGE_USED_BYTES"] == str(5 * QUOTA)


async def test_nobody_can_guess_where_a_rescue_keeps_its_tokens(gate, locked, homer):
    locked()
    places = set()
    for server in ("", "gpu", ""):
        one = homer.spawner(server=server, active=False)
        await gate().check(one)
        places.add(one.environment["JUPYTER_RUNTIME_DIR"])
    assert len(places) == 3 and all(len(place.rpartition("-")[2]) >= 24 for place in places)


async def test_the_next_usual_server_has_nothing_left_of_a_rescue(gate, locked, homer, store):
    config = {
        "Spawner": {
            "environment": {"LANG": "C", "TMPDIR": "/scratch"},
            "args": ["--debug"],
            "mem_limit": "8G",
        }
    }
    locked()
    opened = gate(rescue_overrides={"mem_limit": "1G", "cpu_limit": 0.5})
    one = homer.spawner(config=config)
    await opened.check(one)
    assert (one.mem_limit, one.cpu_limit) == (2**30, 0.5)
    assert one.environment["TMPDIR"] == "/tmp"
    assert one.args == ["--debug", *told_jupyter(one)]
    locked(size=10)  # he has cleaned up
    await opened.check(one)
    assert (one.mem_limit, one.cpu_limit) == (8 * 2**30, None)
    told = {name: value for name, value in one.environment.items() if "STORAGE" not in name}
    assert told == {"LANG": "C", "TMPDIR": "/scratch"}
    assert one.args == ["--debug"]
    assert not any("rescue" in message for message in await progress(one))


async def test_the_next_users_spawner_has_nothing_of_a_rescue_either(gate, locked, homer):
    locked()
    config = {"Spawner": {"environment": {"LANG": "C"}, "args": ["--debug"]}}
    await gate().check(homer.spawner(config=config))
    lisa = HubUser(**{**vars(homer), "name": "lisa", "spawners": {}})
    other = lisa.spawner(config=config)
    await gate().check(other)
    assert other.environment == {"LANG": "C"} and other.args == ["--debug"]


async def test_a_second_rescue_has_the_same_end_and_lends_anew(gate, locked, homer, store):
    locked()
    opened, one = gate(rescue_overrides={"cpu_limit": 0.5}), homer.spawner()
    await opened.check(one)
    until = store.read("homer").rescue_until
    await opened.check(one)
    assert store.read("homer").rescue_until == until
    assert (one.cpu_limit, one.args) == (0.5, told_jupyter(one))
    take_back(one)
    assert (one.cpu_limit, one.args, set(one.environment) & OURS) == (None, [], set())


async def test_a_refused_spawn_has_nothing_of_a_rescue(gate, locked, homer):
    over = utcnow() - timedelta(minutes=1)
    locked(rescue_began=over - HOUR, rescue_until=over, rescue_server="")
    one = homer.spawner()
    with pytest.raises(HTTPError) as refused:
        await gate().check(one)
    said = refused.value.jupyterhub_message
    assert "Your rescue ended at" in said and "The next one can begin at" in said
    assert not set(one.environment) & OURS and one.args == []


async def test_one_rescue_server_at_a_time(gate, locked, homer, store):
    locked()
    opened = gate()
    await opened.check(homer.spawner(server="gpu"))
    with pytest.raises(HTTPError) as refused:
        await opened.check(homer.spawner())
    assert "You have a rescue server already" in refused.value.jupyterhub_message
    homer.spawners["gpu"]._spawn_pending = False
    await opened.check(homer.spawner())
    assert store.read("homer").rescue_server == ""


async def test_two_servers_that_start_at_once_are_one_rescue(gate, locked, homer):
    import asyncio

    locked()
    opened = gate()
    both = [homer.spawner(server=name) for name in ("", "gpu")]
    ends = await asyncio.gather(*map(opened.check, both), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends)[0] == "NoneType"
    assert sum(isinstance(end, HTTPError) for end in ends) == 1


async def test_who_has_cleaned_up_gets_a_usual_server_and_the_rescue_is_forgotten(
    gate, locked, homer, store
):
    now = utcnow()
    locked(
        size=10, rescue_began=now, rescue_until=now + HOUR, rescue_server="", rescue_started=now - HOUR
    )  # fmt: skip
    one = homer.spawner()
    await gate().check(one)
    assert not set(one.environment) & OURS
    assert store.read("homer").quota_state is State.OK
    assert store.read("homer").rescue_until is None


async def test_a_rescue_that_still_runs_is_not_forgotten_for_another_server(
    gate, locked, homer, store
):
    running = homer.spawner(server="gpu")
    began = running.orm_spawner.started.replace(tzinfo=NOW.tzinfo)
    locked(
        size=10, quota_state=State.OK, rescue_began=began, rescue_until=began + HOUR,
        rescue_server="gpu", rescue_started=began,
    )  # fmt: skip
    await gate().check(homer.spawner())
    assert store.read("homer").rescue_server == "gpu", "nobody would end it"


@as_root
async def test_without_a_place_to_write_it_down_no_rescue_begins(
    gate, locked, homer, tmpfs, efs, caplog
):
    control = tmpfs(efs / "quota-control")
    locked()
    make_read_only(control)
    with pytest.raises(HTTPError) as refused:
        await gate().check(homer.spawner())
    assert "No rescue can be put on record now" in refused.value.jupyterhub_message
    make_read_only(control, now=False)


async def test_a_lock_that_somebody_keeps_blocks_nobody_for_long(gate, locked, homer, store, hasty):
    locked()
    with store.held("homer"), pytest.raises(HTTPError) as refused:
        await gate().check(homer.spawner())
    assert "Try again in a minute" in refused.value.jupyterhub_message


async def test_where_servers_are_refused_nothing_is_written(gate, locked, homer, store):
    before = locked()
    with pytest.raises(HTTPError):
        await gate(on_lockout="refuse").check(homer.spawner())
    assert store.read("homer") == before


async def test_an_administrator_keeps_a_usual_server(gate, locked, homer, store):
    before = locked()
    homer.admin = True
    one = homer.spawner()
    await gate().check(one)
    assert not set(one.environment) & OURS and store.read("homer") == before


async def test_overrides_that_the_spawner_does_not_take_are_told_and_left_out(
    gate, locked, homer, caplog
):
    locked()
    one = homer.spawner()
    wrong = {"no_such": 1, "cpu_limit": "many", "mem_limit": "1G"}
    await gate(rescue_overrides=wrong).check(one)
    assert one.mem_limit == 2**30 and one.cpu_limit is None
    said = caplog.text
    assert "Idle has no setting 'no_such'" in said and "cpu_limit = 'many'" in said
    await gate(on_lockout="rescue", rescue_overrides={}).check(one)
    assert one.mem_limit is None


UNTIL = NOW + HOUR


@pytest.mark.parametrize("kind", [Idle, LocalProcessSpawner, SimpleLocalProcessSpawner])
def test_a_server_of_jupyters_own_deletes_for_good_whatever_its_configuration_says(kind, homer):
    one = homer.spawner(kind)
    lend(one, rescue_variables("/tmp", UNTIL), {})
    assert one.get_args() == told_jupyter(one)
    # Without what the system knows of a user called homer.
    assert Spawner.get_env(one)["JUPYTER_RUNTIME_DIR"].startswith("/tmp/")


@pytest.mark.parametrize("command", ["/opt/rstudio --no-auth", "start.sh jupyterhub-singleuser"])
def test_a_program_that_is_not_jupyters_gets_no_argument_that_it_may_not_know(homer, command):
    one = homer.spawner(cmd=shlex.split(command))
    lend(one, rescue_variables("/tmp", UNTIL), {})
    assert bool(one.args) is ("singleuser" in command)


def test_what_the_hub_has_changed_meanwhile_is_not_taken_back(homer):
    one = homer.spawner(cpu_limit=4)
    lend(one, rescue_variables("/tmp", UNTIL), {"cpu_limit": 1, "mem_limit": "1G"})
    one.cpu_limit = 8  # for a group that the user is in by now
    one.environment = {**one.environment, "TMPDIR": "/of/the/group"}
    take_back(one)
    assert (one.cpu_limit, one.mem_limit) == (8, None)
    assert one.environment == {"TMPDIR": "/of/the/group"}
    take_back(one)


def test_the_pod_of_a_rescue_has_the_environment_and_the_limits(monkeypatch, homer):
    kube = pytest.importorskip("kubespawner.spawner")
    monkeypatch.setattr(kube, "load_config", lambda **given: None)
    monkeypatch.setattr(kube, "shared_client", lambda name: None)
    config = {"KubeSpawner": {"environment": {"LANG": "C"}, "mem_limit": "8G"}}
    one = homer.spawner(kube.KubeSpawner, config=config, cmd=["jupyterhub-singleuser"])
    assert lend(one, rescue_variables("/tmp", UNTIL), {"mem_limit": "1G", "cpu_limit": 1}) == []
    env, limits, arguments = pod(one)
    assert {"LANG", "JUPYTER_RUNTIME_DIR", "EFS_QUOTA_RESCUE"} <= set(env)
    assert limits == {"memory": 2**30, "cpu": 1}
    assert arguments == ["jupyterhub-singleuser", *told_jupyter(one)]
    take_back(one)
    env, limits, arguments = pod(one)
    assert "LANG" in env and not OURS & set(env)
    assert limits == {"memory": 8 * 2**30}
    assert arguments == ["jupyterhub-singleuser"]


def pod(spawner):
    """What the pod of a KubeSpawner would be given."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        manifest = loop.run_until_complete(spawner.get_pod_manifest())
    finally:
        loop.close()
    container = manifest.spec.containers[0]
    return {each.name for each in container.env}, container.resources.limits, container.args


def test_the_container_of_a_rescue_has_the_environment_and_the_limits(homer):
    docker = pytest.importorskip("dockerspawner")
    config = {"DockerSpawner": {"environment": {"LANG": "C"}, "mem_limit": "8G"}}
    one = homer.spawner(docker.DockerSpawner, config=config)
    assert lend(one, rescue_variables("/tmp", UNTIL), {"mem_limit": "1G"}) == []
    assert {"LANG", "JUPYTER_RUNTIME_DIR", "EFS_QUOTA_RESCUE"} <= set(one.get_env())
    assert one.mem_limit == 2**30
    take_back(one)
    assert not OURS & set(one.get_env())
    assert one.mem_limit == 8 * 2**30
