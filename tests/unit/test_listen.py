"""Where the service listens: at its URL, or everywhere if that is not an address of ours."""

import asyncio

import pytest
from tornado.httpserver import HTTPServer
from tornado.web import Application

from jupyterhub_efs_quota.app import listen

from ..ports import free_port


async def reachable(host, port):
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
def server():
    server = HTTPServer(Application([]))
    yield server
    server.stop()


async def test_the_service_listens_at_the_address_of_its_url_and_at_no_other(server):
    port = free_port()
    listen(server, f"http://127.0.0.1:{port}")
    assert await reachable("127.0.0.1", port)
    assert not await reachable("127.0.0.2", port)


# An address kept for documentation is nobody's, as that of a Kubernetes Service is not the pod's.
@pytest.mark.parametrize("host", ["192.0.2.1", "hub.invalid"])
async def test_the_service_listens_everywhere_if_its_name_is_no_address_of_ours(server, host):
    port = free_port()
    listen(server, f"http://{host}:{port}")
    assert await reachable("127.0.0.1", port)


async def test_a_port_that_is_taken_is_an_error(server):
    port = free_port()
    listen(server, f"http://127.0.0.1:{port}")
    with pytest.raises(OSError, match="in use"):
        listen(HTTPServer(Application([])), f"http://127.0.0.1:{port}")
