"""`{slug_username}` names the directory that KubeSpawner's `{username}` names."""

import string
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.homes import slug

KubeSpawner = pytest.importorskip("kubespawner").KubeSpawner


def expanded(user):
    """What KubeSpawner makes of {username}. A whole spawner would look for a cluster."""
    spawner = MagicMock(slug_scheme="safe")
    spawner.name = ""
    spawner.user.name = user
    return KubeSpawner._expand_user_properties(spawner, "{username}")


@pytest.mark.parametrize("length", [1, 36, 37, 38, 47, 48, 49, 64, 255])
@pytest.mark.parametrize("letter", ["a", "A", "-", "."])
def test_a_name_of_any_length_is_shortened_as_kubespawner_does(letter, length):
    name = "x" + letter * (length - 1)
    assert slug(name) == expanded(name)


def test_a_long_address_is_shortened_as_kubespawner_does():
    name = "firstname.lastname@physics.example.org"
    assert slug(name) == expanded(name) == "firstname-lastname-physics-example-or---ec34d208"


@given(st.text(string.ascii_letters + string.digits + "-_.@é", min_size=1, max_size=80))
def test_any_name_is_as_kubespawner_has_it(name):
    assert slug(name) == expanded(name)
