"""The rules and the board that we hand out: Prometheus takes them, and they name what there is."""

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ..conftest import REPOSITORY
from ..unit.test_docs import metrics_in_documentation

RULES = REPOSITORY / "docs" / "how-to" / "alerts.yaml"
RULE_TESTS = Path(__file__).parent / "alerts_test.yaml"
DASHBOARD = REPOSITORY / "docs" / "how-to" / "grafana" / "dashboard.json"

promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool")


def run(*arguments):
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


@promtool
def test_promtool_finds_nothing_wrong_with_the_rules():
    ran = run("check", "rules", RULES)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@promtool
def test_the_rules_alert_when_they_should_and_only_then():
    ran = run("test", "rules", RULE_TESTS)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@promtool
def test_the_tests_of_the_rules_can_fail(tmp_path):
    tests = yaml.safe_load(RULE_TESTS.read_text())
    tests["rule_files"] = [str(RULES)]
    for test in tests["tests"]:
        # Nothing is ever to be alerted: that is wrong for every test but the first.
        for alert in test["alert_rule_test"]:
            alert.pop("exp_alerts", None)
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    ran = run("test", "rules", tmp_path / "tests.yaml")
    assert ran.returncode != 0
    told = set(re.findall(r"alertname: (\w+)", ran.stdout + ran.stderr))
    assert told == alerts()


def alerts():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"] for rule in group["rules"]}


def test_every_rule_is_tested_for_when_it_alerts_and_for_when_it_does_not():
    tests = yaml.safe_load(RULE_TESTS.read_text())["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    assert {c["alertname"] for c in checks if c.get("exp_alerts")} == alerts()
    assert {c["alertname"] for c in checks if not c.get("exp_alerts")} == alerts()


# --- The board ---------------------------------------------------------------------------


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def queries():
    return [target["expr"] for panel in panels() for target in panel.get("targets", ())]


def test_the_board_is_what_is_made_of_its_code():
    made = runpy.run_path(str(REPOSITORY / "docs" / "grafana_dashboard.py"))["render"]()
    assert DASHBOARD.read_text() == made, "run: python docs/grafana_dashboard.py"


def test_the_board_asks_for_metrics_that_there_are():
    documented = metrics_in_documentation()
    known = {
        *documented,
        *(
            f"{name}_{part}"
            for name, (kind, _) in documented.items()
            if kind == "histogram"
            for part in ("bucket", "sum", "count")
        ),
        "jupyterhub_efs_quota_spawn_decisions_total",
    }
    for query in queries():
        used = set(re.findall(r"\b(?:jupyterhub_efs_quota|dirsize|process)_\w+", query))
        assert used and used <= known, query


def test_no_panel_lies_upon_another_or_beyond_the_edge():
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_every_panel_has_a_source_that_can_be_chosen_and_no_address_of_ours():
    board = json.loads(DASHBOARD.read_text())
    variables = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"]))) - {"__rate_interval"}
    assert used == variables == {"datasource", "job"}
    assert "http" not in DASHBOARD.read_text()
