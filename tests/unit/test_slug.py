"""`{slug_username}` names the directory that KubeSpawner's `{username}` names."""

import string
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.homes import slug

from .strategies import any_text, names

KubeSpawner = pytest.importorskip("kubespawner").KubeSpawner
safe_slug = pytest.importorskip("kubespawner.slugs").safe_slug


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


def valid(name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@given(
    any_text.filter(valid)
    | names.filter(valid)
    | st.from_regex(r"[a-zA-Z0-9.@_-]{1,70}", fullmatch=True)
    | st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
)
def test_a_slug_is_what_kubespawner_makes_of_a_name(user):
    assert slug(user) == safe_slug(user, max_length=48)


@pytest.mark.parametrize(
    "user", ["Alice", "alice", "a--b", "alice\n", "9lives", "-", "", "a" * 63, "a" * 64, "İ", "ü"]
)
def test_a_slug_is_what_kubespawner_makes_of_an_odd_name(user):
    assert slug(user) == safe_slug(user, max_length=48)
