"""What a sandbox costs: starting one, and a run in one that waits, beside a plain process of Python.

    python bench/sandbox.py [--rounds N]

Cold is the first run of code in a workspace, the zygote started for it; warm is one after it; pure is Monty. All of
them, and the plain process, take their turns in each round. The time ends when the result is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from common import folder, median, table

from tools.sandbox import full, pure
from tools.sandbox.full import Job

CODE = "print(1 + 1)"
WARM = 10  # runs a round


def plain(work: Path) -> None:
    subprocess.run([sys.executable, "-I", "-c", CODE], cwd=work, check=True, capture_output=True)


def took(call: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def timed(kind: str, work: Path, cold: list[float], warm: list[float]) -> None:
    """One cold run and some warm ones in a container."""
    zygotes: list[full.Zygote] = []

    def first() -> None:
        zygotes.append(full.Zygote(kind, full.view(work, False)))
        zygotes[0].run(Job(code=CODE))

    try:
        cold.append(took(first))
        warm.extend(took(lambda: zygotes[0].run(Job(code=CODE))) for _ in range(WARM))
    finally:
        for zygote in zygotes:
            zygote.close()


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rounds", type=int, default=15)
    rounds = parse.parse_args().rounds
    found: dict[str, list[float]] = {"a plain process": []}
    missing = []
    with folder() as work:
        for kind in full.KINDS:
            try:
                timed(kind, work, [], [])
                found |= {f"{kind}, cold": [], f"{kind}, warm": []}
            except full.SandboxError as error:
                missing.append(f"{kind}: {error}")
        pure.run(CODE)
        found["pure, warm"] = []
        for _ in range(rounds):
            found["a plain process"].append(took(lambda: plain(work)))
            for kind in full.KINDS:
                if f"{kind}, cold" in found:
                    timed(kind, work, found[f"{kind}, cold"], found[f"{kind}, warm"])
            found["pure, warm"] += [took(lambda: pure.run(CODE)) for _ in range(WARM)]
    targets = {"cold": "40", "warm": "10"}
    rows = [
        (name, f"{median(ms):.1f}", f"{min(ms):.1f}", targets.get(name.rpartition(", ")[2], "-"))
        for name, ms in found.items()
    ]
    table(f"One line of Python, {rounds} rounds", ["", "median ms", "least ms", "target"], rows)
    print(*missing, sep="\n")


if __name__ == "__main__":
    main()
