"""A run: one goal being worked on, with its tree, store, tools, planners, budget and policy."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from agent import events as ev
from agent import plan, policy, progress, provenance
from agent.approve import tightened
from agent.archive import Log
from agent.budget import Budget, Limits
from agent.control import Control
from agent.errors import Pause, PersonError, Refused, UnsoundPlan
from agent.planners import Planner
from agent.policy import Verdict
from agent.progress import Finished, Progress
from agent.router import Router
from agent.routes import Routes
from agent.solve import solve
from agent.task import FINISHED, ROOT, Plan, PlannedTask, Task, child_id, planned, planned_by
from agent.tree import Tree, labels_of
from agent.workers import Outcome, rest
from tools import workspace
from tools.errors import ToolError
from tools.registry import Registry, Tool
from tools.schema import as_text

_CODES = {"done": 0, "paused": 4, "cancelled": 130}  # of a run by its goal's status
SHOWN_TOOLS = 12  # that a planner is shown; a registry of hundreds must not become hundreds of lines in a prompt

Listener = Callable[[int, float, ev.Event], None]


class Person(Protocol):
    """Who can be asked while the run goes on."""

    async def approve(self, asked: ev.Asked) -> bool: ...

    async def answer(self, text: str) -> str: ...


Rank = Callable[[str], list[Tool]]


def ranking(tools: Registry, routes: Routes | None) -> Rank:
    """Ranks tools by how well they fit a text, the best first. It reads what all of them say when it is first asked."""

    @cache
    def router() -> Router:
        return Router(tools, routes.said() if routes else {})

    return lru_cache(maxsize=64)(lambda text: [tool for _, tool in router().rank(text)])


class Others(Protocol):
    """Whoever shares the work of a run, on this machine or on others."""

    def have(self, task: Task) -> bool:
        """Whether they were given a task and have not ended it."""
        ...

    def take(self, task: Task, tool: Tool | None, awaited: bool) -> bool:
        """Whether they are given a task; one that is over sooner than it is handed on is not."""
        ...

    def books(self) -> AbstractContextManager[object]:
        """Holds the accounts of the run: nobody else uses any of its budget meanwhile."""
        ...

    def admit(self, reserved: ev.AttemptReserved, most: dict[str, int]) -> bool:
        """Reserve a call where fewer than `most` are in flight for each account named; whether that was so."""
        ...


@dataclass
class Run:
    tree: Tree
    store: Log
    tools: Registry
    planners: Sequence[Planner]
    limits: Limits = field(default_factory=Limits)
    approve: str = "ask"  # see agent/approve.py
    person: Person | None = None  # None: the run pauses where one is needed
    listeners: list[Listener] = field(default_factory=list)
    routes: Routes | None = None  # what a person and the record have taught
    others: Others | None = None  # who shares the work; None: it is all done here
    rank: Rank | None = None  # the tools that fit a text; made once where several runs have the same tools

    def __post_init__(self) -> None:
        self.control = Control(self)
        shared = (self.others.books, self.others.admit) if self.others else ()
        self.budget = Budget(self.limits, self.tree, lambda event: self.emit(event, commit=True), *shared)
        self.ahead: dict[str, asyncio.Future[Any]] = {}  # by task: what a tool that takes many rows at once says of it
        self._numbers: Counter[str] = Counter()
        self._asking = asyncio.Lock()
        self.progress = Progress()
        self.progress.take(task for task in self.tree.tasks.values() if task.status in FINISHED)
        self._finished: dict[tuple[str, int], dict[str, Finished]] = {}  # see `recall`

    # -- the record

    def emit(self, event: ev.Event, *, commit: bool = False, synced: bool = False) -> None:
        """Let an event happen: into the record, into the tree, and to whoever looks on. `synced`: see Store."""
        at, event = self.store.now(), ev.redacted(event)
        seq = self.store.append(event, at, synced)
        self.tree.apply(event, at)
        if commit or synced:
            self.store.commit()
        for listener in self.listeners:
            listener(seq, at, event)

    def next_number(self, task: Task) -> int:
        """The number of the next attempt at a task: the same in every process that works on the run."""
        self._numbers[task.id] += 1
        return task.given_up + self._numbers[task.id]

    def started_over(self, task: Task) -> None:
        """A task that has ended is worked on again: what its attempts came to is read back, as in a new process."""
        self._numbers.pop(task.id, None)

    def attempt_ended(self, task: Task, number: int, verdict: str) -> None:
        """Keep an attempt's verdict; one that a model was paid for is committed at once."""
        recorded = task.attempt(number)
        if not (recorded and recorded.ended):
            usage = recorded.reserved if recorded else None  # what the decision did not settle: a judge, no decision
            worker = recorded.charged if recorded and usage else ""
            self.emit(ev.AttemptEnded(task.id, number, verdict, usage, worker), commit=usage is not None)

    def end(self, task: Task, outcome: Outcome) -> Task:
        """Commit what came of a task."""
        if task.status not in FINISHED:
            status = "failed" if outcome.status in ("pending", "running") else outcome.status
            blocked = "" if status == "done" else outcome.blocked
            value, labels = outcome.value, None if task.items is not None else labels_of(outcome.value)
            origin = provenance.of_outcome(self.tree, task, value, status == "done", self.tools)
            ended = ev.TaskEnded(task.id, status, value, outcome.verified, outcome.worker, blocked, labels, origin)
            self.emit(ended, commit=self.store.is_due())
            self.progress.take([task])
        return task

    def recall(self, planned_: Task, tasks: Iterable[Task]) -> None:
        """Give tasks of a plan (its own, or the items of one) the results that a failed plan before it came to."""
        parent = self.tree.tasks[planned_.parent or ROOT]
        number = planned_by(planned_.id, parent.id)
        if (parent.id, number) not in self._finished:
            self._finished[parent.id, number] = progress.finished(self.tree, self.tools, parent, number)
        if found := self._finished[parent.id, number]:
            for task in tasks:
                earlier = found.get(progress.key(task)) if task.status not in FINISHED else None
                if earlier and (earlier.for_good or earlier.changes == self.tree.changes):
                    self.emit(progress.ended_like(task, earlier.task), commit=True)

    def cut_short(self, task: Task, why: str) -> Task:
        """End a task where it stands, with what there is of its result, and with it all that was begun below it."""
        self.end_below(task, why)
        value = self.tree.so_far(task)
        return self.end(task, Outcome("failed" if value is None else "partial", value, blocked=why))

    def end_below(self, task: Task, why: str) -> None:
        """End all that was begun below a task."""
        for below in self.tree.subtree(task.id):
            if below is not task and below.status not in FINISHED:
                self.emit(ev.TaskEnded(below.id, "cancelled", blocked=f"{task.id} was ended: {why}"))

    # -- plans

    def check_plan(self, plan_: Plan, task: Task, number: int, scope: dict[str, Any]) -> None:
        """Raise UnsoundPlan where a plan must not be carried out. One that has been joined was found to be sound."""
        if plan_.tasks and child_id(task.id, number, plan_.tasks[0].id) in self.tree.tasks:
            return
        if not self.budget.may_plan(task):
            raise UnsoundPlan(f"this task is {task.depth} levels deep and may not be split; give an answer")
        plan.check(plan_, task, self.tree.ancestors(task), scope.keys(), self.tools, self.limits.width)

    def join(self, task: Task, number: int, plan_: Plan) -> dict[str, Task]:
        """The plan's tasks as nodes of the tree, by their ids in the plan."""
        children = {p.id: child_id(task.id, number, p.id) for p in plan_.tasks}
        by = "outside" if provenance.steered(self.tree, task, number, self.tools) else "program"
        new = [planned_ for planned_ in plan_.tasks if children[planned_.id] not in self.tree.tasks]
        with self.budget.books() if new else nullcontext():
            for planned_ in new:
                joining = self._joining(children[planned_.id], task, planned_.goal, planned_.tool, by)
                joining.budget, joining.approve = asdict(planned_.budget) if planned_.budget else None, planned_.approve
                self.emit(joining)
        return {name: self.tree.tasks[id] for name, id in children.items()}

    def join_each(self, task: Task) -> list[Task]:
        """The tasks of a mapped task, one an item."""
        template, by = planned(task.inputs["each"]), provenance.of_items(task)
        new = [n for n in range(len(task.items or ())) if f"{task.id}[{n}]" not in self.tree.tasks]
        with self.budget.books() if new else nullcontext():
            for n in new:
                id, item = f"{task.id}[{n}]", (task.items or ())[n]
                self.emit(self._joining(id, task, template.goal, template.tool, by))
                self._bind_item(self.tree.tasks[id], template, task.inputs["scope"] | {"item": item})
            self.store.commit()
        return [self.tree.tasks[f"{task.id}[{n}]"] for n in range(len(task.items or ()))]

    def _bind_item(self, child: Task, template: PlannedTask, scope: dict[str, Any]) -> None:
        """Give the task of one item its inputs; an item that does not fit fails alone."""
        try:
            self._bind_one(child, template, scope, ["item"])
        except (UnsoundPlan, ToolError) as error:
            goal = f"{template.goal or template.tool} ({as_text(scope['item'])[:40]!r})"
            marks = provenance.around(self.tree, child)["item"]
            self.emit(ev.TaskBound(child.id, goal, {"item": scope["item"]}, origin="outside", origins={"item": marks}))
            self.emit(ev.TaskEnded(child.id, "failed", blocked=str(error), origin="outside"))

    def bind(self, child: Task, planned_: PlannedTask, scope: dict[str, Any]) -> None:
        """Give a task its inputs, now that all it refers to is there."""
        if planned_.each is None:
            self._bind_one(child, planned_, scope)
            return
        over = plan.bind(planned_.each, scope)
        if isinstance(over, str):
            over = [line for line in over.splitlines() if line.strip()]  # a blank line is no item
        elif not isinstance(over, list):
            over = list(over) if isinstance(over, dict) else [over]
        labels = getattr(over, "items_", None) or over
        wanted = plan.names([planned_.args, planned_.goal]) & scope.keys()
        inputs = {"each": asdict(planned_), "scope": {name: scope[name] for name in wanted}}
        goal = planned_.goal or f"{planned_.tool} for each"
        origins = provenance.of_each(planned_, wanted, provenance.around(self.tree, child), child.origin)
        bound = ev.TaskBound(child.id, goal, inputs, list(over), list(labels), origin=child.origin, origins=origins)
        self.emit(bound)

    def _bind_one(self, child: Task, planned_: PlannedTask, scope: dict[str, Any], with_: Sequence[str] = ()) -> None:
        """Bind what a task refers to; what the goal of one without a tool refers to goes with it, as do `with_`."""
        inputs = self._inputs(planned_, scope)
        if not planned_.tool:
            inputs = {name: scope[name] for name in (*with_, *sorted(plan.names(planned_.goal)))} | inputs
        goal = plan.bind_goal(planned_.goal, scope) or self._call_text(planned_.tool, inputs)
        if not planned_.tool:
            plan.check_new(goal, inputs, self.tree.ancestors(child))
        check = asdict(planned_.check) if planned_.check else None
        marks = provenance.around(self.tree, child)
        origins = provenance.of_inputs(planned_, inputs, marks, child.origin, self.tree.goal)
        origin = provenance.of_goal(planned_, scope, marks, child.origin)
        self.emit(ev.TaskBound(child.id, goal, inputs, check=check, origin=origin, origins=origins))

    def _inputs(self, planned_: PlannedTask, scope: dict[str, Any]) -> dict[str, Any]:
        """A task's arguments, bound, and made to fit its tool, so that the tree holds them as they are used."""
        inputs: dict[str, Any] = plan.bind(planned_.args, scope)
        tool = self.tools.get(planned_.tool)
        return tool.fit(inputs) if tool else inputs

    def _joining(self, id: str, parent: Task, goal: str, tool: str, origin: str) -> ev.TaskPlanned:
        self.budget.join(parent)
        known = self.tools.get(tool)
        version = known.version if known else ""
        return ev.TaskPlanned(id, parent.id, goal or tool, tool, parent.depth + 1, origin, tool_version=version)

    @staticmethod
    def _call_text(tool: str, inputs: dict[str, Any]) -> str:
        shown = (f"{name}={_short(value)}" for name, value in inputs.items())
        return f"{tool}({', '.join(shown)})"

    def has_handed_over(self, task: Task) -> bool:
        return self.others is not None and self.others.have(task)

    def hand_over(self, task: Task, awaited: bool) -> bool:
        """Give a task to whoever shares the run; False where it is to be solved here."""
        if self.others is None or task.status in FINISHED:
            return False
        return self.others.have(task) or self.others.take(task, self.tools.get(task.tool), awaited)

    def fitting(self, task: Task, latest: dict[str, Any]) -> list[Tool]:
        """The tools a planner is shown for a task, best first; those that it just used come before all others."""
        if self.rank is None:
            self.rank = ranking(self.tools, self.routes)
        ranked = self.rank(f"{task.goal} {' '.join(task.inputs)}")
        used = task.called if latest else ()
        return sorted(ranked, key=lambda tool: tool.name not in used)[:SHOWN_TOOLS]

    # -- the person

    def policy(self, task: Task) -> str:
        """What may be done unasked in a task: a plan can be stricter with what is below it, and never less strict."""
        above = (one.approve for one in (task, *self.tree.ancestors(task)))
        return tightened(self.approve, *filter(None, above))

    async def allow(self, task: Task, verdict: Verdict, text: str, call: str) -> None:
        """Pass where a call is allowed; raises Refused where it is refused, Pause where nobody is there to ask."""
        if verdict == "allow":
            return
        if verdict == "refuse":
            raise Refused(f"not allowed (--approve {self.policy(task)}): {text}")
        said = await self._asked(task, "approval", text, call)
        if said != "yes":
            raise Refused(f"not approved: {text}")

    async def allow_command(self, task: Task, command: str, given: str) -> None:
        """Running a program is an effect, also when a check does it; it is `given` the result to judge."""
        verdict, why = policy.judge_command(task.origin, self.policy(task))
        call = hashlib.blake2b(f"{command}\0{given}".encode(), digest_size=16).hexdigest()
        await self.allow(task, verdict, f"run the check's command: {command}{why}", call)

    async def ask(self, task: Task, text: str) -> str:
        """A person's answer to a question of the planner."""
        return await self._asked(task, "question", text, hashlib.blake2b(text.encode(), digest_size=16).hexdigest())

    async def _asked(self, task: Task, kind: str, text: str, call: str) -> str:
        answer = self.tree.answers.get((task.id, call))
        if answer is not None:
            return answer.text
        asked = ev.Asked(task.id, kind, text, call)
        if (task.id, call) not in self.tree.asked:
            self.emit(asked, commit=True)
        if self.person is None:
            raise Pause(text)
        try:
            async with self._asking, asyncio.timeout(None) as self.control.asking[task.id]:  # one question at a time
                if kind == "approval":
                    said = "yes" if await self.person.approve(asked) else "no"
                else:
                    said = await self.person.answer(text)
        except TimeoutError:
            return self.tree.answers[task.id, call].text  # it was answered from elsewhere
        self.emit(ev.Answered(task.id, kind, said, call, by="person"), synced=True)
        return said

    # -- from beginning to end

    async def work(self) -> Tree:
        """Work on the goal until it ends, and record how. What is told to the person is raised after it is recorded."""
        for event in list(self.tree.planted()):
            self.emit(event)
        self.store.commit()
        status, blocked, code = "interrupted", "", 130
        try:
            async with self.control.listening():
                root = await self.work_on(ROOT)
            status, blocked, code = root.status, root.blocked, exit_code(root.status)
        except PersonError as error:
            status, blocked, code = "stopped", str(error), error.exit_code
            raise
        finally:
            try:
                self.emit(ev.RunEnded(ROOT, status, blocked, code), synced=True)
            finally:
                rest()
                for planner in self.planners:
                    await planner.close()
        return self.tree

    async def work_on(self, id: str) -> Task:
        """Solve a task."""
        workspace.enter(Path(self.tree.workspace))
        return await solve(self, self.tree.tasks[id])


def exit_code(status: str) -> int:
    """The exit code of a run whose goal came to this."""
    return _CODES.get(status, 1)


def _short(value: Any, width: int = 40) -> str:
    """An argument as a call shows it."""
    return repr(value[:width]) if isinstance(value, str) else repr(value)[:width]
