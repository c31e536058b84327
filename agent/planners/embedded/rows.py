"""Writes the rows that the planner's networks are trained on: goals that a generator words, read by the code.

    python -m agent.planners.embedded.rows FILE --part train --count 8000 [--seed 1]

A row is a goal with the tools that each of its steps asks for, and the code's candidates, each told as the network is
told it, with whether it is right: the same plan as that of the plain wording that means the same.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.planners.embedded import candidates as ways
from agent.planners.embedded import signs
from agent.planners.embedded.pick import Phrases
from agent.planners.embedded.words import tokens
from agent.router import Router
from agent.task import Plan
from tools import workspace
from tools.forge.planner import goals
from tools.micro import shipped
from tools.micro_tool import from_folder
from tools.registry import Registry, Tool, built_in

_GOALS = 40  # that are tried in a workspace
_OTHERS = 1  # wrong tools that are tried for a step


def registry(own: list[Tool]) -> Registry:
    found = Registry()
    found.add(built_in())
    found.add(from_folder(folder, "built-in") for folder in shipped())
    found.add(own)
    return found


class Maker:
    """Reads goals over one registry."""

    def __init__(self, part: goals.Part, chance: random.Random) -> None:
        own = goals.plugins(part)
        self.part, self.chance, self.own = part, chance, [task for task, _ in own]
        self.tools = registry([tool for _, tool in own])
        self.phrases, self.router = Phrases(self.tools), Router(self.tools)

    def subject(self, text: str) -> ways.Subject:
        return ways.Subject(tokens(text), self.phrases, self.tools, [], text)

    def wanted(self, goal: goals.Goal) -> list[Any] | None:
        """What the plan must do: nothing (empty) where it cannot be done; None where the plain wording is not read as
        it is meant, so that nobody can say."""
        if not goal.plain:
            return []
        plain = self.subject(goal.plain).candidates(None)
        if not plain or plain[0].open or not _uses(plain[0].plan, goal.tools):
            return None
        return core(plain[0].plan)

    def row(self, goal: goals.Goal, wanted: list[Any]) -> dict[str, Any]:
        subject = self.subject(goal.text)
        found = subject.candidates(lambda steps: [self._tries(step, goal) for step in steps], thorough=True)
        told = [self._told(subject, one, wanted) for one in found]
        steps = [[self.subject(step).told_step(), tool] for step, tool in goal.steps]
        return {"goal": goal.text, "plain": goal.plain, "tools": goal.tools, "steps": steps, "candidates": told}

    def _tries(self, step: str, goal: goals.Goal) -> list[Tool]:
        near = [tool.name for _, tool in self.router.rank(step)[:12] if tool.name not in goal.tools]
        names = {*goal.tools, *near[:1], *self.chance.sample(near, _OTHERS)}
        return [tool for name in sorted(names) if (tool := self.tools.get(name))]

    def _told(self, subject: ways.Subject, one: ways.Candidate, wanted: list[Any]) -> dict[str, Any]:
        right = core(one.plan) == wanted
        found = signs.text(signs.signs(subject, one))
        plan = subject.told_plan(one.plan)
        return {"goal": subject.told(open=one.open), "plan": plan, "signs": found, "right": right, "added": one.added}


def _uses(plan: Plan, tools: tuple[str, ...]) -> bool:
    used = [task.tool for task in plan.tasks if task.tool not in ("read_file", "list_files") or task.tool in tools]
    return sorted(used) == sorted(tools)


def core(plan: Plan) -> list[Any]:
    """What a plan does, whatever its tasks are called."""
    ids = {task.id: f"t{n}" for n, task in enumerate(plan.tasks)}

    def plain(value: Any) -> Any:
        text = json.dumps(value, sort_keys=True)
        for id, short in sorted(ids.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(f"${id}", f"${short}")
        return text

    return [[task.tool, plain(task.args), plain(task.each)] for task in plan.tasks]


def sample(maker: Maker, count: int) -> Iterator[tuple[goals.Goal, list[Any]]]:
    """Goals, each once, with what the plan must do; the workspace of each is entered before it is given."""
    seen: set[str] = set()
    with tempfile.TemporaryDirectory() as scratch:
        for number in itertools.count():
            folder = Path(scratch) / str(number)
            folder.mkdir()
            world = goals.World(folder, maker.chance)
            workspace.enter(folder)
            for _ in range(_GOALS):
                goal = goals.goal(world, maker.part, maker.own)
                wanted = maker.wanted(goal) if goal and goal.text not in seen else None
                if goal and wanted is not None:
                    seen.add(goal.text)
                    yield goal, wanted
                if len(seen) >= count:
                    return


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("file", type=Path)
    parse.add_argument("--part", choices=["train", "held"], default="train")
    parse.add_argument("--count", type=int, default=10000)
    parse.add_argument("--seed", type=int, default=1)
    ask = parse.parse_args()
    maker = Maker(ask.part, random.Random(f"{ask.seed} {ask.part}"))
    with ask.file.open("w", encoding="utf-8") as out:
        for goal, wanted in sample(maker, ask.count):
            out.write(json.dumps(maker.row(goal, wanted)) + "\n")


if __name__ == "__main__":
    main()
