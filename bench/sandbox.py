"""What a sandbox costs: starting one, and a run in one that waits, beside a plain process of Python.

    python bench/sandbox.py [--rounds N]

Cold is the first run of code in a workspace, the zygote started for it; warm is one after it; pure is Monty. All of
them, and the plain process, take their turns in each round. The time ends when the result is there; CPU is that of all
processes of the sandbox, ended ones too, and tells more than the clock where the machine has other work.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from common import folder, median, table

from tools.sandbox import full, pure
from tools.sandbox.full import Job

CODE = "print(1 + 1)"
WARM = 10  # runs a round


@dataclass
class Series:
    """Milliseconds of each run: on the clock, and of CPU."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def row(self, name: str) -> tuple[str, ...]:
        target = {"cold": "40", "warm": "10"}.get(name.rpartition(", ")[2], "-")
        cpu = f"{median(self.cpu):.1f}" if self.cpu else "-"
        return name, f"{median(self.wall):.1f}", f"{min(self.wall):.1f}", cpu, target


def plain(work: Path) -> None:
    subprocess.run([sys.executable, "-I", "-c", CODE], cwd=work, check=True, capture_output=True)


def took(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def cpu_of(call: Callable[[], object]) -> float:
    """The CPU of all processes that have ended meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def runs(kind: str, work: Path, cold: Series, warm: Series, more: int) -> None:
    """One cold run, and `more` warm ones."""
    started = time.perf_counter()
    zygote = full.Zygote(kind, full.view(work, False))
    try:
        zygote.run(Job(code=CODE))
        cold.wall.append((time.perf_counter() - started) * 1000)
        warm.wall.extend(took(lambda: zygote.run(Job(code=CODE))) for _ in range(more))
    finally:
        zygote.close()


def round_of(kind: str, work: Path, cold: Series, warm: Series) -> None:
    one = cpu_of(lambda: runs(kind, work, cold, warm, 0))
    many = cpu_of(lambda: runs(kind, work, cold, warm, WARM))
    cold.cpu.append(one)
    warm.cpu.append((many - one) / WARM)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rounds", type=int, default=15)
    rounds = parse.parse_args().rounds
    first = Series()
    found, missing = {"a plain process": first}, []
    with folder() as work:
        for kind in full.KINDS:
            try:
                runs(kind, work, Series(), Series(), 1)
                found |= {f"{kind}, cold": Series(), f"{kind}, warm": Series()}
            except full.SandboxError as error:
                missing.append(f"{kind}: {error}")
        pure.run(CODE)
        found["pure, warm"] = Series()
        for _ in range(rounds):
            first.cpu.append(cpu_of(lambda: first.wall.append(took(lambda: plain(work)))))
            for kind in full.KINDS:
                if f"{kind}, cold" in found:
                    round_of(kind, work, found[f"{kind}, cold"], found[f"{kind}, warm"])
            found["pure, warm"].wall += [took(lambda: pure.run(CODE)) for _ in range(WARM)]
    head = ["", "median ms", "least ms", "CPU ms", "target ms"]
    table(f"One line of Python, {rounds} rounds", head, [series.row(name) for name, series in found.items()])
    print(*missing, sep="\n")


if __name__ == "__main__":
    main()
