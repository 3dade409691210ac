"""A home on a real NFSv4.1 mount, in User Mode Linux: measured as du measures it."""

import json
from pathlib import Path

import pytest

from jupyterhub_efs_quota.measure.task import Task, dump_task

from ..uml import HERE, run_in_uml  # noqa: F401

NEEDS = {
    "rpc.nfsd": "nfs-kernel-server",
    "rpc.mountd": "nfs-kernel-server",
    "mount.nfs4": "nfs-common",
    "ip": "iproute2",
}
TASK = Task("/run/mounted/alice", 60, allocated=True)
both = pytest.mark.parametrize("engine", ["compiled", "python"])


@pytest.fixture(scope="module")
def answers(run_in_uml):
    output = run_in_uml(
        HERE / "nfs.sh",
        NEEDS,
        WALK=Path(__file__).parent.parent / "unit" / "walk_alone.py",
        TASK=dump_task(TASK).decode().strip(),
    )
    return dict(line.split(" ", 1) for line in output.splitlines())


def found(answers, name):
    return json.loads(answers[name])


@both
def test_a_home_on_nfs_is_counted_as_du_counts_it(answers, engine):
    assert answers["mount"].startswith("nfs4")
    assert "vers=4.1" in answers["mount"]
    usage = found(answers, f"first.{engine}")
    assert usage["allocated"] == int(answers["first.du"])
    # 300 files, one of them by two names; the sparse one, the link and the pipe.
    assert (usage["files"], usage["dirs"], usage["unreadable"]) == (303, 3, 0)
    sizes = sum(len(str(number)) + 1 for number in range(1, 301)) + 3 * 2**20 + len("/etc")
    assert usage["bytes"] == sizes


@both
def test_what_another_client_changed_is_counted(answers, engine):
    before, after = found(answers, f"first.{engine}"), found(answers, f"later.{engine}")
    assert before["files"] - after["files"] == 10
    assert after["bytes"] - before["bytes"] == 2 * 2**20 - 10 * 3
    assert after["allocated"] == int(answers["later.du"])


def test_both_walks_say_the_same_of_it(answers):
    for name in ("first", "later"):
        one, other = (found(answers, f"{name}.{engine}") for engine in ("compiled", "python"))
        assert {**one, "secs": 0} == {**other, "secs": 0}
