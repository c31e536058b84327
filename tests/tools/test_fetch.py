"""Pages are fetched from real servers on loopback, which the setting private_hosts lets through for the tests."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tools import fetch, web
from tools.errors import ToolError

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, Answer]], str]]:
    """A server with these answers by path; its address. What it was asked stands in `asked`."""
    servers = []

    def start(answers: dict[str, Answer], trusted: bool = True) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answers.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if headers.get("X-Drip"):
                    for _ in range(100):
                        self.wfile.write(b"x")
                        self.wfile.flush()
                        time.sleep(0.1)
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError):
                    super().handle()

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        if trusted:
            web.allow_private({*web._private_hosts, address})
        return f"http://{address}"

    yield start
    web.allow_private(())
    for server in servers:
        server.shutdown()
        server.server_close()


HTML = {"Content-Type": "text/html; charset=utf-8"}


def test_a_page_as_text(serve: Callable[..., str]) -> None:
    page = """<html><head><title>Tides</title><style>p {}</style></head><body><nav>home about</nav>
    <main><h1>Why the sea rises</h1><p>The <b>moon</b> pulls
    at <a href="/sea">the sea</a>.</p><ul><li>ebb</li><li>flow</li></ul><script>evil()</script></main>
    <footer>imprint</footer></body></html>"""
    url = serve({"/": (200, HTML, page.encode())})
    assert web.fetch_url(url).splitlines() == [
        "Tides", "Why the sea rises", "The moon pulls at the sea.", "ebb", "flow",
    ]  # fmt: skip


def test_other_kinds(serve: Callable[..., str]) -> None:
    url = serve({
        "/json": (200, {"Content-Type": "application/json"}, b'{"a": "\\u00e9"}'),
        "/latin": (200, {"Content-Type": "text/plain; charset=latin-1"}, "é".encode("latin-1")),
        "/packed": (200, {**HTML, "Content-Encoding": "gzip"}, gzip.compress(b"<p>one</p>")),
        "/bomb": (200, {**HTML, "Content-Encoding": "gzip"}, gzip.compress(bytes(50 << 20))),
        "/image": (200, {"Content-Type": "image/png"}, b"x"),
        "/big": (200, HTML, b"x" * (fetch.MOST_BYTES + 1)),
        "/long": (200, {"Content-Type": "text/plain"}, b"x" * (fetch.MOST_CHARACTERS + 5)),
        "/broken": (200, HTML, b"<p>one<<</div></html><p>two"),
        "/empty": (200, HTML, b""),
    })  # fmt: skip
    assert web.fetch_url(f"{url}/json") == '{\n "a": "é"\n}'
    assert web.fetch_url(f"{url}/latin") == "é"
    assert web.fetch_url(f"{url}/packed") == "one"
    assert web.fetch_url(f"{url}/long").endswith("[… 5 characters left out …]")
    assert "two" in web.fetch_url(f"{url}/broken")
    assert web.fetch_url(f"{url}/empty") == ""
    for path, said in {"/image": "image/png", "/big": "larger than", "/bomb": "larger than", "/none": "404"}.items():
        with pytest.raises(ToolError, match=said):
            web.fetch_url(url + path)


def test_redirects_are_followed_and_checked(serve: Callable[..., str]) -> None:
    private = serve({"/": (200, HTML, b"a secret")}, trusted=False)
    url = serve({
        "/one": (302, {"Location": "/two"}, b""),
        "/two": (301, {"Location": "three"}, b""),
        "/three": (200, HTML, b"<p>there</p>"),
        "/round": (302, {"Location": "/round"}, b""),
        "/private": (302, {"Location": private}, b""),
        "/name": (302, {"Location": private.replace("127.0.0.1", "localhost")}, b""),
        "/metadata": (302, {"Location": "http://169.254.169.254/latest"}, b""),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
    })  # fmt: skip
    assert web.fetch_url(f"{url}/one") == "there"
    refused = {"/round": "redirects once more", "/file": "no address of a web page"}
    refused |= dict.fromkeys(["/private", "/name", "/metadata"], "no public address")
    for path, said in refused.items():
        with pytest.raises(ToolError, match=said):
            web.fetch_url(url + path)


@pytest.mark.parametrize(
    "url",
    """http://localhost/ http://127.0.0.1/ http://127.1/ http://2130706433/ http://0x7f000001/ http://0/ http://[::1]/
    http://[::ffff:127.0.0.1]/ http://10.0.0.1/ http://192.168.1.1/ http://169.254.169.254/ http://[fe80::1]/
    http://[64:ff9b::7f00:1]/ http://[2002:7f00:1::]/ http://100.64.0.1/ http://224.0.0.1/ http://255.255.255.255/
    http://[fec0::1]/ http://192.0.0.8/
    http://user:pass@example.org/ ftp://example.org/ file:///etc/passwd gopher://example.org/ javascript:x http:///x
    http://example.org:0/ http://example.org:99999/ example.org""".split(),
)
def test_what_is_not_fetched(url: str) -> None:
    with pytest.raises(ToolError):
        web.fetch_url(url)


def test_a_page_that_drips_is_ended(serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 0.6)
    url = serve({"/": (200, {**HTML, "X-Drip": "1"}, b"")})
    started = time.monotonic()
    with pytest.raises(ToolError, match=r"did not answer within 0\.6 seconds"):
        web.fetch_url(url)
    assert time.monotonic() - started < 2
