"""The ladder: which workers try a task, the cheapest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.task import Task
from agent.workers import PlannerWorker, ToolWorker, Worker

if TYPE_CHECKING:
    from agent.run import Run


def ladder(run: Run, task: Task) -> Iterator[Worker]:
    """The workers for a task: the tool its plan named, then the planners in their order.

    The embedded planner planned such a call itself or would read it no better, so it is no rung above a tool.
    """
    tool = run.tools.get(task.tool) if task.tool else None
    if tool:
        yield ToolWorker(tool)
    for planner in run.planners:
        if not tool or planner.name != "embedded":
            yield PlannerWorker(planner)
