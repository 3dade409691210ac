"""The commands over the API, run next to a real hub as an administrator runs them."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from jupyterhub_efs_quota.control.store import ControlStore

from ..ports import free_port
from .site import ADMIN_TOKEN, POOR_TOKEN, run


@pytest.fixture(scope="module")
def ask(site):
    """Run a command with a token; the service has judged alice by then."""

    def ask(*arguments, token=ADMIN_TOKEN, **variables):
        told = {
            "EFS_QUOTA_URL": f"{site.url}/services/efs-quota/",
            "EFS_QUOTA_TOKEN": token,
            "TZ": "UTC",
            **variables,
        }
        return run(*arguments, **told)

    site.wait(lambda: len(ask("users", "--json", "--state=lockout").json["items"]) == 1)
    return ask


def test_the_users_are_a_table_with_a_line_each(ask):
    ran = ask("users")
    title, *rows, empty, total = ran.out.splitlines()
    assert title.split() == ["User", "State", "Used", "Quota", "Share", "Files", "Measured"]
    assert [row.split()[:2] for row in rows] == [
        ["alice", "lockout"],
        ["homer@example.org", "ok"],
        ["root-of-the-hub", "ok"],
    ]
    assert "11.7 KiB 9.8 KiB 120 %" in " ".join(rows[0].split())
    assert (empty, total, ran.code) == ("", "3 of 3 users", 0)


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("--state=lockout", ["alice"]),
        ("--name=EXAMPLE", ["homer@example.org"]),
        ("--sort=-size", ["alice", "homer@example.org", "root-of-the-hub"]),
        ("--sort=size", ["root-of-the-hub", "homer@example.org", "alice"]),
        ("--top=1", ["alice"]),
        ("--group=nobody", []),
    ],
)
def test_users_are_filtered_and_sorted_by_options(ask, option, names):
    assert [user["name"] for user in ask("users", "--json", option).json["items"]] == names


def test_one_user_is_shown_with_usage_quota_and_state(ask):
    ran = ask("show", "alice")
    assert ran.out.splitlines()[0] == "alice  lockout"
    assert "11.7 KiB, 120 % of the quota, 1 file" in ran.out
    assert "9.8 KiB, from default" in ran.out


def test_an_explanation_says_the_rule_the_state_and_what_would_change_it(ask):
    ran = ask("explain", "alice")
    said = ask("explain", "alice", "--json").json
    assert ran.code == 0
    for sentence in [
        said["quota"]["sentence"],
        said["state"]["sentence"],
        *(change["sentence"] for change in said["would_change"]),
    ]:
        assert sentence in ran.out
    assert {change["change"] for change in said["would_change"]} >= {"free-space", "larger-quota"}


def test_a_quota_is_set_until_a_day_which_is_said_with_its_zone_and_reset_again(site, ask):
    day = (datetime.now(timezone.utc) + timedelta(days=30)).date()
    ran = ask(
        "set-quota", "alice", "20Ki", f"--until={day}", "--files=7", "--reason=A [red]thesis\x1b[2J"
    )
    assert ran.code == 0, ran
    assert f"It ends at {day + timedelta(days=1)} 00:00 UTC" in ran.out
    # What somebody wrote is shown, and does a terminal no harm.
    assert "A [red]thesis\\x1b[2J" in ran.out and "\x1b" not in ran.out
    record = ControlStore(site.control).read("alice")
    assert (record.quota_bytes, record.quota_files) == (20 * 1024, 7)
    assert "1 of 7 files" in ran.out
    assert "9.8 KiB, from default; 2.0 KiB too much with what is held now" in ran.out
    assert ask("show", "alice", "--json").json["record"]["quota_state"] == "ok"
    # The history is written a moment later.
    changes = site.wait(
        lambda: "20.0 KiB" in (ran := ask("history", "alice", "--changes")).out and ran.out
    )
    assert "quota-changed" in changes and "service tests" in changes
    assert "{" not in changes

    ran = ask("set-quota", "alice", "default", "--reason=Done")
    assert ran.code == 0, ran
    assert ControlStore(site.control).read("alice").quota_bytes == 10_000
    assert ask("reset-quota", "alice", "--reason=Again", "--json").json["changed"] is False


def test_a_bare_day_is_one_of_the_zone_of_this_machine(site, ask):
    day = (datetime.now(timezone.utc) + timedelta(days=30)).date()
    ran = ask("set-quota", "alice", "20Ki", f"--until={day}", "--reason=x", TZ="Asia/Tokyo")
    assert f"It ends at {day + timedelta(days=1)} 00:00 JST ({day}T15:00:00" in ran.out
    ask("reset-quota", "alice", "--reason=x")


def test_measurements_are_shown_in_order_with_their_sizes(ask):
    ran = ask("history", "alice", "--since=-1d")
    assert ran.code == 0
    assert "11.7 KiB" in ran.out.splitlines()[1]
    assert len(ask("history", "alice", "--json").json["items"]) >= 1
    assert ask("history", "alice", "--json", "--until=-1d").json["items"] == []


def test_runs_are_listed_with_their_outcome_and_counts(ask):
    ran = ask("runs", "--job=monitor")
    assert ran.code == 0
    assert "success" in ran.out and "users 3" in ran.out
    assert ask("runs", "--outcome=failure", "--json").json["items"] == []
    assert len(ask("runs", "--top=1", "--json").json["items"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "nobody"], 3, "no such user"),
        (["show", "../../hub/api/users"], 3, "no such user"),
        (["show"], 2, "USER is missing"),
        (["show", "alice", "bob"], 2, "'bob' is not understood"),
        (["set-quota", "alice", "20Gx", "--reason=x"], 2, "'20Gx' is not a size"),
        (["set-quota", "alice", "20Gi"], 2, "--reason is missing"),
        (["set-quota", "alice", "--reason=x"], 2, "Give a SIZE, or --files"),
        (["set-quota", "alice", "1Gi", "--until=soon", "--reason=x"], 2, "'soon' is no time"),
        (["set-quota", "alice", "1Gi", "--until=2020-01-01", "--reason=x"], 2, "which is over"),
        (["set-quota", "alice", "default", "--until=+1d", "--reason=x"], 2, "no --until"),
        (["users", "--state=lokout"], 2, "lokout"),
        (["users", "--unknown=1"], 2, "--unknown is no flag"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_told_in_one_line_with_its_status(ask, arguments, code, said):
    ran = ask(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == (2 if "--state=lokout" in arguments else 1)


def test_without_a_token_it_says_how_to_give_one(ask):
    ran = ask("users", token="")
    assert (ran.code, ran.out) == (2, "")
    assert "--token-file or EFS_QUOTA_TOKEN" in ran.err


def test_without_an_address_it_says_how_to_give_one(ask):
    ran = ask("users", EFS_QUOTA_URL="")
    assert ran.code == 2
    assert "--url or EFS_QUOTA_URL" in ran.err


def test_a_token_that_is_no_token_of_the_hub_is_not_allowed(ask):
    ran = ask("users", token="wrong")
    assert ran.code == 4
    assert "wrong" not in ran.err.replace("something is wrong", "")


def test_a_token_for_one_user_sees_that_one_and_changes_nothing(ask):
    assert [u["name"] for u in ask("users", "--json", token=POOR_TOKEN).json["items"]] == ["alice"]
    assert ask("show", "homer@example.org", token=POOR_TOKEN).code == 3
    assert ask("runs", token=POOR_TOKEN).code == 4
    ran = ask("set-quota", "alice", "1Gi", "--reason=x", token=POOR_TOKEN)
    assert (ran.code, ran.out) == (4, "")


def test_where_no_service_is_it_says_so(ask):
    ran = ask("users", EFS_QUOTA_URL=f"http://127.0.0.1:{free_port()}/services/efs-quota/")
    assert ran.code == 5
    assert "Is the service running" in ran.err


@pytest.mark.parametrize(
    "command",
    ["users", "show alice", "explain alice", "runs", "history alice", "history alice --changes"],
)
def test_with_json_there_is_one_json_object_and_nothing_else(ask, command):
    ran = ask(*command.split(), "--json")
    assert ran.code == 0
    assert isinstance(json.loads(ran.out), dict)
    assert ran.err == ""


def test_the_overview_says_how_the_site_stands_and_what_another_default_would_do(ask):
    ran = ask("overview", "--quota=50", "--top=1")
    assert (ran.code, ran.err) == (0, "")
    assert "3, 3 measured" in ran.out
    assert "With a default of 50 bytes" in ran.out and "newly" in ran.out
    assert "alice" in ran.out.partition("Largest")[2].partition("Dormant")[0]
    found = ask("overview", "--json", "--months=1").json
    assert found["totals"]["states"]["lockout"] == 1
    assert found["months"] == 1
    assert found["default_quota"] == found["what_if"]["quota_bytes"] == 10_000
    assert {job["name"] for job in found["jobs"]} >= {"monitor", "reaper"}


def test_the_overview_is_for_administrators_alone(ask):
    ran = ask("overview", token=POOR_TOKEN)
    assert (ran.code, ran.out) == (4, "")
    assert ask("overview", "--quota=much").code == 2
