"""What a worker gives up before llama.cpp reads a model: all files but it and the libraries, the network, programs.

A model file is data that strangers made, read by a large C++ library: were one made to take the process over, it would
find nothing there to take. See `tools.sandbox.kernel`; where the system has neither Landlock nor seccomp, as macOS has
not, the worker is only a process of its own.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

_LIBRARIES = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc", "/sys/devices/system")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_GPU = ("/dev/dri", "/dev/kfd", *(f"/dev/nvidia{end}" for end in ("ctl", "-uvm", "-uvm-tools", "-modeset", *range(16))))


def confine(model: Path, folder: int, gpu: bool) -> None:
    """Leave this process the one `model`, and the `folder` (open, or -1) that holds its socket; there is no way back.

    Threads that run already are not confined, so there must be none.
    """
    if sys.platform != "linux":
        return
    from tools.sandbox import kernel

    for what in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(what, (0, 0))
    kernel.no_new_privileges()
    if kernel.landlock_version():
        kernel.landlock(_rules(model, folder, gpu))
    if kernel.has_filter():
        kernel.filter_calls(kernel.call_filter(no_exec=True))


def _rules(model: Path, folder: int, gpu: bool) -> Iterator[tuple[str, int]]:
    from tools.sandbox import kernel

    read = kernel.READ & ~kernel.EXECUTE
    yield str(model), kernel.READ_FILE
    for path in (*_LIBRARIES, sys.prefix, sys.base_prefix, *filter(None, sys.path)):
        yield path, read
    yield str(Path(__file__).resolve().parents[1]), read
    for path in _DEVICES:
        yield path, kernel.READ_FILE | kernel.WRITE_FILE
    if folder >= 0:  # where it takes its socket away when it ends
        yield f"/proc/self/fd/{folder}", kernel.REMOVE_FILE
    if gpu:
        for path in _GPU:
            yield path, read | kernel.WRITE_FILE | kernel.IOCTL_DEV
