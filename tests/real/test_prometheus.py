"""A real Prometheus reads a real hub and its service, and answers every query of our board."""

import json
import secrets
import shutil
import subprocess
from urllib.parse import unquote, urlencode

import pytest
import yaml
from jupyterhub.tests.utils import add_user, api_request, public_url
from prometheus_client import REGISTRY
from tornado.httpclient import AsyncHTTPClient

from ..conftest import fill
from ..ports import free_port
from ..prometheus.test_alerts_and_dashboard import RULES, panels
from .conftest import QUOTA, SERVICE, hub_config
from .conftest import until as until_it

DECISIONS = "jupyterhub_efs_quota_spawn_decisions_total"
pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="needs prometheus")


class Prometheus:
    """A Prometheus of its own, in a directory of its own, that asks every second."""

    def __init__(self, tmp, targets):
        self.port = free_port()
        self._log = (tmp / "prometheus.log").open("wb")
        (tmp / "prometheus.yaml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": targets,
                }
            )
        )
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp / 'prometheus.yaml'}",
                f"--storage.tsdb.path={tmp / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    async def ask(self, path, **parameters):
        """What its API answers, or None while it does not."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(parameters)}"
        try:
            answer = await AsyncHTTPClient().fetch(url, raise_error=False, request_timeout=20)
        except OSError:
            return None
        return json.loads(answer.body) if answer.code in (200, 400, 422) else None

    async def value(self, query):
        """The values of a query's answer."""
        answer = await self.ask("query", query=query)
        if answer is None:
            return []
        assert answer["status"] == "success", (query, answer)
        return [float(each["value"][1]) for each in answer["data"]["result"]]

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._log.close()


def job(name, address, path, token=None):
    made = {
        "job_name": name,
        "metrics_path": path,
        "static_configs": [{"targets": [address.removeprefix("http://").rstrip("/")]}],
    }
    if token:
        made["authorization"] = {"credentials": token}
    return made


@pytest.fixture
async def prometheus(hub_app, tmp_path):
    """A hub with homes, and a Prometheus that reads it in all ways that there are."""
    fill(tmp_path / "users" / "alice", 1234)
    fill(tmp_path / "users" / "over", 3 * QUOTA)
    fill(tmp_path / "users" / 'o"dd\\', 7)
    port, token = free_port(), secrets.token_hex(16)
    c = hub_config(
        tmp_path,
        metrics_port=port,
        user_metrics="names",
        home_path="{home_root}/{username}",
        monitor_period_secs=1,
        reaper_period_secs=1,
        verify_secs=0,
    )
    c.JupyterHub.services.append({"name": "prometheus", "api_token": token})
    c.JupyterHub.load_roles.append(
        {"name": "metrics", "services": ["prometheus"], "scopes": ["read:metrics"]}
    )
    hub = await hub_app(c)
    for name in ("alice", "over", 'o"dd\\'):
        add_user(hub.db, hub, name=name)
    proxy = public_url(hub)[: -len(hub.base_url)]
    # Prometheus escapes it itself.
    base = unquote(hub.base_url)
    running = Prometheus(
        tmp_path,
        [
            job("port", f"127.0.0.1:{port}", "/metrics"),
            job("path", proxy, f"{base}services/{SERVICE}/metrics", token),
            job("hub", proxy, f"{base}hub/metrics", token),
            job("no-token", proxy, f"{base}services/{SERVICE}/metrics"),
        ],
    )
    running.hub = hub
    yield running
    running.stop()


async def until(look, wanted, secs=60):
    """Wait until a question has this answer."""
    import asyncio

    for _ in range(secs * 5):
        if (found := await look()) == wanted:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{found}, not {wanted}")


async def test_prometheus_reads_everything_and_answers_every_query_of_the_board(prometheus):
    hub = prometheus.hub
    await until_it(lambda: (r := hub.control.read("over")) and r.quota_state.value == "lockout", 60)
    # The hub counts in this process, for all hubs that the tests have had in it.
    refusals = {"decision": "refused"}
    before = REGISTRY.get_sample_value(DECISIONS, refusals) or 0
    assert (await api_request(hub, "users/over/server", method="post")).status_code == 403
    for name in ("port", "path", "hub"):
        await until(lambda name=name: prometheus.value(f'up{{job="{name}"}}'), [1])
    await until(lambda: prometheus.value('up{job="no-token"}'), [0])
    users = 'jupyterhub_efs_quota_users{{job="{}",state="lockout"}}'
    for name in ("port", "path"):
        await until(lambda name=name: prometheus.value(users.format(name)), [1])
    sizes = 'dirsize_total_size_bytes{{job="port",directory="{}"}}'
    await until(lambda: prometheus.value(sizes.format("alice")), [1234])
    await until(lambda: prometheus.value(sizes.format('o\\"dd\\\\')), [7])
    refused = f'{DECISIONS}{{decision="refused"}}'
    await until(lambda: prometheus.value(refused), [before + 1])
    # The loops have a check each, though the settings name none; they are looked at now and then.
    checked = 'jupyterhub_efs_quota_job_check_holds{job="port",check="recent"}'
    await until(lambda: prometheus.value(f"sort({checked})"), [1, 1, 1])
    # Rates take two samples of everything.
    for name in ("port", "path", "hub"):
        seen = f'sum_over_time(up{{job="{name}"}}[1h]) > bool 3'
        await until(lambda seen=seen: prometheus.value(seen), [1])
    empty = set()
    for panel in panels():
        for target in panel.get("targets", ()):
            # Raises for what Prometheus does not understand, or finds ambiguous.
            if not await prometheus.value(filled(target["expr"])):
                empty.add(panel["title"])
    # Nothing went wrong, no walk summed a home up, and on a local disk none has to wait.
    assert empty <= {"Untouched for the longest", "Errors", "The store's answers"}
    # The users' figures are the same, however many ways they are read in.
    (held,) = (p["targets"][0]["expr"] for p in panels() if p["title"] == "In all homes")
    assert await prometheus.value(held.replace("$job", "port")) == [1234 + 3 * QUOTA + 7]
    rules = await prometheus.ask("rules")
    (group,) = rules["data"]["groups"]
    assert [rule["name"] for rule in group["rules"] if rule["health"] == "err"] == []


def filled(query):
    """A query as Grafana sends it."""
    return query.replace("$job", ".*").replace("$__rate_interval", "1m")
