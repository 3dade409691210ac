"""`overview` prints what the API answers, in a terminal's words."""

from datetime import timedelta

import pytest

from jupyterhub_efs_quota.activity.overview import Job, Verdict
from jupyterhub_efs_quota.errors import HOME_MISSING
from jupyterhub_efs_quota.history.events import Action, Fill, Run
from jupyterhub_efs_quota.overview.as_json import overview_json
from jupyterhub_efs_quota.overview.overview import Happened, Past, Seen, overview
from jupyterhub_efs_quota.overview.survey import Surroundings, Unclaimed
from jupyterhub_efs_quota.overview.wanted import Wanted
from jupyterhub_efs_quota.quota.sizes import GIB
from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.remote.output import Output
from jupyterhub_efs_quota.remote.overview import OverviewCommand

from ..conftest import NOW
from ..overview.conftest import a_row

DAY = timedelta(days=1)


@pytest.fixture
def answer():
    """What the API answers of a site on which all there is to say is to be said."""
    rows = [
        a_row("homer", 5000, quota_state=State.LOCKOUT),
        a_row("marge", 500, active=NOW - 400 * DAY, problem="broken-file"),
        a_row("bart\x1b[1m", problem=HOME_MISSING),
    ]
    strays = [Unclaimed("left", "lisa", 99, NOW)]
    check = Verdict("recent", None, "No success since noon.")
    job = Job("backup", [Run("backup", "h", NOW, NOW)], verdicts=[check])
    surroundings = Surroundings(NOW, None, Fill(NOW, 50 * GIB, 50 * GIB), strays, whole=False)
    seen = Seen(rows, False, surroundings, None, "It hangs.", [job], ["The hub is away."])
    refused = Happened([Action("spawn-refused", "homer", NOW, "hook", "gpu", reason="over")], 7)
    fills = [Fill(NOW - n * DAY, (50 - n) * GIB, (50 + n) * GIB) for n in range(1, 30)]
    past = Past({"homer": 3 * GIB}, fills, refused, Happened(), "It does not answer.")
    return overview_json(overview(seen, past, 1000, Wanted(quota=600), NOW))


def printed(answer, capsys):
    OverviewCommand().show(Output(), answer)
    return capsys.readouterr().out


def test_all_that_the_answer_holds_is_printed(answer, capsys, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    said = printed(answer, capsys)
    for part in (
        "The hub is away.",
        "Not all users were seen yet",
        "It does not answer.",
        "3, 2 measured",
        "50.0 GiB of 100.0 GiB, 50 %; full about 2027-01-11; +1.0 GiB a day; as of",
        "It hangs.",
        "With a default of 600 bytes, 1 of 3 users who have it would be over, 0 newly",
        "Fastest growing, +3.0 GiB in 30 days",
        "Dormant for 6 months: 1 user, 500 bytes",
        "Users without a home: 1",
        "Homes without a user: at least 1, 99 bytes when measured",
        "Servers refused in 7 days: 7",
        "Users with whom something is wrong: 1",
        "No success since noon.",
    ):
        assert part in said, part
    assert "\x1b" not in said


def test_a_store_without_a_fixed_size_has_no_share_and_no_day(answer, capsys):
    answer["volume"].update(total=None, fraction=None, problem=None)
    answer["volume"]["forecast"].update(outlook="far", when=None, until="2027-01-11T00:00:00Z")
    (line,) = [line for line in printed(answer, capsys).splitlines() if "Volume" in line]
    assert "without a fixed size" in line and "+1.0 GiB a day" in line
    assert "%" not in line and "2027" not in line


def test_what_nobody_has_looked_at_is_left_out_or_said(answer, capsys):
    answer.update(volume=None, unclaimed=None, jobs=None)
    said = printed(answer, capsys)
    assert "not looked at yet" in said
    assert "Homes without a user" not in said and "backup" not in said
