"""The zygote: a small process that waits, and for each run forks a child that confines itself before it runs anything.

It is started with an empty environment and knows nothing of zooid's memory; starting it costs as much as starting
Python, forking it a few milliseconds. It runs in one of three containers: `bubblewrap`, which made the namespaces
before it started; `namespaces`, which it makes itself; `landlock`, which has none. In the first two each run gets
process numbers, a /tmp and a /proc of its own, and all of a run ends with its first process.

A run is three processes deep: the zygote watches its limits; the run's *first* process adopts orphans and ends the rest
when the job is over; the *job* confines itself (`_confine`) and then runs the code or the command. What is said of a
run goes through a pipe that the job does not have: a line `started`, and one that says how it ended, `exit N`,
`signal N` or `limit NAME`; or `error TEXT`.

Only what start-up can afford is imported: `signal` and `typing` would cost it 10 of its 25 ms.
"""

from __future__ import annotations

import builtins
import gc
import marshal
import os
import resource
import select
import sys
import time
from _signal import SIG_DFL, SIGKILL, SIGTERM, signal  # type: ignore[import-not-found]
from _socket import socket
from struct import iter_unpack

from tools.sandbox import kernel

TYPE_CHECKING = False  # as `typing` has it
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

TICK = 20  # ms between looks at what the runs use
THREADS = 8  # for each process that a run may have
FILES = 16  # the same; what lies in sockets and pipes is memory of nobody's
_PAGE = os.sysconf("SC_PAGE_SIZE")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_FDS = ("lifeline", "job", "stdin", "stdout", "stderr", "status")


def main(given: dict[str, Any]) -> None:
    """Serve until zooid is gone. `given`: see `tools.sandbox.full.Zygote`."""
    apart = kernel.NEW_USER | kernel.NEW_NS | kernel.NEW_PID
    if given["kind"] == "namespaces":
        more = kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_CGROUP | (0 if given["network"] else kernel.NEW_NET)
        _enter(given, apart | more)
        _make_root(given)
    elif given["kind"] == "bubblewrap" and os.getuid():  # which leaves only root the right to mount
        _enter(given, apart)
        kernel.mount("proc", "/proc", "proc", kernel.NO_SUID | kernel.NO_DEV | kernel.NO_EXEC)
    kernel.adopt_orphans()
    kernel.bound_capabilities()
    sys.path += [path for path in given["packages"] if path not in sys.path]
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # as `site` has it, which is not loaded
    gc.freeze()
    Zygote(given).serve()


class _tolerated:
    """Goes on where one of these errors is raised: `contextlib` would cost 2 ms of every start."""

    def __init__(self, *errors: type[BaseException]) -> None:
        self.errors = errors

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self.errors)


# -- what it watches


class _Run:
    """A run: its first process, what it may use, and the pipes that zooid holds the other ends of."""

    def __init__(self, asked: dict[str, Any], fds: dict[str, int]) -> None:
        self.asked, self.lifeline, self.status = asked, fds["lifeline"], fds["status"]
        self.deadline = time.monotonic() + asked["seconds"]
        self.first = self.pidfd = 0
        self.written: dict[int, int] = {}  # bytes by process, ended ones too

    def say(self, text: str) -> None:
        with _tolerated(OSError):  # zooid does not wait any more
            os.write(self.status, text.encode()[:4000] + b"\n")

    def kill(self, why: str = "") -> None:
        """End all of it: where it has process numbers of its own they end with the first, else it is one group."""
        if why:
            self.say(why)
        for end in (os.killpg, os.kill):
            with _tolerated(OSError):
                end(self.first, SIGKILL)

    def over(self) -> str:
        """The limit that the run is over, or nothing."""
        if time.monotonic() > self.deadline:
            return "time"
        pids, threads = _descendants(self.first, most := self.asked["processes"] + 1)
        if len(pids) > most or threads > THREADS * most:
            return "processes"
        if sum(_resident(pid) for pid in pids) > self.asked["memory"] and _shares(pids) > self.asked["memory"]:
            return "memory"
        if sum(map(_open_files, pids)) > FILES * most:
            return "open files"
        for pid in pids:
            self.written[pid] = _written(pid) or self.written.get(pid, 0)
        return "disk" if sum(self.written.values()) > self.asked["disk"] else ""


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""  # it has ended
    try:
        return os.read(fd, 1 << 16)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _descendants(pid: int, most: int) -> tuple[list[int], int]:
    """A process and all that it started, and how many threads they have; cut off above `most` processes.

    See proc_tid_children(5).
    """
    found, count = [pid], 0
    for each in found:
        if len(found) > most:
            break
        threads = []
        with _tolerated(OSError):  # it has ended
            threads = os.listdir(f"/proc/{each}/task")
        count += len(threads)
        for thread in threads:
            found += [int(child) for child in _read(f"/proc/{each}/task/{thread}/children").split()]
    return found, count


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # it has ended
        return 0


def _resident(pid: int) -> int:
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _shares(pids: list[int]) -> int:
    """Memory with what processes share counted once."""
    total = 0
    for pid in pids:
        found = [line for line in _read(f"/proc/{pid}/smaps_rollup").splitlines() if line.startswith(b"Pss:")]
        total += int(found[0].split()[1]) << 10 if found else 0
    return total


def _written(pid: int) -> int:
    """Bytes that a process and its ended children had written to disks, or were going to."""
    for line in _read(f"/proc/{pid}/io").splitlines():
        if line.startswith(b"write_bytes:"):
            return int(line.split()[1])
    return 0


class Zygote:
    """Takes requests from the control socket, starts runs and watches them; ends, with all runs, when zooid does."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        given["filter"] = kernel.call_filter(internet=self._apart or given["network"], mounts=self._apart)
        given["read"] = _without_links(given["readable"], self._apart)
        self.control = socket(fileno=given["fd"])
        self.runs: dict[int, _Run] = {}  # by lifeline and by pidfd
        self.poll = select.poll()
        self.poll.register(self.control.fileno(), select.POLLIN)
        self.processes = os.open("/proc/self/ns/pid", os.O_RDONLY) if self._apart else -1

    @property
    def _apart(self) -> bool:
        return bool(self.given["kind"] != "landlock")

    def serve(self) -> None:
        looked = 0.0
        while True:
            for fd, _ in self.poll.poll(TICK if self.runs else None):
                if fd == self.control.fileno():
                    looked = looked if self.runs else time.monotonic()
                    self._take()
                elif run := self.runs.get(fd):
                    self._end(run) if fd == run.pidfd else run.kill("limit stopped")
            if time.monotonic() < looked + TICK / 1000:
                continue
            looked = time.monotonic()
            for run in {*self.runs.values()}:
                if limit := run.over():
                    run.kill(f"limit {limit}")

    def _take(self) -> None:
        """One request: what to run, and its pipes."""
        data, ancillary, _, _ = self.control.recvmsg(1 << 16, 1 << 10)
        if not data:
            for run in self.runs.values():
                run.kill()
            os._exit(0)
        fds = [n for *_, raw in ancillary for (n,) in iter_unpack("=i", raw)]
        named, doors = dict(zip(_FDS, fds, strict=False)), fds[len(_FDS) :]
        run = _Run(marshal.loads(data), named)
        try:
            self._start(run, named, doors)
        except OSError as error:
            run.say(f"error {error}")
            os.close(run.status)
            os.close(run.lifeline)
        for fd in (*(named[name] for name in ("job", "stdin", "stdout", "stderr")), *doors):
            os.close(fd)

    def _start(self, run: _Run, fds: dict[str, int], doors: list[int]) -> None:
        run.first = self._fork()
        if not run.first:
            try:
                for door in doors:  # of control groups: see `tools.sandbox.cgroup`
                    with _tolerated(OSError):
                        os.write(door, b"0")
                _first(self.given, run, fds)
            except BaseException as error:
                run.say(f"error {type(error).__name__}: {error}")
            finally:
                os._exit(1)
        run.pidfd = os.pidfd_open(run.first)
        for fd in (run.pidfd, run.lifeline):
            self.runs[fd] = run
            self.poll.register(fd, select.POLLIN)

    def _fork(self) -> int:
        """Fork a child that is the first of new process numbers, where runs have their own."""
        if not self._apart:
            return os.fork()
        kernel.unshare(kernel.NEW_PID)  # for what is forked next
        child = -1
        try:
            child = os.fork()
        finally:
            if child:
                kernel.enter(self.processes, kernel.NEW_PID)
        return child

    def _end(self, run: _Run) -> None:
        """The first process has ended; where it has no process numbers of its own, the rest of its group goes now."""
        run.kill()
        for fd in (run.pidfd, run.lifeline):
            self.poll.unregister(fd)
            del self.runs[fd]
            os.close(fd)
        for who in (run.first, -run.first):
            with _tolerated(ChildProcessError):
                while True:
                    os.waitpid(who, 0)
        os.close(run.status)


# -- the run's first process


def _first(given: dict[str, Any], run: _Run, fds: dict[str, int]) -> None:
    os.setsid()
    _close_all_but({*fds.values()} - {fds["lifeline"]})
    signal(SIGTERM, lambda number, frame: os.killpg(0, SIGKILL))
    kernel.die_with_parent(SIGTERM if given["kind"] == "landlock" else SIGKILL)
    kernel.adopt_orphans()
    if given["kind"] != "landlock":
        _freshen(given, run.asked)
    job = os.fork()
    if not job:
        _job(given, run, fds)
    for name in ("job", "stdin", "stdout", "stderr"):
        os.close(fds[name])
    code = None
    while code is None:
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status) if pid == job else None
    run.say(f"exit {code}" if code >= 0 else f"signal {-code}")
    os.killpg(0, SIGKILL)
    os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    """Other runs end when their pipes are closed everywhere."""
    last = 2
    for fd in (*sorted(kept), 1 << 16):
        os.closerange(last + 1, fd)
        last = fd


def _freshen(given: dict[str, Any], asked: dict[str, Any]) -> None:
    """A /tmp, a /dev/shm and a /proc that no other run has seen; what was mounted beneath /tmp is there again."""
    kernel.unshare(kernel.NEW_NS | kernel.NEW_IPC)
    options, flags = f"size={asked['scratch']},mode=1777,nr_inodes=20000", kernel.NO_SUID | kernel.NO_DEV
    mounted = [path for path in (*given["readable"], given["root"]) if path.startswith("/tmp/")]
    kept = [(os.open(path, os.O_PATH), path) for path in mounted if os.path.exists(path)]
    if given["root"] != "/tmp":
        kernel.mount("tmpfs", "/tmp", "tmpfs", flags, options)
    for fd, path in kept:
        _place(f"/proc/self/fd/{fd}", path)
        os.close(fd)
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", flags | kernel.NO_EXEC, options)
    kernel.mount("proc", "/proc", "proc", flags | kernel.NO_EXEC, "subset=pid")


def _place(source: str, target: str) -> None:
    """Bind-mount a file or a folder, with what is mounted beneath it."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_RDONLY, 0o644))
    kernel.mount(source, target, None, kernel.BIND | kernel.RECURSIVE)


# -- the job


def _job(given: dict[str, Any], run: _Run, fds: dict[str, int]) -> None:
    """Confine this process, then be what was asked for. Nothing of it runs where one step of the first fails."""
    code = 1
    try:
        with open(fds["job"], "rb") as file:
            file.seek(0)
            text = file.read()
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.dup2(fds[name], number)
        os.dup2(run.status, 3, inheritable=False)
        run.status = 3
        os.closerange(4, 1 << 16)
        signal(SIGTERM, SIG_DFL)
        _environment(given, run.asked)
        _confine(given, run.asked)
        run.say("started")
        os.close(3)
    except BaseException as error:
        run.say(f"error {type(error).__name__}: {error}")
        os._exit(1)
    try:
        code = _command(text) if run.asked["shell"] else _python(text.decode())
    finally:
        os._exit(code)


def _environment(given: dict[str, Any], asked: dict[str, Any]) -> None:
    os.chdir(given["root"])
    os.umask(0o022)
    os.environ.clear()
    scratch = asked["temporary"] or "/tmp"
    os.environ.update(
        {"PATH": given["path"], "HOME": scratch, "TMPDIR": scratch, "USER": "zooid", "LANG": "C.UTF-8"}
        | {"PYTHONDONTWRITEBYTECODE": "1"}
    )


def _confine(given: dict[str, Any], asked: dict[str, Any]) -> None:
    for what, most in _rlimits(asked):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    with open("/proc/self/oom_score_adj", "w") as file:  # where memory runs out, this is what goes first
        file.write("1000")
    kernel.no_new_privileges()
    kernel.drop_capabilities()
    if kernel.landlock_version():
        own_network = given["network"] or given["kind"] != "landlock"
        kernel.landlock(_rules(given, asked), network=own_network)
    kernel.filter_calls(given["filter"])


def _rlimits(asked: dict[str, Any]) -> Iterator[tuple[int, int]]:
    yield resource.RLIMIT_CORE, 0
    yield resource.RLIMIT_CPU, int(asked["seconds"] * 2) + 2  # should nobody be left to look at the clock
    yield resource.RLIMIT_FSIZE, asked["disk"]
    yield resource.RLIMIT_NOFILE, 256
    yield resource.RLIMIT_MEMLOCK, 1 << 16
    yield resource.RLIMIT_MSGQUEUE, 0
    yield resource.RLIMIT_DATA, asked["memory"]  # private memory; what is shared is counted by the watch
    if asked["tasks"]:
        yield resource.RLIMIT_NPROC, asked["tasks"]


def _rules(given: dict[str, Any], asked: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for path in given["read"]:
        yield path, kernel.READ
    for name in _DEVICES:
        yield f"/dev/{name}", kernel.READ_FILE | kernel.WRITE_FILE
    if given["kind"] == "landlock":  # the machine's own /proc tells of other programs
        yield asked["temporary"], kernel.SCRATCH
    else:
        yield "/proc", kernel.READ_FILE | kernel.READ_DIR
        yield "/dev", kernel.READ_DIR
        yield "/dev/shm", kernel.SCRATCH
        # A workspace beneath /tmp would inherit the right to pipes and sockets.
        yield "/tmp", kernel.WRITE if given["root"].startswith("/tmp") else kernel.SCRATCH
    if given["kind"] == "landlock" and given["protected"]:
        yield from _around(given["root"], given["protected"])
    else:
        yield given["root"], kernel.WRITE


def _without_links(readable: list[str], apart: bool) -> list[str]:
    """The paths for which rules are needed: what links lead to has its own, and an /etc of its own holds no more."""
    found = [path for path in readable if not os.path.islink(path) and not (apart and path.startswith("/etc/"))]
    return [*found, "/etc"] if apart else found


def _around(root: str, protected: list[str]) -> Iterator[tuple[str, int]]:
    """The workspace without what is protected in it. Landlock knows no exceptions, so that nothing new can be made at
    its top, only in its folders."""
    yield root, kernel.READ
    for name in os.listdir(root):
        path = f"{root}/{name}"
        if not os.path.islink(path) and not any(f"{each}/".startswith(f"{path}/") for each in protected):
            yield path, kernel.WRITE


def _command(command: bytes) -> int:
    try:
        os.execve("/bin/sh", [b"sh", b"-c", command], os.environ)
    except (OSError, ValueError) as error:  # it is too long, or holds a zero byte
        os.write(2, f"/bin/sh: {error}\n".encode())
    return 126


def _python(code: str) -> int:
    """Run code as `python -I` would, as `__main__`; where its last line is an expression, its value is printed."""
    main = type(sys)("__main__")
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = main
    sys.argv = [""]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        _run_lines(code, main.__dict__)
        return _finish(0)
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            sys.stderr.write(f"{error.code}\n")
        return _finish(error.code if isinstance(error.code, int) else int(error.code is not None))
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != "<code>":
            trace = trace.tb_next
        _explain(error.with_traceback(trace), code)
        return _finish(1)


def _run_lines(code: str, names: dict[str, Any]) -> None:
    import _ast  # `ast` itself takes longer to import than most code to run

    tree: Any = compile(code, "<code>", "exec", _ast.PyCF_ONLY_AST)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
    exec(compile(tree, "<code>", "exec"), names)
    if last is not None:
        value = eval(compile(_ast.Expression(last.value), "<code>", "eval"), names)
        if value is not None:
            print(value if isinstance(value, str) else repr(value))


def _explain(error: BaseException, code: str) -> None:
    import linecache
    import traceback

    linecache.cache["<code>"] = (len(code), None, code.splitlines(keepends=True), "<code>")
    traceback.print_exception(error)


def _finish(code: int) -> int:
    """What Python does at its end: wait for threads, run what was registered, write what is buffered."""
    for name, function in (("threading", "_shutdown"), ("atexit", "_run_exitfuncs")):
        if name in sys.modules:
            getattr(sys.modules[name], function)()
    for stream in (sys.stdout, sys.stderr):
        with _tolerated(OSError, ValueError):
            stream.flush()
    return code & 0xFF


# -- namespaces of its own


def _enter(given: dict[str, Any], namespaces: int) -> None:
    """Go on as the first process of new namespaces, with the ids that this one has."""
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(namespaces)
    kernel.keep_uid(uid, gid)
    if namespaces & kernel.NEW_NET:
        kernel.raise_loopback()
    child = os.fork()
    if child:
        os.close(given["fd"])
        os.waitpid(child, 0)
        os._exit(0)
    kernel.die_with_parent(SIGKILL)


def _make_root(given: dict[str, Any]) -> None:
    """A root that holds only what may be seen."""
    kernel.mount("none", "/", None, kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.NO_SUID | kernel.NO_DEV, "size=4m,mode=755")
    os.mkdir("/tmp/old")
    os.mkdir("/tmp/new")
    kernel.change_root("/tmp", "old")
    kernel.mount("tmpfs", "/new", "tmpfs", kernel.NO_SUID, "size=4m,mode=755")
    for path in given["readable"]:
        _show(path, read_only=True)
    _show(given["root"], read_only=False)
    for path in given["protected"]:
        _show(path, read_only=True)
    for path in given["hidden"]:
        if os.path.isdir(f"/old{path}"):
            kernel.mount("tmpfs", f"/new{path}", "tmpfs", kernel.NO_SUID | kernel.NO_DEV | 1, "size=4k,mode=000")
        else:
            kernel.mount("/old/dev/null", f"/new{path}", None, kernel.BIND)
    _make_devices()
    for folder in ("/new/proc", "/new/tmp"):
        os.makedirs(folder, exist_ok=True)
    kernel.mount("proc", "/new/proc", "proc", kernel.NO_SUID | kernel.NO_DEV | kernel.NO_EXEC)
    kernel.restrict_mount("/new", read_only=True, deep=False)
    kernel.change_root("/new")


def _show(path: str, *, read_only: bool) -> None:
    """A path of the old root at the same place of the new one; a link of the system's is made again."""
    old, new = f"/old{path}", f"/new{path}"
    if os.path.islink(old):
        os.makedirs(os.path.dirname(new), exist_ok=True)
        if not os.path.lexists(new):
            os.symlink(os.readlink(old), new)
    elif os.path.exists(old):
        _place(old, new)
        kernel.restrict_mount(new, read_only=read_only)


def _make_devices() -> None:
    os.makedirs("/new/dev/shm")
    for name in _DEVICES:
        _place(f"/old/dev/{name}", f"/new/dev/{name}")
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"/new/dev/{name}")
