"""The pictures' script, as the service hands it out: whole, compressed, kept for ever."""

import re
import zlib
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from jupyterhub_efs_quota.web.plotly import PlotlyScript, find_plotly


@pytest.fixture
async def fetch():
    plotly = find_plotly()
    server = HTTPServer(
        Application([(r"/plotly-([0-9a-f]+)\.js", PlotlyScript, {"plotly": plotly})])
    )
    socket, port = bind_unused_port()
    server.add_socket(socket)

    async def get(name=plotly.name, encoding="gzip"):
        return await AsyncHTTPClient().fetch(
            f"http://127.0.0.1:{port}/plotly-{name}.js",
            headers={"Accept-Encoding": encoding},
            decompress_response=False,
        )

    yield get
    server.stop()


def script():
    import plotly

    return Path(plotly.__file__).with_name("package_data").joinpath("plotly.min.js").read_bytes()


async def test_it_is_the_script_of_the_installed_package_compressed(fetch):
    answer = await fetch()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert zlib.decompress(answer.body, 16 + zlib.MAX_WBITS) == script()
    assert len(answer.body) < 0.4 * len(script())


async def test_who_takes_nothing_compressed_gets_it_as_it_is(fetch):
    answer = await fetch(encoding="identity")
    assert "Content-Encoding" not in answer.headers
    assert answer.body == script()


async def test_it_may_be_kept_for_ever_since_another_version_has_another_name(fetch):
    answer = await fetch()
    assert re.search(r"max-age=\d{8}, immutable", answer.headers["Cache-Control"])
    with pytest.raises(HTTPClientError, match="404"):
        await fetch(name="0" * 20)


def test_without_plotly_there_are_no_pictures_and_a_line_says_so(monkeypatch, caplog):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_plotly() is None
    assert "plotly is not installed" in caplog.text
