"""jupyterhub_config_example.py: it loads, and shows every setting as it is."""

import re
from pathlib import Path

import pytest
from traitlets.config import PyFileConfigLoader

from jupyterhub_efs_quota.settings import EFSQuota, resolve

EXAMPLE = Path(__file__).parent.parent / "jupyterhub_config_example.py"
# Empty by default, or long: the example shows what they may look like.
SHOWN_BY_EXAMPLE = {
    "config_file",
    "file_types",
    "group_file_limits",
    "junk",
    "user_file_limits",
}


def load(path):
    return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()


def service_of(config):
    [service] = config.JupyterHub.services.get_value([])
    return service


@pytest.fixture
def uncommented(tmp_path):
    """The example with all that is commented out put in force, but for a file it names."""
    text = re.sub(r"^# (c\.EFSQuota\.(?!config_file))", r"\1", EXAMPLE.read_text(), flags=re.M)
    path = tmp_path / "uncommented.py"
    path.write_text(text)
    return load(path)


def test_the_example_loads():
    config = load(EXAMPLE)
    assert service_of(config)["name"] == "efs-quota"


def test_the_demo_has_the_last_word(monkeypatch):
    monkeypatch.setenv("DEMO_SETTINGS", '{"url": "http://127.0.0.1:1", "default_quota": "1Gi"}')
    config = load(EXAMPLE)
    assert resolve(config).default_quota == 1024**3
    assert service_of(config)["url"] == "http://127.0.0.1:1"


def test_every_setting_is_shown():
    shown = set(re.findall(r"^(?:# )?c\.EFSQuota\.(\w+) = ", EXAMPLE.read_text(), re.M))
    assert shown == set(EFSQuota.class_traits(config=True))


def test_what_is_commented_out_is_the_default(uncommented):
    in_force, settings = resolve(load(EXAMPLE)), resolve(uncommented)
    for name in set(EFSQuota.class_traits(config=True)) - SHOWN_BY_EXAMPLE:
        assert getattr(settings, name) == getattr(in_force, name), name
