"""Acceptance checks: whether a result is what the plan said it must be, the cheap ways first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.errors import ConfigError, UnsoundPlan
from agent.task import Answer, Check, Task
from tools import schema, workspace
from tools.errors import ToolError
from tools.schema import as_text

if TYPE_CHECKING:
    from agent.run import Run

_SECONDS = 120  # that a command may take
_MOST_BYTES = 16 * 2**20  # that it may write, and that a file may have


async def judge(run: Run, task: Task, number: int, value: Any) -> str:
    """Why what attempt `number` gave is not accepted as the result of `task`; empty where it is, or has no check."""
    check = task.check
    if check is None:
        return ""
    why = by_value(check, value) or by_examples(check, task.inputs, value)
    if not why and check.command:
        why = await _by_command(run, task, check.command, as_text(value))
    if not why and check.judge:
        why = await _by_model(run, task, number, check.judge, as_text(value))
    return why


def flaw(check: Check) -> str:
    """Why a check can judge nothing; empty where it can."""
    try:
        if check.pattern:
            _matches(check.pattern, "")
        if check.command and not shlex.split(check.command):
            return "its command is empty"
        if check.file:
            workspace.inside(check.file)
        return _schema_flaw(check.schema or {}) or _examples_flaw(check.examples)
    except (ValueError, ToolError, RecursionError) as error:
        return str(error)


_ROW = {"input", "output"}
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_LOOKED_AT = frozenset("type properties required items enum anyOf additionalProperties format".split())
_WORDS = frozenset("title description default examples $schema".split())


def _schema_flaw(wanted: Any) -> str:
    """Why a schema cannot be held against a value. One with a condition that is not looked at would verify too much."""
    if not isinstance(wanted, dict):
        return f"a schema is an object, not {as_text(wanted)[:40]!r}"
    odd = sorted(wanted.keys() - _LOOKED_AT - _WORDS)
    if odd:
        return f"its schema says {odd[0]!r}, which is not looked at; use {', '.join(sorted(_LOOKED_AT))}"
    if wanted.get("type", "null") not in _TYPES:
        return f"its schema has the type {wanted['type']!r}; use one of {', '.join(_TYPES)}"
    shapes = {"properties": dict, "required": list, "enum": list, "anyOf": list}
    for name, shape in shapes.items():
        if not isinstance(wanted.get(name, shape()), shape):
            return f"{name!r} of its schema must be {'an object' if shape is dict else 'a list'}"
    inner = [*wanted.get("properties", {}).values(), *wanted.get("anyOf", ())]
    more = (wanted.get("items", True), wanted.get("additionalProperties", True))
    inner += [part for part in more if not isinstance(part, bool)]
    return next((why for part in inner if (why := _schema_flaw(part))), "")


def _examples_flaw(rows: Any) -> str:
    if rows is None:
        return ""
    if isinstance(rows, list) and rows and all(isinstance(row, dict) and row.keys() >= _ROW for row in rows):
        return ""
    return 'its examples must be a list of objects such as {"input": "cats", "output": "cat"}'


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
        if path.stat().st_size > _MOST_BYTES:
            return f"the file {check.file} has more than {_MOST_BYTES >> 20} MiB, too much to be looked at"
        text = path.read_text(encoding="utf-8", errors="replace")
    if check.pattern and not _matches(check.pattern, text):
        return f"{check.file or 'the result'} does not match the pattern {check.pattern!r}: {text[:80]!r}"
    return ""


def by_examples(check: Check, inputs: dict[str, Any], value: Any) -> str:
    """Why a result does not agree with the examples; empty where it does."""
    for name, found, wanted in _pairs(check, inputs, value):
        if found.strip() != wanted.strip():
            return f"for {name[:40]!r} the result is {found[:80]!r}, and the example says {wanted[:80]!r}"
    return ""


def _pairs(check: Check, inputs: dict[str, Any], value: Any) -> Iterator[tuple[str, str, str]]:
    """The examples that a result can be held against: the input, what was found, what should be.

    A task is an example where one of its inputs is the row's. An object holds one where it has a field of that name.
    """
    given = [as_text(one) for one in inputs.values()] if check.examples else []
    for row in check.examples or ():
        name, wanted = as_text(row["input"]), as_text(row["output"])
        if isinstance(value, dict) and name in value:
            yield name, as_text(value[name]), wanted
        elif name in given:
            yield name, as_text(value), wanted


def decides(check: Check | None, inputs: dict[str, Any], value: Any) -> bool:
    """Whether a check has anything to hold a result against: of a list, few items may be examples."""
    return check is not None and (
        replace(check, examples=None) != Check() or any(True for _ in _pairs(check, inputs, value))
    )


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found. Raises ToolError for one that is none, and where it takes more than a second."""
    import regex  # `re` can be given no time, and a model may write a pattern that takes for ever

    try:
        return regex.search(pattern, text, timeout=1.0) is not None
    except regex.error as error:
        raise ToolError(f"the pattern {pattern!r} is none: {error}") from None
    except TimeoutError:
        raise ToolError(f"the pattern {pattern!r} takes too long; write one that has one way to match") from None


async def _by_command(run: Run, task: Task, command: str, text: str) -> str:
    from agent.workers import in_thread

    given = text.encode(errors="backslashreplace").decode()
    await run.allow_command(task, command, given)
    try:
        why: str = await in_thread(lambda: _ran(command, given), _SECONDS, f"the check's command {command!r}")
        return why
    except ToolError as error:
        return str(error)


def _ran(command: str, given: str) -> str:
    """Run a command on what it is given, in the sandbox as every command; why it is not content."""
    from tools.sandbox import findings
    from tools.sandbox.full import Job, Limits

    limits = Limits(seconds=_SECONDS + 1, output=2000)
    result = findings.run(workspace.root(), Job(command=command, stdin=given, limits=limits))
    if result.ok:
        return ""
    last = (result.stdout + result.stderr).strip()[-200:]
    if result.ended == "limit":
        return f"{command!r} went over its limit of {result.what}: {last}"
    return f"{command!r} ended with {'-' * (result.ended == 'signal')}{result.what}: {last}"


async def _by_model(run: Run, task: Task, number: int, question: str, text: str) -> str:
    """Ask a planner whether the result will do: another than made it where there is one, and always in a call apart."""
    from agent.planners import Ask

    made = task.attempt(number)
    models = [planner for planner in run.planners if planner.name != "embedded"]
    if not models:
        return "a judge model is wanted, and there is none: give a key or a GGUF"
    judge = next((planner for planner in models if made is None or planner.name != made.worker), models[0])
    asked = Ask(f"{question} Answer yes, or no with the reason.", {"goal": task.goal, "result": text}, may_plan=False)
    try:
        async with run.budget.slot(task):
            with run.budget.meter(task, number, judge.name) as asked.meter:
                reply = await judge.decide(asked, lambda text: None)
    except UnsoundPlan as error:
        return f"the judge gave no answer: {error}"
    except ToolError as error:  # its own model cannot be used: the result is not to blame
        raise ConfigError(str(error)) from error
    said = as_text(reply.decision.value) if isinstance(reply.decision, Answer) else "no answer"
    yes = re.match(r"\s*yes\b", said, re.IGNORECASE)
    return "" if yes else f"the judge said: {said[:200]}"
