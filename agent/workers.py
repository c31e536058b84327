"""Workers: what tries a task. A tool answers; a planner answers, plans, asks, or wishes for a tool."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from agent import events as ev
from agent import policy, progress
from agent.errors import ConfigError
from agent.planners import Ask, Planner
from agent.task import FINISHED, Answer, Decision, Status, Task, Usage
from agent.task import to_json as decision_json
from tools import schema, stop
from tools.errors import ToolError
from tools.registry import Tool

if TYPE_CHECKING:
    from agent.run import Run

MOST_ROWS = 128  # that a tool is given at once
_MAX_RESULT = 4 * 2**20  # characters of text that a tool may hand back


@dataclass(slots=True)
class Outcome:
    """What has come of a task so far."""

    status: Status = "failed"
    value: Any = None
    verified: bool = False
    worker: str = ""
    blocked: str = ""
    refused: bool = False  # by a person or the policy: nobody else may try
    declined: bool = False  # by a planner that is not sure: the next one need not hear of it
    waits: bool = False  # for tasks that others work on: it is gone on with when they have ended
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
        self.tool = self.tool.for_call(args)
        effect = self.tool.effect not in ("none", "read")
        if effect and (happened := await self._happened(run, task, args)):
            return happened
        files, call = await self._allowed(run, task, args) if effect else ({}, "")
        run.emit(ev.AttemptStarted(task.id, number, self.name, self.tool.effect, call, files), synced=effect)
        answer = Answer(await self._value(run, task, args))
        if effect or task.check:  # what has happened is kept before anything is made of it
            decided = ev.AttemptDecided(task.id, number, self.name, decision_json(answer), Usage())
            run.emit(decided, commit=True, synced=effect)
        return answer

    async def _value(self, run: Run, task: Task, args: dict[str, Any]) -> Any:
        """The tool's result, which it may have given already: see `together`."""
        ahead = run.ahead.pop(task.id, None)
        if ahead is None:
            async with run.budget.slot(task):
                return await in_thread(lambda: self._kept(self.tool.call(args)), run.limits.tool_seconds, self.name)
        value = await ahead
        if isinstance(value, ToolError):
            raise value
        return self._kept(schema.fit(value, self.tool.about.returns, f"the result of {self.name}"))

    def _kept(self, value: Any) -> Any:
        """A result such that the tree can keep it."""
        try:
            size = len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolError(f"{self.name} returned what cannot be kept: {error}") from error
        if size > _MAX_RESULT:
            raise ToolError(f"{self.name} returned {size:,} characters; a result may have {_MAX_RESULT:,}")
        return value

    async def _allowed(self, run: Run, task: Task, args: dict[str, Any]) -> tuple[dict[str, str], str]:
        """The files that a call may replace, and its identity, once it is allowed with these files as they are."""
        while True:
            call = self._call(task, args)
            identity = policy.call_hash(self.tool, args, call.files)
            verdict, why = policy.judge(call, run.policy(task))
            await run.allow(task, verdict, policy.question(call, why), identity)
            if verdict != "ask" or policy.before(self.tool, args) == call.files:
                return call.files, identity

    def _call(self, task: Task, args: dict[str, Any]) -> policy.Call:
        return policy.Call(self.tool, args, policy.before(self.tool, args), task.origins, task.origin)

    async def _happened(self, run: Run, task: Task, args: dict[str, Any]) -> Decision | None:
        """The answer of an attempt that was cut short after its work was done. Where nobody can tell, a person decides.

        Raises ToolError where the person does not want it done again, Pause where nobody is there.
        """
        cut = next((a for a in task.attempts if a.call and not a.ended), None)
        if cut is None:
            return None
        if (done := self.tool.done) is not None:
            is_done = await in_thread(lambda: done(args), run.limits.tool_seconds, self.name)
            return Answer(self._lost_result(args)) if is_done else None
        text = policy.question(self._call(task, args))
        text = f"this was cut short and may have happened: {text}; do it again?"
        await run.allow(task, "ask", text, f"again:{cut.call}")
        return None

    def _lost_result(self, args: dict[str, Any]) -> Any:
        """The result of a call that was cut short after its work: what wrote a file returns its path, as write_file."""
        paths, kind = self.tool.paths(args), self.tool.about.returns.get("type")
        if kind == "null" or (kind == "string" and len(paths) == 1):
            return None if kind == "null" else paths[0]
        raise ToolError(f"{self.name} did its work, and its result was lost when the run was cut short")


@contextlib.asynccontextmanager
async def together(run: Run, tasks: Sequence[Task]) -> AsyncIterator[None]:
    """Has a tool that takes many rows at once, as a micro-model does, answer for the tasks of one `each` in batches.

    Each task, worked on meanwhile, then takes its own answer, or its own error, as if it had called the tool itself.
    """
    tool = run.tools.get(tasks[0].tool) if tasks else None
    many = getattr(tool.run, "many", None) if tool else None
    open_ = [task for task in tasks if task.status not in FINISHED and not any(a.ended for a in task.attempts)]
    is_elsewhere = run.others is not None and tool is not None and tool.version != tasks[0].tool_version
    if tool is None or many is None or len(open_) < 2 or is_elsewhere:
        yield
        return
    waiting = [(task.inputs, asyncio.get_running_loop().create_future()) for task in open_]
    run.ahead |= {task.id: answer for task, (_, answer) in zip(open_, waiting, strict=True)}
    asking = asyncio.create_task(_ask_ahead(run, tasks[0], many, waiting))
    try:
        yield
    finally:
        asking.cancel()
        for task in open_:
            run.ahead.pop(task.id, None)


async def _ask_ahead(
    run: Run, task: Task, many: Callable[[Any], list[Any]], waiting: Sequence[tuple[Any, asyncio.Future[Any]]]
) -> None:
    """`task` stands for all of them: they have the same tool, and count for the same limits."""
    name = task.tool
    for at in range(0, len(waiting), MOST_ROWS):
        some = waiting[at : at + MOST_ROWS]
        try:
            async with run.budget.slot(task):
                rows = [row for row, _ in some]
                answers = await in_thread(partial(many, rows), run.limits.tool_seconds * len(some), name)
        except ToolError as error:
            answers = [error] * len(some)
        for number, (_, answer) in enumerate(some):
            missing = ToolError(f"{name} gave {len(answers)} answers to {len(some)} rows")
            answer.set_result(answers[number] if number < len(answers) else missing)


class PlannerWorker:
    """Asks a planner, and keeps what was paid for before anything is done with it."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.name = planner.name

    async def attempt(self, run: Run, task: Task, number: int, last: Outcome) -> Decision:
        shown = self.name != "embedded"  # which reads the registry itself, and for which ranking would be lost time
        ask = Ask(
            goal=task.goal,
            inputs=task.inputs,
            tools=run.fitting(task, last.latest) if shown else [],
            may_plan=run.budget.may_plan(task),
            results=last.scope if last.blocked else last.latest,
            notes=f"{last.notes} A person's hint: {task.hint}".strip() if task.hint else last.notes,
            failure=last.blocked,
            max_tasks=run.budget.limits.width,
            used=len(task.called) if last.latest else 1,
        )
        parts = [self.name, ask.goal, ask.inputs, ask.may_plan, ask.results, ask.notes, ask.failure]
        question = progress.question_of(parts) if shown else ""  # the embedded planner takes a few milliseconds
        run.emit(ev.AttemptStarted(task.id, number, self.name, question=question))
        progress.check_question(run.tree, task, question)
        async with run.budget.slot(task):
            with run.budget.meter(task, number, self.name) as ask.meter:
                try:
                    reply = await self.planner.decide(ask, lambda text: run.emit(ev.Note(task.id, text)))
                except ToolError as error:  # the planner's own model cannot be used: no task is to blame
                    raise ConfigError(str(error)) from error
                decision, usage = decision_json(reply.decision), ask.meter.lost + reply.usage
                run.emit(ev.AttemptDecided(task.id, number, self.name, decision, usage), commit=True)
        return reply.decision


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its message cannot be shown"


async def in_thread(call: Callable[[], Any], seconds: float, name: str) -> Any:
    """Run a blocking call beside the loop.

    A call that nobody waits for any more is ended by whatever way it has (`tools.stop`). The thread is a daemon: one
    that hangs past its deadline is left behind, and does not keep the program alive. One that has ended its call takes
    the next: starting a thread costs more than most calls do.
    """
    context, ending = contextvars.copy_context(), stop.Stop()
    context.run(stop.current.set, ending)

    def work() -> _Made:
        try:
            return context.run(call), None
        except ToolError as known:
            return None, known
        except BaseException as raised:  # a tool may raise anything; it is an error of that call alone
            return None, ToolError(f"{name} failed: {type(raised).__name__}: {_said(raised)}".rstrip(": "))

    made, started = _begin(work), time.monotonic()
    try:
        await asyncio.sleep(0)  # all else that can go on begins first
        if not _is_over(made):
            await asyncio.wait_for(asyncio.wrap_future(made), seconds)
    except TimeoutError:
        ending.now()
        raise ToolError(f"{name} did not end within {time.monotonic() - started:.0f} seconds") from None
    except asyncio.CancelledError:
        ending.now()
        raise
    value, error = made.result()
    if error:
        raise error
    return value


_AT_ONCE = 0.0002  # seconds
_Made = tuple[Any, ToolError | None]
_Job = tuple[Callable[[], _Made], "Future[_Made]"]
_idle: list[SimpleQueue[_Job | None]] = []  # those of the threads that have nothing to do


def _begin(work: Callable[[], _Made]) -> Future[_Made]:
    try:
        queue = _idle.pop()
    except IndexError:
        queue = SimpleQueue()
        threading.Thread(target=_serve, args=(queue,), name="tool", daemon=True).start()
    made: Future[_Made] = Future()
    made.set_running_or_notify_cancel()  # whoever does not wait for it any more cannot take it back
    queue.put((work, made))
    return made


def _serve(queue: SimpleQueue[_Job | None]) -> None:
    while (job := queue.get()) is not None:
        work, made = job
        outcome = work()
        _idle.append(queue)  # before it is told, so that the next call finds this thread
        made.set_result(outcome)


def _is_over(made: Future[_Made]) -> bool:
    """Whether a call has ended. Most end sooner than the loop could be woken for them, so that long is waited."""
    with contextlib.suppress(TimeoutError):
        made.result(_AT_ONCE)
    return made.done()


def rest() -> None:
    """End the threads that have nothing to do."""
    while _idle:
        _idle.pop().put(None)
