"""The ladder: which workers try a task, the cheapest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from agent import events as ev
from agent.errors import Declined
from agent.routes import Choice
from agent.task import Decision, Task
from agent.workers import Outcome, PlannerWorker, ToolWorker, Worker

if TYPE_CHECKING:
    from agent.run import Run


def ladder(run: Run, task: Task) -> Iterator[Worker]:
    """The workers for a task: the tool that its plan named or its wording is known to mean, then the planners in order.

    The embedded planner planned such a call itself or would read it no better, so it is no rung above a named tool.
    """
    tool = run.tools.get(task.tool) if task.tool else None
    if tool:
        yield ToolWorker(tool)
    elif choice := _routed(run, task):
        yield RoutedWorker(choice)
    for planner in run.planners:
        if not tool or planner.name != "embedded":
            yield PlannerWorker(planner)


def _routed(run: Run, task: Task) -> Choice | None:
    """The call that a task is known to mean. One that an earlier process had others try is theirs."""
    if task.tool or run.routes is None:
        return None
    choice = run.routes.choose(task.goal, task.inputs, run.tools)
    if choice and task.attempts and task.attempts[0].worker != choice.tool.name:
        return None
    return choice


class RoutedWorker(ToolWorker):
    """Calls the tool that a task's wording is known to mean, with the arguments that it names."""

    def __init__(self, choice: Choice) -> None:
        super().__init__(choice.tool)
        self._choice = choice

    async def attempt(self, run: Run, task: Task, number: int, last: Outcome) -> Decision:
        if last.mends:  # its result was not accepted, and it would do the same again
            raise Declined(last.blocked)
        run.emit(ev.Note(task.id, self._choice.why))
        return await super().attempt(run, replace(task, inputs=self._choice.args), number, last)
