"""A micro-model in a process of its own: llama.cpp may crash there, and only the calls that it was given are lost.

This is zooid's side; `tools.micro.service` is the worker's. Calls of several threads share a worker: the thread that
finds nobody reading reads for all, so that a single caller pays for no change of threads.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import redact, stop
from tools.errors import ToolError
from tools.micro import wire
from tools.micro.asker import Answer, Row
from tools.micro.choose import Options
from tools.micro.llama import Tuning
from tools.micro.manifest import MicroModel

if TYPE_CHECKING:
    from subprocess import Popen

LOAD_SECONDS = 60.0
_PLAIN = Options()
# A crash would start a debugger; and a thread that numpy starts when it is imported would not be confined.
_ENVIRONMENT = {"GGML_NO_BACKTRACE": "1", "OPENBLAS_NUM_THREADS": "1"}

# Started by its file, and with -I, so that nothing in the working folder can stand in for `tools` or a library.
_START = """
import sys, importlib.util as util, json
spec = util.spec_from_file_location("tools", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules["tools"] = module = util.module_from_spec(spec)
spec.loader.exec_module(module)
from tools.micro.service import main
main(json.loads(sys.argv[2]))
"""


class WorkerDied(Exception):
    """The worker's process ended in the middle of a call; the message says how."""


class WorkerRetired(WorkerDied):
    """A shared worker made room for another model before it came to the call, which can be made again."""


def spawn(fd: int, *, folder: int = -1, name: str = "", idle: float = 0.0) -> Popen[bytes]:
    """A worker process for the socket `fd`: a connection, or with a `name` the socket that it listens on, in the
    `folder`; then it ends by itself once nobody was there for `idle` seconds."""
    import subprocess

    given = json.dumps({"fd": fd, "folder": folder, "name": name, "idle": idle, "parent": os.getpid()})
    # The process sees the end of zooid by the end of its socket, and by its parent's number.
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _START, str(Path(__file__).resolve().parent.parent), given],
        pass_fds=[fd, folder] if name else [fd], start_new_session=True, cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=redact.environment() | _ENVIRONMENT,
    )  # fmt: skip


class _Waiting:
    """A thread that waits for its answer, or for its turn to read. A bare lock costs a tenth of an Event."""

    __slots__ = ("answer", "bell")

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.bell = threading.Lock()
        self.bell.acquire()

    def ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self.bell.release()


class Worker:
    """A worker process; `load` gives it a model, `answers` asks it from any thread.

    `Worker()` starts a private one. With a `connection` it is one that other processes use as well: `close` ends only
    the connection, and `pid` is known once it is loaded.
    """

    def __init__(self, connection: socket.socket | None = None) -> None:
        self.shared = connection is not None
        self.pid = 0
        self._popen: Popen[bytes] | None = None
        if connection is None:
            connection, theirs = socket.socketpair()
            with theirs:
                self._popen = spawn(theirs.fileno())
            self.pid = self._popen.pid
        self._socket = connection
        self._sending, self._reading, self._state = threading.Lock(), threading.Lock(), threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._number, self._dead, self._input = 0, "", bytearray()
        self._retired = False

    @property
    def ended(self) -> bool:
        """Whether it is known to be of no more use."""
        return bool(self._dead) or self._retired

    def alive(self) -> bool:
        """Whether it can be asked; where nobody waits for an answer, something to be read is the end."""
        if self.ended or self._waiting:
            return not self.ended
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def load(self, model: MicroModel, gpu_layers: int, tuning: Tuning) -> None:
        """Loads its model; a shared worker that has it does nothing."""
        self.pid = self.request("load", LOAD_SECONDS, wire.pack(model), gpu_layers, wire.pack(tuning))

    def answers(
        self, rows: Sequence[Row], options: Options, choices: Sequence[str], seconds: float
    ) -> list[Answer | ToolError]:
        """Asks for every row, in order; a row that failed has its error in its place."""
        found = self.request("ask", seconds, rows, None if options == _PLAIN else wire.pack(options), choices)
        return [wire.to_error(row) if isinstance(row, dict) else row for row in found]

    def embed(self, texts: Sequence[str], seconds: float) -> list[list[float]]:
        """A vector of length 1 for each text."""
        found: list[list[float]] = self.request("embed", seconds, list(texts))
        return found

    def retire(self, force: bool, seconds: float) -> bool:
        """Has a shared worker end itself: at once where it is not in use, or with `force` as soon as it may."""
        try:
            self.request("retire", seconds, force)
        except WorkerDied:
            return True
        return False

    def request(self, what: str, seconds: float, *given: Any) -> Any:
        """Sends a request and waits; raises ToolError, or WorkerDied where the process ended over it."""
        mine, deadline = _Waiting(), time.monotonic() + seconds
        with self._state:
            self._number = number = self._number + 1
            self._waiting[number] = mine
        try:
            self._send(wire.frame([number, what, *given]))
            with stop.by(lambda: self._send(wire.frame([number, "drop"]))):
                answer = self._await(mine, deadline)
        finally:
            with self._state:
                self._waiting.pop(number, None)
                others = bool(self._waiting)
            if others:
                self._nudge()
        if "error" in answer:
            raise wire.to_error(answer)
        return answer["ok"]

    def _send(self, data: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError:
            pass  # what is there to be read tells why

    def _await(self, mine: _Waiting, deadline: float) -> dict[str, Any]:
        while mine.answer is None:
            if self._dead:
                raise self._error()
            if self._reading.acquire(blocking=False):
                try:
                    self._read(mine, deadline)
                finally:
                    self._reading.release()
            elif not mine.bell.acquire(timeout=max(0.0, deadline - time.monotonic())) and mine.answer is None:
                self._late()
        return mine.answer

    def _read(self, mine: _Waiting, deadline: float) -> None:
        """Reads for all threads until there is an answer to this one's request."""
        while mine.answer is None:
            if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                self._late()
            try:
                chunk = self._socket.recv(1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                self._died()
                raise self._error()
            self._input += chunk
            try:
                for content in wire.take(self._input):
                    self._deliver(content)
            except (ValueError, KeyError, TypeError):
                self._died("answered with something that is no result")
                raise self._error() from None

    def _deliver(self, content: dict[str, Any]) -> None:
        if "retired" in content:
            self._retired = True
            return
        with self._state:
            waiting = self._waiting.pop(content["id"], None)
        if waiting is not None:
            waiting.answer = content
            waiting.ring()

    def _nudge(self) -> None:
        """Has another thread look whether it is to read now."""
        with self._state:
            for waiting in self._waiting.values():
                waiting.ring()
                if not self._dead:
                    return

    def _error(self) -> WorkerDied:
        return (WorkerRetired if self._retired else WorkerDied)(self._dead)

    def _late(self) -> None:
        self._died("did not answer in time")
        raise ToolError("the model did not answer in time; its process was ended")

    def _died(self, how: str = "") -> None:
        if not how:
            how = "closed its connection"
            if self._popen is not None:
                with suppress(Exception):  # it lives on
                    how = _how(self._popen.wait(1))
        else:
            self._stop()
        self._end(how)

    def _end(self, how: str) -> None:
        self._dead = self._dead or how
        if self._popen is not None:
            self._stop()
        self._nudge()

    def _stop(self) -> None:
        """Ends the process; a shared one's number is its own as long as its connection is open."""
        if self._popen is not None and self._popen.poll() is not None:
            return
        try:
            if self.pid:
                os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def close(self) -> None:
        """Ends the process, or the connection to a shared one; calls that wait for it raise WorkerDied."""
        self._end("was stopped")
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who reads
        if self._reading.acquire(timeout=1):
            self._socket.close()
            self._reading.release()


def _how(code: int) -> str:
    if code >= 0:
        return f"ended (exit code {code})"
    try:
        return f"crashed ({signal.Signals(-code).name})"
    except ValueError:
        return f"crashed (signal {-code})"
