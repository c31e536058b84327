"""Workers that all zooid processes of one user share: sockets in a folder of the user's own, and no daemon.

A worker's socket is named by what it runs and by the size of its file; the file's time says when it was last used. Who
finds no worker for its model starts one: under the folder's lock, after older workers were sent away as far as the
memory budget asks for it, so that two processes never start the same. The socket listens before the worker does, so
that others find it at once and wait until the model is loaded.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools.errors import ToolError
from tools.micro import wire
from tools.micro.llama import Tuning
from tools.micro.manifest import MicroModel
from tools.micro.service import same_user
from tools.micro.worker import LOAD_SECONDS, Worker, spawn

IDLE_SECONDS = 60.0
_TAKES_PART = ("GGML_", "LLAMA_", "CUDA_", "HIP_", "ROCR_", "OMP_")  # in how llama.cpp runs, by the environment
_NAME = re.compile(r"[0-9a-f]{20}\.(\d+)")


class CannotShareError(Exception):
    """There is no folder for sockets, or nothing comes of it; a private worker does the same."""


class Share:
    """The workers that are there. `budget` is the most bytes of model files that all of them hold together, the last
    one aside; a worker that this process starts ends by itself once nobody was there for `idle` seconds."""

    def __init__(self, budget: int, idle: float = IDLE_SECONDS) -> None:
        self._budget, self._idle = budget, idle
        self._folder = -1

    def connect(self, model: MicroModel, gpu_layers: int, tuning: Tuning) -> tuple[Worker, bool]:
        """A worker that has this model, or is to load it, and whether it was started for that.

        Raises CannotShareError, and ToolError where others use the memory and do not let go of it.
        """
        try:
            name = f"{_key(model, gpu_layers, tuning)}.{model.path.stat().st_size}"
            if self._folder < 0:
                self._folder = _open(folder())
            worker = self._connected(name)
            return (worker, False) if worker is not None else self._started(name)
        except OSError as error:
            raise CannotShareError(str(error)) from error

    def close(self) -> None:
        """Forgets the folder; workers go on."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def _path(self, name: str) -> str:
        """Where the kernel finds a file of the folder that was looked at, however long the folder's own path is."""
        return f"/proc/self/fd/{self._folder}/{name}"

    def _connected(self, name: str) -> Worker | None:
        """The worker that serves a socket; None where there is none."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(10)
            connection.connect(self._path(name))
            if not same_user(connection):
                raise CannotShareError(f"the socket {name} is another user's")
            connection.settimeout(None)
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            return None
        except BaseException:
            connection.close()
            raise
        return Worker(connection)

    def _started(self, name: str) -> tuple[Worker, bool]:
        with self._locked():
            worker = self._connected(name)
            if worker is not None:
                return worker, False
            self._sweep()
            self._make_room(name)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(self._path(name))
                listener.listen(128)
                started = spawn(listener.fileno(), folder=self._folder, name=name, idle=self._idle)
            worker = self._connected(name)
        started.wait(LOAD_SECONDS)  # it goes on as a process of nobody's
        if worker is None:
            raise CannotShareError(f"the worker {name} ended at once")
        return worker, True

    def _sweep(self) -> None:
        """Removes the sockets of workers that crashed, or were killed."""
        for name in self._there():
            worker = self._connected(name)
            if worker is None:
                self._remove(name)
            else:
                worker.close()

    def _make_room(self, name: str) -> None:
        """Sends workers away, the one that was not used for the longest time first, those in use only in the end."""
        free = self._budget - _size(name)
        for force in (False, True):
            there = self._there()
            kept = sum(_size(each) for each in there)
            for each in there:
                if kept <= free:
                    return
                if self._sent_away(each, force):
                    kept -= _size(each)
        if kept > max(0, free):
            raise ToolError(
                "other runs of zooid use all the memory that micro-models may take, and do not let go of it; "
                "try again later, or give more with the setting micro_memory_mb"
            )

    def _there(self) -> list[str]:
        """The names of the workers, the one that was not used for the longest time first."""
        times = {}
        for name in os.listdir(self._folder):
            if _NAME.fullmatch(name):
                with suppress(FileNotFoundError):
                    times[name] = os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_mtime_ns
        return sorted(times, key=lambda name: times[name])

    def _sent_away(self, name: str, force: bool) -> bool:
        worker = self._connected(name)
        if worker is None:
            return True
        try:
            return worker.retire(force, LOAD_SECONDS)
        except ToolError:  # it does not answer
            return False
        finally:
            worker.close()

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the folder, among the threads of this process too."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file, deadline = os.open("lock", flags, 0o600, dir_fd=self._folder), time.monotonic() + 2 * LOAD_SECONDS
        try:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise CannotShareError("another process holds the lock of the workers' folder") from None
                    time.sleep(0.005)
            yield
        finally:
            os.close(file)


def folder() -> Path:
    """Where the sockets are: in XDG_RUNTIME_DIR, or else in the person's cache folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime, "zooid")
    import platformdirs

    return platformdirs.user_cache_path("zooid") / "workers"


def _open(path: Path) -> int:
    """The folder, made where it is not there; raises OSError where others could reach into it."""
    if not hasattr(socket, "SO_PEERCRED") or not os.path.isdir("/proc/self/fd"):
        raise OSError("this system does not tell whose process a socket's is")
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(0o700)
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    about = os.fstat(opened)
    if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
        os.close(opened)
        raise OSError(f"{path} is not this user's alone")
    return opened


def _size(name: str) -> int:
    return int(name.partition(".")[2])


def _key(model: MicroModel, gpu_layers: int, tuning: Tuning) -> str:
    """What a worker runs, as 20 digits: the same for models in different folders that are asked in the same way."""
    about: dict[str, Any] = wire.pack(model)
    del about["folder"]
    takes_part = sorted(each for each in os.environ.items() if each[0].startswith(_TAKES_PART))
    whole = [about, gpu_layers, wire.pack(tuning), takes_part, sys.executable, _code()]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:20]


@lru_cache(maxsize=1)
def _code() -> list[list[Any]]:
    """The version of zooid's own code: a worker of another one speaks in another way."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parent.parent / "errors.py"]
    return [[str(file), about.st_size, about.st_mtime_ns] for file in files for about in [file.stat()]]
