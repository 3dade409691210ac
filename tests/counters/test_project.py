"""XFS and ext4 project quota, for real, in User Mode Linux: right, or not at all.

One guest makes the homes and asks about all of them; each test looks at one answer.
"""

import json

import pytest

from ..uml import HERE, run_in_uml  # noqa: F401

NEEDS = {
    "mkfs.xfs": "xfsprogs",
    "xfs_io": "xfsprogs",
    "xfs_quota": "xfsprogs",
    "mkfs.ext4": "e2fsprogs",
    "chattr": "e2fsprogs",
    "setquota": "quota",
}
MIB = 2**20

both = pytest.mark.parametrize("fs", ["xfs", "ext4"])


@pytest.fixture(scope="session")
def answers(run_in_uml):
    """What the meters said in the guest, by name."""
    output = run_in_uml(HERE / "project_quota.sh", NEEDS, MEASURE=HERE / "measure.py")
    pairs = (line.split(" ", 1) for line in output.splitlines())
    return {name: json.loads(answer) for name, answer in pairs}


@both
def test_a_home_with_its_own_project_is_counted_as_du_counts_it(answers, fs):
    usage = answers[f"{fs}.alice"]
    assert usage["allocated"] == answers[f"{fs}.du.alice"] >= 24 * MIB
    assert (usage["meter"], usage["bytes"], usage["files"]) == (fs, None, None)
    assert usage["changed"] > 0


@both
def test_auto_takes_the_counter_of_the_file_system(answers, fs):
    assert answers[f"{fs}.auto.alice"] == answers[f"{fs}.alice"]
    assert answers[f"{fs}.auto.alice"]["why_walked"] == ""


@both
def test_the_device_is_asked_where_the_kernel_cannot_be_asked_by_handle(answers, fs):
    assert answers[f"{fs}.by_device.alice"] == answers[f"{fs}.alice"]


@both
def test_statfs_tells_a_service_that_is_not_root_where_there_is_a_limit(answers, fs):
    assert answers[f"{fs}.user.alice"]["allocated"] == answers[f"{fs}.alice"]["allocated"]


@both
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        # Without a limit statfs tells of the whole file system.
        ("user.carol", "run the service as root"),
        # Over a soft limit it tells the limit.
        ("user.oscar", "It is at its project's limit"),
        ("dave", "It has no project id"),
        ("erin", "Other homes have its project id too"),
        ("gina", "Its project id is its parent directory's too"),
        ("ivan", "New files in it do not get its project id"),
        ("judy", "Something in it has another project id"),
    ],
)
def test_a_number_that_is_not_the_homes_is_not_given(answers, fs, case, reason):
    error = answers[f"{fs}.{case}"]["error"]
    assert reason in error
    assert case.rpartition(".")[2] in error and f"meter = '{fs}'" in error
    name = case.replace("user.", "user.auto.") if "user" in case else f"auto.{case}"
    walked = answers[f"{fs}.{name}"]
    assert walked["meter"] == "walk"
    assert reason in walked["why_walked"]
    assert walked["bytes"] in (MIB, 2 * MIB, 3 * MIB)


def test_a_mount_without_quota_is_named_with_the_option_to_mount_it_with(answers):
    assert "Project quota is not on at /run/xfs" in answers["xfs.off.alice"]["error"]
    assert "prjquota" in answers["xfs.off.auto.alice"]["why_walked"]


@both
def test_where_nobody_counts_auto_walks(answers, fs):
    assert answers[f"{fs}.off.auto.alice"]["allocated"] == answers[f"{fs}.alice"]["allocated"]
    assert "error" in answers[f"{fs}.off.alice"]


@both
def test_auto_walks_where_the_apparent_size_counts(answers, fs):
    usage = answers[f"{fs}.apparent.alice"]
    assert (usage["meter"], usage["bytes"]) == ("walk", 2**30 + 24 * MIB)
    assert "size_basis is 'apparent'" in usage["why_walked"]


@both
def test_auto_walks_a_home_with_a_limit_on_files(answers, fs):
    usage = answers[f"{fs}.files.alice"]
    assert (usage["meter"], usage["files"]) == ("walk", 3)
    assert "limit on files" in usage["why_walked"]


@both
def test_auto_walks_what_is_over_its_limit(answers, fs):
    assert answers[f"{fs}.limited.alice"] == answers[f"{fs}.walk.alice"]


@both
def test_an_emptied_home_is_empty_though_its_directory_takes_space(answers, fs):
    usage = answers[f"{fs}.kate"]
    assert (usage["allocated"], usage["files"], usage["dirs"]) == (0, 0, 1)
    assert usage["changed"] > 0


@both
def test_an_owner_can_take_a_file_out_of_its_project_as_the_docs_say(answers, fs):
    assert answers[f"{fs}.carol"]["allocated"] >= 3 * MIB
    assert answers[f"{fs}.escaped.carol"]["allocated"] < MIB
