"""The loop: work on a task until it is met, or until nothing more can be tried."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent import check, plan
from agent.errors import Declined, LimitHit, Pause, Refused, UnsoundPlan
from agent.ladder import ladder
from agent.task import (
    FINISHED,
    Answer,
    Decision,
    Plan,
    PlannedTask,
    Question,
    Status,
    Task,
    family_of,
    from_json,
    to_json,
)
from agent.workers import Outcome, ToolWorker, Worker, together
from tools.errors import ToolError
from tools.schema import Mapped

if TYPE_CHECKING:
    from agent.run import Run


async def solve(run: Run, task: Task) -> Task:
    """Work on one task. A resumed run calls this again: what the tree holds already is not done twice."""
    if task.status in FINISHED:
        return task
    try:
        async with run.control.over(task):  # a person may end it from elsewhere
            best = await run.budget.within(task, work_on(run, task))
            return task if best.waits else run.end(task, best)
    except LimitHit as limit:
        if limit.task != task.id or task.parent is None:
            raise
        return run.cut_short(task, str(limit))
    return task


async def work_on(run: Run, task: Task) -> Outcome:
    """Have the ladder's workers try a task until one has done it; the best that came of it."""
    if task.items is not None:
        return await solve_each(run, task)
    best = Outcome(status="pending", blocked="no worker can take this task")
    for worker in ladder(run, task):  # cheapest first
        best = await persist(run, task, worker, best)
        if best.status in ("done", "paused") or best.refused or best.waits:
            break
    return best


async def persist(run: Run, task: Task, worker: Worker, best: Outcome) -> Outcome:
    """Let one worker go on for as long as it looks at results or mends its plan."""
    told = best.blocked if best.worker and not best.declined else ""
    last = Outcome(blocked=told, scope=best.scope, latest=best.latest)
    for _ in range(run.budget.limits.looks):
        last = await attempt(run, task, worker, last)
        best = last if last.waits else max(best, last, key=_rank)
        if not last.again:
            return last if last.refused else best
    best.blocked = f"it looked at results {run.budget.limits.looks} times and did not come to an answer"
    return best


async def attempt(run: Run, task: Task, worker: Worker, last: Outcome) -> Outcome:
    """One try of one worker: its decision is made, or read back from the tree, carried out, checked and recorded."""
    number = run.next_number(task)
    try:
        outcome = await carry_out(run, task, number, await decide(run, task, worker, number, last), last)
        if outcome.status == "done":
            why = await accept(run, task, number, outcome.value)
            outcome = _failed(outcome, why, mend=True) if why else outcome
        known = outcome.verified or worker.name == task.tool or check.decides(task.check, task.inputs, outcome.value)
        outcome.verified = outcome.status == "done" and known
    except Pause as pause:
        return Outcome("paused", worker=worker.name, blocked=str(pause))
    except (ToolError, UnsoundPlan, Declined) as error:
        outcome = _failed(last, str(error), mend=isinstance(error, UnsoundPlan))
        outcome.refused, outcome.declined = isinstance(error, Refused), isinstance(error, Declined)
    outcome.worker = worker.name
    if outcome.status == "paused" or outcome.waits:
        return outcome
    outcome.again = outcome.again and _may_go_on(run, task, worker, number, outcome)
    run.attempt_ended(task, number, _verdict(outcome))
    return outcome


def _may_go_on(run: Run, task: Task, worker: Worker, number: int, outcome: Outcome) -> bool:
    """Whether a worker gets another try: a tool does what it did before, and an earlier process may have moved on."""
    following = task.attempt(number + 1)
    if isinstance(worker, ToolWorker) or (following and following.worker != worker.name):
        return False
    return outcome.status == "running" or outcome.mends <= run.budget.limits.replans


async def decide(run: Run, task: Task, worker: Worker, number: int, last: Outcome) -> Decision:
    """A worker's decision; one that an earlier process was given is taken from the tree."""
    recorded = task.attempt(number)
    if recorded and recorded.decision:
        return from_json(recorded.decision)
    if recorded and recorded.ended:
        raise UnsoundPlan(recorded.verdict.removeprefix("failed: "))
    return await worker.attempt(run, task, number, last)


async def accept(run: Run, task: Task, number: int, value: Any) -> str:
    """Why a result is not accepted; empty where it is. What an earlier process found is taken from the tree."""
    recorded = task.attempt(number)
    if recorded and recorded.ended:
        return recorded.verdict.removeprefix("failed: ") if recorded.verdict.startswith("failed") else ""
    why = await check.judge(run, task, number, value)
    return f"the result was not accepted: {why}" if why else ""


async def carry_out(run: Run, task: Task, number: int, decision: Decision, last: Outcome) -> Outcome:
    """Do what a decision says: take the answer, run the plan, ask the person."""
    match decision:
        case Answer():
            return replace(last, status="done", value=decision.value, verified=False, blocked="", again=False)
        case Plan():
            return await run_plan(run, task, number, decision, last)
        case Question():
            said = await run.ask(task, decision.text)
            if any(a.number < number and a.decision == to_json(decision) for a in task.attempts):
                return _failed(last, f"you asked that already, and the person said: {said}", mend=True)
            notes = f"{last.notes} You asked: {decision.text} The person said: {said}".strip()
            return replace(last, status="running", blocked="", again=True, notes=notes)
        case _:
            why = f"{decision.why} " if decision.why else ""
            wish = f"it needs a tool that is not there: {decision.signature or decision.name}. {why}"
            return _failed(last, f"{wish}Make it with: zooid tools new {decision.name}", mend=False)


async def run_plan(run: Run, task: Task, number: int, plan_: Plan, last: Outcome) -> Outcome:
    """Run a plan's tasks as a graph, each as soon as what it refers to is there, and make the answer by code."""
    scope = task.inputs | last.scope
    run.check_plan(plan_, task, number, scope)
    children = run.join(task, number, plan_)
    ends = {p.id: asyncio.Event() for p in plan_.tasks}
    wanted_by_others = set().union(*map(plan.needs, plan_.tasks))

    async def one(planned: PlannedTask, child: Task) -> None:
        wanted = plan.needs(planned) & ends.keys()
        while open_ := [name for name in wanted if not ends[name].is_set()]:
            await ends[open_[0]].wait()
        short = [children[name] for name in wanted if children[name].status != "done"]
        if not short:
            await _bind_and_solve(run, planned, child, scope, awaited=planned.id in wanted_by_others)
        elif not any(map(_is_away, short)):
            run.end(child, _held_up(short, "cancelled" if any(c.status == "cancelled" for c in short) else "failed"))
        if child.status == "done":
            scope[planned.id] = child.result
        ends[planned.id].set()

    def again(child: Task) -> None:
        planned = next(planned for planned in plan_.tasks if children[planned.id] is child)
        ends[planned.id].clear()
        group.create_task(one(planned, child))

    with run.control.within(family_of(task.id, number), again):
        async with asyncio.TaskGroup() as group:
            for planned in plan_.tasks:
                group.create_task(one(planned, children[planned.id]))
    return _joined(run, task, plan_, children, last)


async def _bind_and_solve(run: Run, planned: PlannedTask, child: Task, scope: dict[str, Any], awaited: bool) -> None:
    if child.status in FINISHED or run.has_handed_over(child):
        return
    try:
        run.bind(child, planned, scope)
        run.recall(child, [child])
        run.progress.check(child)
    except (UnsoundPlan, ToolError) as error:
        run.end(child, Outcome(blocked=str(error)))
        return
    if child.status not in FINISHED:
        await solve_child(run, child, awaited)


async def solve_child(run: Run, child: Task, awaited: bool = False) -> None:
    """Solve a task here, or hand it over to whoever shares the run; `awaited` where tasks beside it wait for it."""
    if not run.hand_over(child, awaited):
        await solve(run, child)


async def solve_each(run: Run, task: Task) -> Outcome:
    """One task an item of the list, in parallel; the results in the order of the items."""
    children = run.join_each(task)
    run.recall(task, children)
    async with together(run, children):
        await _in_window(run, task, children)
    held = [child for child in children if child.status != "done"]
    outcome = _held_up(held) if held else Outcome("done")
    if held and any(child.status == "done" for child in children) and outcome.status == "failed":
        outcome.status = "partial"
    outcome.value = Mapped([child.result for child in children], task.labels or task.items or ())
    outcome.verified = all(child.verified for child in children)
    return outcome


async def _in_window(run: Run, task: Task, children: Iterable[Task]) -> None:
    """Work on all of them, so many at a time that ten thousand do not all wait in memory at once."""
    waiting = iter(children)

    async def lane() -> None:
        for child in waiting:
            await solve_child(run, child)

    with run.control.within(task.id, lambda child: group.create_task(solve_child(run, child))):
        async with asyncio.TaskGroup() as group:
            for _ in range(4 * run.budget.limits.parallel):
                group.create_task(lane())


def _joined(run: Run, task: Task, plan_: Plan, children: dict[str, Task], last: Outcome) -> Outcome:
    """The plan's own outcome from its tasks'. What a person cancelled is left out, where the answer can do without."""
    wanted = plan.names(plan_.answer or "")
    held = [c for n, c in children.items() if c.status != "done" and (c.status != "cancelled" or n in wanted)]
    if any(map(_is_away, held)):
        return _held_up(held)
    outcome = _held_up(held) if held else Outcome("running" if plan_.answer is None else "done")
    outcome.latest = {name: child.result for name, child in children.items() if child.status == "done"}
    outcome.scope, outcome.notes = last.scope | outcome.latest, plan_.notes
    outcome.again, outcome.mends = outcome.status in ("failed", "running"), last.mends + bool(held)
    if outcome.status == "done":
        try:
            outcome.value = plan.bind(plan_.answer, task.inputs | outcome.scope)
        except UnsoundPlan as error:
            return _failed(outcome, str(error), mend=True)
        outcome.verified = all(child.verified for child in children.values())
    elif held:
        outcome.value = run.tree.so_far(task)
        outcome.refused = any(map(run.tree.was_cancelled, children.values()))  # and nobody is to get round that
        outcome.again = outcome.again and not outcome.refused
        outcome.status = "partial" if outcome.value and outcome.status == "failed" else outcome.status
    return outcome


def _held_up(tasks: list[Task], status: Status = "failed") -> Outcome:
    """The outcome of something that waits for tasks which are not done."""
    if any(map(_is_away, tasks)):
        return Outcome("running", waits=True)
    paused = [task for task in tasks if task.status == "paused"]
    first = (paused or tasks)[0]
    why = first.blocked if paused or first.blocked.startswith("task ") else f"task {first.id}: {first.blocked}"
    return Outcome("paused" if paused else status, blocked=why)


def _is_away(task: Task) -> bool:
    """Whether a task that was taken up is worked on by somebody else: here it would have ended or be paused."""
    return task.status in ("pending", "running")


def _failed(last: Outcome, why: str, mend: bool) -> Outcome:
    """A try that came to nothing; the worker may try again where a better plan could help."""
    return replace(last, status="failed", value=None, verified=False, blocked=why, again=mend, mends=last.mends + 1)


def _rank(outcome: Outcome) -> int:
    return ("pending", "running", "failed", "partial", "paused", "done").index(outcome.status)


def _verdict(outcome: Outcome) -> str:
    if outcome.status == "done":
        return "verified" if outcome.verified else "unverified"
    return "planned" if outcome.status == "running" else f"failed: {outcome.blocked}"
