"""Escapes, tried for real: what `zooid doctor` runs at each tier, and the tests under a plain process first.

An attack is Python code with a proof of its success: what it prints, or what is to be seen outside afterwards. All of
them are aimed at an `Arena` that is made for them: a secret file, a victim process, sockets that listen, and canaries
in the environment and in memory. None of them touches anything else, should it succeed.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.sandbox import kernel
from tools.sandbox.full import Job, Limits, Result

LIMITS = Limits(seconds=2, memory=96 * 2**20, processes=12, disk=8 * 2**20, scratch=8 * 2**20, output=20_000)
ESCAPED = "escaped"
_CANARY = "canary" + secrets.token_hex(8)  # one for this process: it stays in memory where it was once


@dataclass
class Arena:
    """What the attacks are aimed at; gone when it is closed."""

    folder: Path
    root: Path  # the workspace
    outside: Path
    canary: str = _CANARY
    received: list[bytes] = field(default_factory=list)  # what came to the sockets
    names: dict[str, Any] = field(default_factory=dict)  # that the attacks' code finds as variables

    def values(self) -> dict[str, Any]:
        """The names for code that is given values."""
        return {name: value for name, value in self.names.items() if isinstance(value, (str, int, tuple))}

    def prelude(self) -> str:
        return "\n".join(f"{name} = {value!r}" for name, value in self.names.items()) + _PRELUDE


@dataclass(frozen=True)
class Attack:
    """`code` has escaped where it prints `escaped` or the canary, or where `seen` says so of the arena afterwards.

    `during` runs beside it; `root`: it needs root even under a plain process; `first`: it is one of those that are
    tried before a container is used at all.
    """

    name: str
    code: str
    seen: Callable[[Arena], bool] = lambda arena: False
    during: Callable[[Arena], None] | None = None
    root: bool = False
    first: bool = False

    def escaped(self, arena: Arena, result: Result) -> bool:
        return ESCAPED in result.stdout or arena.canary in result.stdout or self.seen(arena)


@contextmanager
def arena() -> Iterator[Arena]:
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="zooid-arena-", ignore_cleanup_errors=True))
        )
        made = Arena(folder.resolve(), folder.resolve() / "workspace", folder.resolve() / "outside")
        made.root.mkdir()
        made.outside.mkdir()
        _furnish(made, stack)
        yield made


def _furnish(made: Arena, stack: ExitStack) -> None:
    for name in ("secret", "doomed"):
        (made.outside / name).write_text(made.canary)
    for name in (".zooid/tools", ".git/hooks"):
        (made.root / name).mkdir(parents=True)
    (made.root / ".git/config").write_text("[core]\n")
    os.environ["ZOOID_CANARY"] = made.canary
    stack.callback(os.environ.pop, "ZOOID_CANARY", None)
    fd = os.open(made.outside / "secret", os.O_RDONLY)
    os.set_inheritable(fd, True)
    stack.callback(os.close, fd)
    victim = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", made.canary])
    stack.callback(victim.wait)
    stack.callback(victim.kill)
    made.names = {
        "SECRET": str(made.outside / "secret"), "OUTSIDE": str(made.outside), "HOST": os.getpid(), "FD": fd,
        "VICTIM": victim.pid, "CALLS": {name: kernel.number(name) for name in kernel.NAMES},
    }  # fmt: skip
    for name, id in _shared(made, stack):
        made.names[name] = id
    for name, family, kind, address in _listeners(made):
        with suppress(OSError):
            made.names[name] = _listen(made, stack, family, kind, address)


def _listeners(made: Arena) -> Iterator[tuple[str, int, int, Any]]:
    yield "TCP", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)
    yield "TCP6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)
    yield "UDP", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)
    yield "UNIX", socket.AF_UNIX, socket.SOCK_STREAM, str(made.outside / "socket")
    yield "NEARBY", socket.AF_UNIX, socket.SOCK_STREAM, str(made.root / "socket")
    yield "ABSTRACT", socket.AF_UNIX, socket.SOCK_STREAM, f"\0{made.folder.name}"
    yield "LOG", socket.AF_UNIX, socket.SOCK_DGRAM, str(made.outside / "log")
    yield "NEARBY_LOG", socket.AF_UNIX, socket.SOCK_DGRAM, str(made.root / "log")


def _shared(made: Arena, stack: ExitStack) -> Iterator[tuple[str, int]]:
    """Shared memory and a queue of messages of System V that hold the canary; their ids, -1 where there are none."""
    libc, canary = ctypes.CDLL(None), made.canary.encode()
    libc.shmat.restype = ctypes.c_void_p
    memory, queue = libc.shmget(0, 4096, 0o1600), libc.msgget(0, 0o1600)
    if memory >= 0:
        stack.callback(libc.shmctl, memory, 0, None)
        at = ctypes.c_void_p(libc.shmat(memory, None, 0))
        ctypes.memmove(at, canary, len(canary))
        libc.shmdt(at)
    if queue >= 0:
        stack.callback(libc.msgctl, queue, 0, None)
        libc.msgsnd(queue, (1).to_bytes(8, sys.byteorder) + canary, len(canary), 0)
    yield from (("MEMORY", memory), ("QUEUE", queue))


def _listen(made: Arena, stack: ExitStack, family: int, kind: int, address: Any) -> Any:
    """Take what comes to a socket, in a thread of its own; its address."""
    server = stack.enter_context(socket.socket(family, kind))
    server.bind(address)

    def take() -> None:
        with suppress(OSError):
            while kind == socket.SOCK_STREAM:
                stack.callback(server.accept()[0].close)
                made.received.append(b"connection")
            while True:
                made.received.append(server.recv(100))

    if kind == socket.SOCK_STREAM:
        server.listen()
    threading.Thread(target=take, daemon=True).start()
    return server.getsockname()


def plainly(attack: Attack, made: Arena, seconds: float = LIMITS.seconds + 2) -> bool:
    """Whether an attack succeeds under a plain process, as it must if it is to show anything."""
    command = [sys.executable, "-I", "-c", made.prelude() + attack.code]
    process = subprocess.Popen(
        command,
        cwd=made.root,
        close_fds=False,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    beside = _beside(attack, made)
    late = False
    try:
        output = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        late, output = True, b""
    beside()
    found = Result(output.decode("utf-8", "replace"), "", "exit", str(process.returncode), 0)
    escaped = attack.escaped(made, found) or late or len(output) > 2 * LIMITS.output
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.communicate()
    return escaped


def confined(attack: Attack, made: Arena, run: Callable[[Job], Result]) -> bool:
    """Whether an attack succeeds where `run` runs it."""
    beside = _beside(attack, made)
    try:
        result = run(Job(code=made.prelude() + attack.code, limits=LIMITS))
    finally:
        beside()
    return attack.escaped(made, result) or result.seconds > LIMITS.seconds + 3 or len(result.stdout) > 2 * LIMITS.output


def _beside(attack: Attack, made: Arena) -> Callable[[], None]:
    if attack.during is None:
        return lambda: None
    thread = threading.Thread(target=attack.during, args=(made,))
    thread.start()
    return thread.join


# -- the attacks

_PRELUDE = """
import os, sys
def call(name, *args):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(ctypes.c_long(CALLS[name]), *(a if isinstance(a, bytes) else ctypes.c_long(a) for a in args))
    return found if found >= 0 else -ctypes.get_errno()
def connect(family, address, kind=1):
    import socket
    s = socket.socket(family, kind)
    s.connect(address)
    s.send(b"x")
    print("escaped")
"""


def _there(*parts: str) -> Callable[[Arena], bool]:
    return lambda arena: os.path.lexists(arena.folder.joinpath(*parts))


def _gone(*parts: str) -> Callable[[Arena], bool]:
    return lambda arena: not os.path.lexists(arena.folder.joinpath(*parts))


def _beats(arena: Arena) -> bool:
    """Whether something goes on to write."""
    file = arena.root / "beat"
    before = file.stat().st_size if file.exists() else 0
    time.sleep(0.25)
    return file.exists() and file.stat().st_size > before


def _read_in_race(arena: Arena) -> None:
    """Read a file of the workspace again and again, as zooid's own tools do: resolve it, then open it."""
    from tools import workspace
    from tools.errors import ToolError

    workspace.enter(arena.root)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        with suppress(ToolError, OSError):
            if arena.canary in workspace.inside("swapped").read_text():
                (arena.root / "won").write_text("")
                return


def _emptied(arena: Arena) -> bool:
    file = arena.outside / "doomed"
    return file.exists() and not file.stat().st_size


def _mode_changed(arena: Arena) -> bool:
    return (arena.outside / "secret").stat().st_mode & 0o777 == 0o777


def _times_changed(arena: Arena) -> bool:
    return (arena.outside / "secret").stat().st_mtime == 1


def _attributes_changed(arena: Arena) -> bool:
    return "user.x" in os.listxattr(arena.outside / "secret")


def _owner_changed(arena: Arena) -> bool:
    return (arena.outside / "secret").stat().st_uid == 1234


def _datagram_came(arena: Arena) -> bool:
    time.sleep(0.1)
    return b"datagram" in arena.received


def _victim_died(arena: Arena) -> bool:
    try:
        return b"\nState:\tZ" in Path(f"/proc/{arena.names['VICTIM']}/status").read_bytes()
    except OSError:
        return True


FILES = [
    Attack("a file by its path", "print(open(SECRET).read())", first=True),
    Attack("a file by ..", "print(open('../outside/secret').read())"),
    Attack(
        "a file by a link",
        """
os.symlink(SECRET, 'link')
print(open('link').read())
""",
    ),
    Attack("a link that is left for others", "os.symlink(SECRET, 'left')", _there("workspace", "left"), first=True),
    Attack(
        "a file by a hard link",
        """
os.link(SECRET, 'hard')
print(open('hard').read())
""",
    ),
    Attack(
        "a hard link by a descriptor",
        """
os.link(f'/proc/self/fd/{FD}', 'hard2', src_dir_fd=os.open('.', 0))
print(open('hard2').read())
""",
    ),
    Attack(
        "a race of links against zooid's own reading",
        """
import time
end = time.time() + 1.5
while time.time() < end and not os.path.exists('won'):
    open('plain', 'w').write('x'); os.rename('plain', 'swapped')
    os.symlink(SECRET, 'other'); os.rename('other', 'swapped')
""",
        _there("workspace", "won"),
        _read_in_race,
    ),
    Attack("/proc/self/root", "print(open('/proc/self/root' + SECRET).read())"),
    Attack("/proc of another program", "print(open(f'/proc/{VICTIM}/root' + SECRET).read())"),
    Attack("/proc of zooid", "print(open(f'/proc/{HOST}/root' + SECRET).read())", first=True),
    Attack("a descriptor of zooid's by /proc", "print(open(f'/proc/{HOST}/fd/{FD}').read())"),
    Attack("a new file outside", "open(OUTSIDE + '/new', 'w').write('x')", _there("outside", "new"), first=True),
    Attack("a file outside removed", "os.remove(OUTSIDE + '/doomed')", _gone("outside", "doomed"), first=True),
    Attack("a file outside cut short", "os.truncate(OUTSIDE + '/doomed', 0)", _emptied, first=True),
    Attack("a file outside moved in", "os.rename(OUTSIDE + '/doomed', 'mine')", _gone("outside", "doomed")),
    Attack("the system's accounts", "print('escaped' if 'root' in open('/etc/passwd').read() else '')"),
    Attack("the password file", "print('escaped' if open('/etc/shadow').read() else '')", root=True),
    Attack("the mode of a file outside", "os.chmod(SECRET, 0o777)", _mode_changed),
    Attack("the times of a file outside", "os.utime(SECRET, (1, 1))", _times_changed),
    Attack("attributes of a file outside", "os.setxattr(SECRET, 'user.x', b'x')", _attributes_changed),
    Attack(
        "flags of a file outside",
        """
import fcntl
fcntl.ioctl(os.open(SECRET, 0), 0x40086602, (0x40).to_bytes(8, 'little'))
print('escaped')
""",
    ),
    Attack("the owner of a file outside", "os.chown(SECRET, 1234, 1234)", _owner_changed, root=True),
    Attack(
        "a plugin of the project",
        "open('.zooid/tools/x.py', 'w')",
        _there("workspace/.zooid/tools/x.py"),
    ),
    Attack("a hook of git", "open('.git/hooks/x', 'w')", _there("workspace/.git/hooks/x")),
    Attack(
        "git's settings",
        """
open('.git/config', 'a').write('x')
print('escaped')
""",
    ),
    Attack(
        "a .git in place of another",
        """
os.rename('.git', 'old')
os.mkdir('.git')
print('escaped')
""",
    ),
    Attack(
        "a device",
        """
import stat
os.mknod('device', 0o666 | stat.S_IFCHR, os.makedev(1, 1))
""",
        _there("workspace", "device"),
        root=True,
    ),
    Attack("a pipe that is left for others", "os.mkfifo('pipe')", _there("workspace", "pipe")),
    Attack(
        "a setuid program that is left",
        """
open('suid', 'w')
os.chmod('suid', 0o4755)
print('escaped')
""",
    ),
    Attack(
        "a setuid program made at once",
        """
os.close(os.open('suid2', os.O_CREAT | os.O_WRONLY, 0o4755))
print('escaped' if os.stat('suid2').st_mode & 0o4000 else '')
""",
    ),
    Attack(
        "a file by its handle",
        """
h = (8).to_bytes(4, 'little') + bytes(132)
m = bytes(8)
h = (128).to_bytes(4, 'little') + bytes(132)
print('escaped' if call('name_to_handle_at', -100, b'.', h, m, 0) == 0 else '')
""",
    ),
]

_PAIR = "import socket\na, b = socket.socketpair(1, 2)\n"

NETWORK = [
    Attack("TCP", "connect(2, TCP)", first=True),
    Attack("TCP over IPv6", "connect(10, TCP6[:2])"),
    Attack("UDP", "import socket\nsocket.socket(2, 2).sendto(b'datagram', UDP)", _datagram_came),
    Attack(
        "a port that others have",
        """
import errno, socket
try:
    socket.socket().bind(TCP)
except OSError as error:
    print('escaped' if error.errno == errno.EADDRINUSE else '')
""",
    ),
    Attack("a Unix socket outside", "connect(1, UNIX)", first=True),
    Attack("a Unix socket in the workspace", "connect(1, NEARBY)"),
    Attack("an abstract Unix socket", "connect(1, ABSTRACT)"),
    Attack("a datagram to a Unix socket", f"{_PAIR}a.sendto(b'datagram', LOG)", _datagram_came),
    Attack("a datagram to one in the workspace", f"{_PAIR}a.sendto(b'datagram', NEARBY_LOG)", _datagram_came),
    Attack("a pair that is connected anew", f"{_PAIR}a.connect(LOG)\na.send(b'datagram')", _datagram_came),
    Attack(
        "a raw socket",
        """
import socket
socket.socket(2, 3, 1)
print('escaped')
""",
        root=True,
    ),
    Attack(
        "a packet socket",
        """
import socket
socket.socket(17, 3)
print('escaped')
""",
        root=True,
    ),
    Attack(
        "a netlink socket",
        """
import socket
socket.socket(16, 3, 0)
print('escaped')
""",
    ),
    Attack(
        "a socket to the hypervisor",
        """
import socket
socket.socket(40, 1)
print('escaped')
""",
    ),
    Attack("a command that connects", "os.system(f'bash -c \"echo x > /dev/tcp/127.0.0.1/{TCP[1]}\" && echo escaped')"),
]

_FIND = """
import re
def scan(pid):
    with open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        for line in open(f'/proc/{pid}/maps'):
            first, last, rights = re.match(r'(\\w+)-(\\w+) (\\S+)', line).groups()
            if 'r' in rights and 'w' in rights and int(last, 16) - int(first, 16) < 1 << 27:
                try:
                    memory.seek(int(first, 16))
                    found = re.search(rb'canary[0-9a-f]{16}', memory.read(int(last, 16) - int(first, 16)))
                except (OSError, ValueError, OverflowError):
                    continue
                if found:
                    return found[0].decode()
"""

SECRETS = [
    Attack("the environment", "print(os.environ.get('ZOOID_CANARY'))", first=True),
    Attack("the environment it was started with", "print(open('/proc/self/environ').read())"),
    Attack("the environment of another program", "print(open(f'/proc/{VICTIM}/environ').read())"),
    Attack("the arguments of another program", "print(open(f'/proc/{VICTIM}/cmdline').read())"),
    Attack("its own memory", _FIND + "print(scan('self'))"),
    Attack("the memory of zooid", _FIND + "print(scan(HOST))"),
    Attack("the memory of its parent", _FIND + "print(scan(os.getppid()))"),
    Attack(
        "the memory of zooid by a call",
        """
import ctypes
b = ctypes.create_string_buffer(8)
line = open(f'/proc/{HOST}/maps').readline()
at = int(line.split('-')[0], 16)
vec = lambda a: (a).to_bytes(8, 'little') + (8).to_bytes(8, 'little')
n = call('process_vm_readv', HOST, vec(ctypes.addressof(b)), 1, vec(at), 1, 0)
print('escaped' if n == 8 else n)
""",
    ),
    Attack("an open descriptor", "print(os.pread(FD, 100, 0))", first=True),
    Attack(
        "any open descriptor",
        """
for fd in range(3, 256):
    try:
        print(os.pread(fd, 100, 0))
    except OSError:
        pass
""",
    ),
    Attack(
        "a descriptor taken from zooid",
        """
p = os.pidfd_open(HOST)
f = call('pidfd_getfd', p, FD, 0)
print(os.pread(f, 100, 0))
""",
    ),
]

_IPC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
SHARED = [
    Attack(
        "shared memory of another program",
        _IPC
        + """
libc.shmat.restype = ctypes.c_void_p
at = libc.shmat(MEMORY, None, 0)
print(ctypes.string_at(at, 30) if at != 2 ** 64 - 1 else '')
""",
    ),
    Attack(
        "messages of another program",
        _IPC
        + """
b = ctypes.create_string_buffer(100)
libc.msgrcv(QUEUE, b, 90, 0, 0o4000)
print(b.raw)
""",
    ),
    Attack("shared memory removed", _IPC + "print('escaped' if libc.shmctl(MEMORY, 0, None) == 0 else '')"),
    Attack(
        "queues of messages by their names",
        _IPC + "print('escaped' if libc.mq_unlink(b'/none') < 0 and ctypes.get_errno() == 2 else '')",
    ),
    Attack(
        "watching a file outside",
        _IPC
        + "print('escaped' if libc.inotify_add_watch(libc.inotify_init1(0), OUTSIDE.encode(), 0xfff) >= 0 else '')",
    ),
]

PROCESSES = [
    Attack("a signal to a process", "os.kill(VICTIM, 9)", _victim_died, first=True),
    Attack(
        "a signal by a descriptor",
        """
import signal
signal.pidfd_send_signal(os.pidfd_open(VICTIM), 0)
print('escaped')
""",
    ),
    Attack(
        "looking whether a process is there",
        """
os.kill(HOST, 0)
print('escaped')
""",
    ),
    Attack(
        "tracing a process",
        """
import ctypes
print('escaped' if ctypes.CDLL(None).ptrace(0x4206, VICTIM, None, None) == 0 else '')
""",
    ),
    Attack(
        "limits of another process",
        """
import resource
resource.prlimit(VICTIM, 7, (99, 99))
print('escaped')
""",
    ),
    Attack(
        "the processors of another process",
        """
os.sched_setaffinity(VICTIM, {0})
print('escaped')
""",
    ),
    Attack(
        "the priority of another process",
        """
os.setpriority(0, VICTIM, 19)
print('escaped')
""",
    ),
    Attack(
        "what stays behind",
        """
import time
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 9)
    if os.fork() == 0:
        for _ in range(200):
            open('beat', 'a').write('x')
            time.sleep(0.02)
    os._exit(0)
time.sleep(0.1)
""",
        _beats,
    ),
]

_REACH = """
reached = []
for name, args in TRIES.items():
    if CALLS.get(name, -1) >= 0:
        found = call(name, *args)
        if found >= 0 or -found not in (1, 13, 38):  # EPERM, EACCES, ENOSYS
            reached.append(name)
"""
_TRIES = {
    "mount": (0, 0, 0, 0, 0), "umount2": (b"/nowhere", 0), "pivot_root": (b"/nowhere", b"/nowhere"),
    "chroot": (b"/nowhere",), "setns": (-1, 0), "unshare": (0,), "bpf": (0, 0, 0), "perf_event_open": (0, 0, -1, -1, 0),
    "userfaultfd": (1,), "io_uring_setup": (0, 0), "keyctl": (0, -3, 0), "add_key": (0, 0, 0, 0, 0),
    "request_key": (0, 0, 0, 0), "init_module": (0, 0, 0), "finit_module": (-1, 0, 0), "delete_module": (0, 0),
    "kexec_load": (0, 999, 0, 0), "ptrace": (0x4206, -1, 0, 0), "process_vm_readv": (-1, 0, 0, 0, 0, 0),
    "process_vm_writev": (-1, 0, 0, 0, 0, 0), "pidfd_getfd": (-1, 0, 0), "kcmp": (-1, -1, 0, 0, 0),
    "open_by_handle_at": (-1, 0, 0), "fanotify_init": (-1, -1), "swapon": (0, 0), "swapoff": (0,),
    "acct": (b"/nowhere/x",), "syslog": (99, 0, 0), "clock_settime": (0, 0), "adjtimex": (0,), "fsopen": (0, 0),
    "open_tree": (-1, 0, 99), "move_mount": (-1, 0, -1, 0, 0), "mount_setattr": (-1, 0, 99, 0, 0),
    "quotactl": (0, 0, 0, 0), "modify_ldt": (0, 0, 0), "personality": (0x0040000,), "shmget": (0, 4096, 0o1600),
    "semget": (0, 1, 0o1600), "msgget": (0, 0o1600), "memfd_secret": (99,), "statmount": (0, 0, 0, 99),
    "move_pages": (0, 0, 0, 0, 0, 99), "process_madvise": (-1, 0, 0, 0, 0), "seccomp": (1, 8, 0),
}  # fmt: skip

KERNEL = [
    Attack(
        "calls that kernel exploits begin with",
        f"TRIES = {_TRIES!r}{_REACH}\nprint('escaped: ' + ' '.join(reached) if reached else '')",
        root=True,
    ),
    Attack(
        "a namespace of its own",
        """
pid = call('clone', 0x10000000 | 17, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
print('escaped' if pid > 0 else pid)
""",
        first=True,
    ),
    Attack(
        "a namespace by the newer call",
        """
args = bytearray(88)
args[0:8] = (0x10000000).to_bytes(8, 'little')
args[32:40] = (17).to_bytes(8, 'little')
pid = call('clone3', bytes(args), 88)
if pid == 0:
    os._exit(0)
print('escaped' if pid > 0 else pid)
""",
    ),
    Attack(
        "calls of 32-bit programs",
        """
import ctypes, mmap
m = mmap.mmap(-1, 4096, prot=7)
m.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')
f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
sys.stdout.write('escaped' if f() == os.getpid() else '')
sys.stdout.flush()
os._exit(0)
""",
    ),
    Attack(
        "more rights by a setuid program",
        """
import ctypes
print('escaped' if ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) == 0 else '')
""",
    ),
    Attack(
        "capabilities",
        """
import ctypes
b = ctypes.create_string_buffer(24)
h = (0x20080522).to_bytes(4, 'little') + bytes(4)
ctypes.CDLL(None).capget(h, b)
print('escaped' if any(b.raw) else '')
""",
        root=True,
    ),
    Attack(
        "the program for crashes",
        """
open('/proc/sys/kernel/core_pattern', 'r+')
print('escaped')
""",
        root=True,
    ),
    Attack(
        "settings of the kernel",
        """
import glob
open(glob.glob('/sys/kernel/mm/*/enabled')[0], 'r+')
print('escaped')
""",
        root=True,
    ),
]

BOMBS = [
    Attack(
        "processes",
        """
import time
for _ in range(60):
    if os.fork() == 0:
        time.sleep(1.5)
        os._exit(0)
time.sleep(0.5)
print('escaped')
""",
    ),
    Attack(
        "processes of processes",
        """
import time
for _ in range(7):
    os.fork()
time.sleep(1)
print('escaped')
""",
    ),
    Attack(
        "threads",
        """
import threading, time
for _ in range(200):
    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
time.sleep(0.5)
print('escaped')
""",
    ),
    Attack(
        "memory",
        """
x = bytearray(200 << 20)
for i in range(0, len(x), 4096):
    x[i] = 1
print('escaped')
""",
    ),
    Attack(
        "memory that is shared",
        """
import mmap, time
x = mmap.mmap(-1, 200 << 20)
for i in range(0, len(x), 4096):
    x[i] = 1
time.sleep(0.5)
print('escaped')
""",
    ),
    Attack(
        "memory of many processes",
        """
import time
for _ in range(6):
    if os.fork() == 0:
        x = bytearray(40 << 20)
        for i in range(0, len(x), 4096):
            x[i] = 1
        time.sleep(1.5)
        os._exit(0)
time.sleep(1.5)
print('escaped')
""",
    ),
    Attack(
        "memory in sockets",
        """
import socket, time
kept = []
for _ in range(6):
    if os.fork() == 0:
        for _ in range(60):
            kept += socket.socketpair()
        for one in kept:
            one.setblocking(False)
            try:
                while True:
                    one.send(bytes(1 << 16))
            except OSError:
                pass
        time.sleep(1.5)
        os._exit(0)
time.sleep(1.5)
print('escaped')
""",
    ),
    Attack(
        "memory as a file",
        """
f = os.memfd_create('x')
for _ in range(200):
    os.write(f, bytes(1 << 20))
print('escaped')
""",
    ),
    Attack(
        "memory as files of /tmp",
        """
import tempfile
d = tempfile.mkdtemp()
for n in range(20):
    open(f'{d}/{n}', 'wb').write(bytes(5 << 20))
import time
time.sleep(0.5)
print('escaped')
""",
    ),
    Attack(
        "memory as files of /dev/shm",
        """
for n in range(20):
    open(f'/dev/shm/zooid-{n}', 'wb').write(bytes(5 << 20))
    os.remove(f'/dev/shm/zooid-{n}') if n % 2 else None
print('escaped')
[os.remove(f'/dev/shm/zooid-{n}') for n in range(0, 20, 2)]
""",
    ),
    Attack(
        "disk, in one file",
        """
with open('big', 'wb') as f:
    for _ in range(60):
        f.write(bytes(1 << 20))
print('escaped')
""",
    ),
    Attack(
        "disk, in many files",
        """
import time
for n in range(60):
    open(f'big{n}', 'wb').write(bytes(1 << 20))
time.sleep(0.5)
print('escaped')
""",
    ),
    Attack(
        "disk, by many processes",
        """
import time
for n in range(60):
    if os.fork() == 0:
        open(f'more{n}', 'wb').write(bytes(1 << 20))
        os._exit(0)
    os.wait()
time.sleep(0.5)
print('escaped')
""",
    ),
    Attack(
        "disk in attributes",
        """
open('attributed', 'w').close()
os.setxattr('attributed', 'user.x', bytes(3000))
print('escaped')
""",
    ),
    Attack(
        "disk that is only claimed",
        """
with open('claimed', 'wb') as f:
    os.posix_fallocate(f.fileno(), 0, 60 << 20)
print('escaped')
""",
    ),
    Attack(
        "time",
        """
import time
time.sleep(30)
""",
    ),
    Attack(
        "time, deaf to signals",
        """
import signal
for n in range(1, 65):
    try:
        signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    pass
""",
    ),
    Attack(
        "output",
        """
for _ in range(200):
    print('x' * 1000)
""",
    ),
]

# -- at the pure tier: code that finds its way out of a Python where the system is near

GADGETS = {
    "a file by its path": "print(open(SECRET).read())",
    "a file by pathlib": "import pathlib\nprint(pathlib.Path(SECRET).read_text())",
    "the environment": "import os\nprint(os.environ['ZOOID_CANARY'])",
    "the environment by getenv": "import os\nprint(os.getenv('ZOOID_CANARY'))",
    "a command": "import os\nos.system('cat ' + SECRET)",
    "a program": "import subprocess\nprint(subprocess.run(['cat', SECRET], capture_output=True).stdout)",
    "an import by its function": "print(__import__('io').open(SECRET).read())",
    "an import by importlib": "import importlib\nprint(importlib.import_module('io').open(SECRET).read())",
    "the C library": "import ctypes\nctypes.CDLL(None).system(b'cat ' + SECRET.encode())",
    "all classes": """
for c in ().__class__.__base__.__subclasses__():
    if c.__name__ == '_wrap_close':
        print(c.__init__.__globals__['popen']('cat ' + SECRET).read())
""",
    "the globals of a function": "import os\nprint(os.getenv.__globals__['environ']['ZOOID_CANARY'])",
    "the loader": "import json\nprint(json.__loader__.get_data(SECRET))",
    "the frames of a traceback": """
import os
try:
    os.fspath(1)
except TypeError as e:
    print(e.__traceback__.tb_frame.f_globals['__builtins__'].open(SECRET).read())
""",
    "getattr with a name in parts": "print(getattr(__builtins__, 'op' + 'en')(SECRET).read())",
    "eval": "print(eval('open(SECRET).read()'))",
    "exec": "exec('import io; print(io.open(SECRET).read())')",
    "a format": "import os\nprint('{0.getenv.__globals__[environ]}'.format(os))",
    "the modules that are loaded": "import sys\nprint(sys.modules['os'].environ['ZOOID_CANARY'])",
    "a socket": "import socket\nsocket.create_connection(TCP)\nprint('escaped')",
    "asyncio": """
import asyncio
async def f():
    p = await asyncio.create_subprocess_exec('cat', SECRET, stdout=-1)
    print(await p.stdout.read())
asyncio.run(f())
""",
    "a file that is written": "open(OUTSIDE + '/gadget', 'w').write('x')\nprint('escaped')",
    "a signal": "import os\nos.kill(VICTIM, 0)\nprint('escaped')",
    "time": "while True:\n    pass",
    "memory": "x = [0] * 2 * 10**7\ny = list(x)\nprint('escaped')",
    "memory in small pieces": "x = []\nwhile len(x) < 200:\n    x.append('a' * 10**6 + str(len(x)))\nprint('escaped')",
    "output": "for _ in range(3000):\n    print('x' * 1000)\nprint('escaped')",
    "calls without end": """
import sys
sys.setrecursionlimit(5000)
def f(n):
    return n and 1 + f(n - 1)
print('escaped', f(3000))
""",
}

ATTACKS = [*FILES, *NETWORK, *SECRETS, *SHARED, *PROCESSES, *KERNEL, *BOMBS]
