"""The settings in force: all of them, and no secret."""

import pytest

from jupyterhub_efs_quota.overview.in_force import LONGEST, in_force, masked
from jupyterhub_efs_quota.settings import EFSQuota


def where_home_is(user):
    return f"/efs/users/{user}"


def shown(**given):
    return {each.name: each for each in in_force(EFSQuota(**given))}


def test_every_setting_is_there_and_none_is_set_by_default():
    found = shown()
    assert list(found) == sorted(EFSQuota.class_traits(config=True))
    assert not any(each.changed for each in found.values())


def test_what_is_set_is_told_from_the_default():
    found = shown(default_quota="10Gi", user_quotas={"homer": "1Ti"}, grandfather=True)
    assert [each.name for each in found.values() if each.changed] == [
        "default_quota",
        "grandfather",
        "user_quotas",
    ]
    assert list(found)[:3] == ["default_quota", "grandfather", "user_quotas"]
    assert found["default_quota"].value == "10.0 GiB (10737418240 bytes)"
    assert "1.0 TiB" in found["user_quotas"].value
    assert found["grandfather"].value == "true"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@db/name",
        "postgresql://me:hunter2@db/name?sslmode=verify-full",
        "postgresql://me:hunter/2@db/name",
        "postgresql://:hunter2@db/name",
        "postgresql://me@db/name?password=hunter2&x=1",
        "postgresql://me:hunter@2@db/name",
    ],
)
def test_no_password_in_the_address_of_the_database_is_shown(url):
    text = shown(history_url=url)["history_url"].value
    assert "hunter" not in text and "***" in text
    assert text.startswith("postgresql://")


def test_an_address_without_a_password_is_shown_whole():
    url = "postgresql://me@db:5432/name?sslmode=require"
    assert shown(history_url=url)["history_url"].value == url


def test_what_is_secret_by_its_name_is_masked_wherever_it_stands():
    assert masked({"token": "abc", "hosts": [{"smtp_password": "abc"}], "key_file": "/a"}) == {
        "token": "***",
        "hosts": [{"smtp_password": "***"}],
        "key_file": "/a",
    }


def test_the_name_of_a_file_with_a_secret_is_no_secret():
    assert shown(smtp_password_file="/etc/secret")["smtp_password_file"].value == "/etc/secret"


def test_a_setting_that_is_marked_as_secret_is_masked(monkeypatch):
    monkeypatch.setitem(EFSQuota.class_traits()["statsd_host"].metadata, "secret", True)
    assert shown(statsd_host="abc")["statsd_host"].value == "***"
    assert shown()["statsd_host"].value == ""


def test_a_callable_is_named():
    found = shown(home_path=where_home_is)["home_path"]
    assert found.value == f"{__name__}:where_home_is"
    assert found.changed


def test_a_list_of_thousands_is_cut_and_counted():
    found = shown(user_quotas={f"user{n}": 2**30 for n in range(5000)})["user_quotas"]
    assert len(found.value) < LONGEST + 50
    assert found.value.endswith("(5000 entries in all)")
