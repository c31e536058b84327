"""What writing a tree costs: one plan that maps a tool over a list, with the real loop, store and tool.

    python bench/tree.py [--sizes 1000,10000] [--rounds N]

Every size is written by a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from common import environment, folder, measured, median, table


class Mapping:
    """A planner that always gives the same plan."""

    name = "scripted"

    def __init__(self, items: list[str]) -> None:
        self.items = items

    async def decide(self, ask, note):
        from agent.planners import Reply
        from agent.task import Plan, PlannedTask

        task = PlannedTask("count", "", "count_words", {"text": "$item"}, each=self.items)
        return Reply(Plan([task], "$count"))

    async def close(self) -> None:
        pass


def write(number: int, runs: Path, synced: bool) -> dict[str, float]:
    """Write a tree with `number` tasks below the mapped one; what that took."""
    from agent import events as ev
    from agent import store as stores
    from agent.budget import Limits
    from agent.run import Run
    from agent.store import Store
    from agent.task import ROOT
    from agent.tree import Tree
    from tools.registry import Registry, built_in

    if synced:
        stores._SYNC_EVERY = -1.0
    tools = Registry()
    tools.add(built_in())
    store = Store.create(runs)
    items = [f"line {n} has a few words" for n in range(number)]
    run = Run(Tree(store.run), store, tools, [Mapping(items)], Limits(tasks=number + 10, width=64))
    run.emit(ev.RunStarted(ROOT, "count the words of every line", {}, str(Path.cwd()), {}), commit=True)
    cpu, wall = time.process_time(), time.perf_counter()
    tree = asyncio.run(run.work())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if len(tree.tasks) != number + 2 or tree.status != "done":
        sys.exit(f"the run ended {tree.status}: {tree.blocked}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    store.close()
    size = sum(path.stat().st_size for path in runs.iterdir())
    return {"cpu": cpu, "wall": wall, "peak": peak, "size": size, **load(runs, store.run)}


def load(runs: Path, run: str) -> dict[str, float]:
    from agent.store import Store

    cpu = time.process_time()
    store, _ = Store.open(runs, run)
    cpu = time.process_time() - cpu
    store.close()
    return {"load": cpu}


def once(number: int, synced: bool = False) -> dict[str, float]:
    """What a tree of this size costs in a process of its own; `synced`: the disk is waited for at every commit."""
    with folder() as work:
        command = [sys.executable, __file__, "--one", str(number), *(["--synced"] if synced else [])]
        return json.loads(measured(command, work, environment(work)).out)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--sizes", default="1000,10000")
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parse.add_argument("--synced", action="store_true", help=argparse.SUPPRESS)
    ask = parse.parse_args()
    if ask.one:
        print(json.dumps(write(ask.one, Path("../runs"), ask.synced)))
        return
    sizes = [int(size) for size in ask.sizes.split(",")]
    done: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    for _ in range(ask.rounds):
        for size in sizes:
            done[size].append(once(size))
    head = ["tasks", "CPU ms a task", "wall ms a task", "wall s", "peak MB", "load ms CPU", "bytes a task"]
    rows = []
    for size, each in done.items():
        mid = {name: median(one[name] for one in each) for name in each[0]}
        times = [f"{1000 * mid['cpu'] / size:.2f}", f"{1000 * mid['wall'] / size:.2f}", f"{mid['wall']:.1f}"]
        rest = [f"{mid['peak'] / 1e6:.0f}", f"{1000 * mid['load']:.0f}", f"{mid['size'] / size:.0f}"]
        rows.append([size, *times, *rest])
    rows.append(["target", "2.00", "-", "-", "150", "-", "-"])
    table("A tree written to disk (medians)", head, rows)


if __name__ == "__main__":
    main()
