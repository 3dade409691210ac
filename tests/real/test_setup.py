"""`setup(c)`: what it does to a site's configuration, and that a real hub takes it."""

import json

import jupyterhub
import pytest
from jupyterhub.tests.utils import api_request, public_url
from traitlets.config import Config

from jupyterhub_efs_quota import setup
from jupyterhub_efs_quota.configure import SERVICE_SCOPES, value_of
from jupyterhub_efs_quota.errors import SettingsError
from jupyterhub_efs_quota.settings import HANDED_OVER

HUB_6 = jupyterhub.version_info[0] >= 6


def services(c):
    """What the hub will find, whether it was assigned or appended."""
    return value_of(c, "services", [])


def user_scopes(c):
    if HUB_6 and "extra_user_scopes" in c.JupyterHub:
        return set(value_of(c, "extra_user_scopes", set()))
    return {
        scope
        for role in value_of(c, "load_roles", [])
        if role["name"] == "user"
        for scope in role["scopes"]
    }


def test_the_service_gets_the_least_privilege_and_nothing_more():
    c = Config()
    setup(c)
    (role,) = [role for role in value_of(c, "load_roles", []) if role["name"] == "efs-quota"]
    assert set(role["scopes"]) == {
        "list:users",
        "read:users:activity",
        "read:users:groups",
        "read:servers",
        "delete:servers",
    }
    assert "users" not in role and "groups" not in role


def test_users_may_open_the_pages_and_keep_what_they_could_do():
    c = Config()
    setup(c)
    assert "access:services!service=efs-quota" in user_scopes(c)
    if not HUB_6:
        assert "self" in user_scopes(c)


def test_a_role_user_of_the_site_keeps_its_scopes_and_gains_ours():
    c = Config()
    c.JupyterHub.load_roles = [{"name": "user", "scopes": ["self", "shares"]}]
    setup(c)
    (role,) = [role for role in value_of(c, "load_roles", []) if role["name"] == "user"]
    assert {"self", "shares", "access:services!service=efs-quota"} <= set(role["scopes"])
    assert "extra_user_scopes" not in c.JupyterHub


def test_services_roles_and_scopes_of_the_site_stay():
    c = Config()
    c.JupyterHub.services = [{"name": "culler"}]
    c.JupyterHub.load_roles.append({"name": "culler", "services": ["culler"], "scopes": []})
    c.JupyterHub.custom_scopes = {"custom:theirs:x": {"description": "x"}}
    c.JupyterHub.template_vars = {"announcement": "hello"}
    setup(c)
    assert [service["name"] for service in services(c)] == ["culler", "efs-quota"]
    assert "culler" in {role["name"] for role in value_of(c, "load_roles", [])}
    assert "custom:theirs:x" in value_of(c, "custom_scopes", {})
    assert value_of(c, "template_vars", {})["announcement"] == "hello"


def test_a_service_that_the_site_appends_stays():
    c = Config()
    c.JupyterHub.services.append({"name": "culler"})
    setup(c)
    assert [service["name"] for service in services(c)] == ["culler", "efs-quota"]


@pytest.mark.parametrize("trait", ["services", "load_roles"])
def test_a_name_that_is_taken_is_a_clear_error(trait):
    c = Config()
    c.JupyterHub[trait] = [{"name": "efs-quota"}]
    with pytest.raises(SettingsError, match=f"{trait} already has an entry named 'efs-quota'"):
        setup(c)


def test_calling_setup_twice_is_a_clear_error():
    c = Config()
    setup(c)
    with pytest.raises(SettingsError, match="Call setup\\(c\\) once"):
        setup(c)


def test_a_custom_scope_of_another_meaning_is_a_clear_error():
    c = Config()
    c.JupyterHub.custom_scopes = {"custom:efs-quota:read": {"description": "something else"}}
    with pytest.raises(SettingsError, match="custom:efs-quota:read"):
        setup(c)


def test_another_name_makes_room_beside_a_service_of_ours():
    c = Config()
    setup(c)
    setup(c, service_name="second", url="http://127.0.0.1:10190")
    assert [service["name"] for service in services(c)] == ["efs-quota", "second"]


def test_a_typo_in_a_setting_stops_the_hub_at_its_start_and_names_the_setting():
    c = Config()
    c.EFSQuota.defalt_quota = "10Gi"
    with pytest.raises(SettingsError, match="defalt_quota is no setting. Did you mean default_q"):
        setup(c)


def test_a_bad_size_names_the_setting():
    c = Config()
    with pytest.raises(SettingsError, match="group_quotas.*10Gb5"):
        setup(c, group_quotas={"students": "10Gb5"})


def test_the_service_is_handed_the_settings_that_the_hub_resolved():
    c = Config()
    c.EFSQuota.default_quota = "10Gi"
    setup(c, grace_secs=60)
    (service,) = services(c)
    handed = json.loads(service["environment"][HANDED_OVER])
    assert handed == {"default_quota": 10 * 2**30, "grace_secs": 60}


def site_hook(spawner):
    spawner.called = True


@pytest.mark.parametrize("section", ["Spawner", "KubeSpawner", "SimpleLocalProcessSpawner"])
def test_the_sites_hook_is_wrapped_in_the_section_where_it_stands(section):
    c = Config()
    c[section].pre_spawn_hook = site_hook
    setup(c)
    assert c[section].pre_spawn_hook is not site_hook
    # A section that is more special goes before c.Spawner: one hook each, never two of ours.
    assert c.Spawner.pre_spawn_hook is not site_hook
    assert c.Spawner.pre_spawn_hook is not None


def test_an_unset_hook_gets_ours():
    c = Config()
    c.Spawner.pre_spawn_hook = None
    setup(c)
    assert callable(c.Spawner.pre_spawn_hook)


def test_a_hook_is_no_object_that_traitlets_would_copy_for_each_spawner():
    import copy

    c = Config()
    setup(c)
    assert copy.deepcopy(c.Spawner.pre_spawn_hook) is c.Spawner.pre_spawn_hook


def test_the_sites_own_templates_go_before_ours_and_ours_before_the_hubs(tmp_path):
    from jupyterhub._data import DATA_FILES_PATH

    hubs = f"{DATA_FILES_PATH}/templates"
    c = Config()
    c.JupyterHub.template_paths = [str(tmp_path), hubs]
    setup(c)
    site, ours, hub = c.JupyterHub.template_paths
    assert (site, hub) == (str(tmp_path), hubs)
    assert ours.endswith("hub/templates")


def test_a_service_that_runs_elsewhere_is_not_started_by_the_hub():
    c = Config()
    setup(c, url="http://efs-quota:10189", api_token="t" * 32)
    (service,) = services(c)
    assert "command" not in service and service["api_token"] == "t" * 32


def test_internal_ssl_makes_the_service_listen_with_tls():
    c = Config()
    c.JupyterHub.internal_ssl = True
    setup(c)
    assert services(c)[0]["url"].startswith("https://")


async def test_the_hub_gives_the_services_token_just_its_scopes(hub):
    token = hub._service_map["efs-quota"].api_token
    answer = await api_request(hub, "user", headers={"Authorization": f"token {token}"})
    scopes = {scope.partition("!")[0] for scope in answer.json()["scopes"]}
    assert set(SERVICE_SCOPES) <= scopes
    assert not {"admin:users", "servers", "start:servers", "tokens", "admin:servers"} & scopes


async def test_the_services_menu_has_our_text_and_the_admin_page_our_link(hub):
    session = await hub.login("admin")
    home = await session.get(public_url(hub, path="hub/home"))
    assert ">Storage</a>" in home.text
    admin = await session.get(public_url(hub, path="hub/admin"))
    assert "/services/efs-quota/users" in admin.text
