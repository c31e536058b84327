"""A micro-model in a process of its own: llama.cpp may crash there, and only the calls that it was given are lost.

zooid's side sends pickles (it trusts itself); the worker answers in JSON, so that a process that llama.cpp has spoilt
can send nothing but data. A frame is its length in 4 bytes, then its content. Calls of several threads share a worker:
the thread that finds nobody reading reads for all, so that a single caller pays for no change of threads.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import ArgumentError, ModelFileError, ToolError

if TYPE_CHECKING:
    from subprocess import Popen

    from tools.micro.asker import Asker

LOAD_SECONDS = 60.0
_LENGTH = struct.Struct("<I")
_ERRORS: dict[str, type[ToolError]] = {error.__name__: error for error in (ToolError, ArgumentError, ModelFileError)}

# Started by its file, and with -I, so that nothing in the working folder can stand in for `tools` or a library.
_START = """
import sys, importlib.util as util
spec = util.spec_from_file_location("tools", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules["tools"] = module = util.module_from_spec(spec)
spec.loader.exec_module(module)
from tools.micro.worker import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""


class WorkerDied(Exception):
    """The worker's process ended in the middle of a call; the message says how."""


# -- zooid's side


class _Waiting:
    """A thread that waits for its answer, or for its turn to read."""

    __slots__ = ("answer", "event")

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.event = threading.Event()


class Worker:
    """A worker process, started at once; `load` gives it a model, `ask` asks it from any thread."""

    def __init__(self) -> None:
        import subprocess

        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-I", "-c", _START, str(Path(__file__).parent.parent), str(theirs.fileno())]
            # The process sees the end of zooid by the end of its socket, and by its parent's number.
            self._popen: Popen[bytes] = subprocess.Popen(
                [*command, str(os.getpid())], pass_fds=[theirs.fileno()], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=os.environ | {"GGML_NO_BACKTRACE": "1"},  # a crash would start a debugger
            )  # fmt: skip
        self._socket = ours
        self._sending, self._reading, self._state = threading.Lock(), threading.Lock(), threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        self._number, self._dead, self._input = 0, "", bytearray()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def alive(self) -> bool:
        return not self._dead and self._popen.poll() is None

    def load(self, *what: Any, seconds: float = LOAD_SECONDS) -> None:
        """Loads a model (see `_Service.load`) in the place of the one before."""
        self.ask(("load", *what), seconds)

    def ask(self, message: tuple[Any, ...], seconds: float) -> Any:
        """Sends a request and waits; raises ToolError, or WorkerDied where the process ended over it."""
        mine, deadline = _Waiting(), time.monotonic() + seconds
        with self._state:
            self._number = number = self._number + 1
            self._waiting[number] = mine
        try:
            self._send(pickle.dumps((number, *message)))
            answer = self._await(mine, deadline)
        finally:
            with self._state:
                self._waiting.pop(number, None)
            self._nudge()
        if "error" in answer:
            raise _ERRORS.get(answer["kind"], ToolError)(answer["error"])
        return answer["ok"]

    def _send(self, data: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(_LENGTH.pack(len(data)) + data)
        except OSError:
            self._died()
            raise WorkerDied(self._dead) from None

    def _await(self, mine: _Waiting, deadline: float) -> dict[str, Any]:
        while mine.answer is None:
            if self._dead:
                raise WorkerDied(self._dead)
            if self._reading.acquire(blocking=False):
                try:
                    self._read(mine, deadline)
                finally:
                    self._reading.release()
            elif mine.event.wait(max(0.0, deadline - time.monotonic())):
                mine.event.clear()
            elif mine.answer is None:
                self._late()
        return mine.answer

    def _read(self, mine: _Waiting, deadline: float) -> None:
        """Reads for all threads until there is an answer to this one's request."""
        while mine.answer is None:
            if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                self._late()
            try:
                chunk = self._socket.recv(1 << 18)
            except OSError:
                chunk = b""
            if not chunk:
                self._died()
                raise WorkerDied(self._dead)
            self._input += chunk
            for frame in _frames(self._input):
                self._deliver(frame)

    def _deliver(self, frame: bytes) -> None:
        try:
            answer = json.loads(frame)
            number = answer["id"]
        except (ValueError, KeyError, TypeError):
            self._died("answered with something that is no result")
            raise WorkerDied(self._dead) from None
        with self._state:
            waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.answer = answer
            waiting.event.set()

    def _nudge(self) -> None:
        """Has another thread look whether it is to read now."""
        with self._state:
            for waiting in self._waiting.values():
                waiting.event.set()
                if not self._dead:
                    return

    def _late(self) -> None:
        self._died("did not answer in time")
        raise ToolError("the model did not answer in time; its process was ended")

    def _died(self, how: str = "") -> None:
        code = None
        if not how:
            try:
                code = self._popen.wait(1)
            except Exception:  # it closed its socket and lives on
                how = "closed its connection"
        self._dead = self._dead or how or _how(code or 0)
        self._stop()
        self._nudge()

    def _stop(self) -> None:
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._popen.kill()
        self._popen.wait()

    def close(self) -> None:
        """Ends the process; calls that wait for it raise WorkerDied."""
        self._dead = self._dead or "was stopped"
        self._stop()
        self._nudge()
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


def _frames(data: bytearray) -> list[bytes]:
    """Takes the whole frames from the front of what was received."""
    found, at = [], 0
    while len(data) - at >= _LENGTH.size:
        end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
        if end > len(data):
            break
        found.append(bytes(data[at + _LENGTH.size : end]))
        at = end
    del data[:at]
    return found


# -- the worker's side


def main(number: int, parent: int) -> None:
    """Answers requests until zooid is gone; this is all that a worker does."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    with socket.socket(fileno=number) as connection:
        _Service(connection).serve()


def _watch(parent: int) -> None:
    """Ends this process when zooid is gone, also where llama.cpp does not come back from a call."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


class _Service:
    """Reads requests between two passes of the model, so that they join those that run."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._input = bytearray()
        self._asker: Asker | None = None
        self._running: dict[Any, int] = {}

    def serve(self) -> None:
        while self._receive():
            for frame in _frames(self._input):
                # what zooid itself wrote, on a connection that nobody else has
                number, what, *rest = pickle.loads(frame)
                self._reply(number, lambda n=number, w=what, r=rest: getattr(self, f"_{w}")(n, *r))
            if self._running and self._asker is not None:
                for request in self._asker.step():
                    number = self._running.pop(request)
                    self._reply(number, lambda r=request: self._asker.result(r))

    def _receive(self) -> bool:
        """Takes what has come; waits for more only where nothing runs. False when zooid has gone."""
        try:
            chunk = self._connection.recv(1 << 18, socket.MSG_DONTWAIT if self._running else 0)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        self._input += chunk
        return bool(chunk)

    def _reply(self, number: int, work: Any) -> None:
        answer: dict[str, Any]
        try:
            value = work()
            if value is None:
                return  # it is being worked on
            answer = {"id": number, "ok": value}
        except ToolError as error:
            answer = {"id": number, "error": str(error), "kind": type(error).__name__}
        except Exception as error:
            answer = {"id": number, "error": f"{type(error).__name__}: {error}", "kind": "ToolError"}
        data = json.dumps(answer).encode()
        self._connection.sendall(_LENGTH.pack(len(data)) + data)

    def _load(self, number: int, model: Any, gpu_layers: int, tuning: Any) -> bool:
        from tools.micro.asker import Asker
        from tools.micro.llama import Session

        self._unload(number)
        session = Session(model.path, gpu_layers, tuning=tuning)
        try:
            self._asker = Asker(model, session)
        except BaseException:
            session.close()
            raise
        return True

    def _unload(self, number: int) -> bool:
        if self._asker is not None:
            asker, self._asker = self._asker, None
            asker.session.close()
        return True

    def _ask(self, number: int, rows: Sequence[dict[str, str]], options: Any, choices: Sequence[str]) -> None:
        assert self._asker is not None
        self._running[self._asker.begin(rows, options, choices)] = number

    def _embed(self, number: int, texts: Sequence[str]) -> list[list[float]]:
        assert self._asker is not None
        return self._asker.embed(texts)
