"""The client of the service's own API, against a real server that answers anything."""

import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from certipy import Certipy

from jupyterhub_efs_quota.errors import ServiceError, ServiceUnreachable, SettingsError
from jupyterhub_efs_quota.service_client import ServiceClient, client_from, segment


class Answers(BaseHTTPRequestHandler):
    """Answers as the server is told to, and keeps what was asked."""

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.server.asked.append(
            (self.command, self.path, dict(self.headers), self.rfile.read(length))
        )
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    served = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    served.asked, served.answer = [], (200, {}, b"{}")
    thread = threading.Thread(target=served.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture
def client(server):
    return ServiceClient(f"http://127.0.0.1:{server.server_port}/services/quota", "secret")


def test_a_question_has_its_parameters_and_the_token(server, client):
    server.answer = (200, {}, b'{"a": [1]}')
    assert client.get("runs", name="a b&c", host=None) == {"a": [1]}
    ((method, path, headers, _),) = server.asked
    assert (method, path) == ("GET", "/services/quota/api/runs?name=a+b%26c")
    assert headers["Authorization"] == "token secret"


def test_a_body_goes_as_json_and_an_empty_answer_is_none(server, client):
    server.answer = (204, {}, b"")
    assert client.send("POST", f"users/{segment('a/b ü')}/quota", {"size": "1Gi"}) is None
    ((method, path, headers, body),) = server.asked
    assert (method, path) == ("POST", "/services/quota/api/users/a%2Fb%20%C3%BC/quota")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"size": "1Gi"}


@pytest.mark.parametrize(
    ("status", "body", "parts"),
    [
        (401, b"<html>", ["401", "--token-file"]),
        (403, b'{"message": "custom:x is needed."}', ["403", "custom:x is needed.", "--token"]),
        (404, b'{"message": "There is no user x."}', ["404", "There is no user x."]),
        (404, b"<html>", ["404", "--url"]),
        (400, b'{"message": "size:\\n no size"}', ["400", "size: no size"]),
        (400, b"[1]", ["400"]),
        (503, b"", ["503", "Is the service running?"]),
        (500, b'{"message": "It broke."}', ["500", "It broke."]),
    ],
)
def test_a_refusal_says_what_the_service_said_or_what_to_look_at(
    server, client, status, body, parts
):
    server.answer = (status, {}, body)
    with pytest.raises(ServiceError) as raised:
        client.get("users")
    assert raised.value.status == status
    for part in [*parts, f"GET http://127.0.0.1:{server.server_port}/services/quota/api/users"]:
        assert part in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_token_is_not_carried_on_by_a_redirect(server, client):
    server.answer = (302, {"Location": "/hub/login"}, b"")
    with pytest.raises(ServiceError, match=r"302 .*leads to /hub/login.*--url"):
        client.get("users")
    assert len(server.asked) == 1


def test_a_certificate_that_nobody_trusts_is_refused_and_one_of_a_given_ca_is_taken(
    server, tmp_path
):
    store = Certipy(store_dir=str(tmp_path))
    ca = store.create_ca("our-ca")["files"]["cert"]
    own = store.create_signed_pair("ours", "our-ca", alt_names=["IP:127.0.0.1"])["files"]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own["cert"], own["key"])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}/"
    with pytest.raises(ServiceUnreachable, match="certificate is not trusted.*--ca"):
        ServiceClient(url, "secret").get("users")
    assert ServiceClient(url, "secret", ca=ca).get("users") == {}


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_an_error(server, client, body):
    server.answer = (200, {}, body)
    with pytest.raises(ServiceError, match="no JSON.*--url"):
        client.get("users")


def test_no_answer_says_where_none_came_from():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(ServiceUnreachable, match=f"127.0.0.1:{port}.*refused.*running"):
        ServiceClient(f"http://127.0.0.1:{port}/", "secret").get("users")


def test_a_host_that_is_not_found_is_named():
    with pytest.raises(ServiceUnreachable, match=r"nowhere\.invalid.*not found.*--url"):
        ServiceClient("http://nowhere.invalid/", "secret").get("users")


def test_a_service_that_hangs_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(ServiceUnreachable, match="no answer in time"):
            ServiceClient(url, "secret", timeout_secs=0.2).get("users")


def test_what_is_no_http_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def answer():
            connection, _ = odd.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"\0\1\2\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{odd.getsockname()[1]}/"
        with pytest.raises(ServiceUnreachable, match="no answer"):
            ServiceClient(url, "secret").get("users")
        thread.join()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EFS_QUOTA_URL": "https://a/services/q"}, "https://a/services/q/"),
        (
            {
                "JUPYTERHUB_PUBLIC_HUB_URL": "https://a/jupyter/hub/",
                "JUPYTERHUB_API_URL": "http://10.0.0.1:8081/jupyter/hub/api",
            },
            "https://a/jupyter/services/my%20quota/",
        ),
        (
            {"JUPYTERHUB_PUBLIC_HUB_URL": "", "JUPYTERHUB_API_URL": "http://hub/hub/api"},
            "http://hub/services/my%20quota/",
        ),
    ],
)
def test_the_address_follows_from_the_environment(environment, expected):
    found = client_from({"JUPYTERHUB_API_TOKEN": "t", **environment}, service_name="my quota")
    assert found._url == expected


def test_what_is_given_goes_before_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-file\n")
    found = client_from(
        {"EFS_QUOTA_URL": "https://a/", "EFS_QUOTA_TOKEN": "t"},
        url="https://b/x",
        token_file=str(file),
        service_name="quota",
    )
    assert (found._url, found._token) == ("https://b/x/", "from-file")


@pytest.mark.parametrize(
    ("environment", "given", "said"),
    [
        ({}, {}, "EFS_QUOTA_URL"),
        ({"EFS_QUOTA_URL": "https://a/"}, {}, "EFS_QUOTA_TOKEN"),
        ({"EFS_QUOTA_URL": "https://a/"}, {"token_file": "/nowhere/x"}, "/nowhere/x"),
        ({"EFS_QUOTA_URL": "https://a/"}, {"token_file": "/bin/sh"}, "/bin/sh"),
        ({"EFS_QUOTA_URL": "https://a/", "EFS_QUOTA_TOKEN": "a\r\nHost: b"}, {}, "one line"),
        (
            {"EFS_QUOTA_URL": "https://a/", "EFS_QUOTA_TOKEN": "t"},
            {"ca": "/nowhere/c"},
            "/nowhere/c",
        ),
        *(
            ({"EFS_QUOTA_URL": url, "EFS_QUOTA_TOKEN": "t"}, {}, "should look like")
            for url in (
                *("ftp://a/", "file:///etc/passwd", "a", "https://", "http://[::1/"),
                *("http://a:x/", "http://a/?b", "http://u:p@a/", "http://a/ü", "http://a/\nb"),
            )
        ),
    ],
)
def test_what_is_missing_or_odd_is_named(environment, given, said):
    with pytest.raises(SettingsError, match=said):
        client_from(environment, service_name="quota", **given)
