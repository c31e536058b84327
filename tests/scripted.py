"""A scripted OpenAI-compatible server behind a real socket, for tests in which a model's words must be fixed.

    with Server([{"answer": 4}]) as server:
        ...  # server.base_url, server.requests

A script is a list of replies, or a function from the request's body to a reply. A reply is a decision (a dict or a
text), or a `Reply` where more than the words matters.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass
class Reply:
    """What the server does with one request."""

    said: Any = ""  # a decision, or the exact text
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before it answers
    error: Any = None  # the `error` of a body that is no completion
    body: str | None = None  # the whole body, as it is
    cut: bool = False  # the connection ends in the middle of the body
    hang: bool = False  # it never answers; once the client has gone, the server's `left` counts it
    usage: bool = True
    billed: tuple[int, int] | None = None  # tokens in and out that the server says it took
    finish: str = "stop"


Script = Iterable[Any] | Callable[[dict[str, Any]], Any]


class Server:
    """A context manager; `refuses` are fields of a request that are answered with `refusal`, and no part of the script.

    `requests` are the bodies in the order of their arrival, `served` those that took a reply from the script.
    """

    def __init__(
        self,
        script: Script,
        *,
        delay: float = 0.0,
        refuses: tuple[str, ...] = (),
        refusal: Reply | None = None,
        port: int = 0,
    ) -> None:
        self._script = script if callable(script) else iter(script)
        self._delay, self._refuses, self._port = delay, refuses, port
        self._refusal = refusal or Reply(status=400, error={"message": "unsupported: response_format or tools"})
        self.requests: list[dict[str, Any]] = []
        self.served: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.left = 0  # requests whose client went away before they were answered
        self.at_once = 0  # the most requests that were in work at the same time
        self._in_work = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def prompt_tokens(self) -> int:
        """All that the prompts and schemas held, at four characters a token."""
        return sum(prompt_tokens(body) for body in self.requests)

    def __enter__(self) -> Server:
        server = self

        class Handler(_Handler):
            scripted = server

        self._http = _Http(("127.0.0.1", self._port), Handler)
        self.base_url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        # the pause between two looks at whether to end is also how long ending takes
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._http.shutdown()
        self._http.server_close()

    def reply_to(self, body: dict[str, Any]) -> Reply:
        """The next reply of the script; a refusal takes none."""
        with self._lock:
            self.requests.append(body)
            if any(name in body for name in self._refuses):
                return self._refusal
            self.served.append(body)
            if callable(self._script):
                said = self._script(body)
            else:
                said = next(self._script, Reply(status=418, error={"message": "the script has ended"}))
        return said if isinstance(said, Reply) else Reply(said)

    @contextlib.contextmanager
    def working(self) -> Any:
        with self._lock:
            self._in_work += 1
            self.at_once = max(self.at_once, self._in_work)
        try:
            yield
        finally:
            with self._lock:
                self._in_work -= 1

    def wait(self, reply: Reply, client: socket.socket) -> None:
        """Until the reply is due; one that hangs, until its client has gone."""
        if not reply.hang:
            self._ended.wait(reply.delay or self._delay)
        while reply.hang and not self._ended.is_set():
            if select.select([client], [], [], 0.02)[0] and not client.recv(1, socket.MSG_PEEK):
                self.left += 1
                return


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that was killed


class _Handler(BaseHTTPRequestHandler):
    scripted: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(Reply(body=json.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]})), {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.scripted.keys.append(self.headers.get("Authorization", "").removeprefix("Bearer "))
        with self.scripted.working():
            reply = self.scripted.reply_to(body)
            self.scripted.wait(reply, self.connection)
        if not reply.hang:
            self._send(reply, body)

    def _send(self, reply: Reply, request: dict[str, Any]) -> None:
        data = _content(reply, request).encode()
        head = {"Content-Type": "application/json", "Content-Length": str(len(data)), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} scripted", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        with contextlib.suppress(OSError):  # the client may have gone
            self.wfile.write("\r\n".join(lines).encode() + (data[: len(data) // 2] if reply.cut else data))
        if reply.cut:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _content(reply: Reply, request: dict[str, Any]) -> str:
    if reply.body is not None:
        return reply.body
    if reply.error is not None:
        return json.dumps({"error": reply.error})
    text = reply.said if isinstance(reply.said, str) else json.dumps(reply.said)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if "tool_choice" in request:
        function = {"name": request["tool_choice"]["function"]["name"], "arguments": text}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        }
    completion: dict[str, Any] = {
        "id": "scripted",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
    }
    if reply.usage:
        sent, said = reply.billed or (prompt_tokens(request), max(1, len(text) // 4))
        completion["usage"] = {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said}
    return json.dumps(completion)


def prompt_tokens(body: dict[str, Any]) -> int:
    """What a request's prompt costs at four characters a token: messages, schema and tools."""
    told = {name: body[name] for name in ("messages", "response_format", "tools", "tool_choice") if name in body}
    return len(json.dumps(told, ensure_ascii=False)) // 4
