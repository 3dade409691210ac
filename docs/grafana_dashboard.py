"""Writes docs/how-to/grafana/dashboard.json: `python docs/grafana_dashboard.py`.

tests/prometheus/ fails when the file is not what this makes, and runs every query of it
against a real Prometheus.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parent / "how-to" / "grafana" / "dashboard.json"
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = "jupyterhub_efs_quota_"
# The service that is chosen at the top of the board.
CHOSEN = '{job=~"$job"}'

Panel = dict[str, Any]


def chosen(name: str, labels: str = "") -> str:
    """One of the service's metrics, of the service that is chosen."""
    more = f",{labels}" if labels else ""
    return f'{OURS}{name}{{job=~"$job"{more}}}'


def of_all(name: str, labels: str = "", *, of: str = "", by: str = "") -> str:
    """A figure about all users, summed up over hubs.

    Loops that run by themselves tell the same of the same users: that is one figure.
    """
    kept = ", ".join(filter(None, ["job", of or by]))
    one = f"max by ({kept}) ({chosen(name, labels)})"
    return f"sum by ({by}) ({one})" if by else f"sum({one})"


def target(query: str, legend: str = "", *, instant: bool = False) -> Panel:
    """One query of a panel."""
    return {
        "datasource": SOURCE,
        "expr": query,
        "legendFormat": legend or "__auto",
        "instant": instant,
        "range": not instant,
        "format": "table" if instant and not legend else "time_series",
    }


def panel(kind: str, title: str, targets: list[Panel], unit: str = "short", **more: Any) -> Panel:
    """A panel of 8 columns, or what `width` says."""
    lines = {"fillOpacity": 10, "showPoints": "never"}
    return {
        "type": kind,
        "title": title,
        "description": more.get("about", ""),
        "datasource": SOURCE,
        "targets": [
            {**each, "refId": chr(ord("A") + number)} for number, each in enumerate(targets)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": more.get("steps", _steps())},
                "custom": lines if kind == "timeseries" else {},
            },
            "overrides": [],
        },
        "options": more.get("options", {}),
        "transformations": more.get("transformations", []),
        "gridPos": {"h": more.get("height", 8), "w": more.get("width", 8), "x": 0, "y": 0},
    }


def _steps(*above: tuple[float, str]) -> list[Panel]:
    """The colours of a figure: green, and others from some value on."""
    steps: list[Panel] = [{"color": "green", "value": None}]
    return steps + [{"color": color, "value": value} for value, color in above]


def figure(title: str, query: str, unit: str = "short", *above: tuple[float, str]) -> Panel:
    """One number, with its colour."""
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area"}
    return panel(
        "stat",
        title,
        [target(query, "now")],
        unit,
        options=options,
        width=4,
        height=4,
        steps=_steps(*above),
    )


def graph(title: str, *targets: Panel, unit: str = "short", about: str = "") -> Panel:
    """Lines over time."""
    return panel("timeseries", title, list(targets), unit, about=about)


def ranking(title: str, query: str, unit: str, about: str) -> Panel:
    """A table of homes, the first first."""
    columns = {"excludeByName": {"Time": True}, "renameByName": {"directory": "Home"}}
    return panel(
        "table",
        title,
        [target(query, instant=True)],
        unit,
        about=about,
        height=10,
        transformations=[{"id": "organize", "options": columns}],
        options={"sortBy": [{"displayName": "Value", "desc": True}]},
    )


def row(title: str) -> Panel:
    """A heading over the panels that follow."""
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
        "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": 0},
    }


def users() -> list[Panel]:
    """How users stand."""
    over = of_all("users", 'state=~"violation|lockout"', of="state")
    locked = of_all("users", 'state="lockout"')
    decisions = f'{OURS}spawn_decisions_total{{decision!="allowed"}}'
    return [
        row("Users"),
        figure("Users", of_all("users", of="state")),
        figure("Over their quota", over, "short", (1, "yellow")),
        figure("Locked out", locked, "short", (1, "red")),
        figure("In all homes", of_all("used_bytes"), "bytes"),
        figure("Files", of_all("used_files")),
        figure(
            "Of what was promised",
            f"{of_all('used_bytes')} / {of_all('quota_bytes')}",
            "percentunit",
        ),
        graph("Users by state", target(of_all("users", by="state"), "{{state}}")),
        graph(
            "What all homes hold",
            target(of_all("used_bytes"), "held"),
            target(of_all("quota_bytes"), "allowed"),
            unit="bytes",
        ),
        graph(
            "What happens to users",
            target(f"sum(increase({chosen('servers_stopped_total')}[1h]))", "servers stopped"),
            target(
                f"sum by (decision) (increase({decisions}[1h]))",
                "spawns {{decision}}",
            ),
            about="In an hour. The decisions about spawns are in the hub's own metrics.",
        ),
    ]


def homes() -> list[Panel]:
    """The homes that stand out, where the site has series of single homes."""
    where = "Needs c.EFSQuota.user_metrics."
    size = f"dirsize_total_size_bytes{CHOSEN}"
    share = f"{size} / (dirsize_hard_limit_bytes{CHOSEN} > 0)"
    age = f"time() - dirsize_latest_mtime{CHOSEN}"
    return [
        row("Homes"),
        ranking("Largest", f"topk(20, {size})", "bytes", where),
        ranking("Nearest to their limit", f"topk(20, {share})", "percentunit", where),
        ranking("Growing fastest", f"topk(20, delta({size}[1d]))", "bytes", f"{where} A day."),
        ranking("Most files", f"topk(20, dirsize_entries_count{CHOSEN})", "short", where),
        ranking("Untouched for the longest", f"topk(20, {age})", "s", where),
        ranking(
            "Measured the longest ago",
            f"topk(20, time() - dirsize_last_updated_ns{CHOSEN})",
            "s",
            where,
        ),
    ]


def service() -> list[Panel]:
    """Whether the service works, and keeps up."""
    success = chosen("last_success_timestamp_seconds")
    spent, ended = (
        f"sum by (loop) (increase({chosen(f'cycle_duration_seconds_{what}')}[1h]))"
        for what in ("sum", "count")
    )
    buckets = chosen("measurement_duration_seconds_bucket")
    # Every other process that Prometheus reads has these, too.
    of_service = f"and on (job, instance) {OURS}build_info"
    oldest = f"time() - min({chosen('oldest_measurement_timestamp_seconds')})"
    return [
        row("The service"),
        figure("What is wrong, in number", f"sum({chosen('troubles')})", "short", (1, "red")),
        figure(
            "Users with a problem", f"sum({chosen('users_with_problem')})", "short", (1, "yellow")
        ),
        figure("Oldest measurement", oldest, "s"),
        figure(
            "Measurements in a day",
            f"sum(increase({chosen('measurements_total')}[1d]))",
        ),
        figure("Memory", f"sum(process_resident_memory_bytes{CHOSEN} {of_service})", "bytes"),
        figure(
            "Processor",
            f"sum(rate(process_cpu_seconds_total{CHOSEN}[5m]) {of_service})",
            "percentunit",
        ),
        graph(
            "Since the last cycle that went well",
            target(f"time() - max by (loop) ({success})", "{{loop}}"),
            unit="s",
        ),
        graph(
            "Length of cycles",
            target(
                f"{spent} / {ended}",
                "{{loop}}",
            ),
            unit="s",
            about="The mean of an hour.",
        ),
        graph(
            "Behind the period",
            target(f"max by (loop) ({chosen('cycle_lateness_seconds')})", "{{loop}}"),
            unit="s",
        ),
        graph(
            "Measurements",
            target(
                f"sum by (outcome) (increase({chosen('measurements_total')}[1h]))", "{{outcome}}"
            ),
            about="In an hour.",
        ),
        graph(
            "How long they take",
            *(
                target(
                    f"histogram_quantile({quantile}, sum by (le) (increase({buckets}[1h])))",
                    f"{quantile:.0%}",
                )
                for quantile in (0.5, 0.95, 0.99)
            ),
            unit="s",
            about="What so many of them took at most, in the last hour.",
        ),
        graph(
            "Files walked a second",
            target(f"sum(rate({chosen('walked_files_total')}[$__rate_interval]))", "files"),
        ),
        graph(
            "Errors",
            target(
                f"sum by (subsystem, kind) (increase({chosen('errors_total')}[1h]))",
                "{{subsystem}}: {{kind}}",
            ),
            about="In an hour.",
        ),
        graph(
            "Users with a problem",
            target(f"sum by (kind) ({chosen('users_with_problem')}) > 0", "{{kind}}"),
        ),
        graph(
            "The store's answers",
            target(f"max({chosen('store_latency_seconds')})", "now"),
            target(f"max({chosen('store_usual_latency_seconds')})", "usual"),
            target(f"max({chosen('braking')})", "1 while walks are slowed down"),
            unit="s",
        ),
        graph(
            "Lockouts that the hub had verified",
            target(f"sum by (state) (increase({chosen('verifications_total')}[1h]))", "{{state}}"),
            about="In an hour, by what was found.",
        ),
        graph(
            "The history",
            target(f"sum({chosen('history_waiting_events')})", "events that wait"),
            target(f"sum(increase({chosen('history_lost_events_total')}[1h]))", "lost"),
            target(
                f"sum(increase({chosen('history_gaps_total')}[1h]))", "times the database was away"
            ),
            about="What is lost and how often it was away: in an hour.",
        ),
        graph(
            "Checks of jobs that fail",
            target(f"sum by (name) ({chosen('job_check_holds')} == bool 0)", "{{name}}"),
            about="By job: the service's own loops, and what reports to it.",
        ),
    ]


def arrange(panels: list[Panel]) -> list[Panel]:
    """The panels with their places, from left to right and from top to bottom."""
    left = top = height = 0
    for number, each in enumerate(panels, start=1):
        place = each["gridPos"]
        if left + place["w"] > WIDTH or place["h"] != height:
            left, top, height = 0, top + height, place["h"]
        each["id"] = number
        place["x"], place["y"] = left, top
        left += place["w"]
    return panels


def variable(name: str, label: str, kind: str, query: Any, **more: Any) -> Panel:
    """A choice at the top of the board."""
    return {"name": name, "label": label, "type": kind, "query": query, "hide": 0, **more}


def dashboard() -> dict[str, Any]:
    """The whole board."""
    jobs = f"label_values({OURS}build_info, job)"
    return {
        "uid": "jupyterhub-efs-quota",
        "title": "JupyterHub storage quotas",
        "tags": ["jupyterhub", "storage"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                variable("datasource", "Prometheus", "datasource", "prometheus"),
                variable(
                    "job",
                    "Service",
                    "query",
                    {"query": jobs, "refId": "jobs"},
                    datasource=SOURCE,
                    includeAll=True,
                    allValue=".*",
                    multi=True,
                    refresh=2,
                    current={"text": "All", "value": "$__all"},
                ),
            ]
        },
        "panels": arrange([*users(), *homes(), *service()]),
    }


def render() -> str:
    """The text of the file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(render())
