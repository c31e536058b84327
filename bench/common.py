"""What the benches share: processes that are measured from outside, folders of their own, and plain tables."""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # for the agent, the tools and the scripted server of the tests

BARE = [sys.executable, str(HERE / "bare.py")]
median = statistics.median


def zooid() -> list[str]:
    """The installed command of the interpreter that runs this bench."""
    found = Path(sysconfig.get_path("scripts"), "zooid")
    if not found.is_file():
        sys.exit(f"there is no {found}; install it with: {sys.executable} -m pip install -e {ROOT}")
    return [str(found)]


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """An empty workspace, beside it the home that `environment` names."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, "work")
        work.mkdir()
        yield work


def environment(work: Path, **more: str) -> dict[str, str]:
    """This environment without keys, and with home, settings and runs beside the workspace.

    Byte code is kept, as it is of a package that was installed: compiling would be measured otherwise.
    """
    home = work.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not re.search(r"(_KEY|_TOKEN|_BASE_URL)$", name)}
    kept = {name: value for name, value in kept.items() if not name.startswith(("ZOOID_", "PYTHON"))}
    folders = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    return kept | {"HOME": str(home), "NO_COLOR": "1"} | folders | more


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended: seconds on the clock, seconds of CPU of it and its children, what it wrote."""

    wall: float
    cpu: float
    out: str
    err: str


def start(command: Sequence[str], work: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=work,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def measured(command: Sequence[str], work: Path, env: dict[str, str]) -> Done:
    """Run a command that must succeed."""
    before, started = os.times(), time.perf_counter()
    process = start(command, work, env)
    out, err = process.communicate()
    wall, after = time.perf_counter() - started, os.times()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{err[-2000:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Done(wall, spent, out, err)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a head, the first column to the left and numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    print(f"\n{title}\n")
    for n, row in enumerate(cells):
        print("  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]))
        if n == 0:
            print("  ".join("-" * width for width in widths))
    sys.stdout.flush()
