"""Where homes and control files are: no user name leads out of the home root."""

import hashlib
import os
import re
import string

import pytest
from hypothesis import given

from jupyterhub_efs_quota.errors import HomeError, SettingsError
from jupyterhub_efs_quota.homes import Homes, check_template, escape, slug

from ..conftest import as_root, fill, run_python
from .strategies import ODD_NAMES, any_text, users


@pytest.mark.parametrize(
    "user, folder",
    [
        ("homer@stsci.edu", "homer-40stsci-2eedu"),
        ("Homer", "Homer"),
        ("a-b_c.d", "a-2db-5fc-2ed"),
        ("..", "-2e-2e"),
        ("a/b", "a-2fb"),
        ("a\nb", "a-0ab"),
        ("ü", "-c3-bc"),
        ("\ud800", "-ed-a0-80"),
    ],
)
def test_a_name_is_escaped_as_sites_have_it(user, folder):
    assert escape(user) == folder


def unescape(folder):
    raw = re.sub(rb"-([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), folder.encode())
    return raw.decode(errors="surrogatepass")


@given(any_text | users)
def test_no_two_names_share_a_folder(user):
    assert unescape(escape(user)) == user


@given(users)
def test_an_escaped_name_is_one_plain_name_of_a_folder(user):
    assert set(escape(user)) <= set(string.ascii_letters + string.digits + "-")


def test_a_slug_is_made_of_a_name_that_is_no_utf_8_too():
    assert re.fullmatch(r"x---[0-9a-f]{8}", slug("\ud800"))
    assert hashlib.sha256(b"").hexdigest()[:8] not in slug("\ud800")


@pytest.fixture
def homes(settings):
    return settings.homes()


def test_a_home_is_named_by_the_template(efs):
    root = efs / "users"
    for template, home in {
        "{home_root}/{escaped_username}": root / "Alice-40x",
        "{home_root}/{username}": root / "Alice@x",
        "{home_root}/{slug_username}": root / slug("Alice@x"),
        "{home_root}/by-slug/{slug_username}/home": root / "by-slug" / slug("Alice@x") / "home",
    }.items():
        assert Homes(root, template).named("Alice@x") == home


def test_a_home_is_named_by_a_callable(efs):
    homes = Homes(efs / "users", lambda user: efs / "users" / user[0] / user)
    assert homes.named("homer") == efs / "users" / "h" / "homer"


@pytest.mark.parametrize("user", ODD_NAMES)
@pytest.mark.parametrize("name", ["{escaped_username}", "{username}", "{slug_username}"])
def test_no_name_leads_out_of_the_home_root(efs, user, name):
    root = efs / "users"
    try:
        home = Homes(root, "{home_root}/" + name).named(user)
    except HomeError as error:
        assert repr(user) in str(error)
    else:
        assert os.path.normpath(home) == str(home)
        assert str(home).startswith(f"{root}/")


@given(user=any_text | users)
def test_no_name_of_hypothesis_leads_out_either(efs, user):
    root = efs / "users"
    for name in ("{username}", "x/{username}", "{username}/x"):
        try:
            home = Homes(root, "{home_root}/" + name).named(user)
        except HomeError:
            continue
        assert os.path.normpath(home).startswith(f"{root}/")


@pytest.mark.parametrize("user", ["..", "../bart", ".", "", "/", "a/../..", "a\0"])
def test_a_name_that_would_lead_out_is_an_error(efs, user):
    with pytest.raises(HomeError, match="not below"):
        Homes(efs / "users", "{home_root}/{username}").named(user)


def test_a_callable_that_leads_out_is_an_error(efs):
    with pytest.raises(HomeError, match="not below"):
        Homes(efs / "users", lambda user: "/etc").named("homer")


def test_a_name_is_not_taken_for_a_template(efs):
    homes = Homes(efs / "users", "{home_root}/{username}")
    assert homes.named("{home_root}").name == "{home_root}"


def test_a_home_that_the_spawner_told_goes_before_the_mapping(homes):
    told = homes.home_root / "elsewhere"
    told.mkdir()
    assert homes.of("homer", str(told)) == told


def test_a_told_home_that_is_not_there_is_left_aside(homes):
    told = homes.home_root / "users" / "homer"
    assert homes.of("homer", str(told)) == homes.home_root / "homer"


def test_a_function_of_the_sites_own_that_fails_is_an_error_about_that_user(tmp_path):
    def fails(user):
        raise KeyError(user)

    with pytest.raises(HomeError, match="home_path fails for user 'homer': KeyError"):
        Homes(tmp_path, fails).named("homer")


@pytest.mark.parametrize("told", ["/etc", "users/homer", "{root}/../x", "{root}", "{root}/a\0b"])
def test_a_told_home_outside_of_the_root_is_left_aside(homes, told):
    told = told.replace("{root}", str(homes.home_root))
    assert homes.of("homer", told) == homes.home_root / "homer"


def test_a_home_resolves_to_itself(homes, home_of):
    assert homes.resolve("homer", home_of("homer")) == homes.home_root / "homer"


def test_a_link_to_a_home_below_the_root_is_fine(homes, efs):
    target = fill(efs / "users" / "disk-2" / "homer", 5)
    (efs / "users" / "homer").symlink_to(target)
    assert homes.resolve("homer", efs / "users" / "homer") == target


def test_a_home_root_that_is_a_link_is_fine(efs):
    fill(efs / "users" / "homer", 5)
    (efs / "link").symlink_to(efs / "users")
    homes = Homes(efs / "link", "{home_root}/{username}")
    assert homes.resolve("homer", homes.named("homer")) == efs / "users" / "homer"


@pytest.mark.parametrize("target", ["/etc", "..", ".", "../quota-control"])
def test_a_home_that_is_a_link_out_of_the_root_is_refused(homes, efs, target):
    (efs / "users" / "homer").symlink_to(target)
    with pytest.raises(HomeError, match="outside"):
        homes.resolve("homer", efs / "users" / "homer")


def test_a_link_in_the_middle_of_the_way_out_of_the_root_is_refused(efs):
    (efs / "outside").mkdir()
    fill(efs / "outside" / "homer", 5)
    (efs / "users" / "group").symlink_to(efs / "outside")
    homes = Homes(efs / "users", "{home_root}/group/{username}")
    with pytest.raises(HomeError, match="outside"):
        homes.resolve("homer", homes.named("homer"))


def test_a_root_beside_that_begins_with_the_same_letters_is_outside(efs, homes):
    fill(efs / "users-old" / "homer", 5)
    (efs / "users" / "homer").symlink_to(efs / "users-old" / "homer")
    with pytest.raises(HomeError, match="outside"):
        homes.resolve("homer", efs / "users" / "homer")


def test_a_missing_home_is_told_from_a_bad_one(homes, efs):
    with pytest.raises(FileNotFoundError):
        homes.resolve("homer", efs / "users" / "homer")
    (efs / "users" / "homer").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        homes.resolve("homer", efs / "users" / "homer")


def test_a_home_that_is_a_file_is_refused(homes, efs):
    (efs / "users" / "homer").write_text("")
    with pytest.raises(HomeError, match="is not a directory"):
        homes.resolve("homer", efs / "users" / "homer")


def test_a_link_in_a_circle_is_refused(homes, efs):
    (efs / "users" / "homer").symlink_to("homer")
    with pytest.raises(HomeError, match="cannot be used"):
        homes.resolve("homer", efs / "users" / "homer")


def test_a_name_too_long_for_the_store_is_refused(homes, efs):
    with pytest.raises(HomeError, match="cannot be used"):
        homes.resolve("x", homes.named("ü" * 255))


@as_root
def test_a_home_behind_a_locked_door_is_refused(for_everybody, efs):
    fill(efs / "users" / "closed" / "homer", 5)
    (efs / "users" / "closed").chmod(0o700)
    ran = run_python(
        """
import os, sys
from jupyterhub_efs_quota.homes import Homes
from jupyterhub_efs_quota.errors import HomeError
os.setgid(65534); os.setuid(65534)
homes = Homes(sys.argv[1], "{home_root}/closed/{username}")
try:
    homes.resolve("homer", homes.named("homer"))
except HomeError as error:
    print(error)
""",
        efs / "users",
    )
    assert "cannot be used: [Errno 13] Permission denied" in ran.stdout, ran


@pytest.mark.parametrize(
    "template, why",
    [
        ("/home/all", "gives every user the same home"),
        ("{home_root}/x", "gives every user the same home"),
        ("{home_root}/{user}", "is no template"),
        ("{home_root}/{username", "is no template"),
        ("{}/x", "is no template"),
        ("{username.x}", "is no template"),
        ("{username[a]}", "is no template"),
        ("{username:d}", "is no template"),
        ("{username!x}", "is no template"),
    ],
)
def test_a_template_that_cannot_work_is_an_error_of_the_settings(template, why):
    with pytest.raises(SettingsError, match=why):
        check_template(template)
