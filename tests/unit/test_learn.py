"""Where spawners say that a home is: real spawners of each kind, that start nothing."""

import pwd
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner, Spawner

from jupyterhub_efs_quota.hub.learn import SystemUser, directory, told_by

ROOT = Path("/efs/users")


def hub_user(name):
    return SimpleNamespace(name=name, id=1, url="/user/x/", settings={}, escaped_name=name)


class Idle(Spawner):
    """A spawner that starts nothing."""

    async def start(self):
        raise AssertionError("nothing is to be started")

    stop = poll = start


@pytest.fixture
def kube_spawner(monkeypatch):
    """Makes a real KubeSpawner; only its connection to a cluster is left out."""
    spawner = pytest.importorskip("kubespawner.spawner")
    monkeypatch.setattr(spawner, "load_config", lambda **given: None)
    monkeypatch.setattr(spawner, "shared_client", lambda name: None)

    def make(name, mounts):
        return spawner.KubeSpawner(_mock=True, user=hub_user(name), volume_mounts=mounts)

    return make


def test_kubespawner_tells_the_home_by_the_sub_path_of_its_volume(kube_spawner):
    mounts = [{"name": "home", "mountPath": "/home/jovyan", "subPath": "homes/{username}"}]
    assert told_by(kube_spawner("alice", mounts), ROOT) == ROOT / "homes" / "alice"


def test_kubespawners_own_escaping_of_names_is_what_counts(kube_spawner):
    mounts = {"home": {"name": "home", "mountPath": "/home/jovyan", "subPath": "{username}"}}
    assert told_by(kube_spawner("Alice", mounts), ROOT) == ROOT / "alice---3bc51062"


def test_a_shared_folder_inside_the_home_is_not_taken_for_the_home(kube_spawner):
    mounts = [
        {"name": "shared", "mountPath": "/home/jovyan/shared", "subPath": "shared"},
        {"name": "home", "mountPath": "/home/jovyan", "subPath": "{username}"},
    ]
    assert told_by(kube_spawner("alice", mounts), ROOT) == ROOT / "alice"


@pytest.mark.parametrize(
    "mounts",
    [[], [{"name": "v", "mountPath": "/home/jovyan"}], [{"name": "v", "mountPath": "/data"}]],
)
def test_a_volume_without_a_sub_path_tells_nothing(kube_spawner, mounts):
    assert told_by(kube_spawner("alice", mounts), ROOT) is None


def test_a_simple_local_spawner_tells_its_own_home_directory():
    spawner = SimpleLocalProcessSpawner(
        user=hub_user("alice"), home_dir_template="/efs/users/{username}"
    )
    assert told_by(spawner, ROOT) == ROOT / "alice"


def test_a_local_spawner_tells_the_home_of_the_system_user():
    me = pwd.getpwuid(0)
    told = told_by(LocalProcessSpawner(user=hub_user(me.pw_name)), ROOT)
    assert told == SystemUser(me.pw_name)
    assert directory(told) == Path(me.pw_dir)


def test_a_user_whom_the_system_does_not_have_tells_nothing():
    assert directory(SystemUser("no-such-user")) is None


def test_the_littlest_jupyterhub_tells_its_own_name_of_the_user(monkeypatch):
    normalize = ModuleType("tljh.normalize")
    normalize.generate_system_username = lambda name: name[:26]
    monkeypatch.setitem(sys.modules, "tljh", ModuleType("tljh"))
    monkeypatch.setitem(sys.modules, "tljh.normalize", normalize)

    class UserCreatingSpawner(Idle):
        pass

    UserCreatingSpawner.__module__ = "tljh.user_creating_spawner"
    told = told_by(UserCreatingSpawner(user=hub_user("alice")), ROOT)
    assert told == SystemUser("jupyter-alice")


def test_a_spawner_of_another_kind_tells_nothing():
    assert told_by(Idle(user=hub_user("alice")), ROOT) is None
