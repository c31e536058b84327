"""Host processes: plugin code is imported and called in a process of its own, never in zooid's.

A host process imports one plugin and answers JSON lines over two pipes of its own; what the plugin prints goes nowhere
near them. A plugin that raises, hangs, exits, crashes or answers nonsense costs its own process and that one call.
This keeps errors apart. It is no sandbox: a plugin has the rights of the person who runs zooid.
"""

from __future__ import annotations

import atexit
import faulthandler
import importlib
import importlib.machinery
import importlib.util
import json
import os
import select
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tools import redact, stop, workspace
from tools.errors import ToolError
from tools.function import Description, Param, describe, invoke

IMPORT_SECONDS = 10.0
CALL_SECONDS = 60.0
MOST_PROCESSES = 8  # a plugin
MOST_BYTES = 4 * 2**20  # of a result, as JSON
_MOST_WORDS = 2000  # characters of an error's message
_TICK = 0.25  # s between looks at whether a process that says nothing is still there

# Started by its file, and with -I, so that nothing in the working folder can stand in for `tools` or a library.
_LISTS = ("asked_as", "destinations", "outside", "names", "network")  # of a description, as tuples
_START = """
import sys, importlib.util as util
spec = util.spec_from_file_location("tools", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules["tools"] = module = util.module_from_spec(spec)
spec.loader.exec_module(module)
from tools.host import main
main()
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A plugin: a file, or a module of an installed package. `fingerprint` is of the content that was looked at."""

    label: str
    path: str = ""
    module: str = ""
    fingerprint: str = ""

    def check(self) -> None:
        """Raise ToolError where the file is no longer what was looked at (and, for a project's, trusted)."""
        try:
            same = not self.path or fingerprint(Path(self.path)) == self.fingerprint
        except OSError as error:
            raise ToolError(f"{self.label} cannot be read: {error.strerror}") from None
        if not same:
            raise ToolError(f"{self.label} has changed since zooid looked at it; start again")


@dataclass(frozen=True, slots=True)
class Row:
    """A public function of a plugin: what it says of itself, or why it is no tool."""

    name: str
    about: Description | None
    why: str = ""
    has_done: bool = False  # it can tell whether its effect is there already


@dataclass(frozen=True, slots=True)
class Examples:
    """The docstring examples of a function: how many, how many failed, and what was seen instead."""

    name: str
    tried: int
    failed: int
    text: str


def fingerprint(path: Path) -> str:
    """A hash of a plugin file and of its private helpers (`_*.py`) beside it."""
    import hashlib  # not for the host process, which must start quickly

    digest = hashlib.blake2b(digest_size=16)
    for part in (path, *sorted(path.parent.glob("_*.py"))):
        content = part.read_bytes()
        digest.update(f"{part.name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return digest.hexdigest()


# -- zooid's side


class Host:
    """The host processes of one plugin: started when there is a call, up to `most`, each with one call at a time.

    `seconds` is the deadline of a call. Every method raises ToolError, which says what became of the process.
    """

    def __init__(self, source: Source, seconds: float = CALL_SECONDS, most: int = MOST_PROCESSES) -> None:
        self.source, self.seconds, self.most = source, seconds, most
        self._changed = threading.Condition()
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._starting = 0
        self._closed = False
        _HOSTS.add(self)

    def describe(self, seconds: float = IMPORT_SECONDS) -> list[Row]:
        """The public functions of the plugin."""
        return [_row(row) for row in self._ask({"do": "describe"}, self.source.label, seconds)]

    def examples(self, folder: Path, seconds: float = CALL_SECONDS) -> list[Examples]:
        """Run the docstring examples of the public functions, in `folder`."""
        request = {"do": "examples", "workspace": str(folder)}
        return [Examples(**each) for each in self._ask(request, self.source.label, seconds)]

    def call(self, name: str, args: dict[str, Any], *, done: bool = False) -> Any:
        """Call a function in the workspace of this context (or, with `done`, what tells if its effect is there)."""
        request = {"do": "call", "name": name, "args": args, "done": done, "workspace": str(workspace.root())}
        return self._ask(request, name, self.seconds)

    def close(self) -> None:
        """End every process, those in the middle of a call too."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._all.difference(idle)
            self._changed.notify_all()
        for process in busy:
            process.stop()  # the thread that waits for it does the rest
        for process in idle:
            self._discard(process)

    def __del__(self) -> None:  # nobody can call it any more
        self.close()

    def _ask(self, request: dict[str, Any], name: str, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        process = None
        try:
            process = self._take(deadline)
            with stop.by(process.stop):
                answer = process.ask({**request, "seconds": seconds}, deadline)
        except _Ended as ended:
            raise ToolError(f"{name} {ended}") from None
        finally:
            self._give_back(process)
        if "error" in answer:
            error = str(answer["error"])
            raise ToolError(error if name in error else f"{name}: {error}")
        return answer["ok"]

    def _take(self, deadline: float) -> _Process:
        """An idle process, or a new one where there is room; waits where there is not."""
        with self._changed:
            while True:
                if self._closed:
                    raise _Ended("was not called: zooid is ending")
                while self._idle:
                    process = self._idle.pop()
                    if process.alive():
                        return process
                    self._discard(process)
                if len(self._all) + self._starting < self.most:
                    self._starting += 1
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise _Ended("did not get its turn in time: all its processes are busy")
        return self._start(deadline)

    def _start(self, deadline: float) -> _Process:
        process = None
        try:
            self.source.check()
            process = _Process()
            with self._changed:
                self._all.add(process)
            answer = process.ask({"do": "load", "search": sys.path, **asdict(self.source)}, deadline)
        except BaseException:
            self._give_back(process, lost=True)
            raise
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
        if "error" in answer:
            self._give_back(process, lost=True)
            raise ToolError(str(answer["error"]))
        return process

    def _give_back(self, process: _Process | None, lost: bool = False) -> None:
        if process is None:
            return
        with self._changed:
            if lost or self._closed or not process.sound:
                self._discard(process)
            else:
                self._idle.append(process)
            self._changed.notify()

    def _discard(self, process: _Process) -> None:
        self._all.discard(process)
        process.kill()


_HOSTS: weakref.WeakSet[Host] = weakref.WeakSet()


@atexit.register
def close_all() -> None:
    """End every host process of this program."""
    for host in list(_HOSTS):
        host.close()


class _Ended(Exception):
    """A host process ended, or had to be ended; the message goes on from the tool's name."""


class _Process:
    """One host process. `sound` is false once it cannot be asked again."""

    def __init__(self) -> None:
        import subprocess

        # No PR_SET_PDEATHSIG: it strikes when the thread ends that started the process, and a call has its own thread.
        # The process sees the end of zooid by the end of its input, also in the middle of a call.
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(Path(__file__).parent)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True,
            env=redact.environment(),
        )  # fmt: skip
        assert self._popen.stdin and self._popen.stdout
        self._in, self._out = self._popen.stdin, self._popen.stdout
        os.set_blocking(self._in.fileno(), False)
        self._lock = threading.Lock()
        self.sound = True

    def alive(self) -> bool:
        return self.sound and self._popen.poll() is None

    def ask(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Send a request and wait for its answer; raises _Ended, and then the process has ended as well."""
        try:
            line = self._exchange(json.dumps(request).encode() + b"\n", deadline)
            answer = json.loads(line)
            if not isinstance(answer, dict) or not answer.keys() & {"ok", "error"}:
                raise ValueError
            return answer
        except ValueError:  # nothing else writes to that pipe, unless it means to
            self.kill()
            raise _Ended("answered with something that is no result; its process was ended") from None
        except BaseException:
            self.kill()
            raise

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        waiting, answer = memoryview(request), bytearray()
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._in, select.POLLOUT)
        while not answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                self.kill()
                raise _Ended("did not end in time; its process was ended")
            ready = dict(poll.poll(min(left, _TICK) * 1000))
            if ready.get(self._in.fileno()):
                waiting = self._send(waiting)
                if not waiting:
                    poll.unregister(self._in)
            if ready.get(self._out.fileno()):
                self._receive(answer)
            elif not ready and self._popen.poll() is not None:  # a process that it left behind may hold the pipe open
                raise _Ended(self._how())
        return bytes(answer)

    def _send(self, waiting: memoryview) -> memoryview:
        try:
            return waiting[os.write(self._in.fileno(), waiting) :]
        except BrokenPipeError:
            return waiting[:0]  # what became of it is seen where its answer is read

    def _receive(self, answer: bytearray) -> None:
        chunk = os.read(self._out.fileno(), 2**20)
        answer += chunk
        if not chunk:
            raise _Ended(self._how())
        if len(answer) > MOST_BYTES + 2**20:
            raise _Ended(f"sent more than {MOST_BYTES >> 20} MiB; its process was ended")

    def _how(self) -> str:
        """How the process came to its end."""
        from subprocess import TimeoutExpired

        try:
            code = self._popen.wait(1)
        except TimeoutExpired:
            return "closed its pipe; its process was ended"
        if code >= 0:
            return f"ended its process (exit code {code})"
        if not self.sound:
            return "was stopped"
        return f"crashed: its process was ended by {_signal_name(-code)}"

    def stop(self) -> None:
        """End the process and all that it started; safe from any thread."""
        with self._lock:
            if not self.sound:
                return
            self.sound = False
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._popen.kill()

    def kill(self) -> None:
        """`stop`, and let go of what is left of it; for the thread alone that asks."""
        self.stop()
        self._popen.wait()
        self._in.close()
        self._out.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _row(row: dict[str, Any]) -> Row:
    about = row["about"] and description(row["about"])
    return Row(row["name"], about, row["why"], row["has_done"])


def description(about: dict[str, Any]) -> Description:
    """A description that came as JSON."""
    params = tuple(Param(**param) for param in about["params"])
    lists = {name: tuple(about[name]) for name in _LISTS if about.get(name) is not None}
    return Description(**{**about, "params": params, **lists})


# -- the host process's side


def main() -> None:
    """Answer requests until there are no more; this is all that a host process does."""
    requests, out = _take_pipes()
    me, plugin = os.getpid(), _Plugin()
    while True:
        request = json.loads(requests.get())
        answer = _encoded(lambda: plugin.answer(request), request.get("name") or plugin.label)  # noqa: B023
        if os.getpid() != me:  # a copy of this process that the plugin made has nothing to say
            os._exit(0)
        _write(out, answer)


def _take_pipes() -> tuple[SimpleQueue[bytes], int]:
    """The protocol's pipes, moved away from where the plugin reads and prints."""
    given, out, nothing = os.dup(0), os.dup(1), os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    requests: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        with open(given, "rb") as lines:
            for line in lines:
                requests.put(line)
        os.killpg(os.getpid(), signal.SIGKILL)  # zooid has ended, and so does all that was started here

    threading.Thread(target=read, daemon=True).start()
    return requests, out


def _write(out: int, answer: bytes) -> None:
    waiting = memoryview(answer)
    while waiting:
        waiting = waiting[os.write(out, waiting) :]


def _encoded(work: Callable[[], Any], name: str) -> bytes:
    """What comes of `work`, as a line of JSON: its value, or what went wrong. Nothing is raised."""
    try:
        value = work()
        answer = b"" if _is_long(value) else json.dumps({"ok": value}, allow_nan=False).encode() + b"\n"
        if not answer or len(answer) > MOST_BYTES:
            raise ToolError(f"{name} returned more than {MOST_BYTES >> 20} MiB; return less, or write it to a file")
        return answer
    except ToolError as error:
        said = _said(error)
    except SystemExit as error:
        said = f"{name} called sys.exit({error.code!r})"
    except BaseException as error:  # a plugin may raise anything
        said = f"{name} failed: {type(error).__name__}: {_said(error)}".rstrip(": ")
    return json.dumps({"error": said}).encode() + b"\n"


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > MOST_BYTES


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        return "(its message cannot be shown)"
    return text if len(text) <= _MOST_WORDS else text[:_MOST_WORDS] + "…"


class _Plugin:
    """The plugin that this process was started for."""

    def __init__(self) -> None:
        self.label = "the plugin"
        self._functions: dict[str, Any] = {}

    def answer(self, request: dict[str, Any]) -> Any:
        if request["do"] == "load":
            return self._load(request)
        # Should zooid be gone and the plugin hold on to the interpreter, this is what ends the process.
        faulthandler.dump_traceback_later(request["seconds"] + 5, exit=True)
        try:
            return {"describe": self._describe, "call": self._call, "examples": self._examples}[request["do"]](request)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _load(self, request: dict[str, Any]) -> None:
        self.label = request["label"]
        sys.path += [path for path in request["search"] if _is_missing(path)]
        path, name = Path(request["path"]), request["module"]
        faulthandler.dump_traceback_later(CALL_SECONDS, exit=True)
        try:
            module = importlib.import_module(name) if name else _import_file(path)
        except SystemExit as error:
            raise ToolError(f"{self.label} calls sys.exit({error.code!r}) when it is imported") from None
        except BaseException as error:
            raise ToolError(f"{self.label} cannot be imported: {type(error).__name__}: {_said(error)}") from None
        finally:
            faulthandler.cancel_dump_traceback_later()
        self._functions = public(module)

    def _describe(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [asdict(_described(name, function)) for name, function in self._functions.items()]

    def _call(self, request: dict[str, Any]) -> Any:
        _enter(request["workspace"])
        function = self._functions[request["name"]]
        return invoke(function.done if request["done"] else function, request["args"])

    def _examples(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        _enter(request["workspace"])
        return [asdict(_tried(name, function)) for name, function in self._functions.items()]


def _is_missing(path: str) -> bool:
    """Whether a folder of zooid's search path is one that this process lacks, and not the working folder."""
    return os.path.isabs(path) and path not in sys.path and os.path.realpath(path) != os.path.realpath(os.getcwd())


def _enter(root: str) -> None:
    workspace.enter(Path(root))
    os.chdir(root)


class _Helpers(importlib.machinery.SourceFileLoader):
    """Loads what a plugin imports from its own folder: from the source that was looked at, never from `__pycache__`."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _import_file(path: Path) -> ModuleType:
    """A plugin file as a module; its folder comes last on the search path, so that it hides no library."""
    folder = str(path.parent)

    def hook(entry: str) -> importlib.machinery.FileFinder:
        if not Path(entry).is_relative_to(folder):
            raise ImportError
        return importlib.machinery.FileFinder(entry, (_Helpers, [".py"]))

    sys.path_hooks.insert(0, hook)
    sys.path.append(folder)
    name = "zooid_plugin_" + "".join(c if c.isalnum() else "_" for c in path.stem)
    spec = importlib.util.spec_from_file_location(name, path, loader=_Helpers(name, str(path)))
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public(module: ModuleType) -> dict[str, Any]:
    """The functions that a module offers: those that `__all__` names, or the public ones that are defined in it."""
    named = getattr(module, "__all__", None)
    names = list(module.__dict__) if named is None else [str(name) for name in named]
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(module, name, None)
        if name.startswith("_") or not _is_function(value) or any(value is other for other in found.values()):
            continue
        if named is not None or value.__module__ == module.__name__:
            found[name] = value
    return found


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType) or (callable(value) and not isinstance(value, type) and _is_wrapped(value))


def _is_wrapped(value: Any) -> bool:
    """Whether it is what a decorator such as functools.cache made of a function."""
    return isinstance(getattr(value, "__wrapped__", None), FunctionType)


def _described(name: str, function: Any) -> Row:
    import inspect

    has_done = callable(getattr(function, "done", None))
    try:
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("it is async; write a plain function")
        return Row(name, replace(describe(function), name=name), "", has_done)
    except Exception as error:
        why = _said(error) if isinstance(error, (TypeError, ToolError)) else f"{type(error).__name__}: {_said(error)}"
        return Row(name, None, f"{why}; or start its name with _ if it is no tool")


def _tried(name: str, function: Any) -> Examples:
    import doctest
    import inspect

    inner = inspect.unwrap(function)
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(inner) or "", inner.__globals__, name, None, None)
    seen: list[str] = []
    failed, tried = doctest.DocTestRunner(verbose=False).run(test, out=seen.append)
    return Examples(name, tried, failed, "".join(seen)[:_MOST_WORDS])
