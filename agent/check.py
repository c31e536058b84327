"""Acceptance checks: whether a result is what the plan said it must be, the cheap ways first."""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import TYPE_CHECKING, Any

from agent.task import Answer, Check, Task
from tools import schema, workspace
from tools.errors import ToolError
from tools.schema import as_text

if TYPE_CHECKING:
    from agent.run import Run

_SECONDS = 120  # that a command may take


async def judge(run: Run, task: Task, value: Any) -> str:
    """Why `value` is not accepted as the result of `task`; empty where it is. A task without a check accepts all."""
    check = task.check
    if check is None:
        return ""
    why = by_value(check, value)
    if not why and check.command:
        why = await _by_command(run, task, check.command, as_text(value))
    if not why and check.judge:
        why = await _by_model(run, check.judge, task.goal, as_text(value))
    return why


def by_value(check: Check, value: Any) -> str:
    """The parts of a check that need no program and no model: schema, exact value, file, pattern."""
    if check.schema is not None:
        try:
            schema.fit(value, check.schema, "the result")
        except ToolError as error:
            return str(error)
    if check.equals is not None and value != check.equals and as_text(value).strip() != as_text(check.equals).strip():
        return f"the result is {as_text(value)[:80]!r}, not {as_text(check.equals)[:80]!r}"
    text = as_text(value)
    if check.file:
        path = workspace.inside(check.file)
        if not path.is_file():
            return f"the file {check.file} is not there"
        text = path.read_text(encoding="utf-8", errors="replace")
    if check.pattern and not re.search(check.pattern, text):
        return f"{check.file or 'the result'} does not match the pattern {check.pattern!r}: {text[:80]!r}"
    return ""


async def _by_command(run: Run, task: Task, command: str, text: str) -> str:
    await run.allow_command(task, command)
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            cwd=workspace.root(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except (OSError, ValueError) as error:
        return f"the check's command {command!r} could not be run: {error}"
    try:
        output, _ = await asyncio.wait_for(process.communicate(text.encode()), _SECONDS)
    except TimeoutError:
        return f"the check's command {command!r} did not end within {_SECONDS} seconds"
    finally:
        if process.returncode is None:
            process.kill()
    last = output.decode(errors="replace").strip()[-200:]
    return "" if process.returncode == 0 else f"{command!r} ended with {process.returncode}: {last}"


async def _by_model(run: Run, question: str, goal: str, text: str) -> str:
    """Ask a planner, in a call of its own, whether the result will do."""
    from agent.planners import Ask

    judge = next((planner for planner in run.planners if planner.name != "embedded"), None)
    if judge is None:
        return "a judge model is wanted, and there is none: give a key or a GGUF"
    asked = Ask(f"{question} Answer yes, or no with the reason.", {"goal": goal, "result": text}, may_plan=False)
    async with run.budget.slots:
        reply = await judge.decide(asked, lambda text: None)
    said = as_text(reply.decision.value) if isinstance(reply.decision, Answer) else "no answer"
    return "" if said.strip().lower().startswith("yes") else f"the judge said: {said[:200]}"
