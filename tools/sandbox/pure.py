"""The pure tier: code with no need of the system, in Monty, a Python subset that has no way out to begin with.

Monty (`pydantic-monty`) interprets the code in a worker process of its own, which is started with an empty environment;
it has no files, no network and no processes, only what is handed in. No folder is ever mounted there.
"""

from __future__ import annotations

import ast
import atexit
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.errors import ToolError

if TYPE_CHECKING:
    from subprocess import Popen

    from pydantic_monty import Monty

MODULES = frozenset(
    """asyncio base64 bisect collections copy csv dataclasses datetime decimal functools hashlib itertools json math
    random re time typing unicodedata __future__""".split()
)
"""What can be imported there and needs nothing of the system."""
_SYSTEM_NAMES = frozenset("__import__ breakpoint compile exit globals input open quit vars".split())
_SYNTAX = (ast.AsyncFor, ast.AsyncWith, ast.Delete, ast.TryStar, ast.Yield, ast.YieldFrom)


@dataclass(frozen=True, slots=True)
class Limits:
    seconds: float = 10.0
    memory: int = 128 * 2**20  # bytes
    output: int = 2**20  # bytes
    depth: int = 500  # of calls


def why_not(code: str) -> str:
    """What in the code needs the full tier; empty where the pure one will do, which also refuses what is no Python."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return next((why for node in ast.walk(tree) for why in _needs(node)), "")


def _needs(node: ast.AST) -> Iterator[str]:
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or "."]
    yield from (f"it imports {name}" for name in names if name.partition(".")[0] not in MODULES)
    if isinstance(node, ast.Name) and node.id in _SYSTEM_NAMES:
        yield f"it uses {node.id}"
    if isinstance(node, _SYNTAX):
        yield f"it uses what ast calls {type(node).__name__}"
    if isinstance(node, ast.ClassDef) and (node.bases or node.keywords or _decorated(node)):
        yield f"the class {node.name} is more than a plain one"


def _decorated(node: ast.ClassDef) -> bool:
    return any(isinstance(each, ast.FunctionDef) and each.decorator_list for each in node.body)


def run(code: str, values: dict[str, Any] | None = None, limits: Limits = Limits()) -> str:
    """What the code prints and, where its last line is an expression, its value; raises ToolError."""
    import pydantic_monty as monty

    printed = monty.CollectString(max_bytes=limits.output)
    allowed: Any = {
        "max_feed_duration_secs": limits.seconds, "max_memory": limits.memory, "max_recursion_depth": limits.depth,
        "max_total_sleep_secs": limits.seconds, "max_suspensions": 1000,
    }  # fmt: skip
    try:
        with _workers().checkout(limits=allowed, script_name="code") as session, _watched(session.worker_pid):
            value = session.feed_run(code, inputs=values or {}, print_callback=printed)
    except monty.MontyCrashedError as error:
        raise ToolError(
            f"the code was ended: {'it took too long' if error.timed_out else 'its worker crashed'}"
        ) from None
    except monty.MontyError as error:
        raise ToolError(f"the code failed: {_said(error)}") from None
    return printed.output + shown(value)


def shown(value: Any) -> str:
    """A value as text; nothing for None."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    except (TypeError, ValueError):
        return repr(value)


def _said(error: Exception) -> str:
    text = str(error)
    if "NotImplementedError" in text or "ModuleNotFoundError" in text or "PermissionError" in text:
        text += "; what needs files, other modules or all of Python runs in the full tier (tier=full)"
    return text if len(text) <= 2000 else text[:2000] + "…"


_lock = threading.Lock()
_pool: Monty | None = None
_watch: Popen[bytes] | None = None
_busy: list[int] = []

# Ends the workers that are in the middle of something when zooid is gone: each line names those that are now.
_END_THEM = 'while read -r line; do busy=$line; done; [ -z "$busy" ] || kill -9 $busy'


@contextmanager
def _watched(worker: int | None) -> Iterator[None]:
    """A worker that does not outlive zooid, whatever becomes of it; else it would go on to its limit of time."""
    if worker is None:
        yield
        return
    _tell(worker, _busy.append)
    try:
        yield
    finally:
        _tell(worker, _busy.remove)


def _tell(worker: int, change: Callable[[int], None]) -> None:
    with _lock:
        change(worker)
        if _watch is not None and _watch.stdin is not None:
            _watch.stdin.write(" ".join(map(str, _busy)).encode() + b"\n")


def _workers() -> Monty:
    global _pool, _watch
    with _lock:
        if _pool is None:
            import subprocess

            import pydantic_monty as monty

            _watch = subprocess.Popen(
                ["/bin/sh", "-c", _END_THEM], stdin=subprocess.PIPE, bufsize=0, start_new_session=True, env={}
            )
            _pool = monty.Monty(binary_path=_program(), request_timeout=60.0)
            _pool.__enter__()
        return _pool


def _program() -> str:
    """Monty's own program as it was installed, whatever the environment or the search path name."""
    from importlib.metadata import distribution

    found = [str(file.locate()) for file in distribution("pydantic-monty-runtime").files or () if file.name == "monty"]
    if not found:
        raise ToolError(
            "the pure tier needs the program of pydantic-monty-runtime, which is not there; install it again"
        )
    return found[0]


@atexit.register
def close() -> None:
    """End the workers."""
    global _pool, _watch
    with _lock:
        if _watch is not None:
            _watch.kill()
            _watch.communicate()
        if _pool is not None:
            _pool.__exit__(None, None, None)
        _pool = _watch = None
