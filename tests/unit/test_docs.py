"""The documentation says what the code does: its reference, and every example in it."""

import ast
import inspect
import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

import jupyterhub_efs_quota
from jupyterhub_efs_quota.activity.check_command import CheckCommand, ListCommand
from jupyterhub_efs_quota.activity.run_command import RunCommand
from jupyterhub_efs_quota.commands import MonitorCommand, ReaperCommand, ServiceCommand
from jupyterhub_efs_quota.configure import CUSTOM_SCOPES, SERVICE_SCOPES, setup
from jupyterhub_efs_quota.control import text
from jupyterhub_efs_quota.errors import KINDS
from jupyterhub_efs_quota.history.command import DatabaseCommand
from jupyterhub_efs_quota.hub import spawn
from jupyterhub_efs_quota.hub.learn import told_by
from jupyterhub_efs_quota.logs import JsonFormatter
from jupyterhub_efs_quota.metrics.counted import OUTCOMES
from jupyterhub_efs_quota.metrics.users import STATES
from jupyterhub_efs_quota.quota import messages
from jupyterhub_efs_quota.quota.record import (
    COMMON_FIELDS,
    OWN_FIELDS,
    NULL_TIME,
    Record,
    State,
    to_mapping,
)
from jupyterhub_efs_quota.quota.sizes import GIB
from jupyterhub_efs_quota.settings import read_file, resolve
from jupyterhub_efs_quota.terminal.measure import MeasureCommand
from jupyterhub_efs_quota.web.api.contract import OPERATIONS
from jupyterhub_efs_quota.web.application import make_application

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOW_TO = DOCS / "how-to"
REFERENCE = DOCS / "reference"
PAGES = sorted(
    page for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")] if "_build" not in page.parts
)


def page(name):
    return (REFERENCE / name).read_text()


def table(name):
    """The first cells of the rows of all tables on a page, and the rest of each row."""
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|(.*)\|$", page(name), re.MULTILINE)
    return {first: [cell.strip() for cell in rest.split("|")] for first, rest in rows}


# --- The reference -----------------------------------------------------------------------


def test_the_page_of_settings_is_what_is_made_of_them():
    made = runpy.run_path(str(DOCS / "settings_page.py"))["render"]()
    assert page("settings.md") == made, "run: python docs/settings_page.py"


def flags_in(text):
    """The flags in the tables of a part of the page about the command line."""
    return set(re.findall(r"^\| `--([a-z-]+)[^`]*` \|", text, re.MULTILINE))


def test_every_flag_of_measure_is_in_the_documentation_and_no_other():
    (part,) = re.findall(r"efs-quota measure\n(.*?)\n## ", page("command-line.md"), re.DOTALL)
    assert flags_in(part) == {*MeasureCommand.aliases, *MeasureCommand.flags}


@pytest.mark.parametrize(
    "command", [ServiceCommand, MonitorCommand, ReaperCommand, DatabaseCommand]
)
def test_every_flag_is_in_the_documentation_and_no_other(command):
    apart = r"^## jupyterhub-efs-quota (?:activity|measure)\n.*?(?=^## )"
    said = flags_in(re.sub(apart, "", page("command-line.md"), flags=re.S | re.M))
    own = {"generate-config"}
    if command is ServiceCommand:
        said &= {*command.aliases, *own}
    elif command is DatabaseCommand:
        said &= {*command.aliases}
    else:
        said -= {*own, "json", "history-url", "downgrade"}
    assert said == {*command.aliases, *command.flags}


@pytest.mark.parametrize("command", [CheckCommand, RunCommand, ListCommand])
def test_every_flag_of_activity_is_in_the_documentation_and_no_other(command):
    name = command.name.rpartition(" ")[2]
    (part,) = re.findall(rf"^### activity {name}\n(.*?)^##", page("command-line.md"), re.S | re.M)
    said = set(re.findall(r"`--([a-z-]+)", " ".join(re.findall(r"^\| `--.*?\|", part, re.M))))
    assert said == {*command.aliases, *command.flags}


def test_every_field_of_the_control_file_is_in_the_documentation_with_its_default():
    rows = table("control-file.md")
    assert list(rows) == [*COMMON_FIELDS, *OWN_FIELDS]
    defaults = to_mapping(Record("alice"))
    for name in COMMON_FIELDS[1:]:
        value = defaults[name]
        shown = json.dumps(value) if not isinstance(value, str) else value
        assert rows[name][0] == f"`{shown}`", name
        assert "*ours*" not in rows[name][1]
    for name in OWN_FIELDS:
        assert rows[name][0] == ""
        assert rows[name][1].startswith("*ours*: ")
    assert NULL_TIME in rows["started"][0]


def test_the_whole_control_file_in_the_documentation_is_one_of_ours():
    (shown,) = re.findall(r"```yaml\n(.*?)```", page("control-file.md"), re.DOTALL)
    record = text.load(shown, "the documentation")
    assert text.dump(record) == shown
    assert record.quota_state is State.LOCKOUT


def states():
    """Records in each state, as the pages show them."""
    used = {
        State.OK: GIB,
        State.NEARING_LIMIT: 38 * GIB // 10,
        State.VIOLATION: 5 * GIB,
        State.LOCKOUT: 5 * GIB,
        State.TIMED_OUT: GIB,
    }
    return [
        Record(
            "alice",
            quota_bytes=4 * GIB,
            actual_bytes=used[state],
            fraction_used=0.95,
            quota_state=state,
        )
        for state in State
    ]


@pytest.mark.parametrize("record", states(), ids=lambda record: record.quota_state.value)
def test_every_state_is_in_the_documentation_with_its_messages(record):
    level = {10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "CRITICAL"}
    state = record.quota_state.value
    said, message = messages.reaped(record, 3600.0)
    assert f"| `{state}` | {level[said]} | `{message}` |" in page("log-lines.md")
    assert f"| `{state}` | `{messages.checked(record)[1]}` |" in page("states.md")
    (meaning,) = re.findall(rf"^\| `{state}` \|.*\| (\w+) \|$", page("states.md"), re.MULTILINE)
    assert meaning == level[said]


def test_the_other_messages_are_in_the_documentation():
    lines, over = page("log-lines.md"), states()[3]
    for message in [
        messages.updated(over),
        messages.waiting(300.0, "Reaper"),
        messages.too_slow(42.0, 14400.0, "Monitor"),
    ]:
        assert f"`{message}`" in lines
    exempt = Record("alice", quota_enabled=False)
    assert f"`{messages.checked(exempt)[1]}`" in page("states.md")


def test_the_log_line_in_the_documentation_has_the_keys_of_a_real_one():
    (shown,) = re.findall(r"```json\n(.*?)```", page("log-lines.md"), re.DOTALL)
    record = Record("homer@stsci.edu", usage_files=12)
    entry = SimpleNamespace(
        exc_info=None,
        levelno=20,
        levelname="INFO",
        created=0.0,
        subsystem="Monitor",
        fields=to_mapping(record),
        getMessage=lambda: "message",
    )
    real = JsonFormatter({"DEPLOYMENT_NAME": "roman", "ENVIRONMENT": "dev"}).format(entry)
    assert list(json.loads(shown)) == list(json.loads(real))


def metrics_in_documentation():
    """The service's metrics as the reference has them: name to kind and labels.

    tests/real/test_metrics.py compares them with those of a running service.
    """
    return {
        name: (cells[0], set(re.findall(r"`(\w+)`", cells[1])))
        for name, cells in table("metrics.md").items()
        if cells[0] in ("counter", "gauge", "histogram")
    }


def values_in_documentation(name):
    """The values of a metric's label, as the table below its name lists them."""
    (section,) = re.findall(
        rf"^## .*`{name}`.*?\n(.*?)(?=^## |\Z)", page("metrics.md"), re.M | re.S
    )
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_every_decision_that_is_counted_is_in_the_documentation():
    counted = set(re.findall(r'DECISIONS\.labels\("([a-z-]+)"\)', inspect.getsource(spawn)))
    assert set(values_in_documentation("decision")) == counted
    shown = {sample.labels["decision"] for sample in spawn.DECISIONS.collect()[0].samples}
    assert shown == counted, "a decision that was not made yet has no series"


def test_every_value_of_the_labels_is_in_the_documentation():
    assert values_in_documentation("kind") == list(KINDS)
    assert values_in_documentation("state") == list(STATES)
    assert values_in_documentation("outcome") == list(OUTCOMES)


def test_every_route_is_in_the_documentation():
    application = make_application(None, "/services/efs-quota/", api_token="t", verify_secs=1)
    routes = {
        rule.matcher.regex.pattern.rstrip("$")
        .replace("([^/]+)", "NAME")
        .replace("(.*)", "…")
        .replace("([0-9a-f]+)\\.", "HASH.")
        .replace("\\.", ".")
        for rule in application.wildcard_router.rules
        if hasattr(rule.matcher, "regex")
    }
    base = "/services/efs-quota/api"
    # Those of the contract have a page of their own; one row stands for them here.
    own = {f"{base}{operation.path}".replace("{name}", "NAME") for operation in OPERATIONS}
    own |= {f"{base}/openapi.json", f"{base}/openapi.yaml", f"{base}(/.*)?"}
    assert own <= routes
    assert {*table("http.md"), "/services/efs-quota"} == routes - own | {f"{base}/users"}


def test_every_route_of_the_api_is_in_its_documentation():
    rows = re.findall(r"^\| `([^`]+)` \| (GET|PUT|POST|DELETE) \|", page("api.md"), re.MULTILINE)
    known = [
        (op.path.replace("{name}", "NAME").lstrip("/"), op.method.upper()) for op in OPERATIONS
    ]
    assert sorted(rows) == sorted(known)


def test_every_scope_is_in_the_documentation():
    assert set(SERVICE_SCOPES) | set(CUSTOM_SCOPES) | {
        "access:services!service=efs-quota",
        "custom:efs-quota:read!user",
        "read:metrics",
    } == set(table("permissions.md"))


def test_every_argument_of_setup_is_in_the_documentation():
    said = re.findall(r"^`(\w+)`\n: ", page("setup.md"), re.MULTILINE)
    assert said == list(inspect.signature(setup).parameters)[1:]


def test_the_changelog_has_this_version():
    assert f"\n## {jupyterhub_efs_quota.__version__} " in (ROOT / "CHANGELOG.md").read_text()


# --- The examples ------------------------------------------------------------------------


def load(name, monkeypatch):
    """The configuration that an example file makes."""
    monkeypatch.setenv("EFS_QUOTA_TOKEN", "a-token")
    return PyFileConfigLoader(name, str(HOW_TO)).load_config()


def listed(c, trait):
    """A list of the hub's configuration, with what was appended to it."""
    value = c.JupyterHub[trait]
    return value if isinstance(value, list) else value.get_value([])


def test_the_example_for_a_plain_hub_installs_the_service(monkeypatch):
    c = load("plain_hub.py", monkeypatch)
    (service,) = listed(c, "services")
    assert service["name"] == "efs-quota"
    assert service["command"]
    assert str(resolve(c).homes().named("alice")) == "/home/alice"
    assert callable(c.Spawner.pre_spawn_hook)


def test_the_example_for_a_service_apart_has_an_environment_that_fits_it(monkeypatch):
    c = load("separate_service.py", monkeypatch)
    (service,) = listed(c, "services")
    assert "command" not in service
    assert service["api_token"] == "a-token"
    lines = (HOW_TO / "separate-service.env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert environment["JUPYTERHUB_SERVICE_URL"] == service["url"]
    assert environment["JUPYTERHUB_SERVICE_PREFIX"] == f"/services/{service['name']}/"
    assert environment["JUPYTERHUB_CLIENT_ID"] == f"service-{service['name']}"
    scopes = json.loads(environment["JUPYTERHUB_OAUTH_ACCESS_SCOPES"])
    assert scopes == [f"access:services!service={service['name']}"]


def test_the_example_for_loops_elsewhere_gives_their_token_the_scopes(monkeypatch):
    c = load("loops_elsewhere.py", monkeypatch)
    (service,), (role,) = listed(c, "services"), listed(c, "load_roles")
    assert role["services"] == [service["name"]]
    assert tuple(role["scopes"]) == SERVICE_SCOPES
    assert c.Spawner.pre_spawn_hook is jupyterhub_efs_quota.pre_spawn_hook


def test_the_example_for_tljh_adds_to_the_configuration_that_loads_it(tmp_path):
    main = tmp_path / "main.py"
    main.write_text(f"""
c.JupyterHub.services = [{{"name": "cull-idle", "command": ["true"]}}]
c.JupyterHub.load_roles = [{{"name": "cull-idle", "services": ["cull-idle"], "scopes": []}}]
c.JupyterHub.template_paths = ["/site/templates"]
c.JupyterHub.template_vars = {{"announcement": "hello"}}
load_subconfig({str(HOW_TO / "tljh.py")!r})
""")
    c = PyFileConfigLoader(main.name, str(tmp_path)).load_config()
    assert [service["name"] for service in c.JupyterHub.services] == ["cull-idle", "efs-quota"]
    assert [role["name"] for role in c.JupyterHub.load_roles][:2] == ["cull-idle", "efs-quota"]
    assert "/site/templates" in c.JupyterHub.template_paths
    assert len(c.JupyterHub.template_paths) == 2
    assert set(c.JupyterHub.template_vars) == {"announcement", "efs_quota"}
    assert str(resolve(c).homes().named("alice")) == "/home/jupyter-alice"


def chart_configuration(values):
    """What the hub's configuration becomes with these values of the Helm chart."""
    c = Config()
    c.JupyterHub.services = [
        {"name": name, **service} for name, service in values["hub"].get("services", {}).items()
    ]
    c.JupyterHub.load_roles = [
        {"name": name, **role} for name, role in values["hub"].get("loadRoles", {}).items()
    ]
    for section, settings in values["hub"]["config"].items():
        c[section].update(settings)
    for _, snippet in sorted(values["hub"]["extraConfig"].items()):
        exec(snippet, {"c": c})
    return c


def values_of(name):
    return yaml.safe_load((HOW_TO / name).read_text())


def selects(rule, side):
    return {peer["podSelector"]["matchLabels"]["component"] for peer in rule[side]}


def ports(rule):
    return [port["port"] for port in rule["ports"]]


def test_the_values_for_kubernetes_install_a_service_that_the_proxy_can_reach():
    values = values_of("z2jh-values.yaml")
    c = chart_configuration(values)
    (service,) = c.JupyterHub.services
    name, _, port = service["url"].removeprefix("http://").partition(":")
    assert name == "hub"
    (extra,) = values["hub"]["service"]["extraPorts"]
    assert extra["port"] == extra["targetPort"] == int(port)
    to_service, to_hub = values["hub"]["networkPolicy"]["ingress"]
    assert (selects(to_service, "from"), ports(to_service)) == ({"proxy", "hub"}, [int(port)])
    assert (selects(to_hub, "from"), ports(to_hub)) == ({"hub"}, [8081])
    (egress,) = values["proxy"]["chp"]["networkPolicy"]["egress"]
    assert (selects(egress, "to"), ports(egress)) == ({"hub"}, [int(port)])


@pytest.mark.parametrize("name", ["z2jh-values.yaml", "z2jh-loops-values.yaml"])
@pytest.mark.parametrize("user", ["alice", "Alice", "homer@stsci.edu"])
def test_the_values_for_kubernetes_look_for_homes_where_kubespawner_puts_them(name, user):
    kubespawner = pytest.importorskip("kubespawner")
    values = values_of(name)
    settings = resolve(chart_configuration(values))
    storage = values["singleuser"]["storage"]["static"]
    safe = kubespawner.slugs.safe_slug(user, max_length=48)
    spawner = SimpleNamespace(
        volume_mounts=[{"mountPath": "/home/jovyan", "subPath": storage["subPath"]}],
        _expand_all=lambda template: template.format(username=safe),
    )
    homes = settings.homes()
    assert told_by(spawner, homes.home_root) == homes.named(user)
    # And there the volume is mounted, with the homes and the control files.
    mounts = {m["mountPath"]: m["subPath"] for m in values["hub"]["extraVolumeMounts"]}
    assert mounts[settings.quota_control] == "quota-control"
    if name == "z2jh-values.yaml":
        assert mounts[f"{settings.home_root}/home"] == storage["subPath"].partition("/")[0]


def test_the_values_for_loops_elsewhere_give_their_token_the_scopes():
    c = chart_configuration(values_of("z2jh-loops-values.yaml"))
    (service,), (role,) = c.JupyterHub.services, c.JupyterHub.load_roles
    assert role["services"] == [service["name"]]
    assert tuple(role["scopes"]) == SERVICE_SCOPES
    assert c.Spawner.pre_spawn_hook is jupyterhub_efs_quota.pre_spawn_hook


def pods():
    """Every container of the loops' pods, with the volumes of its pod."""
    for name in ("z2jh-loops.yaml", "z2jh-cronjob.yaml"):
        for item in yaml.safe_load_all((HOW_TO / name).read_text()):
            spec = item.get("spec", {})
            spec = spec.get("jobTemplate", {}).get("spec", spec)
            if "template" in spec:
                template = spec["template"]
                assert template["metadata"]["labels"]["hub.jupyter.org/network-access-hub"]
                for container in template["spec"]["containers"]:
                    yield pytest.param(
                        container, template["spec"], id=f"{name}-{container['name']}"
                    )


@pytest.mark.parametrize(("container", "pod"), list(pods()))
def test_the_commands_of_the_pods_are_understood(container, pod, tmp_path):
    config_map, _ = yaml.safe_load_all((HOW_TO / "z2jh-loops.yaml").read_text())
    ((name, content),) = config_map["data"].items()
    (tmp_path / name).write_text(content)
    program, loop, *flags = container["command"]
    assert program == "jupyterhub-efs-quota"
    command = {"monitor": MonitorCommand, "reaper": ReaperCommand}[loop]()
    settings = command.read_settings(
        [flag.replace("/etc/efs-quota/", f"{tmp_path}/") for flag in flags]
    )
    command.clear_instance()
    # The hook in the hub has the same, and the pod mounts what they name.
    of_hook = resolve(chart_configuration(values_of("z2jh-loops-values.yaml")))
    for setting in ("quota_control", "home_root", "home_path"):
        assert getattr(settings, setting) == getattr(of_hook, setting)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert {settings.quota_control, f"{settings.home_root}/home", "/etc/efs-quota"} == set(mounts)
    assert set(mounts.values()) <= {volume["name"] for volume in pod["volumes"]}
    assert "JUPYTERHUB_API_TOKEN" in [variable["name"] for variable in container["env"]]


def test_the_rules_for_prometheus_name_metrics_and_decisions_that_exist():
    known = metrics_in_documentation()
    labels = {
        name: values_in_documentation(name) for name in ("decision", "kind", "state", "outcome")
    }
    labels["outcome"] += ["success", "failure", "skipped"]
    (group,) = values_of("alerts.yaml")["groups"]
    for rule in group["rules"]:
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        used = re.findall(r"jupyterhub_efs_quota_\w+", rule["expr"])
        assert used
        assert set(used) <= {*known, "jupyterhub_efs_quota_spawn_decisions_total"}
        for label, pattern in re.findall(r'(\w+)=~?"([^"]+)"', rule["expr"]):
            assert any(re.fullmatch(pattern, value) for value in labels[label])


def test_every_example_file_is_shown_on_a_page():
    shown = {
        name
        for each in HOW_TO.glob("*.md")
        for name in re.findall(r"\{literalinclude\} (\S+)", each.read_text())
        if "/" not in name
    }
    files = {each.name for each in HOW_TO.iterdir() if each.is_file() and each.suffix != ".md"}
    assert shown == files


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_code_on_a_page_can_be_read(path):
    fences = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", path.read_text(), re.DOTALL | re.MULTILINE)
    for indent, language, block in fences:
        block = inspect.cleandoc(block) if indent else block
        if language == "python":
            ast.parse(block)
            for name in re.findall(r"c\.EFSQuota\.(\w+) =", block):
                assert f"### `{name}`" in page("settings.md")
        elif language == "yaml":
            yaml.safe_load(block)
        elif language == "json":
            json.loads(block)
        else:
            assert language in {"shell", "text"}, f"```{language}"


@pytest.mark.parametrize(
    "settings",
    re.findall(
        r"^setup\(\n(.*?)^\)",
        (DOCS / "tutorial" / "own-hub.md").read_text(),
        re.DOTALL | re.MULTILINE,
    ),
)
def test_the_tutorial_gives_settings_that_setup_takes(settings):
    c = Config()
    exec(f"setup({settings})", {"c": c, "setup": setup})
    assert str(resolve(c).homes().named("alice")) == "/home/alice"


def test_the_pictures_are_there():
    for path in PAGES:
        for name in re.findall(r"images/([\w-]+\.png)", path.read_text()):
            assert (DOCS / "images" / name).read_bytes().startswith(b"\x89PNG"), name


def test_the_links_of_the_pages_outside_of_docs_lead_somewhere():
    for path in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text()):
            assert (ROOT / target).exists(), f"{path.name}: {target}"
