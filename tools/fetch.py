"""Pages as text, with limits on size, time and redirects, and from public addresses alone.

The address is looked up here and connected to as a number, so that what was checked is what is reached, whatever a name
server says the second time. Every redirect is checked again. Proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from tools.errors import ArgumentError, ToolError

MOST_BYTES = 5 * 2**20  # of a page as it comes, and unpacked
MOST_CHARACTERS = 200_000  # of its text
MOST_REDIRECTS = 5
SECONDS = 20.0  # for all of it
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"User-Agent": "zooid", "Accept": "text/html, text/*, application/json;q=0.9", "Accept-Encoding": "identity"}
# What `ipaddress` of some Pythons takes for public: protocol assignments, 6to4 relays, IPv6's old site-local, examples.
_SPECIAL = [ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20")]
_EMBEDDED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses as a translator is given them (RFC 6052)


def fetch(url: str, private_hosts: Collection[str] = ()) -> str:
    """The text of the page at `url`; raises ToolError. `private_hosts`: see `tools.web.allow_private`."""
    deadline = time.monotonic() + SECONDS
    for _ in range(MOST_REDIRECTS + 1):
        page = _get(_parsed(url), deadline, private_hosts)
        if page.status not in _REDIRECTS or not page.location:
            return _read(page, url)
        url = urljoin(url, page.location)
    raise ToolError(f"{url} redirects once more, after {MOST_REDIRECTS} redirects; name the address where it leads")


@dataclass(frozen=True, slots=True)
class _Page:
    status: int
    kind: str  # its media type, without parameters
    charset: str
    location: str
    body: bytes


def _parsed(url: str) -> SplitResult:
    """The parts of an address that may be fetched; raises ToolError."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ArgumentError(f"{url} is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ArgumentError(f"{url} is no address of a web page; give one that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ArgumentError("an address with a name or password in it is not fetched; give it without")
    if re.search(r"[\x00-\x20\x7f]", url.strip()):
        raise ArgumentError(f"{url!r} holds spaces or control characters; write them with %")
    if port == 0:
        raise ArgumentError(f"{url} names port 0, which is none")
    return parts


def _get(url: SplitResult, deadline: float, private_hosts: Collection[str]) -> _Page:
    """One request and its answer, its body capped; raises ToolError."""
    assert url.hostname
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        sock = _connected(url.hostname, port, deadline, private_hosts)
        with _ended_at(sock, deadline), closing(sock):
            if url.scheme == "https":
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=url.hostname)
            connection = http.client.HTTPConnection(url.hostname, port)
            connection.sock = sock
            connection.request("GET", (url.path or "/") + (f"?{url.query}" if url.query else ""), headers=_HEADERS)
            page = _answer(connection.getresponse(), url)
        if time.monotonic() >= deadline:  # what has come is not all of it
            raise TimeoutError
        return page
    except ssl.SSLError as error:
        raise ToolError(f"{url.hostname} has no certificate that can be trusted: {error.reason or error}") from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        if time.monotonic() >= deadline:
            raise ToolError(f"{url.geturl()} did not answer within {SECONDS:g} seconds") from None
        raise ToolError(f"{url.geturl()} cannot be fetched: {error or type(error).__name__}") from None


def _connected(host: str, port: int, deadline: float, private_hosts: Collection[str]) -> socket.socket:
    """A connection to the first address of a host that takes one; raises ToolError where any of them is not public."""
    found = _addresses(host, port, deadline)
    trusted = host.lower() in private_hosts or f"{host.lower()}:{port}" in private_hosts
    error: OSError = OSError("it has no address")
    for family, kind, proto, _, address in found:
        if not trusted and not is_public(str(address[0])):
            raise ToolError(
                f"{host} is at {address[0]}, which is no public address; what is in a private network is not fetched "
                f"unless the setting private_hosts names it"
            )
        sock = socket.socket(family, kind, proto)
        try:
            sock.settimeout(max(0.1, min(10.0, deadline - time.monotonic())))
            sock.connect(address)
            return sock
        except OSError as failed:
            sock.close()
            error = failed
    raise error


def _addresses(host: str, port: int, deadline: float) -> list[Any]:
    """What `socket.getaddrinfo` says, in a thread of its own, which is left behind where no name server answers."""
    said: SimpleQueue[Any] = SimpleQueue()

    def ask() -> None:
        try:
            said.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            said.put(error)

    threading.Thread(target=ask, name="addresses", daemon=True).start()
    try:
        found = said.get(timeout=max(0.0, deadline - time.monotonic()))
    except Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return list(found)


def is_public(address: str) -> bool:
    """Whether an address is of the public Internet, also where it carries another inside it."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _EMBEDDED:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    special = found.is_multicast or found.is_reserved or any(found in network for network in _SPECIAL)
    return found.is_global and not special


class _ended_at:
    """Ends a connection at a time, however slowly what comes drips in."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._end, (sock,))
        self._timer.daemon = True

    @staticmethod
    def _end(sock: socket.socket) -> None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _answer(response: http.client.HTTPResponse, url: SplitResult) -> _Page:
    body = response.read(MOST_BYTES + 1)
    packing = (response.headers.get("Content-Encoding") or "identity").lower()
    if packing in ("gzip", "deflate"):
        unpack = zlib.decompressobj(wbits=47)  # of either kind
        with suppress(zlib.error):
            body = unpack.decompress(body, MOST_BYTES + 1)
    elif packing != "identity":
        raise ToolError(f"{url.geturl()} came packed as {packing}, which cannot be read")
    if len(body) > MOST_BYTES:
        raise ToolError(f"{url.geturl()} is larger than {MOST_BYTES >> 20} MiB; fetch a smaller page")
    charset = response.headers.get_content_charset() or ""
    location = response.headers.get("Location") or ""
    return _Page(response.status, response.headers.get_content_type(), charset, location, body)


# -- what a page says


def _read(page: _Page, url: str) -> str:
    if page.status >= 400:
        raise ToolError(f"{url} answered {page.status} ({http.client.responses.get(page.status, 'an error')})")
    if page.kind in ("text/html", "application/xhtml+xml"):
        text = html_text(page.body)
    elif page.kind.startswith("text/") or page.kind.endswith(("json", "xml")):
        text = _decoded(page)
    else:
        raise ToolError(f"{url} is {page.kind}, and fetch_url reads text; name a page")
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n[… {len(text) - MOST_CHARACTERS:,} characters left out …]"


def _decoded(page: _Page) -> str:
    try:
        text = page.body.decode(page.charset or "utf-8-sig", "replace")
    except LookupError:
        text = page.body.decode("utf-8", "replace")
    if page.kind.endswith("json"):
        with suppress(ValueError, RecursionError):
            return json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    return text


_BREAK = "\x1e"  # between blocks: a line of the source may end anywhere
_NO_TEXT = "script style noscript template svg iframe nav header footer aside form dialog".split()
_INLINE = """a abbr b bdi bdo cite code data dfn em font i ins kbd label mark q s samp small span strong sub sup time
tt u var wbr""".split()


def html_text(page: bytes) -> str:
    """The title and the main text of a page, a block a line."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(page)
    title = tree.css_first("title")
    heading = title.text(strip=True) if title else ""
    tree.strip_tags(_NO_TEXT)
    tree.unwrap_tags(_INLINE)
    main = tree.css_first("main") or tree.css_first("article") or tree.body
    if main is None:
        return heading
    for code in main.css("pre"):
        code.replace_with(code.text().replace("\n", _BREAK))
    main.merge_text_nodes()
    lines = (" ".join(line.split()) for line in main.text(separator=_BREAK).split(_BREAK))
    return "\n".join(line for line in (heading, *lines) if line)
