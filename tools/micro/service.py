"""The worker's side: a process with one model, which answers whoever is connected, all calls in the same batches.

A private worker has one connection, to the zooid that started it, and ends with it. A shared one listens on a socket
in the person's own folder (see `tools.micro.share`); it ends when nobody has been there for a while, or when another
model needs its memory, and then tells its clients, so that they know it for no crash.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import ToolError
from tools.micro import wire

if TYPE_CHECKING:
    from tools.micro.asker import Asker
    from tools.micro.chat import Chat

LEAST_SECONDS = 1.0
"""A shared worker that is in use is not sent away before it was there so long: loading costs more than most calls."""
UNASKED_SECONDS = 5.0
"""So long a shared worker waits for its first call."""
PAUSE_SECONDS = 0.2
"""A client that called so short a time ago is in the middle of its calls."""
LOOK_SECONDS = 2.0
STUCK_SECONDS = 300.0
MOST_UNREAD = 64 * 2**20
_WORKS = {"load": "_load", "embed": "_embed", "open": "_open", "frame": "_frame", "count": "_count"}
_LOADS = ("load", "open")
_CREDENTIALS = struct.Struct("3i")


def main(given: dict[str, Any]) -> None:
    """Answers requests; this is all that a worker does. `given` is what `tools.micro.worker.spawn` was told."""
    if given["name"]:
        if os.fork():  # so that the worker is no child of the zooid that happened to start it
            os._exit(0)
        listener = _Listener(socket.socket(fileno=given["fd"]), given["folder"], given["name"])
        service = Service(None, listener, given["idle"])
    else:
        service = Service(socket.socket(fileno=given["fd"]), parent=given["parent"])
    service.serve()
    os._exit(0)


def _watch(parent: int) -> None:
    """Ends this process when zooid is gone, also where llama.cpp does not come back from a call."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _has_gpu(api: Any) -> bool:
    return bool(api.llama_supports_gpu_offload())


def same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end of a Unix socket is the same user's."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1]) == os.getuid()


@dataclass
class _Listener:
    """The socket of a shared worker; its file's time says when it was last used."""

    socket: socket.socket
    folder: int
    name: str

    def __post_init__(self) -> None:
        self.socket.setblocking(False)
        self._file = os.stat(self.name, dir_fd=self.folder).st_ino

    def is_there(self) -> bool:
        """Whether clients can still find it: the folder of a test is removed under its workers."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False).st_ino == self._file
        except OSError:
            return False

    def used(self) -> None:
        with suppress(OSError):
            os.utime(self.name, dir_fd=self.folder, follow_symlinks=False)

    def close(self) -> None:
        """Takes the file away first: a socket that refuses connections is one that nobody serves."""
        if self.is_there():
            with suppress(OSError):
                os.unlink(self.name, dir_fd=self.folder)
        self.socket.close()


@dataclass(eq=False)
class _Client:
    """A connection, what came of a frame so far, and what it has not taken yet."""

    socket: socket.socket
    input: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)
    full: bool = False  # it did not take all that it was sent


class Service:
    """Reads requests between two passes of the model, so that they join those that run."""

    def __init__(
        self, first: socket.socket | None, listener: _Listener | None = None, idle: float = 0, parent: int = 0
    ) -> None:
        self._poll = select.poll()
        self._clients: dict[int, _Client] = {}
        self._listener, self._idle, self._parent = listener, idle, parent
        self._confined = False
        self._asker: Asker | None = None
        self._chat: Chat | None = None
        self._loaded: Any = None
        self._running: dict[Any, tuple[_Client, int]] = {}
        self._sent_away: list[tuple[_Client, int, bool]] = []  # by whom, the number of the request, and if by force
        self._leaving = 0.0
        self._born = self._used = self._beat = time.monotonic()
        self._asked = False
        if first is not None:
            self._join(first)
        if listener is not None:
            self._poll.register(listener.socket, select.POLLIN)

    def serve(self) -> None:
        """Until nobody needs it any more."""
        while self._is_wanted():
            for number, _ in self._poll.poll(self._patience()):
                client = self._clients.get(number)
                if client is None:
                    self._accept()
                else:
                    self._receive(client)
            if self._sent_away:
                self._consider()
            if self._running:
                self._beat = time.monotonic()
                for request in self._model.step():
                    client, number = self._running.pop(request)
                    self._reply(client, number, request)

    @property
    def _model(self) -> Asker | Chat:
        """What has been loaded."""
        found = self._asker or self._chat
        assert found is not None
        return found

    def _watch_out(self) -> None:
        """Ends a shared worker in which a pass does not come to its end: who waited for it may be gone."""
        while not self._running or time.monotonic() - self._beat < STUCK_SECONDS:
            time.sleep(STUCK_SECONDS / 10)
        os._exit(1)

    def _is_wanted(self) -> bool:
        if self._leaving:
            unread = any(client.output for client in self._clients.values())
            return bool(self._running) or (unread and time.monotonic() - self._leaving < LOOK_SECONDS)
        if self._listener is None:
            return bool(self._clients)
        if not self._clients and (self._quiet() >= self._idle or not self._listener.is_there()):
            self._leave()
        return not self._leaving

    def _quiet(self) -> float:
        return time.monotonic() - self._used

    def _patience(self) -> float | None:
        """Milliseconds to wait for requests."""
        if self._running:
            return 0
        if self._sent_away or self._leaving:
            return 20
        if self._listener is None or self._clients:
            return None
        return 1000 * max(0.0, min(self._idle - self._quiet(), LOOK_SECONDS))

    # -- connections

    def _join(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._clients[connection.fileno()] = _Client(connection)
        self._poll.register(connection, select.POLLIN)

    def _accept(self) -> None:
        assert self._listener is not None
        with suppress(OSError):
            connection, _ = self._listener.socket.accept()
            if same_user(connection):
                self._join(connection)
            else:
                connection.close()

    def _drop(self, client: _Client) -> None:
        number = client.socket.fileno()
        if self._clients.pop(number, None) is not None:
            self._poll.unregister(number)
            self._give_up([request for request, (asker, _) in self._running.items() if asker is client])
            client.socket.close()
            self._used = time.monotonic()

    def _receive(self, client: _Client) -> None:
        """Takes what has come of one client, which may also be that it can be sent more."""
        if client.output:
            self._send(client, b"")
        try:
            chunk = client.socket.recv(1 << 16)
            client.input += chunk
            requests = wire.take(client.input)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            chunk, requests = b"", []
        if not chunk or not all(isinstance(each, list) and len(each) > 1 for each in requests):
            self._drop(client)
            return
        for number, what, *rest in requests:
            if not self._leaving:
                self._begin(client, number, what, rest)

    def _send(self, client: _Client, data: bytes) -> None:
        """Never waits: a client that does not read must not hold up the others."""
        client.output += data
        try:
            del client.output[: client.socket.send(client.output)]
        except BlockingIOError:
            pass
        except OSError:
            client.output.clear()
        if bool(client.output) != client.full and client.socket.fileno() in self._clients:
            client.full = bool(client.output)
            self._poll.modify(client.socket, select.POLLIN | (select.POLLOUT if client.full else 0))
        if len(client.output) > MOST_UNREAD:
            self._drop(client)

    # -- requests

    def _begin(self, client: _Client, number: int, what: str, given: list[Any]) -> None:
        try:
            if what == "drop":
                self._give_up([request for request, whose in self._running.items() if whose == (client, number)])
            elif what == "retire":
                self._sent_away.append((client, number, bool(*given)))
            elif what == "ask":
                self._ask(client, number, *given)
            elif what == "say":
                assert self._chat is not None
                self._running[self._chat.begin(*given)] = client, number
            else:
                work: Callable[..., Any] = getattr(self, _WORKS[what])
                self._answer(client, number, work(*given))
        except Exception as error:
            self._send(client, wire.frame({"id": number} | wire.from_error(error)))
            if what in _LOADS:
                self._loaded = None
                if self._listener is not None:
                    self._leave()

    def _give_up(self, requests: Sequence[Any]) -> None:
        """Stops requests that nobody waits for any more; the others of their batches go on."""
        for request in requests:
            self._model.drop(request)
            client, number = self._running.pop(request)
            self._send(client, wire.frame({"id": number} | wire.from_error(ToolError("the call was given up"))))

    def _answer(self, client: _Client, number: int, value: Any) -> None:
        self._send(client, wire.frame({"id": number, "ok": value}))

    def _reply(self, client: _Client, number: int, request: Any) -> None:
        self._used = time.monotonic()
        try:
            found: list[Any] = self._model.result(request)
            rows = [wire.from_error(row) if isinstance(row, ToolError) else row for row in found]
            self._answer(client, number, rows)
        except Exception as error:
            self._send(client, wire.frame({"id": number} | wire.from_error(error)))

    def _load(self, model: Any, gpu_layers: int, tuning: Any) -> int:
        """Loads a model, unless the same is loaded, from whatever folder; gives the process's number."""
        wanted = [{**model, "folder": ""}, gpu_layers, tuning]
        if self._loaded != wanted:
            from tools.micro.asker import Asker
            from tools.micro.llama import Session, Tuning
            from tools.micro.manifest import MicroModel

            about = wire.unpack(MicroModel, model)
            self._confine(about.path, gpu_layers)
            session = Session(about.path, gpu_layers, tuning=wire.unpack(Tuning, tuning))
            try:
                self._asker = Asker(about, session)
            except BaseException:
                session.close()
                raise
            self._loaded = wanted
        return os.getpid()

    def _open(self, path: str, context: int, gpu_layers: int, threads: int) -> int:
        """Loads a chat model; gives how many tokens it takes."""
        from tools.micro.chat import Chat

        self._confine(Path(path), gpu_layers)
        self._chat = Chat(Path(path), context, gpu_layers, threads)
        return self._chat.context

    def _frame(self, plain: str) -> tuple[bool, int]:
        assert self._chat is not None
        return self._chat.frame(plain)

    def _count(self, text: str) -> int:
        assert self._chat is not None
        return self._chat.count(text)

    def _confine(self, model: Path, gpu_layers: int) -> None:
        """Give up all but this model, for good; only then is there a second thread, which is confined as well."""
        if self._confined:
            raise ToolError("a worker serves one model in its life")
        import llama_cpp

        from tools.micro.confine import confine

        confine(model, self._listener.folder if self._listener else -1, gpu_layers != 0 and _has_gpu(llama_cpp))
        self._confined = True
        watch = self._watch_out if self._listener else partial(_watch, self._parent)
        threading.Thread(target=watch, daemon=True).start()

    def _ask(
        self, client: _Client, number: int, rows: Sequence[dict[str, str]], options: Any, choices: Sequence[str]
    ) -> None:
        from tools.micro.choose import Options

        assert self._asker is not None
        if self._listener is not None and not self._running:
            self._listener.used()
        self._asked = True
        request = self._asker.begin(rows, Options(**(options or {})), choices)
        if request.left:
            self._running[request] = client, number
        else:
            self._reply(client, number, request)

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        assert self._asker is not None
        self._asked = True
        return self._asker.embed(texts)

    # -- the end

    def _consider(self) -> None:
        """Whether to make room for another model: at once where it is not in use, else when it was there for a while.

        Who asks is answered only where it stays; that it goes is seen by the end of the connection.
        """
        age = time.monotonic() - self._born
        others = len(self._clients) > len({id(client) for client, *_ in self._sent_away})
        waited_for = others and not self._asked and age < UNASKED_SECONDS
        busy = bool(self._running) or waited_for or (others and self._asked and self._quiet() < PAUSE_SECONDS)
        forced = [each for each in self._sent_away if each[2]]
        if not busy or (forced and age >= LEAST_SECONDS and not waited_for):
            self._sent_away = []
            self._leave()
            return
        for client, number, force in self._sent_away:
            if not force:
                self._answer(client, number, False)
        self._sent_away = [each for each in forced if each[0].socket.fileno() in self._clients]

    def _leave(self) -> None:
        """Takes no more calls; what runs is finished."""
        self._leaving = time.monotonic()
        if self._listener is not None:
            self._poll.unregister(self._listener.socket)
            self._listener.close()
        for client in list(self._clients.values()):
            self._send(client, wire.frame({"retired": True}))
