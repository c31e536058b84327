"""The budget: what reserving a call costs, however large the tree is, and how soon all is quiet at a limit.

    python bench/budget.py [--sizes 100,10000] [--rounds N]

Reserving is measured on the real ledger, tree and store, without a request between; stopping on a run with a request
that hangs, a plugin that sleeps and a command that sleeps, each until it is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from common import folder, median, table

CALLS = 500
LIMIT = 1.5  # seconds; the run is given these, and what is over is the time that stopping took
LINGER = '''
import time


def linger(text: str) -> str:
    """Take for ever."""
    time.sleep(86399)
    return text
'''


def reserving(number: int, runs: Path) -> float:
    """CPU microseconds of reserving and settling a call, its two commits included, in a tree of so many tasks."""
    from agent import events as ev
    from agent.budget import Limits
    from agent.prices import Price
    from agent.run import Run
    from agent.store import Folder
    from agent.task import ROOT, Usage
    from agent.tree import Tree
    from tools.registry import Registry

    store = Folder(runs).create()
    run = Run(Tree(store.run), store, Registry(), [], Limits(tasks=number + 10, cost=1e6, tokens=10**12))
    run.emit(ev.TaskPlanned(ROOT, None, "goal"))
    for n in range(number):
        parent = ROOT if n % 10 == 0 else f"root.t{n - n % 10}"
        run.emit(ev.TaskPlanned(f"root.t{n}", parent, "part", budget={"tokens": 10**9} if n % 10 == 0 else None))
    store.commit()
    tasks = list(run.tree.tasks.values())[-1000:]

    async def calls() -> None:
        for n in range(CALLS):
            task = tasks[n % len(tasks)]
            with run.budget.meter(task, n, "openai:bench") as meter:
                await meter.reserve(500, 1000, Price(2.0, 10.0))
                meter.settle(Usage(1, 480, 90, cost=0.002))
                run.emit(ev.AttemptDecided(task.id, n, "openai:bench", {"kind": "answer"}, meter.spent), commit=True)

    started = time.process_time()
    asyncio.run(calls())
    took = time.process_time() - started
    store.close()
    return took / CALLS * 1e6


def stopping(work: Path) -> float:
    """Seconds from the limit until no request, process or command is left."""
    from tests.agent.test_run import World, by_goal, call, goal, plan
    from tests.agent.test_stop import lingering
    from tests.scripted import Reply
    from tools.plugins import PluginFolder, discover

    world, plugins = World(work), work / "plugins"
    plugins.mkdir()
    (plugins / "linger.py").write_text(LINGER)
    world.tools.add(discover([PluginFolder(plugins, "user")]))
    steps = plan(
        goal("asks", "part a"),
        call("calls", "linger", text="x"),
        call("checks", "count_words", text="x", check={"command": "sleep 86397"}),
        call("runs", "run_command", command="sleep 86396"),
        answer="$asks",
    )
    started = time.monotonic()
    done = world.run(by_goal({"the goal": [steps], "part a": [Reply(hang=True)]}), seconds=LIMIT, approve="auto")
    while lingering() or done.server.left < 1:
        time.sleep(0.005)
    if done.code != 3:
        sys.exit(f"the run ended with {done.code}: {done.tree.blocked}")
    return time.monotonic() - started - LIMIT


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--sizes", default="100,1000,10000")
    parse.add_argument("--rounds", type=int, default=5)
    ask = parse.parse_args()
    rows = []
    for size in map(int, ask.sizes.split(",")):
        with folder() as work:
            rows.append([size, f"{median(reserving(size, work / 'runs') for _ in range(ask.rounds)):.0f}"])
    table("Reserving and settling a call, two commits included (medians)", ["tasks", "CPU µs a call"], rows)
    times = []
    for _ in range(ask.rounds):
        with folder() as work:
            times.append(stopping(work))
    table("At a limit", ["", "seconds"], [["until all is quiet, median", f"{median(times):.2f}"],
                                          ["worst", f"{max(times):.2f}"], ["target", "2.00"]])  # fmt: skip


if __name__ == "__main__":
    main()
