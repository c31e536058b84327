"""Servers that fail, each in a way of its own, on raw sockets of the loopback; for tests of what is made of it.

A fault is what a server does with one connection. `FAULTS` names them all; `serving` has one of them served.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trustme

STALL = 30.0  # s; no client waits for so long


def completion(said: Any = None, **more: Any) -> bytes:
    """A chat completion in which the model says something."""
    text = said if isinstance(said, str) else json.dumps(said or {"answer": 4})
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage} | more).encode()


GOOD = completion()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def reply(body: bytes = GOOD, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + end


@dataclass
class Connection:
    """One connection of a client: what it asks is read, and what is to come of it is said."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    elsewhere: int  # the port of a server that nobody should be sent to

    async def asked(self) -> None:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await self.reader.readexactly(int(length.split(b":")[1]))

    async def say(self, data: bytes, at_once: int = 0, pause: float = 0.0) -> None:
        for start in range(0, len(data), at_once or len(data) or 1):
            self.writer.write(data[start : start + (at_once or len(data))])
            await self.writer.drain()
            await asyncio.sleep(pause)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Fault = Callable[[Connection], Awaitable[None]]


def saying(data: bytes, then: str = "close", **how: Any) -> Fault:
    """Read the request, say that much, then close, reset or stall."""

    async def fault(to: Connection) -> None:
        await to.asked()
        await to.say(data, **how)
        if then == "stall":
            await asyncio.sleep(STALL)
        if then == "reset":
            await asyncio.sleep(0.02)  # so that what was said is not lost with the connection
            to.reset()

    return fault


def unasked(then: str) -> Fault:
    """Close, reset or stall before the request is read."""

    async def fault(to: Connection) -> None:
        if then == "stall":
            await asyncio.sleep(STALL)
        if then == "reset":
            to.reset()

    return fault


def greeted(answer: bytes) -> Fault:
    """Say something to a client that has begun with TLS."""

    async def fault(to: Connection) -> None:
        await to.reader.read(4096)
        await to.say(answer)

    return fault


def without_end(begin: bytes, part: bytes, most: int = 1 << 30) -> Fault:
    async def fault(to: Connection) -> None:
        await to.asked()
        await to.say(begin)
        for _ in range(most // len(part)):
            await to.say(part)

    return fault


def redirect(status: int, location: str) -> Fault:
    async def fault(to: Connection) -> None:
        await to.asked()
        where = location.replace("PORT", str(to.elsewhere))
        await to.say(reply(b"", f"{status} Elsewhere", f"Location: {where}"))

    return fault


OLD_TLS = b"\x15\x03\x01\x00\x02\x02\x46"  # an alert: no version in common
HALF = reply()[: -len(GOOD) // 2]
BOMB = gzip.compress(bytes(1 << 28))
DEEP = b"[" * 200_000 + b"]" * 200_000
LONG = HEAD + b"Content-Length: 99999999999\r\n\r\n"
NO_LENGTH = HEAD + b"Connection: close\r\n\r\n"
PRIVATE = ("http://127.0.0.2:PORT/v1", "http://169.254.169.254/latest", "http://[::1]:PORT/", "file:///etc/passwd")


@dataclass(frozen=True)
class Row:
    """A fault, the error that it must come to (`again`: after as many tries as are allowed), and how it is served."""

    fault: Fault
    error: str = "ProviderUnavailable"
    again: bool = True
    tls: str = ""
    address: str = ""  # in place of the server's own
    more: dict[str, Any] = field(default_factory=dict)


def once(fault: Fault, error: str, **how: Any) -> Row:
    return Row(fault, error, again=False, **how)


FAULTS: dict[str, Row] = {
    "no such host": once(unasked("close"), "ProviderUnavailable", address="http://no-such-host.invalid/v1"),
    "a host that is no name": once(unasked("close"), "ProviderUnavailable", address="http://a..b/v1"),
    "a port that is none": once(unasked("close"), "ConfigError", address="http://127.0.0.1:99999/v1"),
    "refused": Row(unasked("close"), address="http://127.0.0.1:9/v1"),
    "closed at once": Row(unasked("close")),
    "reset at once": Row(unasked("reset")),
    "nobody answers": Row(unasked("stall")),
    "closed when asked": Row(saying(b"")),
    "reset when asked": Row(saying(b"", "reset")),
    "stall when asked": Row(saying(b"", "stall")),
    "closed in the status line": Row(saying(b"HTTP/1.1 2")),
    "reset in the headers": Row(saying(HEAD, "reset")),
    "closed in the headers": Row(saying(HEAD)),
    "stall in the headers": Row(saying(HEAD, "stall")),
    "closed in the body": Row(saying(HALF)),
    "reset in the body": Row(saying(HALF, "reset")),
    "stall in the body": Row(saying(HALF, "stall")),
    "a byte now and then, headers": Row(saying(reply(), at_once=1, pause=0.05)),
    "a byte now and then, body": Row(saying(HALF, "stall", at_once=len(HALF) - 2, pause=0.2)),
    "stall in the middle of chunks": Row(saying(chunked(GOOD[:20], GOOD[20:40], end=b""), "stall")),
    "closed in the middle of chunks": Row(saying(chunked(GOOD[:20], GOOD[20:40], end=b""))),
    "no last chunk": Row(saying(chunked(GOOD, end=b""))),
    "a chunk whose size is no number": Row(saying(chunked(GOOD[:20], end=b"zz\r\nabc\r\n"))),
    "a chunk of more than there is": Row(saying(chunked(GOOD[:20], end=b"ffffffff\r\nabc"))),
    "no body": Row(saying(reply(b""))),
    "no content": Row(saying(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "HTML": Row(saying(reply(b"<!DOCTYPE html><title>Sign in</title>", "200 OK", "Content-Type: text/html"))),
    "no UTF-8": Row(saying(reply(GOOD.replace(b"answer", b"\xff\xfe\x80")))),
    "JSON of the wrong shape": Row(saying(reply(b'{"choices": {"0": 1}, "usage": []}'))),
    "JSON that is nested too deep": Row(saying(reply(DEEP))),
    "a length that is too short": Row(saying(reply(GOOD).replace(b"Length: ", b"Length: 0000001")[:-2])),
    "a length that is no number": Row(saying(HEAD + b"Content-Length: many\r\n\r\n" + GOOD)),
    "two lengths": Row(saying(HEAD + b"Content-Length: 5\r\nContent-Length: 900\r\n\r\n" + GOOD)),
    "gzip that is none": Row(saying(reply(GOOD, "200 OK", "Content-Encoding: gzip"))),
    "gzip that is cut": Row(saying(reply(gzip.compress(GOOD)[:-12], "200 OK", "Content-Encoding: gzip"))),
    "a bomb of gzip": once(saying(reply(BOMB, "200 OK", "Content-Encoding: gzip")), "ProviderUnavailable"),
    "a bomb of gzip with a refusal": once(
        saying(reply(BOMB, "500 No", "Content-Encoding: gzip")), "ProviderUnavailable"
    ),
    "a body without end": once(without_end(NO_LENGTH, b" " * 2**20), "ProviderUnavailable"),
    "a body of 100 GB": once(without_end(LONG, b" " * 2**20), "ProviderUnavailable"),
    "headers without end": Row(without_end(HEAD, b"X-More: " + b"x" * 8000 + b"\r\n", 1 << 24)),
    "a status line without end": Row(without_end(b"HTTP/1.1 200 ", b"x" * 8000, 1 << 24)),
    "continue without end": Row(without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 1 << 14)),
    "another protocol": Row(saying(b"SSH-2.0-OpenSSH_9.2\r\n", "stall")),
    "no headers": Row(saying(GOOD)),
    "HTTP/2": Row(saying(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18))),
    "switching protocols": Row(saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "stall")),
    **{f"{code} to {to}": once(redirect(code, to), "ConfigError") for code in (302, 307, 308) for to in PRIVATE[:1]},
    **{f"303 to {to}": once(redirect(303, to), "ConfigError") for to in PRIVATE[1:]},
    "to itself": once(redirect(301, "/v1/chat/completions"), "ConfigError"),
    "TLS, unknown authority": once(saying(reply()), "ConfigError", tls="unknown"),
    "TLS, another host": once(saying(reply()), "ConfigError", tls="host"),
    "TLS, expired": once(saying(reply()), "ConfigError", tls="expired"),
    "TLS, an old version": once(greeted(OLD_TLS), "ConfigError", address="https://127.0.0.1:PORT/v1"),
    "TLS where there is none": once(greeted(reply(b"", "400 No")), "ConfigError", address="https://127.0.0.1:PORT/v1"),
    "TLS that is none": once(
        greeted(b"220 mail.example ESMTP\r\n"), "ConfigError", address="https://127.0.0.1:PORT/v1"
    ),
    "TLS that stalls": Row(unasked("stall"), address="https://127.0.0.1:PORT/v1"),
    "TLS that is closed": Row(unasked("close"), address="https://127.0.0.1:PORT/v1"),
    "TLS that is reset": Row(unasked("reset"), address="https://127.0.0.1:PORT/v1"),
}


# -- serving them


class Authority:
    """A certificate authority of the tests, and a second one that nobody knows."""

    def __init__(self) -> None:
        self.known, self._unknown = trustme.CA(), trustme.CA()

    def context(self, kind: str) -> ssl.SSLContext:
        """The server's side of TLS, with one thing wrong; `good` has none."""
        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        host = "elsewhere.example" if kind == "host" else "127.0.0.1"
        authority = self._unknown if kind == "unknown" else self.known
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host, not_after=past if kind == "expired" else None).configure_cert(made)
        return made


@dataclass
class Served:
    """A server at work: its address, how often it was connected to, and how often the other one was."""

    address: str
    connections: int = 0
    elsewhere: int = 0


@contextlib.asynccontextmanager
async def serving(row: Row, authority: Authority) -> AsyncIterator[Served]:
    served, tasks = Served(""), set[asyncio.Task[Any]]()

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.elsewhere += 1
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        tasks.add(task := asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await row.fault(Connection(reader, writer, elsewhere))
        writer.close()
        tasks.discard(task)  # type: ignore[arg-type]

    context = authority.context(row.tls) if row.tls else None
    trap = await asyncio.start_server(other, "127.0.0.2", 0)
    elsewhere = trap.sockets[0].getsockname()[1]
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    own = f"{'https' if row.tls else 'http'}://127.0.0.1:{port}/v1"
    served.address = row.address.replace("PORT", str(port)) or own
    try:
        yield served
    finally:
        for task in tasks:
            task.cancel()
        for one in (server, trap):
            one.close()
            await one.wait_closed()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)
