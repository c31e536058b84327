"""The embedded planner, code alone beside code with micro-models: each stage on held-out goals, and sets of goals.

    python bench/planner.py [--count N] [--seed N] [--sets NAME,… | --sets ""] [--models FOLDER]

The held-out goals are those of tools.forge.planner: wordings that no network was trained on, part of them for tools
that none was trained on. A stage is right where the plan has as many calls (split), the same tools (pick) and, of those
plans, the same arguments (fill) as the plan of the plain wording that means the same. The sets are those of
bench/goals; each goal runs in this process, in a fresh copy of its workspace, and is judged as bench/goals.py does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import HERE, folder, median, table
from goals import UNDOABLE, Ended, Goal, contents, not_declined, unmet

sys.path.insert(0, str(HERE.parent))

from agent import events as ev  # noqa: E402
from agent.planners import Ask  # noqa: E402
from agent.planners.embedded import EmbeddedPlanner  # noqa: E402
from agent.planners.embedded.network import MODELS  # noqa: E402
from agent.planners.embedded.rows import Maker, core, registry, sample  # noqa: E402
from agent.run import Run  # noqa: E402
from agent.store import Store  # noqa: E402
from agent.task import Plan  # noqa: E402
from agent.tree import Tree  # noqa: E402
from tools import workspace  # noqa: E402
from tools.forge.planner.goals import Goal as Worded  # noqa: E402
from tools.plugins import PluginFolder, discover  # noqa: E402
from tools.registry import Registry  # noqa: E402
from tools.schema import as_text  # noqa: E402

KINDS = ("code", "network")
BESIDE = "beside"  # with micro-models, and a large planner after it that gets what it is not sure of


@dataclass
class Tally:
    """What came of some goals: rights by name, and out of how many."""

    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    of: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, name: str, right: bool) -> None:
        self.right[name] += right
        self.of[name] += 1

    def shown(self, name: str) -> str:
        return f"{100 * self.right[name] / self.of[name]:.1f} of {self.of[name]}" if self.of[name] else "-"


def stages(count: int, seed: int, models: Path | None) -> None:
    """The stages on held-out goals, for tools that come with zooid and for a person's own that no network knows."""
    maker = Maker("held", random.Random(f"{seed} bench"))
    planners = made(maker.tools, models)
    own = {tool.name for tool in maker.tools if tool.source != "built-in"}
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for goal, wanted in sample(maker, count):
        part = "held-out tools" if own & set(goal.tools) else "built-in tools"
        for kind in (*KINDS, BESIDE):
            planner = planners[kind]
            plan, sure, _ = planner.read(Ask(goal.text))
            acts = plan is not None and sure >= planner.needed(plan)
            if not goal.plain:
                tallies[kind, "all"].add("undoable declined", not acts)
                continue
            for name in (part, "all"):
                grade(tallies[kind, name], plan, wanted, acts)
            steps(tallies[kind, part], kind, planner, maker, goal)
    names = [
        "split",
        "pick",
        "fill",
        "whole",
        "acts",
        "right where it acts",
        "met",
        "undoable declined",
        "first",
        "in 3",
    ]
    parts = ["built-in tools", "held-out tools", "all"]
    kinds = (*KINDS, BESIDE)
    rows = [[f"{part}: {name}", *(tallies[k, part].shown(name) for k in kinds)] for part in parts for name in names]
    rows = [row for row in rows if set(row[1:]) != {"-"}]
    table("Stages on held-out wordings, % right", ["", "code", "with models", "beside a large planner"], rows)


def grade(tally: Tally, plan: Plan | None, wanted: list[Any], acts: bool) -> None:
    found = core(plan) if plan else []
    tools = sorted(call[0] for call in found) == sorted(call[0] for call in wanted)
    tally.add("split", len(found) == len(wanted))
    tally.add("pick", tools)
    if tools:
        tally.add("fill", found == wanted)
    tally.add("whole", found == wanted)
    tally.add("acts", acts)
    tally.add("met", acts and found == wanted)
    if acts:
        tally.add("right where it acts", found == wanted)


def steps(tally: Tally, kind: str, planner: EmbeddedPlanner, maker: Maker, goal: Any) -> None:
    """Whether the tool that a step asks for is the first that is thought of, or among the first three."""
    for text, tool in goal.steps:
        names: list[str] = []
        if kind == "code":
            names = [one.name for _, one in maker.router.rank(text)[:3]]
        elif planner.judge:
            own, step = tool in {task.tool for task in maker.own}, [maker.subject(text).told_step()]
            ranked = planner.judge.network.own(step) if own else planner.judge.network.known(step)
            names = [one.name for one in ranked[0][:3]]
        tally.add("first", names[:1] == [tool])
        tally.add("in 3", tool in names)


def made(tools: Registry, models: Path | None) -> dict[str, EmbeddedPlanner]:
    place = models or MODELS
    both, beside = EmbeddedPlanner(tools, models=place), EmbeddedPlanner(tools, alone=False, models=place)
    return {"code": EmbeddedPlanner(tools, network=False), "network": both, BESIDE: beside}


# -- sets of goals


def whole(names: list[str], root: Path, models: Path | None, verbose: bool) -> None:
    """Sets of goals by name, code alone beside code with networks."""
    rows = []
    for file in sorted(path for name in names for path in (root / name).glob("*.jsonl")):
        tools = {
            False: registry([]),
            True: with_plugins(file.parent / "plugins"),
        }  # by whether a goal has some dropped in
        planners = {own: made(tools[own], models) for own in tools}
        cells = [f"{file.parent.name}/{file.stem}"]
        for kind in KINDS:
            goals = [(goal, "tools" in goal) for goal in read(file)]
            done = [one(goal, file, planners[own][kind], tools[own], verbose) for goal, own in goals]
            cells += [f"{sum(right for right, _ in done)} of {len(done)}", f"{median([s for _, s in done]):.2f}"]
        rows.append(cells)
    table("Goals met (declined, where undoable)", ["", "code", "median s", "with models", "median s"], rows)


def with_plugins(place: Path) -> Registry:
    """The tools that come with zooid, and those that a set brings."""
    tools = registry([])
    tools.add(discover([PluginFolder(place)], packages=False))
    return tools


def write_rows(names: list[str], root: Path, out: Path) -> None:
    """Rows to train on: the goals of some sets that the code meets, with its plans, and those that cannot be met."""
    maker = Maker("train", random.Random(0))
    tools = registry([])
    planner = EmbeddedPlanner(tools, network=False)
    with out.open("w", encoding="utf-8") as lines:
        for file in sorted(path for name in names for path in (root / name).glob("*.jsonl")):
            for goal in read(file):
                doable = file.name != UNDOABLE
                if doable and not one(goal, file, planner, tools, False)[0]:
                    continue
                workspace.enter(file.parent / "workspace")
                plan = planner.read(Ask(goal["goal"]))[0] if doable else None
                wanted = core(plan) if plan else []
                made_up = Worded(goal["goal"], goal["goal"] if doable else "", tuple(call[0] for call in wanted))
                lines.write(json.dumps(maker.row(made_up, wanted)) + "\n")


def read(file: Path) -> list[Goal]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def one(goal: Goal, file: Path, planner: EmbeddedPlanner, tools: Registry, verbose: bool) -> tuple[bool, float]:
    """Whether a goal came out right, and the seconds it took in this process."""
    with folder() as work, folder() as runs:
        shutil.copytree(file.parent / "workspace", work, dirs_exist_ok=True)
        workspace.enter(work)
        before, started = contents(work), time.perf_counter()
        tree = solved(goal["goal"], work, runs, planner, tools)
        seconds = time.perf_counter() - started
        root = tree.root
        met = root is not None and root.status == "done"
        out = as_text(root.result) if root is not None and met else ""
        ended = Ended(0 if met else 1, out, str(tree.blocked), before, contents(work), seconds)
    why = (not_declined if file.name == UNDOABLE else unmet)(goal, ended)
    if why and verbose:
        print(f"{goal['id']} {goal['goal']}\n    {why}", flush=True)
    return not why, seconds


def solved(goal: str, work: Path, runs: Path, planner: EmbeddedPlanner, tools: Registry) -> Tree:
    store = Store.create(runs)
    tree = Tree(store.run)
    run = Run(tree, store, tools, [planner])

    async def to_its_end() -> None:
        run.emit(ev.RunStarted("root", goal, {}, str(work), {}))
        await run.work()

    asyncio.run(to_its_end())
    store.close()
    return tree


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--count", type=int, default=1000)
    parse.add_argument("--seed", type=int, default=3)
    parse.add_argument("--sets", default="bakery,beekeepers,railway", help="names of folders in --root")
    parse.add_argument("--root", type=Path, default=HERE / "goals")
    parse.add_argument("--models", type=Path, help="a folder with other networks than those shipped")
    parse.add_argument("--write-rows", type=Path, help="write rows of the sets, to train on, and nothing else")
    parse.add_argument("-v", "--verbose", action="store_true")
    ask = parse.parse_args()
    if ask.write_rows:
        write_rows(ask.sets.split(","), ask.root, ask.write_rows)
        return
    if ask.count:
        stages(ask.count, ask.seed, ask.models)
    if ask.sets:
        whole(ask.sets.split(","), ask.root, ask.models, ask.verbose)


if __name__ == "__main__":
    main()
