"""Host processes, with plugins that do all that a plugin should not."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools import workspace
from tools.errors import ToolError
from tools.host import MOST_BYTES, Host, Source, fingerprint

BAD = '''
import builtins, ctypes, json, os, subprocess, sys, threading, time
from pathlib import Path

print("printed while imported")

def pid() -> int:
    """Its process."""
    return os.getpid()

def raises(text: str) -> str:
    """Raise."""
    raise ValueError(text)

def raises_oddly() -> str:
    """Raise what has no message."""
    class Odd(BaseException):
        def __str__(self):
            raise RuntimeError
    raise Odd

def hangs() -> str:
    """Hang."""
    while True:
        time.sleep(1)

def hangs_deaf() -> str:
    """Hang, and hold on to the interpreter."""
    return str(sum(1 for _ in iter(int, 1)))

def leaves_by_sys() -> str:
    """Exit."""
    sys.exit(3)

def leaves_by_os() -> str:
    """Exit at once."""
    os._exit(7)

def crashes() -> str:
    """Crash."""
    ctypes.string_at(0)
    return ""

def prints(times: int) -> str:
    """Print a lot."""
    for _ in range(times):
        print('{"ok": "no"}')
        os.write(1, b'{"ok": "no"}\\n')
        sys.stderr.write("x" * 100)
    return "done"

def speaks_over() -> str:
    """Write into every pipe there is."""
    for fd in range(3, 30):
        try:
            os.write(fd, b'nonsense\\n')
        except OSError:
            pass
    return "done"

def forks() -> str:
    """Come back twice."""
    os.fork()
    return "done"

def a_set() -> set[int]:
    """Give a set."""
    return {1}

def not_a_number() -> float:
    """Give NaN."""
    return float("nan")

def an_object() -> str:
    """Give an object."""
    return object()

def a_lie() -> int:
    """Give a text for a number."""
    return "many"

def circle() -> list[str]:
    """Give a list of itself."""
    loop = []
    loop.append(loop)
    return loop

def megabytes(count: int) -> str:
    """Give a long text."""
    return "x" * (count << 20)

def half() -> str:
    """Give half a character."""
    return "a\\udc80b"

def threads() -> str:
    """Leave threads behind."""
    for _ in range(5):
        threading.Thread(target=time.sleep, args=(60,)).start()
    return "done"

def child(seconds: float) -> int:
    """Leave a process behind that holds every pipe."""
    return subprocess.Popen(["sleep", str(seconds)], close_fds=False).pid

def child_then_exit() -> int:
    """Leave a copy of itself behind, and go."""
    if os.fork():
        os._exit(5)
    time.sleep(30)

def nap(seconds: float) -> int:
    """Sleep."""
    time.sleep(seconds)
    return os.getpid()

def where() -> str:
    """The working folder."""
    return os.getcwd()

def size(path: Path) -> int:
    """The size of a file."""
    return path.stat().st_size

def patches() -> str:
    """Break the library."""
    builtins.len = builtins.open = json.dumps = None
    return "done"
'''


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    hosts: list[Host] = []

    def make(code: str = BAD, seconds: float = 20.0, most: int = 8) -> Host:
        path = tmp_path / "plugin" / "bad.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(code))
        hosts.append(Host(Source(str(path), str(path), fingerprint=fingerprint(path)), seconds, most))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while is_there(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_there(pid)


def test_each_misdeed_is_an_error_of_its_call(hosted: Callable[..., Host]) -> None:
    host = hosted()
    expected = {
        "raises_oddly": "raises_oddly failed: Odd",
        "leaves_by_sys": "leaves_by_sys called sys.exit(3)",
        "leaves_by_os": "leaves_by_os ended its process (exit code 7)",
        "crashes": "crashes crashed: its process was ended by SIGSEGV",
        "speaks_over": "speaks_over answered with something that is no result",
        "not_a_number": "not_a_number: the result is nan",
        "an_object": "an_object: it returned a object",
        "a_lie": "the result of a_lie must be int",
        "circle": "circle failed: RecursionError",
        "child_then_exit": "child_then_exit ended its process (exit code 5)",
    }
    for name, message in expected.items():
        with pytest.raises(ToolError) as raised:
            host.call(name, {})
        assert message in str(raised.value)
    with pytest.raises(ToolError, match="raises failed: ValueError: a b$"):
        host.call("raises", {"text": "a b"})
    assert isinstance(host.call("pid", {}), int)


def test_what_is_odd_but_allowed_works(hosted: Callable[..., Host]) -> None:
    host = hosted()
    assert host.call("a_set", {}) == [1]
    assert host.call("half", {}) == "a\udc80b"
    assert host.call("prints", {"times": 20_000}) == "done"
    assert host.call("threads", {}) == "done"
    assert [host.call("forks", {}) for _ in range(3)] == ["done"] * 3
    assert len(host.call("megabytes", {"count": 3})) == 3 << 20
    with pytest.raises(ToolError, match="returned more than 4 MiB"):
        host.call("megabytes", {"count": (MOST_BYTES >> 20) + 1})


def test_a_call_that_hangs_is_ended_at_its_deadline(hosted: Callable[..., Host]) -> None:
    host = hosted(seconds=0.7)
    for name in ("hangs", "hangs_deaf"):
        started = time.monotonic()
        with pytest.raises(ToolError, match=f"{name} did not end in time"):
            host.call(name, {})
        assert time.monotonic() - started < 2
    host.seconds = 20
    assert host.call("pid", {})


def test_what_a_plugin_patches_is_broken_there_alone(hosted: Callable[..., Host]) -> None:
    host, before = hosted(), builtins.len
    with pytest.raises(ToolError, match="patches"):
        host.call("patches", {})
    assert builtins.len is before
    assert host.call("a_set", {}) == [1]


def test_calls_in_parallel_run_in_processes_of_their_own(hosted: Callable[..., Host]) -> None:
    host = hosted()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: host.call("nap", {"seconds": 0.3}), range(8)))  # the start of the processes
        started = time.monotonic()
        pids = list(pool.map(lambda _: host.call("nap", {"seconds": 0.5}), range(8)))
    assert time.monotonic() - started < 1.0
    assert len(set(pids)) == 8


def test_there_are_no_more_processes_than_allowed(hosted: Callable[..., Host]) -> None:
    host = hosted(most=2)
    with ThreadPoolExecutor(6) as pool:
        pids = list(pool.map(lambda _: host.call("nap", {"seconds": 0.05}), range(12)))
    assert len(set(pids)) <= 2
    host = hosted(most=1, seconds=0.8)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(host.call, "hangs", {}) for _ in range(2)]
    assert all("did not" in str(call.exception()) for call in calls)


def test_a_process_is_used_again_and_one_that_died_is_not(hosted: Callable[..., Host]) -> None:
    host = hosted()
    first = host.call("pid", {})
    assert host.call("pid", {}) == first
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    time.sleep(0.3)  # its threads may outlive it for a moment, and its pipes with them
    assert host.call("pid", {}) != first


def test_arguments_of_megabytes_arrive(hosted: Callable[..., Host]) -> None:
    with pytest.raises(ToolError) as raised:
        hosted().call("raises", {"text": "x" * (5 << 20)})
    assert len(str(raised.value)) < 3000


def test_a_call_runs_in_the_workspace_and_its_paths_stay_there(hosted: Callable[..., Host], tmp_path: Path) -> None:
    host, work = hosted(), tmp_path / "work"
    work.mkdir()
    (work / "a.txt").write_text("four")
    token = workspace.enter(work)
    try:
        assert host.call("where", {}) == str(work)
        assert host.call("size", {"path": "a.txt"}) == 4
        with pytest.raises(ToolError, match="outside the workspace|leads out"):
            host.call("size", {"path": "../plugin/bad.py"})
    finally:
        workspace._current.reset(token)


def test_close_ends_every_process_and_what_it_started(hosted: Callable[..., Host]) -> None:
    host = hosted()
    child = host.call("child", {"seconds": 60})
    errors: list[Exception] = []

    def hang() -> None:
        try:
            host.call("hangs", {})
        except ToolError as error:
            errors.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    time.sleep(0.3)
    host.close()
    thread.join(5)
    assert gone(child)
    assert "hangs was stopped" in str(errors[0])
    with pytest.raises(ToolError, match="zooid is ending"):
        host.call("pid", {})


def test_processes_end_when_zooid_is_killed(hosted: Callable[..., Host], tmp_path: Path) -> None:
    source = hosted().source
    script = tmp_path / "zooid.py"
    script.write_text(
        "import threading\nfrom tools.host import Host, Source\n"
        f"host = Host(Source({source.label!r}, {source.path!r}, '', {source.fingerprint!r}))\n"
        "print(host.call('child', {'seconds': 60}), host.call('pid', {}), flush=True)\n"
        "host.call('hangs', {})\n"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    ) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(is_there(pid) for pid in pids)
        time.sleep(0.3)  # it is in the call that hangs
        parent.kill()
    assert all(gone(pid) for pid in pids)


def test_nothing_in_the_working_folder_is_imported(hosted: Callable[..., Host], tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for name in ("tools/__init__.py", "tools/host.py", "json.py", "plugin/json.py", "plugin/re.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise SystemExit('the wrong file')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ".")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert hosted().call("a_set", {}) == [1]


def test_helpers_come_from_the_source_that_was_looked_at(hosted: Callable[..., Host], tmp_path: Path) -> None:
    code = 'from _helper import word\ndef say() -> str:\n    """Say."""\n    return word\n'
    host = hosted("raise SystemExit")
    (tmp_path / "plugin" / "_helper.py").write_text("word = 'stale'")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(tmp_path / "plugin")], check=False)
    times = (tmp_path / "plugin" / "_helper.py").stat()
    (tmp_path / "plugin" / "_helper.py").write_text("word = 'fresh'")
    os.utime(tmp_path / "plugin" / "_helper.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    host = hosted(code)
    assert host.call("say", {}) == "fresh"  # and not what a __pycache__ of the same time and size holds


def test_a_file_that_changed_is_not_run(hosted: Callable[..., Host]) -> None:
    host = hosted()
    Path(host.source.path).write_text(BAD + "\n")
    with pytest.raises(ToolError, match="has changed since zooid looked at it"):
        host.call("pid", {})


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import nothing_of_that_name", "cannot be imported: ModuleNotFoundError"),
        ("def broken(:", "cannot be imported: SyntaxError"),
        ("raise SystemExit(4)", "calls sys.exit(4) when it is imported"),
        ("import os; os._exit(9)", "ended its process (exit code 9)"),
        ("import time; time.sleep(60)", "did not end in time"),
        ("raise BaseException", "cannot be imported: BaseException"),
    ],
)
def test_what_goes_wrong_at_the_import_is_told(hosted: Callable[..., Host], code: str, why: str) -> None:
    with pytest.raises(ToolError, match="bad.py") as raised:
        hosted(code).describe(1.0)
    assert why in str(raised.value)


MODULE = '''
import functools, os.path
from os.path import join
from dataclasses import dataclass

@dataclass
class Point:
    x: int

def double(n: int, times: float = 2.5) -> float:
    """Double a number.

    Effect: read

    >>> double(2)
    5.0
    >>> double(1)
    3.0
    """
    return n * times

def double_done(n: int) -> bool:
    """Whether it is there."""
    return n == 1

double.done = double_done

@functools.cache
def kept(n: int) -> int:
    """Keep."""
    return n

def point() -> Point:
    """A point."""
    return Point(3)

def untyped(a): ...
def undocumented(a: int) -> int: return a
async def later() -> int:
    """Later."""
def odd(a: int = object()) -> int:
    """Odd."""
def unknown(a: "Nowhere") -> int:
    """Unknown."""
def _private(): ...
again = double
'''


def test_public_typed_functions_are_described(hosted: Callable[..., Host]) -> None:
    host = hosted(MODULE)
    rows = {row.name: row for row in host.describe()}
    names = "double", "double_done", "kept", "point", "untyped", "undocumented", "later", "odd", "unknown"
    assert tuple(rows) == names
    double = rows["double"].about
    assert double and double.effect == "read" and [p.name for p in double.params] == ["n", "times"]
    assert double.params[1].default == 2.5 and rows["double"].has_done
    assert "no docstring" in rows["untyped"].why
    assert "async" in rows["later"].why
    assert "NameError" in rows["unknown"].why
    assert rows["odd"].about is None


def test_what_is_described_can_be_called_and_its_examples_tried(hosted: Callable[..., Host]) -> None:
    host = hosted(MODULE)
    assert host.call("double", {"n": 1}, done=True) is True
    assert host.call("kept", {"n": 4}) == 4
    assert host.call("point", {}) == {"x": 3}
    tried = {each.name: each for each in host.examples(Path.cwd())}
    assert (tried["double"].tried, tried["double"].failed) == (2, 1)
    assert "Expected" in tried["double"].text


def test_all_of_a_module_is_respected(hosted: Callable[..., Host]) -> None:
    host = hosted('''
        __all__ = ["one"]
        def one() -> int:
            """One."""
            return 1
        def two() -> int:
            """Two."""
            return 2
    ''')
    assert [row.name for row in host.describe()] == ["one"]


def test_a_start_is_quick(hosted: Callable[..., Host]) -> None:
    import resource

    code = 'def one() -> int:\n    """One."""\n    return 1\n'
    hosted(code).describe()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(5):
        host = hosted(code)
        assert host.call("one", {}) == 1
        host.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 5 < 0.12  # s of CPU; 0.045 measured
