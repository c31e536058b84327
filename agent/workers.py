"""Workers: what tries a task. A tool answers; a planner answers, plans, asks, or wishes for a tool."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from agent import events as ev
from agent import policy
from agent.errors import ConfigError
from agent.planners import Ask, Planner
from agent.task import Answer, Decision, Status, Task, Usage
from agent.task import to_json as decision_json
from tools.errors import ToolError
from tools.registry import Tool

if TYPE_CHECKING:
    from agent.run import Run

_MAX_RESULT = 16 * 2**20  # characters of text that a tool may hand back


@dataclass(slots=True)
class Outcome:
    """What has come of a task so far."""

    status: Status = "failed"
    value: Any = None
    verified: bool = False
    worker: str = ""
    blocked: str = ""
    again: bool = False  # the same worker should go on: to look at results, or to mend its plan
    scope: dict[str, Any] = field(default_factory=dict)  # every result of the task's plans, by id
    latest: dict[str, Any] = field(default_factory=dict)  # those of the last plan
    notes: str = ""
    mends: int = 0


class Worker(Protocol):
    name: str

    async def attempt(self, run: Run, task: Task, number: int, last: Outcome) -> Decision:
        """Try a task. Raises ToolError or UnsoundPlan where nothing came of it."""
        ...


class ToolWorker:
    """Calls the tool that the plan named, under the policy and a deadline."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.name = tool.name

    async def attempt(self, run: Run, task: Task, number: int, last: Outcome) -> Decision:
        args = self.tool.fit(task.inputs)
        files = policy.before(self.tool, args)
        effect = self.tool.effect not in ("none", "read")
        call = policy.call_hash(self.tool, args, files) if effect else ""
        if effect and await self._happened(run, task, args, files):
            return Answer(self.tool.paths(args)[0])
        if effect:
            verdict = policy.judge(self.tool, files, run.approve)
            await run.allow(task, verdict, policy.question(self.tool, args, files), call)
        run.emit(ev.AttemptStarted(task.id, number, self.name, self.tool.effect, call, files), commit=effect)
        async with run.budget.slots:
            value = await in_thread(lambda: self.tool.call(args), run.limits.tool_seconds, self.name)
        if isinstance(value, str) and len(value) > _MAX_RESULT:
            raise ToolError(f"{self.name} returned {len(value):,} characters; a result may have {_MAX_RESULT:,}")
        return Answer(value)

    async def _happened(self, run: Run, task: Task, args: dict[str, Any], files: dict[str, str]) -> bool:
        """Whether an attempt that a kill cut short did its work. Where nobody can tell, a person decides."""
        cut = next((a for a in task.attempts if a.call and not a.ended), None)
        if cut is None:
            return False
        if self.tool.done is not None:
            return self.tool.done(args)
        text = f"this was cut short and may have happened: {policy.question(self.tool, args, files)}; do it again?"
        await run.allow(task, "ask", text, f"again:{cut.call}")
        return False


class PlannerWorker:
    """Asks a planner, and keeps what was paid for before anything is done with it."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.name = planner.name

    async def attempt(self, run: Run, task: Task, number: int, last: Outcome) -> Decision:
        run.emit(ev.AttemptStarted(task.id, number, self.name))
        ask = Ask(
            goal=task.goal,
            inputs=task.inputs,
            tools=run.fitting(task, last.latest),
            may_plan=run.budget.may_plan(task),
            results=last.latest,
            notes=last.notes,
            failure=last.blocked,
            max_tasks=run.budget.limits.width,
            used=len(run.used_tools(task)) if last.latest else 1,
        )
        async with run.budget.slots:
            try:
                reply = await self.planner.decide(ask, lambda text: run.emit(ev.Note(task.id, text)))
            except ToolError as error:  # the planner's own model cannot be used: no task is to blame
                raise ConfigError(str(error)) from error
        run.emit(ev.AttemptDecided(task.id, number, self.name, decision_json(reply.decision), reply.usage), commit=True)
        return reply.decision


def spent(error: Exception) -> Usage | None:
    """What a failed attempt cost, where it cost something."""
    usage = getattr(error, "usage", None)
    return usage if isinstance(usage, Usage) else None


async def in_thread(call: Callable[[], Any], seconds: float, name: str) -> Any:
    """Run a blocking call beside the loop.

    The thread is a daemon: one that hangs past its deadline is left behind, and does not keep the program alive.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if not future.done():
            future.set_exception(error) if error else future.set_result(value)

    def work() -> None:
        value, error = None, None
        try:
            value = context.run(call)
        except ToolError as known:
            error = known
        except BaseException as raised:  # a tool may raise anything; it is an error of that call alone
            error = ToolError(f"{name} failed: {type(raised).__name__}: {raised}")
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, name=name, daemon=True).start()
    started = time.monotonic()
    try:
        return await asyncio.wait_for(future, seconds)
    except TimeoutError:
        raise ToolError(f"{name} did not end within {time.monotonic() - started:.0f} seconds") from None
