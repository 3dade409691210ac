"""The hub's REST API, against a real server on loopback that answers as each test says."""

import ssl
from datetime import datetime, timezone

import pytest
from tornado.iostream import StreamClosedError
from tornado.tcpserver import TCPServer
from tornado.testing import bind_unused_port

from jupyterhub_efs_quota.errors import HubError, HubUnreachable
from jupyterhub_efs_quota.hub import client
from jupyterhub_efs_quota.hub.client import HubClient, HubUser, tls_context
from jupyterhub_efs_quota.quota.rescue import Server

from .conftest import a_user


async def names(client):
    return [[user.name for user in page] async for page in client.pages()]


async def test_users_come_page_by_page_by_the_offset_that_the_hub_names(hub):
    hub.users, hub.page_limit = [a_user(f"u{n}") for n in range(7)], 3
    assert await names(hub.client) == [["u0", "u1", "u2"], ["u3", "u4", "u5"], ["u6"]]
    assert [asked.arguments["offset"] for asked in hub.asked] == [[b"0"], [b"3"], [b"6"]]


async def test_a_hub_without_users_has_one_empty_page(hub):
    assert await names(hub.client) == [[]]


async def test_the_token_and_the_paged_form_are_asked_for(hub):
    await names(hub.client)
    headers = hub.asked[0].headers
    assert headers["Authorization"] == "token secret"
    assert headers["Accept"] == "application/jupyterhub-pagination+json"
    assert hub.asked[0].path == "/hub/api/users"


async def test_a_user_is_what_the_hub_says(hub):
    hub.users = [
        a_user(
            "homer@x",
            admin=True,
            groups=["nuclear", "bowling"],
            last_activity="2026-11-22T12:00:00.123456Z",
            servers={"": {"ready": True}, "gpu": {"ready": True}, "new": {"ready": False}},
        )
    ]
    ((user,),) = [page async for page in hub.client.pages()]
    assert user == HubUser(
        "homer@x",
        True,
        ("nuclear", "bowling"),
        datetime(2026, 11, 22, 12, 0, 0, 123456, timezone.utc),
        ("", "gpu"),
    )


async def test_groups_that_may_not_be_read_are_told_from_none(hub):
    without = a_user("homer")
    del without["groups"]
    hub.users = [without, a_user("bart", groups=None), a_user("lisa")]
    (users,) = [page async for page in hub.client.pages()]
    assert [user.groups for user in users] == [None, None, ()]


async def test_groups_that_may_not_be_read_are_unknown_and_not_none(hub):
    hub.users = [{"name": "homer", "servers": {}, "last_activity": None}]
    ((user,),) = [page async for page in hub.client.pages()]
    assert user == HubUser("homer", groups=None)


@pytest.mark.parametrize(
    ("left_out", "scope"), [("servers", "read:servers"), ("last_activity", "read:users:activity")]
)
async def test_a_token_that_would_never_see_a_server_to_stop_is_told(hub, left_out, scope):
    user = {"name": "homer", "servers": {}, "last_activity": None}
    hub.users = [{key: value for key, value in user.items() if key != left_out}]
    with pytest.raises(HubError, match=f"the token needs {scope}"):
        await names(hub.client)


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refusal_names_the_scopes_and_is_not_tried_again(hub, code):
    hub.answer(code)
    with pytest.raises(HubError, match=f"{code}.*list:users.*delete:servers") as error:
        await names(hub.client)
    assert not isinstance(error.value, HubUnreachable)
    assert len(hub.asked) == 1


@pytest.mark.parametrize("code", [400, 404, 405, 418])
async def test_another_refusal_is_told_and_not_tried_again(hub, code):
    hub.answer(code)
    with pytest.raises(HubError, match=f"GET {hub.url}/users: the hub answers {code}"):
        await names(hub.client)
    assert len(hub.asked) == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_with_our_token(hub, code):
    hub.answer(code, Location=hub.url + "/elsewhere")
    with pytest.raises(HubError, match=f"the hub answers {code}"):
        await names(hub.client)
    assert len(hub.asked) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_a_passing_fault_is_tried_again_after_longer_and_longer_waits(hub, code):
    hub.users = [a_user("homer")]
    for _ in range(3):
        hub.answer(code)
    assert await names(hub.client) == [["homer"]]
    assert len(hub.waited) == 3
    assert 1 <= hub.waited[0] < hub.waited[1] < hub.waited[2] <= 5


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_a_fault_that_stays_is_told_after_four_tries(hub, code):
    for _ in range(4):
        hub.answer(code)
    with pytest.raises(HubError, match=f"the hub answers {code}") as error:
        await names(hub.client)
    assert not isinstance(error.value, HubUnreachable)
    assert len(hub.asked) == 4


async def test_the_hubs_own_wish_to_wait_is_honoured_up_to_half_a_minute(hub):
    hub.answer(429, Retry_After="7")
    hub.answer(429, Retry_After="86400")
    hub.answer(429, Retry_After="soon")
    assert await names(hub.client) == [[]]
    assert 7 <= hub.waited[0] <= 8.4
    assert 30 <= hub.waited[1] <= 36
    assert 4 <= hub.waited[2] <= 4.8


async def test_a_fault_on_a_later_page_ends_the_list_after_the_pages_before(hub):
    hub.users, hub.page_limit = [a_user(f"u{n}") for n in range(4)], 2
    pages = hub.client.pages()
    assert [user.name for user in await anext(pages)] == ["u0", "u1"]
    hub.answer(403)
    with pytest.raises(HubError):
        await anext(pages)


NEXT = {"items": [], "_pagination": {"next": None}}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Log in</html>",
        "{",
        "nul",
        "[" * 100_000,
        "null",
        "42",
        '"users"',
        [a_user("homer")],
        {},
        {"items": [a_user("homer")]},
        {**NEXT, "items": None},
        {**NEXT, "items": 5},
        {**NEXT, "items": [None]},
        {**NEXT, "items": ["homer"]},
        {**NEXT, "items": [{}]},
        {**NEXT, "items": [a_user("")]},
        {**NEXT, "items": [a_user(None)]},
        {**NEXT, "items": [a_user(5)]},
        {**NEXT, "items": [a_user("homer", groups=5)]},
        {**NEXT, "items": [a_user("homer", last_activity="yesterday")]},
        {**NEXT, "items": [a_user("homer", servers=["a"])]},
        {**NEXT, "items": [a_user("homer", servers={"a": None})]},
        {"items": [], "_pagination": None},
        {"items": [], "_pagination": {}},
        {"items": [], "_pagination": {"next": {}}},
        {"items": [], "_pagination": {"next": {"offset": 0}}},
        {"items": [], "_pagination": {"next": {"offset": -5}}},
        {"items": [], "_pagination": {"next": {"offset": "200"}}},
        {"items": [], "_pagination": {"next": 5}},
    ],
    ids=lambda body: f"{body!r:.50}",
)
async def test_nonsense_is_told_as_such(hub, body):
    hub.answer(200, body)
    with pytest.raises(HubError) as error:
        await names(hub.client)
    assert not isinstance(error.value, HubUnreachable)
    assert hub.url in str(error.value) or "does not go on" in str(error.value)


async def test_bytes_that_are_no_text_are_told_as_such():
    async with raw_hub(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe\xfd\xfc") as hub:
        with pytest.raises(HubError, match="no JSON"):
            await names(hub)


async def test_a_server_is_stopped_by_name(hub):
    hub.answer(204)
    hub.answer(204)
    await hub.client.stop_server("homer@x.org/ü", "")
    await hub.client.stop_server("homer", "a b/..")
    assert [asked.method for asked in hub.asked] == ["DELETE", "DELETE"]
    assert [asked.path for asked in hub.asked] == [
        "/hub/api/users/homer%40x.org%2F%C3%BC/server",
        "/hub/api/users/homer/servers/a%20b%2F..",
    ]


@pytest.mark.parametrize("code", [202, 204, 404])
async def test_a_server_that_stops_or_is_gone_is_stopped(hub, code):
    hub.answer(code)
    await hub.client.stop_server("homer", "")
    assert len(hub.asked) == 1


@pytest.mark.parametrize("code", [200, 400, 403])
async def test_a_server_that_is_not_stopped_is_told(hub, code):
    hub.answer(code)
    with pytest.raises(HubError, match=f"DELETE {hub.url}/users/homer/server: .* {code}"):
        await hub.client.stop_server("homer", "")


async def test_stopping_is_tried_again_while_the_hub_is_busy(hub):
    hub.answer(503)
    hub.answer(202)
    await hub.client.stop_server("homer", "")
    assert len(hub.asked) == 2


async def test_a_hub_that_is_not_there_is_told(hub, monkeypatch):
    socket, port = bind_unused_port()
    socket.close()
    gone = HubClient(f"http://127.0.0.1:{port}/hub/api", "secret")
    with pytest.raises(HubUnreachable, match="the hub does not answer.*Is it running"):
        await names(gone)
    assert len(hub.waited) == 3


async def test_a_name_that_does_not_resolve_is_told(hub):
    with pytest.raises(HubUnreachable):
        await names(HubClient("http://hub.invalid/hub/api", "secret"))


async def test_a_hub_that_hangs_is_given_up(hub, monkeypatch):
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_SECS", 0.05)
    for _ in range(8):
        hub.answer("hang")
    with pytest.raises(HubUnreachable, match="does not answer"):
        await names(hub.client)
    assert len(hub.waited) == 3


async def test_a_server_that_hangs_while_it_stops_is_given_up(hub, monkeypatch):
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_SECS", 30)
    monkeypatch.setattr(client, "STOP_TIMEOUT_SECS", 0.05)
    for _ in range(8):
        hub.answer("hang")
    with pytest.raises(HubUnreachable, match="does not answer"):
        await hub.client.stop_server("homer", "")
    assert len(hub.waited) == 3


async def test_a_hub_that_comes_back_is_used_again(hub, monkeypatch):
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_SECS", 0.5)
    hub.answer("hang")
    assert await names(hub.client) == [[]]


class raw_hub:
    """A server that sends fixed bytes and closes, whatever it is asked."""

    def __init__(self, data):
        self._data = data

    async def __aenter__(self):
        data = self._data

        class Server(TCPServer):
            async def handle_stream(self, stream, address):
                try:
                    await stream.read_until(b"\r\n\r\n")
                    await stream.write(data)
                except StreamClosedError:
                    pass
                stream.close()

        listening, port = bind_unused_port()
        self._server = Server()
        self._server.add_socket(listening)
        return HubClient(f"http://127.0.0.1:{port}/hub/api", "secret")

    async def __aexit__(self, *error):
        self._server.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 999 \r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=lambda data: f"{data!r:.60}",
)
async def test_something_that_is_no_hub_is_told(hub, data):
    async with raw_hub(data) as other:
        with pytest.raises(HubError):
            await names(other)


def test_a_ca_bundle_that_cannot_be_used_is_told(tmp_path):
    with pytest.raises(HubError, match="cannot be used"):
        tls_context(str(tmp_path / "nowhere.pem"))
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(HubError, match=r"bad\.pem cannot be used"):
        tls_context(str(tmp_path / "bad.pem"))


def test_certificates_are_verified_unless_told_not_to():
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context().check_hostname is True
    assert tls_context(verify=False).verify_mode is ssl.CERT_NONE


async def test_one_user_is_asked_for_by_name_with_the_starts_of_the_servers(hub):
    server = {"ready": True, "started": "2026-11-22T12:00:00.5Z"}
    hub.answer(200, body=a_user("a/b", servers={"": server, "gpu": {"ready": True}}))
    user = await hub.client.user("a/b")
    assert hub.asked[0].path == "/hub/api/users/a%2Fb"
    started = datetime(2026, 11, 22, 12, 0, 0, 500000, timezone.utc)
    assert user.running == (Server("", started), Server("gpu", None))


async def test_a_user_whom_the_hub_does_not_have_is_nobody_and_a_fault_is_one(hub):
    hub.answer(404)
    assert await hub.client.user("nobody") is None
    hub.answer(403)
    with pytest.raises(HubError, match="delete:servers"):
        await hub.client.user("homer")
    hub.answer(200, body={"name": 5})
    with pytest.raises(HubError, match="not as expected|without"):
        await hub.client.user("homer")
