"""The full tier: CPython code, or a command, in processes that can touch the workspace and nothing else.

A run starts in a zygote (`tools.sandbox.zygote`), one for each workspace, in the first of the containers below that
works here and holds (`tools.sandbox.findings`). Where none does, nothing is run, unless a person has said
`--unsafe-no-sandbox`.
"""

from __future__ import annotations

import atexit
import marshal
import os
import select
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import sandbox, stop
from tools.errors import ToolError
from tools.sandbox import cgroup

if TYPE_CHECKING:
    from subprocess import Popen

KINDS = ("bubblewrap", "namespaces", "landlock")
"""The containers, the strictest first."""
MOST_ZYGOTES = 4
DRAINED = 64 * 2**20  # bytes of output that are read beyond what is kept, before the run is ended
_OWN = 4  # processes of the sandbox itself that the kernel counts with those of a run
_SLACK = 32 * 2**20
_SEALS = 15  # F_SEAL_SEAL, _SHRINK, _GROW and _WRITE
_GRACE = 10.0  # s past its limit after which a run's zygote is ended too
_TOOLS = Path(__file__).resolve().parent.parent
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/os-release", "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki", "/etc/protocols", "/etc/services",
)  # fmt: skip
_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf")
_NO_WORKSPACE = "/ /bin /boot /dev /etc /lib /lib64 /proc /run /sbin /sys /usr /var".split()
_START = """
import sys, marshal
sys.path.append(sys.argv[1])
from tools.sandbox.zygote import main
sys.path.pop()
main(marshal.loads(bytes.fromhex(sys.argv[2])))
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. The watch looks every 20 ms, so that a run can be over by what it does in that time."""

    seconds: float = 30.0
    memory: int = 512 * 2**20  # bytes, of all its processes together
    processes: int = 64
    disk: int = 256 * 2**20  # bytes written, and the size of the largest file
    scratch: int = 64 * 2**20  # bytes in its /tmp
    output: int = 2**20  # bytes kept of what it prints, and as many of its errors


@dataclass(frozen=True, slots=True)
class Job:
    """Code for CPython, or a command for /bin/sh."""

    code: str = ""
    command: str = ""
    stdin: str = ""
    network: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run. `ended` is `exit`, `signal` or `limit`; `what` the code, the signal or the limit's name."""

    stdout: str
    stderr: str
    ended: str
    what: str
    seconds: float

    @property
    def ok(self) -> bool:
        return (self.ended, self.what) == ("exit", "0")


@dataclass(frozen=True, slots=True)
class View:
    """What a run sees of this machine: `readable` paths, the workspace `root`, in it what may not be written
    (`protected`) and what is not there for it (`hidden`)."""

    root: str
    readable: tuple[str, ...]
    protected: tuple[str, ...]
    hidden: tuple[str, ...]
    network: bool
    stamp: tuple[int, ...]  # of the workspace and its protected parts: one that is made anew is another one


def view(root: Path, network: bool) -> View:
    """Raises ToolError where a folder cannot be a workspace."""
    base = os.path.realpath(root)
    if base in _NO_WORKSPACE:
        raise ToolError(f"code cannot be run with {base} as the workspace; run zooid in a folder of your own")
    readable = (*_readable(), *(_NETWORK if network else ()))
    plugins = [os.path.realpath(path) for path in sandbox.protected]
    inside = [path for path in (*readable, *plugins) if path.startswith(base + "/")]
    own = [f"{base}/{name}" for name in (".zooid", ".git")]
    protected = tuple(path for path in (*own, *inside) if os.path.exists(path) and not os.path.islink(path))
    secret = [*_zooids(), *(os.path.realpath(path) for path in sandbox.hidden)]
    hidden = tuple(path for path in secret if path.startswith(base + "/") and os.path.exists(path))
    stamp = tuple(number for path in (base, *protected, *hidden) for number in _identity(path))
    return View(base, readable, protected, hidden, network, stamp)


def _identity(path: str) -> tuple[int, int]:
    about = os.stat(path)
    return about.st_dev, about.st_ino


@lru_cache(maxsize=1)
def _readable() -> tuple[str, ...]:
    """The system's programs and libraries, and this Python's; none within another."""
    python = [sys.base_prefix, sys.prefix, *_packages(), str(_TOOLS)]
    wanted = [*_SYSTEM, *(os.path.realpath(path) for path in python)]
    there = [path for path in dict.fromkeys(wanted) if os.path.lexists(path)]
    return tuple(path for path in there if not any(path.startswith(other + "/") for other in there))


def _packages() -> list[str]:
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages")) and os.path.isdir(path)]


def _zooids() -> Iterator[str]:
    """Where zooid keeps what no run may see: runs, keys, the record of what is trusted."""
    import platformdirs

    for kind in ("config", "state", "data", "cache"):
        yield str(getattr(platformdirs, f"user_{kind}_path")("zooid").resolve())


# -- zooid's side of a zygote


class SandboxError(ToolError):
    """A container ended over a run."""


class NotStartedError(SandboxError):
    """A container cannot be made here, or was not there any more: nothing of the run has happened."""


class Zygote:
    """A zygote and its container. `run` may be called from many threads at once."""

    def __init__(self, kind: str, seen: View) -> None:
        import subprocess

        if kind == "landlock" and seen.hidden:
            raise ToolError(
                f"code cannot be run in {seen.root}: without mounts nothing can hide {seen.hidden[0]}, which is "
                f"zooid's own; take another workspace, or install bubblewrap"
            )
        self.kind, self.view = kind, seen
        container = _container(kind, seen)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # No PR_SET_PDEATHSIG: it strikes when the thread ends that started the process, and a call has its own
            # thread. The zygote sees the end of zooid by the end of its socket.
            self._popen: Popen[bytes] = subprocess.Popen(
                [*container, *self._command(theirs.fileno())], pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env={"LANG": "C.UTF-8"}, cwd="/", start_new_session=True,
            )  # fmt: skip
        self._sending = threading.Lock()
        self.runs = 0  # that are under way

    def _command(self, fd: int) -> list[str]:
        seen = self.view
        given = {
            "kind": self.kind, "fd": fd, "root": seen.root, "readable": seen.readable, "protected": seen.protected,
            "hidden": seen.hidden, "network": seen.network, "packages": [os.path.realpath(p) for p in _packages()],
            "path": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin",
        }  # fmt: skip
        python = [os.path.realpath(sys.executable), "-I", "-S", "-X", "utf8", "-c", _START]
        return [*python, str(_TOOLS.parent), marshal.dumps(given).hex()]

    def alive(self) -> bool:
        return self._popen.poll() is None

    def run(self, job: Job) -> Result:
        """Run it; raises SandboxError where the sandbox, not the code, is to blame."""
        started = time.monotonic()
        with ExitStack() as stack:
            ours, theirs = _pipes(stack, job)
            limits = job.limits
            most = limits.memory + 2 * limits.scratch + _SLACK  # so that it is mostly the watch that names the limit
            group = stack.enter_context(cgroup.group(limits.processes + _OWN, most))
            request = self._request(job, stack)
            try:
                with self._sending:
                    socket.send_fds(self.control, [marshal.dumps(request)], [*theirs, *group.doors])
            except OSError as error:
                raise NotStartedError(
                    f"the sandbox ({self.kind}) has ended: {self._said() or error.strerror}"
                ) from None
            for fd in theirs:
                os.close(fd)
            theirs.clear()
            with stop.by(lambda: _let_go(ours)):
                gathered = _gather(ours, job.limits, started + job.limits.seconds + _GRACE)
            if gathered is None:
                self.close()
                raise SandboxError(f"the sandbox ({self.kind}) did not answer; it was ended")
            result = self._result(gathered, time.monotonic() - started)
            is_memory = (result.ended, result.what) == ("signal", "9") and group.ran_out_of_memory()
            return replace(result, ended="limit", what="memory") if is_memory else result

    def _result(self, kept: dict[str, _Kept], seconds: float) -> Result:
        said = kept["status"].text().splitlines()
        ended, _, what = next((line for line in said if line != "started"), "").partition(" ")
        if ended in ("exit", "signal", "limit"):
            return Result(kept["stdout"].text(), kept["stderr"].text(), ended, what, seconds)
        if "started" in said:
            how = "ended in the middle of the run; nobody can tell how far it came"
            raise SandboxError(f"the sandbox ({self.kind}) {how}")
        raise NotStartedError(f"the sandbox ({self.kind}) cannot be made: {what or self._said() or 'it ended at once'}")

    def _said(self) -> str:
        """The last that bubblewrap, or the zygote, said before it ended."""
        from subprocess import TimeoutExpired

        try:
            self._popen.wait(1)
        except TimeoutExpired:
            return ""
        assert self._popen.stderr
        lines = self._popen.stderr.read().decode("utf-8", "replace").splitlines()
        return lines[-1] if lines else ""

    def _request(self, job: Job, stack: ExitStack) -> dict[str, Any]:
        """What the zygote is asked: numbers; the code or the command goes by a file of its own."""
        temporary = ""
        if self.kind == "landlock":  # it has no /tmp of its own
            temporary = stack.enter_context(_temporary())
        limits = job.limits
        tasks = 0 if os.getuid() == 0 or self.kind == "landlock" else limits.processes + _OWN
        return {
            "shell": bool(job.command), "seconds": limits.seconds, "memory": limits.memory, "disk": limits.disk,
            "processes": limits.processes, "scratch": limits.scratch, "tasks": tasks, "temporary": temporary,
        }  # fmt: skip

    def close(self) -> None:
        """End it, and all its runs."""
        self.control.close()
        from subprocess import TimeoutExpired

        try:
            self._popen.wait(2)
        except TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, 9)
            self._popen.wait()
        assert self._popen.stderr
        self._popen.stderr.close()


@contextmanager
def _temporary() -> Iterator[str]:
    """A folder of its own; what a run leaves there may be deeper than Python's own way to remove it can go."""
    import subprocess

    folder = tempfile.mkdtemp(prefix="zooid-")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/rm", "-rf", "--", folder], stderr=subprocess.DEVNULL)


def _pipes(stack: ExitStack, job: Job) -> tuple[dict[str, int], list[int]]:
    """Our ends by name, and theirs in the order that the zygote expects."""
    ours: dict[str, int] = {}
    theirs: list[int] = []
    stack.callback(_close, ours, theirs)
    for name in ("lifeline", "job", "stdin", "stdout", "stderr", "status"):
        if name in ("job", "stdin"):
            theirs.append(_file((job.command or job.code) if name == "job" else job.stdin))
        else:
            read, write = os.pipe()
            ours[name], given = (write, read) if name == "lifeline" else (read, write)
            theirs.append(given)
    return ours, theirs


def _close(ours: dict[str, int], theirs: list[int]) -> None:
    for fd in (*ours.values(), *theirs):
        os.close(fd)


def _let_go(ours: dict[str, int]) -> None:
    """Has a run ended; from any thread."""
    lifeline = ours.pop("lifeline", None)
    if lifeline is not None:
        os.close(lifeline)


def _file(text: str) -> int:
    """A file in memory, at its start, that cannot be written any more."""
    import fcntl

    fd = os.memfd_create("zooid", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as file:
        file.write(text.encode("utf-8", "surrogatepass"))
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


class _Kept:
    """The first and the last of what is printed; what was between is counted."""

    def __init__(self, most: int) -> None:
        self.most, self.size = most // 2, 0
        self.head, self.tail = bytearray(), bytearray()

    def take(self, data: bytes) -> None:
        self.size += len(data)
        room = self.most - len(self.head)
        self.head += data[:room]
        self.tail += data[room:] if room > 0 else data
        if len(self.tail) > 2 * self.most:
            del self.tail[: -self.most]

    def text(self) -> str:
        tail = self.tail[-self.most :]
        left_out = self.size - len(self.head) - len(tail)
        mark = f"\n[… {left_out:,} bytes left out …]\n".encode() if left_out else b""
        return (self.head + mark + tail).decode("utf-8", "replace")


def _gather(ours: dict[str, int], limits: Limits, deadline: float) -> dict[str, _Kept] | None:
    """All that a run says, until every pipe of it is closed; None where that takes too long."""
    kept = {"stdout": _Kept(limits.output), "stderr": _Kept(limits.output), "status": _Kept(1 << 14)}
    names = {ours[name]: name for name in kept}
    poll = select.poll()
    for fd in names:
        poll.register(fd, select.POLLIN)
    while names:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        for fd, _ in poll.poll(left * 1000):
            data = os.read(fd, 1 << 16)
            kept[names[fd]].take(data)
            if not data:
                poll.unregister(fd)
                del names[fd]
        if "lifeline" in ours and max(kept["stdout"].size, kept["stderr"].size) > DRAINED + limits.output:
            kept["status"].take(b"limit output\n")
            _let_go(ours)
    return kept


# -- containers


def _container(kind: str, seen: View) -> list[str]:
    """What the zygote's command is started by."""
    if kind != "bubblewrap":
        return []
    program = _program("bwrap", seen.root)
    if program is None:
        raise NotStartedError("bubblewrap is not installed")
    shown = [part for path in seen.readable for part in _bound(path)]
    protected = [part for path in seen.protected for part in ("--ro-bind", path, path)]
    hidden = [part for path in seen.hidden for part in _hiding(path)]
    return [
        program, "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
        *(() if seen.network else ("--unshare-net",)), "--as-pid-1", "--new-session", "--cap-drop", "ALL",
        "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP", "--tmpfs", "/tmp", *shown,
        "--bind", seen.root, seen.root, *protected, *hidden, "--proc", "/proc", "--dev", "/dev",
        "--remount-ro", "/", "--chdir", "/", "--",
    ]  # fmt: skip


def _program(name: str, root: str) -> str | None:
    """Where a program is, the workspace left out: what runs there may have put one of that name into it."""
    safe = [path for path in os.get_exec_path() if os.path.isabs(path)]
    safe = [path for path in safe if not f"{os.path.realpath(path)}/".startswith(f"{root}/")]
    return shutil.which(name, path=os.pathsep.join(safe))


def _hiding(path: str) -> tuple[str, ...]:
    if os.path.isdir(path):
        return "--tmpfs", path, "--remount-ro", path
    return "--ro-bind", "/dev/null", path


def _bound(path: str) -> tuple[str, str, str]:
    if os.path.islink(path):
        return "--symlink", os.readlink(path), path
    return "--ro-bind", path, path


# -- the zygotes of this program

_zygotes: dict[tuple[str, View], Zygote] = {}
_lock = threading.Lock()


def zygote(kind: str, seen: View) -> Zygote:
    """One that waits for runs in this container; started where there is none, and others put away that have none."""
    with _lock:
        found = _zygotes.pop((kind, seen), None)
        if found is None or not found.alive():
            idle = [key for key, each in _zygotes.items() if not each.runs]
            for key in idle[: max(0, len(_zygotes) + 1 - MOST_ZYGOTES)]:
                _zygotes.pop(key).close()
            found = Zygote(kind, seen)
        _zygotes[kind, seen] = found  # the one that was used last comes last
        found.runs += 1
        return found


@atexit.register
def close_all() -> None:
    """End every zygote of this program, and what runs in it."""
    with _lock:
        while _zygotes:
            _zygotes.popitem()[1].close()


def run_in(kind: str, root: Path, job: Job) -> Result:
    """Run in this container, whatever is known of it."""
    found = zygote(kind, view(root, job.network))
    try:
        return found.run(job)
    finally:
        with _lock:
            found.runs -= 1


def run_bare(root: Path, job: Job) -> Result:
    """Run with no protection but the deadline, the cap on output and an empty environment."""
    import subprocess

    started = time.monotonic()
    command = ["/bin/sh", "-c", job.command] if job.command else [sys.executable, "-I", "-c", job.code]
    environment = {"PATH": os.defpath, "HOME": str(root), "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        command, cwd=root, env=environment, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    ended, what = "exit", ""
    try:
        with stop.by(lambda: os.killpg(process.pid, 9)):
            out, err = process.communicate(job.stdin.encode(), job.limits.seconds)
        what = str(process.returncode)
    except subprocess.TimeoutExpired:
        ended, what = "limit", "time"
        os.killpg(process.pid, 9)
        out, err = process.communicate()
    with suppress(ProcessLookupError):  # what it has left behind
        os.killpg(process.pid, 9)
    kept = [_Kept(job.limits.output) for _ in "oe"]
    for one, data in zip(kept, (out, err), strict=True):
        one.take(data)
    return Result(kept[0].text(), kept[1].text(), ended, what, time.monotonic() - started)
