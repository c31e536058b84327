"""What a process gives up for good, by calls to the Linux kernel: Landlock, seccomp, capabilities, namespaces, mounts.

Thin calls by number, because the zygote must start in milliseconds and what the package index offers either needs
libseccomp on the machine or brings a supervisor of its own. Sources: landlock(7) and `linux/landlock.h`, seccomp(2) and
`linux/seccomp.h`, capabilities(7), the tables of system calls `arch/x86/entry/syscalls/syscall_64.tbl` and
`include/uapi/asm-generic/unistd.h` of Linux 6.18. Every function raises OSError where the kernel refuses.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

TYPE_CHECKING = False  # as `typing` has it, which would cost the zygote 5 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)
MACHINE = os.uname().machine


def _call(number: int, *args: int | bytes | None) -> int:
    found = int(_libc.syscall(ctypes.c_long(number), *(_word(arg) for arg in args)))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found


def _word(arg: int | bytes | None) -> ctypes.c_long | bytes | None:
    return ctypes.c_long(arg) if isinstance(arg, int) else arg


# -- system calls: their numbers on x86-64 and on 64-bit ARM (-1: it has no such call)

_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, AUDIT_ARCH_…
LAST_KNOWN = 466  # of Linux 6.13; what is newer is answered as a kernel without it would
_NUMBERS = {
    "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280), "capset": (126, 91),
    "chmod": (90, -1), "chroot": (161, 51), "clock_adjtime": (305, 266), "clock_settime": (227, 112),
    "clone": (56, 220), "clone3": (435, 435), "creat": (85, -1), "delete_module": (176, 106), "fallocate": (285, 47),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "finit_module": (313, 273), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fsopen": (430, 430), "fspick": (433, 433), "init_module": (175, 105), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "io_uring_setup": (425, 425), "ioctl": (16, 29), "ioperm": (173, -1),
    "iopl": (172, -1), "ioprio_set": (251, 30), "kcmp": (312, 272), "kexec_file_load": (320, 294),
    "kexec_load": (246, 104), "keyctl": (250, 219), "listmount": (458, 458), "lookup_dcookie": (212, 18),
    "lsm_set_self_attr": (460, 460), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "migrate_pages": (256, 238), "mknod": (133, -1), "mknodat": (259, 33), "modify_ldt": (154, -1),
    "mount": (165, 40), "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239),
    "mq_open": (240, 180), "msgget": (68, 186), "name_to_handle_at": (303, 264), "nfsservctl": (180, 42),
    "open": (2, -1), "open_by_handle_at": (304, 265), "open_tree": (428, 428), "openat": (257, 56),
    "openat2": (437, 437), "perf_event_open": (298, 241), "personality": (135, 92), "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41), "prlimit64": (302, 261), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "reboot": (169, 142), "request_key": (249, 218), "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "seccomp": (317, 277), "semget": (64, 190), "setdomainname": (171, 162), "sethostname": (170, 161),
    "setns": (308, 268), "setpgid": (109, 154), "setpriority": (141, 140), "setsid": (112, 157),
    "settimeofday": (164, 170), "shmget": (29, 194), "socket": (41, 198), "statmount": (457, 457),
    "swapoff": (168, 225), "swapon": (167, 224), "sysfs": (139, -1), "syslog": (103, 116), "umount2": (166, 39),
    "unshare": (272, 97), "uselib": (134, -1), "userfaultfd": (323, 282), "vhangup": (153, 58),
    "execve": (59, 221), "execveat": (322, 281), "socketpair": (53, 199), "inotify_add_watch": (254, 27),
    "mq_unlink": (241, 181), "msgctl": (71, 187), "msgrcv": (70, 188), "msgsnd": (69, 189), "semctl": (66, 191),
    "semop": (65, 193), "semtimedop": (220, 192), "shmat": (30, 196), "shmctl": (31, 195),
    "chown": (92, -1), "fchown": (93, 55), "lchown": (94, -1), "fchownat": (260, 54), "utime": (132, -1),
    "utimes": (235, -1), "futimesat": (261, -1), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "setxattrat": (463, 463), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "removexattrat": (466, 466),
}  # fmt: skip


NAMES = tuple(_NUMBERS)


def number(name: str) -> int:
    """The number of one of these system calls on this machine; -1 where it has no such call."""
    return _NUMBERS[name][_ARCHES[MACHINE][0]] if MACHINE in _ARCHES else -1


# What no code that is not ours has a use for, and much of what kernel exploits began with.
_REFUSED = """acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init fanotify_mark
finit_module fsconfig fsmount fsopen fspick init_module ioperm iopl ioprio_set kcmp kexec_file_load kexec_load keyctl
listmount lookup_dcookie lsm_set_self_attr memfd_secret migrate_pages modify_ldt mount mount_setattr move_mount
move_pages mq_open mq_unlink msgctl msgget msgrcv msgsnd name_to_handle_at nfsservctl open_by_handle_at open_tree
perf_event_open pidfd_getfd pivot_root process_madvise process_mrelease process_vm_readv process_vm_writev ptrace
quotactl quotactl_fd reboot request_key semctl semget semop semtimedop setdomainname sethostname setns settimeofday
shmat shmctl shmget statmount swapoff swapon sysfs syslog umount2 unshare uselib userfaultfd vhangup""".split()
# Answered as if the kernel were older: programs then do it in the way that can be looked at, or that is counted.
_MISSING = "clone3 io_uring_enter io_uring_register io_uring_setup memfd_create openat2".split()

_CLONE_NEW = 0x7E020000  # every CLONE_NEW… flag
_SET_ID = 0o6000
_CREATES = os.O_CREAT | 0o20000000  # __O_TMPFILE
_AF_INET, _AF_INET6 = 2, 10
_SOCK_STREAM, _SOCK_SEQPACKET = 1, 5
_PROTOCOLS = (0, 6, 17)  # the usual one, TCP, UDP

# TIOCSTI and TIOCLINUX type into a terminal; FS_IOC_SETFLAGS, _SETVERSION, _FSSETXATTR, _SET_ENCRYPTION_POLICY and
# _ENABLE_VERITY change what a file is, for which having it open to be read is enough.
_IOCTLS = (0x5412, 0x541C, 0x40086602, 0x40087602, 0x401C5820, 0x800C6613, 0x40806685)

# -- the filter, in classic BPF: see `linux/filter.h`

_LOAD, _JEQ, _JGT, _JSET, _RET = 0x20, 0x15, 0x25, 0x45, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_ARCH_AT, _NUMBER_AT = 4, 0

_Line = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def _arg_at(index: int) -> int:
    return 16 + 8 * index  # the low half; both machines are little-endian


def _answer(code: int) -> _Line:
    return (_RET, 0, 0, _ERRNO | code)


def _when(name: str, *then: _Line) -> list[_Line]:
    """For one system call: `then`, which ends by an answer."""
    return [(_JEQ, 0, len(then), number(name)), *then] if number(name) >= 0 else []


def _refuse(name: str, code: int = errno.EPERM) -> list[_Line]:
    return _when(name, _answer(code))


def _refuse_bits(name: str, arg: int, bits: int) -> list[_Line]:
    """Refuse where an argument holds any of these bits."""
    return _when(name, (_LOAD, 0, 0, _arg_at(arg)), (_JSET, 0, 1, bits), _answer(errno.EPERM), (_RET, 0, 0, _ALLOW))


def _refuse_value(name: str, arg: int, *values: int) -> list[_Line]:
    """Refuse these values of an argument."""
    tests = [(_JEQ, len(values) - n, 0 if n < len(values) else 1, value) for n, value in enumerate(values, 1)]
    return _when(name, (_LOAD, 0, 0, _arg_at(arg)), *tests, _answer(errno.EPERM), (_RET, 0, 0, _ALLOW))


def _only_value(name: str, arg: int, *values: int) -> list[_Line]:
    """Refuse all but these values of an argument."""
    tests = [(_JEQ, len(values) - n + 1, 0, value) for n, value in enumerate(values, 1)]
    return _when(name, (_LOAD, 0, 0, _arg_at(arg)), *tests, _answer(errno.EPERM), (_RET, 0, 0, _ALLOW))


def _refuse_created(name: str, flags: int, mode: int) -> list[_Line]:
    """Refuse to open a file that would be made with the set-user-id or set-group-id bit."""
    return _when(
        name,
        (_LOAD, 0, 0, _arg_at(flags)), (_JSET, 0, 3, _CREATES),
        (_LOAD, 0, 0, _arg_at(mode)), (_JSET, 0, 1, _SET_ID), _answer(errno.EPERM), (_RET, 0, 0, _ALLOW),
    )  # fmt: skip


def _sockets(internet: bool) -> list[_Line]:
    """None at all, or plain ones of the Internet. A Unix socket may be a way out."""
    if not internet:
        return _refuse("socket", errno.EACCES)
    refused = (_RET, 0, 0, _ERRNO | errno.EACCES)
    return _when(
        "socket",
        (_LOAD, 0, 0, _arg_at(0)), (_JEQ, 2, 0, _AF_INET), (_JEQ, 1, 0, _AF_INET6), refused,
        (_LOAD, 0, 0, _arg_at(2)), *((_JEQ, 3 - n, 0, protocol) for n, protocol in enumerate(_PROTOCOLS)), refused,
        (_RET, 0, 0, _ALLOW),
    )  # fmt: skip


def _pairs() -> list[_Line]:
    """Pairs of sockets, as programs talk to their children by; not such as could send to another socket as well."""
    and_kind = (0x54, 0, 0, 0xF)  # without SOCK_CLOEXEC and SOCK_NONBLOCK
    tests = [(_LOAD, 0, 0, _arg_at(1)), and_kind, (_JEQ, 2, 0, _SOCK_STREAM), (_JEQ, 1, 0, _SOCK_SEQPACKET)]
    return _when("socketpair", *tests, _answer(errno.EACCES), (_RET, 0, 0, _ALLOW))


def _own_priority() -> list[_Line]:
    """setpriority of this process alone: neither of another one, nor of a group or of all that a user has."""
    tests = [(_LOAD, 0, 0, _arg_at(0)), (_JEQ, 0, 2, 0), (_LOAD, 0, 0, _arg_at(1)), (_JEQ, 1, 0, 0)]
    return _when("setpriority", *tests, _answer(errno.EPERM), (_RET, 0, 0, _ALLOW))


def _without_mounts() -> list[_Line]:
    """Where only Landlock stands between a run and the machine.

    A run is ended by its process group there, which nobody leaves; and Landlock does not look at who changes the mode,
    owner or times of a file. All of that is answered as if it had been done. Nor does it look at who watches a file.
    """
    pretended = "setsid setpgid chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat"
    lines = [line for name in (*pretended.split(), "utimensat") for line in _when(name, _answer(0))]
    return lines + _refuse("inotify_add_watch", errno.EACCES)


def _attributes() -> list[_Line]:
    """Extended attributes, answered as by a file system that has none."""
    names = (f"{way}{call}" for call in ("setxattr", "removexattr") for way in ("", "l", "f"))
    return [line for name in (*names, "setxattrat", "removexattrat") for line in _refuse(name, errno.EOPNOTSUPP)]


def call_filter(*, internet: bool = False, mounts: bool = True, no_exec: bool = False) -> bytes:
    """A filter for `filter_calls`. `internet`: with its sockets; `mounts`: these too keep the process in its place."""
    _, arch = _ARCHES[MACHINE]
    lines: list[_Line] = [
        (_LOAD, 0, 0, _ARCH_AT), (_JEQ, 1, 0, arch), (_RET, 0, 0, _KILL),  # 32-bit calls have other numbers
        (_LOAD, 0, 0, _NUMBER_AT), (_JGT, 0, 1, LAST_KNOWN), _answer(errno.ENOSYS),  # x32 calls too
    ]  # fmt: skip
    lines += [] if mounts else _without_mounts()
    for name in _REFUSED:
        lines += _refuse(name)
    for name in _MISSING:
        lines += _refuse(name, errno.ENOSYS)
    lines += _refuse("fallocate", errno.EOPNOTSUPP) + _attributes()  # disk that no counter of writes shows
    lines += _refuse_bits("clone", 0, _CLONE_NEW)
    for name, mode in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2), ("creat", 1),
                       ("mknod", 1), ("mknodat", 2)):  # fmt: skip
        lines += _refuse_bits(name, mode, _SET_ID)
    lines += _refuse_created("open", 1, 2) + _refuse_created("openat", 2, 3)
    for name in ("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"):
        lines += _only_value(name, 0, 0)  # of this process alone
    lines += _own_priority()
    lines += _only_value("personality", 0, 0, 0xFFFFFFFF)  # the ordinary one, or asking which it is
    lines += _refuse_bits("seccomp", 1, 8)  # SECCOMP_FILTER_FLAG_NEW_LISTENER
    lines += _refuse_value("ioctl", 1, *_IOCTLS)
    lines += _sockets(internet) + _pairs()
    if no_exec:
        lines += _refuse("execve") + _refuse("execveat")
    return b"".join(struct.pack("=HBBI", *line) for line in (*lines, (_RET, 0, 0, _ALLOW)))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


def has_filter() -> bool:
    """Whether there is a filter for this machine."""
    return MACHINE in _ARCHES


def filter_calls(code: bytes) -> None:
    """Refuse this thread, and what it starts, the system calls above; needs `no_new_privileges`."""
    program = _Filter(len(code) // 8, code)
    _prctl(22, 2, ctypes.addressof(program))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


# -- Landlock

_RULESET, _RULE, _RESTRICT = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO = 1 << 7, 1 << 8, 1 << 9, 1 << 10
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
# No links, pipes, sockets or devices: what is read from the workspace later by others is a file or a folder.
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE
SCRATCH = WRITE | MAKE_SOCK | MAKE_FIFO
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15}  # rights on files by version; 16 from version 5 on
NET_VERSION, SCOPE_VERSION = 4, 6
"""From these versions on, Landlock keeps from TCP; from signals to outside, and from abstract Unix sockets."""


def landlock_version() -> int:
    """The version of Landlock that the kernel speaks; 0: none."""
    try:
        return _call(_RULESET, None, 0, 1)
    except OSError:
        return 0


def landlock(rules: Iterable[tuple[str, int]], *, network: bool = False) -> None:
    """Leave this thread, and what it starts, only these rights beneath these paths; needs `no_new_privileges`.

    Paths that are not there are left out. Tracing processes outside is refused with it; so are signals to them and
    abstract Unix sockets where the kernel's Landlock is of version 6.
    """
    version = landlock_version()
    handled = (1 << _FS_BITS.get(version, 16)) - 1
    attributes = struct.pack("=QQQ", handled, 0 if network else 3, 3)
    size = 24 if version >= SCOPE_VERSION else 16 if version >= NET_VERSION else 8
    ruleset = _call(_RULESET, attributes[:size], size, 0)
    try:
        for path, rights in rules:
            _add_rule(ruleset, path, rights & handled)
        _call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _add_rule(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if os.fstat(fd).st_mode & 0o170000 != 0o040000:  # no folder
            rights &= _OF_FILES
        _call(_RULE, ruleset, 1, struct.pack("=Qi", rights, fd), 0)
    finally:
        os.close(fd)


# -- privileges


def _prctl(*args: int) -> None:
    if _libc.prctl(*(ctypes.c_ulong(arg) for arg in (*args, 0, 0, 0, 0)[:5])) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def no_new_privileges() -> None:
    """No program that is started from here on gets more rights than this process has: no setuid program does."""
    _prctl(38, 1)


def bound_capabilities() -> None:
    """Let no program that is started from here on gain a capability; what this process has it keeps."""
    for capability in range(64):
        try:
            _prctl(24, capability)  # PR_CAPBSET_DROP
        except OSError:  # the last one, or no right to: then no_new_privileges is what keeps them away
            break


def drop_capabilities() -> None:
    """Give up every capability, so that even root is nobody special."""
    _prctl(47, 4)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
    _call(number("capset"), struct.pack("=Ii", 0x20080522, 0), bytes(24))


def die_with_parent(signal: int) -> None:
    """Be sent a signal when the thread ends that started this process."""
    _prctl(1, signal)


def adopt_orphans() -> None:
    """Be the parent of descendants whose own parent ends."""
    _prctl(36, 1)


# -- namespaces and mounts

NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (1 << bit for bit in range(25, 31))
NEW_NS = 1 << 17
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
NO_SUID, NO_DEV, NO_EXEC = 2, 4, 8
_READ_ONLY = 1
_SETATTR = 442


def unshare(flags: int) -> None:
    if _libc.unshare(ctypes.c_int(flags)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter(fd: int, kind: int) -> None:
    """Enter a namespace that is open as `fd`."""
    if _libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    raw = [source.encode(), target.encode(), kind.encode() if kind else None]
    if _libc.mount(*raw, ctypes.c_ulong(flags), options.encode()) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def unmount(target: str) -> None:
    if _libc.umount2(target.encode(), 2) < 0:  # MNT_DETACH
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def restrict_mount(target: str, *, read_only: bool, deep: bool = True) -> None:
    """A mount, and all beneath it: no setuid programs, no devices, and no writing where it is `read_only`."""
    flags = NO_SUID | NO_DEV | (_READ_ONLY if read_only else 0)
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    recursive = 0x8000 if deep else 0
    _call(_SETATTR, -100, target.encode(), recursive, attributes, len(attributes))


def change_root(folder: str, old: str = ".") -> None:
    """Make a mounted folder the root. The old one goes to `old` beneath it, or with "." away (see pivot_root(2))."""
    os.chdir(folder)
    _call(number("pivot_root"), b".", old.encode())
    if old == ".":
        unmount(".")
    os.chdir("/")


def raise_loopback() -> None:
    """In a network namespace that was just entered: have it talk to itself; see netdevice(7)."""
    from _socket import AF_INET, SOCK_DGRAM, socket
    from fcntl import ioctl

    interface = socket(AF_INET, SOCK_DGRAM)
    ioctl(interface.fileno(), 0x8914, struct.pack("=16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
    interface.close()


def keep_uid(uid: int, gid: int) -> None:
    """In a user namespace that was just entered: the ids that one had."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
