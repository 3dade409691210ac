"""The settings: given once, checked at once, handed to the service as they are."""

import json
import math

import pytest
from traitlets import HasTraits, TraitError
from traitlets.config import Config

from jupyterhub_efs_quota.errors import SettingsError
from jupyterhub_efs_quota.measure.meters import METERS
from jupyterhub_efs_quota.measure.summary.rules import Rules
from jupyterhub_efs_quota.quota.limits import Limits
from jupyterhub_efs_quota.quota.sizes import GIB
from jupyterhub_efs_quota.settings import (
    HANDED_OVER,
    EFSQuota,
    hand_over,
    handed_over,
    read_file,
    resolve,
)


# The classes of settings/subjects/.
SUBJECTS = [each for each in EFSQuota.__mro__ if ".settings.subjects." in each.__module__]


def config(**settings):
    return Config({"EFSQuota": settings})


def test_without_settings_there_are_the_predecessors_defaults():
    settings = resolve(Config())
    assert (settings.quota_control, settings.home_root) == ("/efs/quota-control", "/efs/users")
    assert (settings.monitor_period_secs, settings.reaper_period_secs) == (14400.0, 300.0)
    assert (settings.stale_quota_secs, settings.du_timeout_secs) == (604800.0, 3600.0)
    assert (settings.default_quota, settings.grace_secs) == (200 * GIB, 0.0)
    assert (settings.meter, settings.size_basis) == ("walk", "apparent")


def test_sizes_are_read_wherever_they_stand():
    settings = resolve(
        config(default_quota="10Gi", group_quotas={"a": "1T"}, user_quotas={"b": 5, "c": "5K"})
    )
    assert settings.limits() == Limits(
        default_bytes=10 * GIB,
        group_bytes={"a": 1024 * GIB},
        user_bytes={"b": 5, "c": 5120},
    )


def test_limits_on_files_are_among_the_limits():
    settings = resolve(
        config(default_file_limit=7, group_file_limits={"a": 0}, user_file_limits={"b": 9})
    )
    assert settings.limits() == Limits(default_files=7, group_files={"a": 0}, user_files={"b": 9})


@pytest.mark.parametrize(
    "name, value",
    [
        ("default_quota", "10X"),
        ("scan_file", "scans/*.gz"),
        ("scan_file", "/scans/../*.gz"),
        ("scan_home_root", "homes"),
        ("scan_max_age_secs", 0),
        ("default_quota", -1),
        ("default_quota", None),
        ("default_quota", "9" * 40 + "P"),
        ("group_quotas", {"a": "much"}),
        ("group_quotas", {1: "1G"}),
        ("user_quotas", ["homer"]),
        ("default_file_limit", -1),
        ("user_file_limits", {"homer": "5"}),
        ("grace_secs", -1),
        ("grace_secs", math.nan),
        ("stale_quota_secs", math.nan),
        ("verify_secs", math.nan),
        ("verify_secs", math.inf),
        ("monitor_period_secs", 0),
        ("monitor_period_secs", "often"),
        ("reaper_period_secs", math.inf),
        ("du_timeout_secs", -5),
        ("hook_timeout", 0),
        ("measure_concurrency", 0),
        ("max_calls_per_second", -1),
        ("brake_at", 1.0),
        ("brake_at", -3),
        ("brake_at", float("inf")),
        ("brake_at", float("nan")),
        ("meter", "guess"),
        ("size_basis", "real"),
        ("on_lockout", "delete"),
        ("rescue_secs", 0),
        ("rescue_measure_secs", -1),
        ("rescue_pause_secs", float("inf")),
        ("rescue_back_secs", -1),
        ("rescue_growth", "a little"),
        ("rescue_directory", "tmp"),
        ("rescue_overrides", {"mem limit": 1}),
        ("rescue_overrides", {"_private": 1}),
        ("rescue_overrides", {"pre_spawn_hook": "mine"}),
        ("rescue_overrides", {"image": object()}),
        ("rescue_overrides", {"cpu_limit": float("nan")}),
        ("on_error", "ignore"),
        ("log_format", "xml"),
        ("log_level", "LOUD"),
        ("quota_control", "relative"),
        ("home_root", "./users"),
        ("home_root", "/efs/../users"),
        ("home_path", "/all/the/same"),
        ("home_path", "{nonsense}"),
        ("home_path", "{username[a]}"),
        ("home_path", 5),
        ("home_path", "no_module_of_this_name:function"),
        ("home_path", "os:no_function_of_this_name"),
        ("skip_directories", 5),
        ("grandfather", "yes"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_setting(name, value):
    with pytest.raises(SettingsError, match=name):
        resolve(config(**{name: value}))


COUNTER_OF = {"apparent": "cephfs", "allocated": "xfs"}


@pytest.mark.parametrize("meter", sorted(METERS))
@pytest.mark.parametrize("size_basis", ["apparent", "allocated"])
def test_a_meter_is_not_asked_for_a_size_that_it_does_not_tell(meter, size_basis):
    settings = config(meter=meter, size_basis=size_basis)
    if size_basis in METERS[meter].sizes:
        assert resolve(settings).meter == meter
    else:
        with pytest.raises(SettingsError, match=f"meter = '{meter}' .*size_basis"):
            resolve(settings)


@pytest.mark.parametrize("size_basis", ["apparent", "allocated"])
@pytest.mark.parametrize(
    "setting", [{"cross_mounts": True}, {"skip_directories": [".snapshot", "*.tmp"]}]
)
def test_a_counter_counts_the_whole_home_and_nothing_else(setting, size_basis):
    (name,) = setting
    meter = COUNTER_OF[size_basis]
    with pytest.raises(SettingsError, match=f"meter = '{meter}' .*{name}"):
        resolve(config(meter=meter, size_basis=size_basis, **setting))
    for meter in ("auto", "walk", "du"):
        assert resolve(config(meter=meter, size_basis=size_basis, **setting)).meter == meter


def test_fewer_directories_to_skip_are_nothing_to_a_counter():
    assert resolve(config(meter="cephfs", skip_directories=[])).meter == "cephfs"


@pytest.mark.parametrize("meter", ["du", "xfs", "zfs-user"])
@pytest.mark.parametrize("limit", ["default_file_limit", "group_file_limits", "user_file_limits"])
def test_limits_on_files_need_a_meter_that_counts_them(meter, limit):
    value = 5 if limit == "default_file_limit" else {"a": 5}
    with pytest.raises(SettingsError, match=f"meter = '{meter}' counts no files"):
        resolve(config(meter=meter, size_basis="allocated", **{limit: value}))
    for meter in ("auto", "cephfs", "walk"):
        assert resolve(config(meter=meter, **{limit: value})).meter == meter


def test_a_setting_that_does_not_exist_is_an_error_with_a_hint():
    with pytest.raises(SettingsError, match="default_qouta is no setting. Did you mean default_q"):
        resolve(config(default_qouta=5))
    with pytest.raises(SettingsError, match="xyzzy is no setting.$"):
        resolve(config(xyzzy=5))


def test_a_list_can_be_added_to():
    c = Config()
    c.EFSQuota.skip_directories.append("*.snap")
    assert resolve(c).skip_directories == [".snapshot", ".zfs", "*.snap"]


def test_a_path_may_be_given_as_a_path(tmp_path):
    assert resolve(config(home_root=tmp_path)).home_root == str(tmp_path)


def test_a_callable_may_be_named(tmp_path):
    settings = resolve(config(home_path="posixpath:abspath", home_root=str(tmp_path)))
    assert settings.homes().named(f"{tmp_path}/x") == tmp_path / "x"


def test_a_file_of_settings_is_read_and_the_configuration_goes_before_it(tmp_path):
    file = tmp_path / "more.py"
    file.write_text("c.EFSQuota.default_quota = '5K'\nc.EFSQuota.grace_secs = 60\n")
    settings = resolve(config(config_file=str(file), grace_secs=1))
    assert (settings.default_quota, settings.grace_secs) == (5120, 1.0)


@pytest.mark.parametrize(
    "text, why",
    [
        ("1/0", "fails: ZeroDivisionError"),
        ("c.EFSQuota.x = (", "fails: SyntaxError"),
        ("c.EFSQuota.nope = 1", "nope is no setting"),
        ("c.EFSQuota.default_quota = '1X'", "default_quota"),
    ],
)
def test_a_file_that_fails_is_an_error_that_says_how(tmp_path, text, why):
    file = tmp_path / "more.py"
    file.write_text(text)
    with pytest.raises(SettingsError, match=why):
        resolve(config(config_file=str(file)))


def test_a_missing_file_of_settings_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        read_file(str(tmp_path / "nowhere.py"))


def test_what_is_handed_over_is_what_was_set(tmp_path):
    c = config(
        home_root=tmp_path, user_quotas={"homer@x": "5K"}, home_path="{home_root}/{username}"
    )
    c.EFSQuota.skip_directories.append("x")
    there = resolve(handed_over({HANDED_OVER: hand_over(c)}))
    here = resolve(c)
    assert there.trait_values() == {**here.trait_values(), "parent": None, "config": there.config}


def test_only_what_was_set_is_handed_over():
    assert json.loads(hand_over(config(grace_secs=5))) == {"grace_secs": 5.0}
    assert hand_over(Config()) == "{}"


def test_what_is_wrong_is_not_handed_over():
    with pytest.raises(SettingsError, match="grace_secs"):
        hand_over(config(grace_secs="x"))


def test_a_callable_is_handed_over_by_its_name():
    import posixpath

    text = hand_over(config(home_path=posixpath.join))
    assert json.loads(text) == {"home_path": "posixpath:join"}


@pytest.mark.parametrize("function", [lambda user: user, Config().get, str.upper])
def test_a_callable_that_another_process_cannot_import_is_an_error(function):
    with pytest.raises(SettingsError, match="cannot import this"):
        hand_over(config(home_path=function))


def test_more_than_an_environment_holds_is_an_error_that_says_what_to_move():
    users = {f"user-{number}@example.org": 5 for number in range(6000)}
    with pytest.raises(SettingsError, match="user_quotas is too long"):
        hand_over(config(user_quotas=users))


@pytest.mark.parametrize("text", ["{", "[1]", "5", '"x"', ""])
def test_a_damaged_variable_is_an_error_that_names_it(text):
    with pytest.raises(SettingsError, match=HANDED_OVER):
        handed_over({HANDED_OVER: text})


def test_without_the_variable_nothing_is_handed_over():
    assert resolve(handed_over({})).trait_values() == EFSQuota().trait_values()


def test_every_setting_can_be_set_and_has_a_help_text():
    for name, trait in EFSQuota.class_traits(config=True).items():
        assert trait.help, name


def test_homes_are_summed_up_by_what_a_site_sets():
    settings = resolve(
        config(file_types={"books": ["epub"]}, junk={"old": ["/old/", "*.bak"]}, age_days=[1, 30])
    )
    rules = settings.rules(1000.9)
    assert rules.now == 1000
    assert rules.type_names == ("books", "other")
    assert rules.extensions == {b"epub": 0}
    assert [(pattern.kind, pattern.folder) for pattern in rules.patterns] == [(0, True), (0, False)]
    assert rules.band_ends == (1000 - 86400, 1000 - 30 * 86400)


def test_without_settings_homes_are_summed_up_by_the_rules_themselves():
    assert resolve(Config()).rules(5) == Rules(5)


def test_a_site_can_add_a_type_to_the_defaults(tmp_path):
    file = tmp_path / "config.py"
    file.write_text('c.EFSQuota.file_types.update({"books": ["epub"]})')
    names = resolve(read_file(str(file))).rules(0).type_names
    assert names == (*Rules(0).type_names[:-1], "books", "other")


@pytest.mark.parametrize(
    "name, value, wrong, advice",
    [
        ("file_types", {"a": [".CSV"]}, "'.CSV' of 'a'", "write 'csv'"),
        ("file_types", {"a": ["tar.gz"]}, "'tar.gz'", "write 'gz'"),
        ("file_types", {"a": ["é"]}, "'é' of 'a'", "write for example 'csv'"),
        ("file_types", {"a": [""]}, "'' of 'a'", "write for example 'csv'"),
        ("file_types", {"a": ["x" * 16]}, "x" * 16, "at most 15"),
        ("file_types", {"a": ["csv"], "b": ["csv"]}, "'csv'", "leave it in one"),
        ("file_types", {"other": ["csv"]}, "'other'", "choose another name"),
        ("file_types", {"a\nb": []}, "'a\\nb'", "write a word"),
        ("file_types", {str(n): [] for n in range(64)}, "64 types", "at most 63"),
        ("file_types", ["csv"], "file_types", "dict"),
        ("junk", {"old": ["/"]}, "'old': '/'", "write for example '/.cache/'"),
        ("junk", {"old": ["a/../b"]}, "'a/../b'", "write for example"),
        ("junk", {str(n): [] for n in range(64)}, "64 kinds", "at most 63"),
        ("age_days", [30, 7], "[30, 7] does not rise at 7", "such as [30, 365]"),
        ("age_days", [0], "[0] does not rise at 0", "above 0"),
        ("age_days", [7, 7], "[7, 7]", "each more"),
        ("age_days", [10**9], "1000000000", "whole days"),
        ("age_days", list(range(1, 17)), "16 ages", "at most 15"),
    ],
)
def test_what_homes_cannot_be_summed_up_by_is_refused_with_what_to_do(name, value, wrong, advice):
    with pytest.raises(SettingsError) as refused:
        resolve(config(**{name: value}))
    assert f"c.EFSQuota.{name} = " in str(refused.value)
    assert wrong in str(refused.value)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rescue_measure_secs": 3601}, "rescue_measure_secs = 3601 is longer than a rescue"),
        ({"rescue_directory": ""}, "rescue_directory must be a directory"),
    ],
)
def test_rescues_that_could_not_work_are_an_error_where_they_are_offered(wrong, said):
    resolve(Config({"EFSQuota": wrong}))
    with pytest.raises(SettingsError, match=said):
        resolve(Config({"EFSQuota": {**wrong, "on_lockout": "rescue"}}))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_is_no_section_that_users_could_set(subject):
    c = Config({subject.__name__: {"default_quota": "5K", "home_root": "/elsewhere"}})
    assert EFSQuota(config=c).trait_values(config=True) == EFSQuota().trait_values(config=True)


def test_no_subject_hides_a_setting_or_a_check_of_another_one():
    names = [name for each in SUBJECTS for name in set(vars(each)) - set(vars(HasTraits))]
    assert {name for name in names if names.count(name) > 1} == set()
    assert set(names) > set(EFSQuota.class_trait_names(config=True))


@pytest.mark.parametrize(
    "name",
    [
        "config_file",
        "history_waiting",
        "home_root",
        "limbo",
        "metrics_key_file",
        "ood_quota_file",
        "quota_control",
        "rescue_directory",
        "scan_file",
        "scan_home_root",
        "smtp_password_file",
        "switched_off_file",
    ],
)
def test_a_path_that_depends_on_where_a_process_runs_is_an_error(name):
    for path in ("here", "/here/../there"):
        with pytest.raises(TraitError, match=f"{name} must be an absolute path"):
            EFSQuota(**{name: path})
