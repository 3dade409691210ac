"""Timings for StatsD, heard by a real listener."""

import re
import socket
import threading
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyterhub_efs_quota.activity import timings as module
from jupyterhub_efs_quota.activity.timings import Timings, metric, timings_of
from jupyterhub_efs_quota.settings import EFSQuota

from .conftest import Udp


def test_a_run_of_a_minute_is_60000_milliseconds_under_its_escaped_name(udp):
    timings = Timings("127.0.0.1", udp.port, "hub", "test")
    timings.send("script-name", 60.0)
    timings.send(r"a b,c=d\e", 0.0015)
    assert udp.heard() == "hub.script_activity,env=test,name=script-name:60000.000000|ms"
    assert udp.heard() == r"hub.script_activity,env=test,name=a\ b\,c\=d\\e:1.500000|ms"


def test_without_a_prefix_or_an_environment_neither_is_there(udp):
    Timings("127.0.0.1", udp.port).send("x", 1.0)
    assert udp.heard() == "script_activity,name=x:1000.000000|ms"


def test_the_settings_say_where_and_how(udp):
    settings = EFSQuota(
        statsd_host="127.0.0.1", statsd_port=udp.port, statsd_prefix="p", statsd_environment="ops"
    )
    timings_of(settings).send("x", 1.0)
    assert udp.heard().startswith("p.script_activity,env=ops,name=x:")


def test_a_host_that_has_only_ipv6_is_reached():
    try:
        listener = Udp(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    Timings("::1", listener.port).send("x", 1.0)
    assert listener.heard().startswith("script_activity")
    listener.socket.close()


def test_without_a_host_nothing_is_sent_and_no_thread_is_there():
    before = threading.active_count()
    timings = Timings()
    timings.send("x", 1.0)
    timings.close()
    assert threading.active_count() == before


def test_the_measurement_keeps_its_equals_sign_and_tags_are_sorted():
    assert metric("m=n o,p\\", {"b": "1", "a,": "2 3"}) == "m=n\\ o\\,p\\\\,a\\,=2\\ 3,b=1"


def parsed(text):
    """The measurement and the tags of a metric, read as InfluxDB's line protocol is."""
    parts = re.findall(r"(?:\\.|[^,\\])+", text)
    split = [re.findall(r"(?:\\.|[^=\\])*", part)[0:3:2] for part in parts[1:]]
    plain = [[re.sub(r"\\(.)", r"\1", each) for each in pair] for pair in split]
    return re.sub(r"\\(.)", r"\1", parts[0]), dict(plain)


names = st.text(st.characters(codec="utf-8"), min_size=1)


@given(names, names)
@example("a:b|c\n", "\\")
@example("=", ",=\\ ")
def test_whatever_a_job_is_called_one_packet_names_it_and_nothing_else(name, environment):
    text = metric("script_activity", {"name": name, "env": environment})
    assert text.isascii() and text.isprintable()
    assert not set(text) & {":", "|", "\n"}
    measurement, tags = parsed(text)
    assert measurement == "script_activity"
    escaped = {
        tag: re.sub(r"[^ -~]|[:|]", lambda found: module._code(found[0]), value)
        for tag, value in {"env": environment, "name": name}.items()
    }
    assert tags == escaped
    assert list(tags) == ["env", "name"]


def test_a_name_that_does_not_resolve_is_said_once_and_holds_nobody_up(log_lines):
    timings = Timings("statsd.invalid", 8125)
    began = time.monotonic()
    for _ in range(3):
        timings.send("x", 1.0)
    assert time.monotonic() - began < 1
    timings.close(30)
    said = [line for line in log_lines.said("WARN") if "statsd.invalid" in line[1]]
    assert len(said) == 1
    assert "statsd_host" in said[0][1]


@pytest.mark.parametrize("host", ["a" * 300, "..", "\ud800"])
def test_a_name_that_is_none_is_said_and_ends_no_thread(host, log_lines, udp):
    timings = Timings(host, udp.port)
    timings.send("x", 1.0)
    timings.close(30)
    assert any("statsd_host" in message for _, message in log_lines.said("WARN"))
    timings._host = "127.0.0.1"
    timings.send("y", 1.0)
    assert "name=y" in udp.heard()


def test_a_resolver_that_hangs_holds_up_neither_who_sends_nor_the_end(monkeypatch):
    hanging = threading.Event()

    def getaddrinfo(*_args, **_kwargs):
        hanging.wait(60)
        raise socket.gaierror(-3, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    timings = Timings("slow.example", 8125)
    began = time.monotonic()
    for _ in range(module._MOST_WAITING + 10):  # more than there is room for
        timings.send("x", 1.0)
    timings.close(0.1)
    assert time.monotonic() - began < 10
    hanging.set()


def test_nobody_at_the_port_is_nothing_to_fail_for():
    listener = Udp()
    listener.socket.close()
    timings = Timings("127.0.0.1", listener.port)
    for _ in range(3):  # the second one learns of it
        timings.send("x", 1.0)
    timings.close(20)
    assert not timings._waiting.unfinished_tasks
