"""Whether work still gets anywhere: what a failed plan finished is not done twice, and no call is made for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agent import events as ev
from agent.task import Task, item_of, planned_by
from agent.tree import Tree, labels_of
from tools.errors import ToolError
from tools.registry import Registry
from tools.schema import as_text

MOST = 5  # times that the same call is made while nothing new is found out
_IN_PLACE = ("id", "after", "budget")  # of a planned task: what it is to its plan, and nothing to its result


def key(task: Task) -> str:
    """What a task is, whatever it is called and wherever it stands: its tool or goal, its inputs, its check."""
    inputs = task.inputs
    if task.items is not None:
        each = {name: value for name, value in inputs["each"].items() if name not in _IN_PLACE}
        inputs = {"each": each, "scope": inputs["scope"], "items": task.items}
    return _hash([task.tool or task.goal, inputs, task.check])


def _hash(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(errors="backslashreplace"), digest_size=16).hexdigest()


# -- a mended plan


@dataclass(frozen=True, slots=True)
class Finished:
    """A task that a failed plan finished. It holds for good, or until the run has made more than so many changes."""

    task: Task
    for_good: bool
    changes: int


def finished(tree: Tree, tools: Registry, parent: Task, number: int) -> dict[str, Finished]:
    """What failed plans before attempt `number` at a task finished, by key.

    A call that only computes holds for good. So does a write of the plan that failed last: doing it twice could only
    harm. What reads, runs or reaches something, and a write that is longer ago, would come to the same only as long as
    the run changes nothing.
    """
    failed = [a for a in parent.attempts if a.number < number and a.verdict.startswith("failed") and _plans(a.decision)]
    found: dict[str, Finished] = {}
    for attempt in failed:
        lasting = {"none", "write"} if attempt is failed[-1] else {"none"}
        for task in _done(tree, parent, attempt.number):
            found[key(task)] = Finished(task, _effects(tree, tools, task) <= lasting, attempt.changes)
    return found


def _plans(decision: dict[str, Any] | None) -> bool:
    return decision is not None and decision["kind"] == "plan"


def _done(tree: Tree, parent: Task, number: int) -> Iterator[Task]:
    """The tasks of one plan that are done, and the items that are."""
    for child in (tree.tasks[id] for id in parent.children if planned_by(id, parent.id) == number):
        items = [tree.tasks[id] for id in child.children] if child.items is not None else []
        yield from (task for task in [child, *items] if task.status == "done")


def _effects(tree: Tree, tools: Registry, task: Task) -> set[str]:
    """What a task and all below it may have touched."""
    called = {tool for below in tree.subtree(task.id) for tool in (below.tool, below.worker)}
    return {tool.effect for name in called if (tool := tools.get(name)) is not None} | {"none"}


def ended_like(task: Task, earlier: Task) -> ev.TaskEnded:
    """The end of a task that comes to what the same task came to before."""
    labels = labels_of(earlier.result)
    return ev.TaskEnded(task.id, "done", earlier.result, earlier.verified, earlier.worker, "", labels, earlier.gave)


# -- the same call again and again


def question_of(parts: Any) -> str:
    """The identity of a question to a planner: all that it is made of."""
    return _hash(parts)


def check_question(tree: Tree, task: Task, question: str) -> None:
    """Raise ToolError for a question that has been put to a planner so often, in whatever process.

    All that was found out is in a question: one that is the same would be answered as before, for ever. Items of an
    `each` ask for themselves, for they may be alike.
    """
    if len(tree.questions.get((item_of(task.id), question), ())) > MOST:
        raise ToolError(f"this very question was put {MOST} times, and nothing new was found out in between")


def _found_out(task: Task) -> str:
    """What came of a task, be it an error; empty where it was not begun, or only says what came of others."""
    if task.result is not None:
        return _hash(as_text(task.result))
    return _hash(task.attempts[-1].verdict) if task.attempts and not task.children else ""


@dataclass(slots=True)
class _Call:
    times: int = 0
    news: int = 0  # how much was known when it was made last


@dataclass
class Progress:
    """What a run has found out and done. A call whose result changes, or that comes after something new, may be made
    again: polling what changes is progress, and so is looking once more after something was done about it."""

    known: set[str] = field(default_factory=set)  # results and failures; calls with an effect, which are news as well
    calls: dict[str, _Call] = field(default_factory=dict)

    def take(self, tasks: Iterable[Task]) -> None:
        """Take in tasks that have ended. Those of an `each` are taken together: a list may hold the same item often."""
        for task in tasks:
            if task.id.endswith("]"):
                continue
            this = key(task)
            self.known |= {found} if (found := _found_out(task)) else set()
            self.known |= {this} if any(attempt.call for attempt in task.attempts) else set()
            call = self.calls.setdefault(this, _Call())
            call.times = call.times + 1 if call.news == len(self.known) else 1
            call.news = len(self.known)

    def check(self, task: Task) -> None:
        """Raise ToolError for a call that was made so often, and nothing was found out, that it is no use any more."""
        call = self.calls.get(key(task))
        if call and call.times >= MOST and call.news == len(self.known):
            raise ToolError(
                f"this very call was made {call.times} times, and nothing new was found out in between; "
                "try another way, or give the answer that there is"
            )
