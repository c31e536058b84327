"""Control groups: where zooid may make them, the kernel itself holds how many processes a run has, and how much memory.

That is memory of all processes together, what lies in pipes and sockets too. Otherwise root's processes are not limited
(RLIMIT_NPROC), and the watch of a run looks every 20 ms only. See cgroups(7): version 1 has a tree for each controller,
version 2 one for all.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_FILES = {"pids": ("pids.max", "pids.max"), "memory": ("memory.limit_in_bytes", "memory.max")}  # by version
_OUT_OF_MEMORY = ("memory.oom_control", "memory.events")
_numbers = itertools.count()


@dataclass
class Group:
    """A process joins by writing "0" to each of `doors`, which are open files; there are none where no group is."""

    doors: list[int] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has ended a process of it for want of memory."""
        for file in (folder / name for folder in self.folders for name in _OUT_OF_MEMORY):
            with suppress(OSError):
                counts = dict(line.split() for line in file.read_text().splitlines())
                if counts.get("oom_kill", "0") != "0":
                    return True
        return False


@contextmanager
def group(processes: int, memory: int) -> Iterator[Group]:
    """A group of at most so many processes and threads, and bytes of memory, while this is open."""
    made = Group()
    try:
        for controller, most in (("pids", processes), ("memory", memory)):
            with suppress(OSError):  # then the watch alone looks after it
                _limit(made, controller, most)
        yield made
    finally:
        for door in made.doors:
            os.close(door)
        for folder in made.folders:
            _remove(folder)


def _limit(made: Group, controller: str, most: int) -> None:
    found = parents().get(controller)
    if found is None:
        return
    parent, version = found
    folder = next((one for one in made.folders if one.parent == parent), None)
    if folder is None:
        folder = parent / f"zooid-{os.getpid()}-{next(_numbers)}"
        folder.mkdir()
        made.folders.append(folder)
        made.doors.append(os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
    (folder / _FILES[controller][version - 1]).write_text(str(most))


def _remove(folder: Path) -> None:
    """Remove a group once the last of its processes is gone, which takes a moment."""
    for _ in range(50):
        try:
            return folder.rmdir()
        except OSError:
            time.sleep(0.002)


@cache
def parents() -> dict[str, tuple[Path, int]]:
    """Where groups can be made: by controller, the folder and the version."""
    with suppress(OSError, ValueError):
        found = dict(_found())
        for parent, _ in found.values():
            _clear(parent)
        return found
    return {}


def _found() -> Iterator[tuple[str, tuple[Path, int]]]:
    mine = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = Path(line.split()[4])
        kind, _, options = line.partition(" - ")[2].split()
        for controller in _FILES if kind.startswith("cgroup") else ():
            path = next((path for _, names, path in mine if controller in names.split(",")), "/")
            if kind == "cgroup" and controller in options.split(","):
                yield controller, (_inside(place, path), 1)
            elif kind == "cgroup2":
                path = next((path for number, _, path in mine if number == "0"), "/")
                above = _inside(place, path)
                for folder in (above, *above.parents):  # a group that has processes itself can have none below it
                    if folder.is_relative_to(place) and controller in _read(folder / "cgroup.subtree_control").split():
                        yield controller, (folder, 2)
                        break


def _inside(place: Path, path: str) -> Path:
    """The folder of a path that may be as another namespace sees it."""
    folder = place / path.lstrip("/")
    return folder if folder.is_dir() else place


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _clear(parent: Path) -> None:
    """Remove what zooids have left that were killed."""
    for folder in parent.glob("zooid-*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with suppress(OSError):
                folder.rmdir()
